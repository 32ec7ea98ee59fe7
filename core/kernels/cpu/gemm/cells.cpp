#include "core/kernels/cpu/gemm/cells.h"

namespace torch_tensorrt::core::kernels {

Cell CellAt(const Cells& cells, int64_t i) {
  Cell cell;
  for (size_t d = 3; d-- > 0;) {
    cell.at[d] = cells.first[d] + i % cells.count[d];
    i /= cells.count[d];
  }
  cell.n = i;
  return cell;
}

void CellRows::Locate(int64_t row, int64_t count, const void** pointers, int64_t stride,
                      std::byte* /*scratch*/) const {
  Cell cell = CellAt(cells_, begin_ + row);
  for (int64_t i = 0; i < count; ++i) {
    LocateCell(cell, pointers + i, stride);
    for (size_t d = 3; d-- > 0;) {
      if (++cell.at[d] < cells_.first[d] + cells_.count[d]) break;
      cell.at[d] = cells_.first[d];
      if (d == 0) ++cell.n;
    }
  }
}

void CellRows::LocateCell(const Cell& cell, const void** out, int64_t stride) const {
  const Spatial3& in = cells_.in;
  for (const Spatial3& shift : product_.shifts) {
    const int64_t d = cell.at[0] - shift[0];
    const int64_t h = cell.at[1] - shift[1];
    const int64_t w = cell.at[2] - shift[2];
    const bool inside = d >= 0 && d < in[0] && h >= 0 && h < in[1] && w >= 0 && w < in[2];
    *out = inside ? image_ + (((cell.n * in[0] + d) * in[1] + h) * in[2] + w) * pixel_ : zeros_;
    out += stride;
  }
}

std::vector<PhaseLine> LinesOf(const std::vector<TransposedProduct>& products,
                               const Spatial3& stride, int64_t channels) {
  std::vector<PhaseLine> lines;
  for (int64_t i = 0; i < stride[0] * stride[1]; ++i) {
    lines.push_back({i / stride[1], i % stride[1], {}});
  }
  int64_t column = 0;
  for (const TransposedProduct& product : products) {
    for (const Spatial3& phase : product.phases) {
      auto& runs = lines[static_cast<size_t>(phase[0] * stride[1] + phase[1])].runs;
      PhaseRun* last = runs.empty() ? nullptr : &runs.back();
      if (last != nullptr && last->phase + last->count == phase[2] &&
          last->column + last->count * channels == column) {
        ++last->count;
      } else {
        runs.push_back({phase[2], 1, column});
      }
      column += channels;
    }
  }
  return lines;
}

}  // namespace torch_tensorrt::core::kernels
