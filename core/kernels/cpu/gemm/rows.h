// Row sources for dense matrices (see block.h).
#pragma once

#include <cstdint>

#include "core/kernels/cpu/gemm/block.h"
#include "core/types/data_type.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::kernels {

// A matrix of any strides.
struct MatrixRef {
  const void* data = nullptr;
  DataType dtype = DataType::kFloat32;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 1;
};

// Whether `view` of any rank >= 1 is a [rows, columns] matrix whose columns are the last dim with
// stride 1 and whose rows (all other dims, flattened) are evenly spaced.
bool CanReadAsRows(const TensorView& view);
// That matrix. REQUIRES: CanReadAsRows(view).
MatrixRef ReadAsRows(const TensorView& view);

// Converts all of a dense half-precision tensor, in parallel.
void WidenAll(const TensorView& x, float* out);

// Reads rows in place when `direct` (their values have the type the micro-kernels take), else
// widens or gathers each block's rows into f32 scratch.
class MatrixRows final : public RowSource {
 public:
  // Whether the rows of such a matrix can be used where they are.
  static bool IsDirect(DataType dtype, int64_t column_stride, DataType b_dtype);

  MatrixRows(const MatrixRef& matrix, bool direct) : matrix_(matrix), direct_(direct) {}
  void Locate(int64_t row, int64_t count, const void** pointers, int64_t stride,
              std::byte* scratch) const override;
  int64_t ScratchPerRow() const override;

 private:
  MatrixRef matrix_;
  bool direct_;
};

}  // namespace torch_tensorrt::core::kernels
