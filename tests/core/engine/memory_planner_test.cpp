#include "core/engine/memory_planner.h"

#include <gtest/gtest.h>

#include <random>

namespace torch_tensorrt::core::engine {
namespace {

std::vector<Block> RandomBlocks(unsigned seed, int count) {
  std::mt19937 rng(seed);
  std::vector<Block> blocks;
  for (int i = 0; i < count; ++i) {
    const auto first = static_cast<int32_t>(rng() % 40);
    const auto span = static_cast<int32_t>(rng() % 8);
    blocks.push_back({rng() % 5 == 0 ? 0 : rng() % 100000, first, first + span});
  }
  return blocks;
}

TEST(MemoryPlanner, RandomPlansNeverOverlap) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto blocks = RandomBlocks(seed, 1 + static_cast<int>(seed % 60));
    auto placement = PlaceBlocks(blocks);
    ASSERT_TRUE(placement.ok());
    EXPECT_TRUE(VerifyPlacement(blocks, *placement).ok()) << seed;
    EXPECT_GE(placement->arena_bytes, placement->lower_bound);
  }
}

// What networks look like: a chain with residuals. The planner must reach the bound closely.
TEST(MemoryPlanner, ChainsWithResidualsStayNearTheLowerBound) {
  std::vector<Block> blocks;
  for (int32_t i = 0; i < 100; ++i) {
    blocks.push_back({static_cast<size_t>(4096 * (1 + i % 4)), i, i % 5 == 0 ? i + 4 : i + 1});
  }
  auto placement = PlaceBlocks(blocks);
  ASSERT_TRUE(placement.ok());
  EXPECT_LE(static_cast<double>(placement->arena_bytes),
            1.1 * static_cast<double>(placement->lower_bound));
}

TEST(MemoryPlanner, VerifierFindsEachFault) {
  const std::vector<Block> blocks = {{100, 0, 2}, {100, 1, 3}, {50, 4, 5}};
  auto placement = PlaceBlocks(blocks);
  ASSERT_TRUE(placement.ok());
  Placement overlap = *placement;
  overlap.offsets[1] = overlap.offsets[0];
  EXPECT_FALSE(VerifyPlacement(blocks, overlap).ok());
  Placement misaligned = *placement;
  misaligned.offsets[2] = 1;
  EXPECT_FALSE(VerifyPlacement(blocks, misaligned).ok());
  Placement outside = *placement;
  outside.arena_bytes = 64;
  EXPECT_FALSE(VerifyPlacement(blocks, outside).ok());
}

TEST(MemoryPlanner, AbsurdSizesAreRefused) {
  EXPECT_EQ(PlaceBlocks({{SIZE_MAX / 2, 0, 1}}).status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace torch_tensorrt::core::engine
