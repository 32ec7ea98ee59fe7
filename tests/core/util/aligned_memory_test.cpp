#include "core/util/aligned_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace torch_tensorrt::core {
namespace {

TEST(AlignedMemory, BlocksOfEverySizeAreAlignedAndApart) {
  const size_t sizes[] = {
      0, 1, 63, 64, 65, 100000, 256 << 10, (256 << 10) - 1, 3 << 20, (8 << 20) + 5};
  std::vector<std::pair<unsigned char*, size_t>> blocks;
  for (const size_t bytes : sizes) {
    auto* p = static_cast<unsigned char*>(AllocateAligned(bytes));
    ASSERT_NE(p, nullptr) << bytes;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % kCacheLine, 0U) << bytes;
    std::memset(p, static_cast<int>(blocks.size()) + 1, bytes);
    blocks.emplace_back(p, bytes);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto [p, bytes] = blocks[i];
    for (size_t k = 0; k < bytes; k += 61) ASSERT_EQ(p[k], i + 1) << bytes << " at " << k;
    if (bytes > 0) {
      EXPECT_EQ(p[bytes - 1], i + 1);
    }
    FreeAligned(p);
  }
  FreeAligned(nullptr);
}

TEST(AlignedMemory, TooMuchIsNull) { EXPECT_EQ(AllocateAligned(SIZE_MAX - 8), nullptr); }

}  // namespace
}  // namespace torch_tensorrt::core
