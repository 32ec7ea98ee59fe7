// Memory planner: places tensors that live over a range of steps in one arena.
//
// Used by the builder (reports, static plans) and by the execution context (once per new set of
// shapes), so it must be fast: hundreds of blocks in well under a millisecond. VerifyPlacement is
// an independent check that no two blocks alive at the same step overlap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/util/status.h"

namespace torch_tensorrt::core::engine {

inline constexpr size_t kArenaAlignment = 64;

// A block of `bytes` needed from step `first` to step `last`, inclusive.
struct Block {
  size_t bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
};

struct Placement {
  std::vector<size_t> offsets;  // per block, multiples of kArenaAlignment
  size_t arena_bytes = 0;
  size_t lower_bound = 0;  // most bytes alive at one step: no placement can use less
};

// Greedy by size, each block at the lowest gap that fits among blocks alive at the same time; tries
// orders by size and by area and keeps the smaller arena. ResourceExhausted when sizes overflow.
Result<Placement> PlaceBlocks(const std::vector<Block>& blocks);

// Internal naming the first pair that overlaps, a misaligned offset, or a block outside the arena.
Status VerifyPlacement(const std::vector<Block>& blocks, const Placement& placement);

}  // namespace torch_tensorrt::core::engine
