#include "core/engine/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace torch_tensorrt::core::engine {
namespace {

constexpr size_t kMaxArena = size_t{1} << 46;
// Of the search beyond the plain orders, which also runs for each new set of input shapes.
constexpr size_t kSearchRounds = 200;
constexpr size_t kSearchWork = size_t{1} << 22;  // pairs of blocks looked at: a few milliseconds

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

// Bytes alive at the busiest moment of each block's life.
std::vector<size_t> Pressure(const std::vector<Block>& blocks) {
  std::vector<size_t> pressure(blocks.size(), 0);
  for (const Block& at : blocks) {  // the alive bytes grow only where a block begins
    size_t alive = 0;
    for (const Block& b : blocks) {
      if (b.first <= at.first && at.first <= b.last) alive += Align(b.bytes);
    }
    for (size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i].first <= at.first && at.first <= blocks[i].last) {
        pressure[i] = std::max(pressure[i], alive);
      }
    }
  }
  return pressure;
}

// Places blocks in several orders and keeps the smallest arena; then, while that is above the lower
// bound, places the blocks that reach its end earlier and tries again.
class Search {
 public:
  explicit Search(const std::vector<Block>& blocks) : blocks_(blocks), order_(blocks.size()) {
    std::iota(order_.begin(), order_.end(), size_t{0});
    best_.lower_bound = LowerBound(blocks);
  }

  Placement Run() {
    const auto span_of = [&](size_t i) {
      return static_cast<size_t>(blocks_[i].last - blocks_[i].first + 1);
    };
    const auto area_of = [&](size_t i) { return blocks_[i].bytes * span_of(i); };
    Sorted([&](size_t a, size_t b) { return blocks_[a].bytes > blocks_[b].bytes; });
    Sorted([&](size_t a, size_t b) { return blocks_[a].first < blocks_[b].first; });
    Sorted([&](size_t a, size_t b) { return area_of(a) > area_of(b); });
    Sorted([&](size_t a, size_t b) { return span_of(a) > span_of(b); });
    const size_t work = blocks_.size() * blocks_.size();
    if (Done() || work == 0 || work > kSearchWork) return std::move(best_);
    const std::vector<size_t> pressure = Pressure(blocks_);
    Sorted([&](size_t a, size_t b) {
      return pressure[a] != pressure[b] ? pressure[a] > pressure[b]
                                        : blocks_[a].bytes > blocks_[b].bytes;
    });
    Promote(std::min<size_t>(kSearchRounds, kSearchWork / work));
    return std::move(best_);
  }

 private:
  bool Done() const { return !best_.offsets.empty() && best_.arena_bytes == best_.lower_bound; }

  template <typename Compare>
  void Sorted(const Compare& compare) {
    if (Done()) return;
    std::stable_sort(order_.begin(), order_.end(), compare);
    Try();
  }

  // Places in the present order. Returns where the blocks lie.
  std::vector<size_t> Try() {
    std::vector<size_t> offsets(blocks_.size(), 0);
    arena_ = PlaceInOrder(blocks_, order_, &offsets);
    if (best_.offsets.empty() || arena_ < best_.arena_bytes) {
      best_.offsets = offsets;
      best_.arena_bytes = arena_;
      best_order_ = order_;
    }
    return offsets;
  }

  void Promote(size_t rounds) {
    order_ = best_order_;
    for (size_t round = 0; round < rounds && !Done(); ++round) {
      const std::vector<size_t> offsets = Try();
      std::stable_partition(order_.begin(), order_.end(), [&](size_t i) {
        return offsets[i] + Align(blocks_[i].bytes) == arena_;
      });
    }
  }

  const std::vector<Block>& blocks_;
  std::vector<size_t> order_;
  std::vector<size_t> best_order_;
  Placement best_;
  size_t arena_ = 0;
};

}  // namespace

Result<Placement> PlaceBlocks(const std::vector<Block>& blocks) {
  size_t total = 0;
  for (const Block& block : blocks) {
    if (block.bytes > kMaxArena || total > kMaxArena) {
      return ResourceExhausted("[memory planner] tensors of more than ", kMaxArena, " bytes");
    }
    total += Align(block.bytes);
  }
  return Search(blocks).Run();
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
