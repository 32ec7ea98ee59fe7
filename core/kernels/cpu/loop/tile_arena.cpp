#include "core/kernels/cpu/loop/tile_arena.h"

#include <algorithm>
#include <cstddef>

namespace torch_tensorrt::core::kernels {
namespace {

template <typename Visit>
void ForEach(Phase* phase, const Visit& visit) {
  for (auto* list : {&phase->before, &phase->block, &phase->after}) {
    for (Step& step : *list) visit(&step);
  }
}

}  // namespace

void TileArena::PlaceLasting() {
  offsets_.assign(buffers_->size(), 0);
  for (size_t b = 0; b < buffers_->size(); ++b) {
    if ((*buffers_)[b].lasting) offsets_[b] = Take((*buffers_)[b].bytes);
  }
  base_ = end_;
}

void TileArena::PlacePhase(Phase* phase) {
  end_ = base_;
  free_.clear();
  for (TileBuffer& buffer : *buffers_) buffer.first = buffer.last = -1;
  int position = 0;
  ForEach(phase, [&](Step* step) {
    Touch(step->dst, position);
    for (int i = 0; i < step->src_count; ++i) Touch(step->src[i], position);
    ++position;
  });
  position = 0;
  ForEach(phase, [&](Step* step) {
    Place(&step->dst, position);
    for (int i = 0; i < step->src_count; ++i) Place(&step->src[i], position);
    Release(*step, position);
    ++position;
  });
  high_ = std::max(high_, end_);
}

int64_t TileArena::bytes() const { return std::max(high_, base_); }

TileBuffer* TileArena::BufferOf(const Operand& operand) {
  if (operand.place != Place::kBuffer) return nullptr;
  return &(*buffers_)[static_cast<size_t>(operand.index)];
}

void TileArena::Touch(const Operand& operand, int position) {
  TileBuffer* buffer = BufferOf(operand);
  if (buffer == nullptr) return;
  if (buffer->first < 0) buffer->first = position;
  buffer->last = position;
}

void TileArena::Place(Operand* operand, int position) {
  TileBuffer* buffer = BufferOf(*operand);
  if (buffer == nullptr) return;
  const auto index = static_cast<size_t>(operand->index);
  if (!buffer->lasting && buffer->first == position) {
    offsets_[index] = Take(buffer->bytes);
    buffer->first = -2;  // placed
  }
  operand->offset = offsets_[index];
}

void TileArena::Release(const Step& step, int position) {
  auto release = [&](const Operand& operand) {
    TileBuffer* buffer = BufferOf(operand);
    if (buffer == nullptr || buffer->lasting || buffer->last != position) return;
    free_.push_back({buffer->bytes, offsets_[static_cast<size_t>(operand.index)]});
    buffer->last = -1;
  };
  release(step.dst);
  for (int i = 0; i < step.src_count; ++i) release(step.src[i]);
}

int64_t TileArena::Take(int64_t bytes) {
  for (size_t i = free_.size(); i-- > 0;) {
    if (free_[i].bytes != bytes) continue;
    const int64_t offset = free_[i].offset;
    free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
    return offset;
  }
  const int64_t offset = end_;
  end_ += bytes;
  return offset;
}

}  // namespace torch_tensorrt::core::kernels
