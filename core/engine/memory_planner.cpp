#include "core/engine/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace torch_tensorrt::core::engine {
namespace {

constexpr size_t kMaxArena = size_t{1} << 46;

size_t Align(size_t bytes) { return (bytes + kArenaAlignment - 1) & ~(kArenaAlignment - 1); }

bool AliveTogether(const Block& a, const Block& b) {
  return a.first <= b.last && b.first <= a.last;
}

// Places blocks in `order`; returns the arena size.
size_t PlaceInOrder(const std::vector<Block>& blocks, const std::vector<size_t>& order,
                    std::vector<size_t>* offsets) {
  std::vector<size_t> placed;  // sorted by offset
  size_t arena = 0;
  for (size_t i : order) {
    const size_t bytes = Align(blocks[i].bytes);
    size_t best = SIZE_MAX;
    size_t best_gap = SIZE_MAX;
    size_t end = 0;  // end of the occupied prefix seen so far
    for (size_t j : placed) {
      if (!AliveTogether(blocks[i], blocks[j])) continue;
      const size_t begin = (*offsets)[j];
      if (begin >= end && begin - end >= bytes && begin - end < best_gap) {
        best = end;
        best_gap = begin - end;
      }
      end = std::max(end, begin + Align(blocks[j].bytes));
    }
    (*offsets)[i] = best == SIZE_MAX ? end : best;
    arena = std::max(arena, (*offsets)[i] + bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), i,
                         [&](size_t a, size_t b) { return (*offsets)[a] < (*offsets)[b]; }),
        i);
  }
  return arena;
}

size_t LowerBound(const std::vector<Block>& blocks) {
  int32_t last = 0;
  for (const Block& block : blocks) last = std::max(last, block.last);
  std::vector<int64_t> delta(static_cast<size_t>(last) + 2, 0);
  for (const Block& block : blocks) {
    const auto bytes = static_cast<int64_t>(Align(block.bytes));
    delta[static_cast<size_t>(block.first)] += bytes;
    delta[static_cast<size_t>(block.last) + 1] -= bytes;
  }
  int64_t alive = 0;
  int64_t most = 0;
  for (int64_t d : delta) {
    alive += d;
    most = std::max(most, alive);
  }
  return static_cast<size_t>(most);
}

}  // namespace

Result<Placement> PlaceBlocks(const std::vector<Block>& blocks) {
  size_t total = 0;
  for (const Block& block : blocks) {
    if (block.bytes > kMaxArena || total > kMaxArena) {
      return ResourceExhausted("[memory planner] tensors of more than ", kMaxArena, " bytes");
    }
    total += Align(block.bytes);
  }
  Placement best;
  best.lower_bound = LowerBound(blocks);
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  auto span_of = [&](size_t i) {
    return static_cast<size_t>(blocks[i].last - blocks[i].first + 1);
  };
  auto by_size = [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; };
  auto by_area = [&](size_t a, size_t b) {
    return blocks[a].bytes * span_of(a) > blocks[b].bytes * span_of(b);
  };
  auto by_span = [&](size_t a, size_t b) { return span_of(a) > span_of(b); };
  auto by_time = [&](size_t a, size_t b) { return blocks[a].first < blocks[b].first; };
  auto attempt = [&](const auto& compare) {
    if (!best.offsets.empty() && best.arena_bytes == best.lower_bound) return;
    std::stable_sort(order.begin(), order.end(), compare);
    std::vector<size_t> offsets(blocks.size(), 0);
    const size_t arena = PlaceInOrder(blocks, order, &offsets);
    if (best.offsets.empty() || arena < best.arena_bytes) {
      best.offsets = std::move(offsets);
      best.arena_bytes = arena;
    }
  };
  attempt(by_size);
  attempt(by_time);
  attempt(by_area);
  attempt(by_span);
  return best;
}

Status VerifyPlacement(const std::vector<Block>& blocks, const Placement& placement) {
  if (placement.offsets.size() != blocks.size()) return InternalError("[memory planner] size");
  for (size_t i = 0; i < blocks.size(); ++i) {
    const size_t begin = placement.offsets[i];
    const size_t end = begin + blocks[i].bytes;
    if (begin % kArenaAlignment != 0 || end > placement.arena_bytes) {
      return InternalError("[memory planner] block ", i, " at ", begin, " misplaced");
    }
    for (size_t j = i + 1; j < blocks.size(); ++j) {
      if (!AliveTogether(blocks[i], blocks[j])) continue;
      const size_t other = placement.offsets[j];
      if (begin < other + blocks[j].bytes && other < end) {
        return InternalError("[memory planner] blocks ", i, " and ", j, " overlap");
      }
    }
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::engine
