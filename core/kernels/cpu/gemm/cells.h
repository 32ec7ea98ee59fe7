// The cells of a transposed convolution (transposed.h) as rows of its products, and the way from
// the products to the output's pixels. Plain functions and values; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/transposed.h"

namespace torch_tensorrt::core::kernels {

// The cells of one set of shapes: [batch][d][h][w], the first at `first` along each dim.
struct Cells {
  Spatial3 in{};
  Spatial3 out{};
  Spatial3 first{};
  Spatial3 count{};
  int64_t batch = 0;
  int64_t total() const { return batch * count[0] * count[1] * count[2]; }
};

struct Cell {
  int64_t n = 0;
  Spatial3 at{};  // counted from the unpadded corner
};
Cell CellAt(const Cells& cells, int64_t i);

// The inputs that a product's taps read, from cell `begin` on; outside the image they are zeros.
// Refers to its arguments.
class CellRows final : public RowSource {
 public:
  // `image` has pixels of `pixel` bytes; at `zeros` one run is zero.
  CellRows(const Cells& cells, const TransposedProduct& product, const char* image, int64_t pixel,
           int64_t begin, const char* zeros)
      : cells_(cells),
        product_(product),
        image_(image),
        pixel_(pixel),
        begin_(begin),
        zeros_(zeros) {}
  void Locate(int64_t row, int64_t count, const void** pointers, int64_t stride,
              std::byte* scratch) const override;

 private:
  void LocateCell(const Cell& cell, const void** out, int64_t stride) const;

  const Cells& cells_;
  const TransposedProduct& product_;
  const char* image_;
  int64_t pixel_;
  int64_t begin_;
  const char* zeros_;
};

// Neighbouring output pixels that lie side by side in a cell's products.
struct PhaseRun {
  int64_t phase = 0;  // of the first
  int64_t count = 1;
  int64_t column = 0;
};
// Where the output pixels of one cell that share depth and height are among its products.
struct PhaseLine {
  int64_t d = 0;
  int64_t h = 0;
  std::vector<PhaseRun> runs;
};
// For products that stand side by side, with `channels` output channels per phase.
std::vector<PhaseLine> LinesOf(const std::vector<TransposedProduct>& products,
                               const Spatial3& stride, int64_t channels);

}  // namespace torch_tensorrt::core::kernels
