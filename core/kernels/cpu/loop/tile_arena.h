// Places for the buffers of a tile program in its arena.
#pragma once

#include <cstdint>
#include <vector>

#include "core/kernels/cpu/loop/tile_program.h"

namespace torch_tensorrt::core::kernels {

// A buffer before it has a place in the arena.
struct TileBuffer {
  int64_t bytes = 0;
  bool lasting = false;  // outlives its phase
  int first = -1;
  int last = -1;
};

// Gives buffers their places: lasting ones first, the others so that two alive at once never
// overlap. PlaceLasting comes first, then PlacePhase for every phase, which writes the offsets into
// its steps. `buffers` must outlive the planner; it is used as scratch.
class TileArena {
 public:
  explicit TileArena(std::vector<TileBuffer>* buffers) : buffers_(buffers) {}

  void PlaceLasting();
  void PlacePhase(Phase* phase);
  // Bytes that all phases fit into.
  int64_t bytes() const;

 private:
  TileBuffer* BufferOf(const Operand& operand);
  void Touch(const Operand& operand, int position);
  void Place(Operand* operand, int position);
  void Release(const Step& step, int position);
  int64_t Take(int64_t bytes);

  struct Hole {
    int64_t bytes;
    int64_t offset;
  };
  std::vector<TileBuffer>* buffers_;
  std::vector<int64_t> offsets_;
  std::vector<Hole> free_;
  int64_t base_ = 0;
  int64_t end_ = 0;
  int64_t high_ = 0;
};

}  // namespace torch_tensorrt::core::kernels
