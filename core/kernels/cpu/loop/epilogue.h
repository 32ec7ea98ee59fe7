// Epilogue: a loop program run on tiles of a producer's f32 accumulators while they are in cache.
//
// The producer (a GEMM or a convolution) computes a matrix of M rows and N columns: N is the last
// dim of the output and M the product of the others. It hands over tiles of any size; each is
// transformed and written to the output tensor. Life: CompileLoop once, PrepareEpilogue once per
// set of shapes, RunEpilogueTile per tile.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/kernels/cpu/loop/compiled_loop.h"
#include "core/types/sym_int.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels {

// Everything about one set of shapes. Immutable and self-contained (it does not refer to the
// CompiledLoop).
class EpiloguePlan {
 public:
  virtual ~EpiloguePlan() = default;
  // The epilogue only copies, the output is f32 and each of its rows is dense (column stride 1):
  // the producer may write its results into the output itself and never call RunEpilogueTile.
  virtual bool IsPlainCopy() const = 0;
  // The output is f32 with dense rows, so the producer may use the output as its accumulator: `acc`
  // of RunEpilogueTile may then point at the tile's own place in the output, acc_stride being the
  // row stride.
  virtual bool CanRunInPlace() const = 0;
  // Elements from one output row to the next when all rows are evenly spaced, else -1.
  virtual int64_t OutputRowStride() const = 0;

 private:
  friend void RunEpilogueTile(const EpiloguePlan& plan, std::span<const TensorView> inputs,
                              const TensorView& output, const float* acc, int64_t acc_stride,
                              int64_t row_begin, int64_t rows, int64_t col_begin, int64_t cols);
  virtual void RunTile(std::span<const TensorView> inputs, const TensorView& output,
                       const float* acc, int64_t acc_stride, int64_t row_begin, int64_t rows,
                       int64_t col_begin, int64_t cols) const = 0;
};

// The program of a layer without an epilogue: stores the accumulator as `dtype` (rounding to
// f16/bf16). REQUIRES: dtype is f32, f16 or bf16; rank >= 1.
loop::Program CopyEpilogueProgram(int rank, DataType dtype);

// `inputs` are the program's inputs 1..n in order (without the accumulator): their dims, strides
// and dtypes; data may be null. `domain` are the output's dims. Unsupported for programs with a
// Reduce, a StoreRow or several outputs; InvalidArgument when an input does not broadcast to the
// domain or a dtype differs from the program's.
Result<std::unique_ptr<const EpiloguePlan>> PrepareEpilogue(const CompiledLoop& compiled,
                                                            const Dims& domain,
                                                            std::span<const TensorView> inputs,
                                                            const TensorView& output);

// Transforms acc[r * acc_stride + c], 0 <= r < rows, 0 <= c < cols, and writes rows row_begin.. and
// columns col_begin.. of the output. `inputs` and `output` are the views of PrepareEpilogue with
// their data. Thread-safe; does not start threads; uses at most ~40 KB of the caller's stack.
// REQUIRES: the tile lies in [0, M) x [0, N); acc does not overlap an input, nor the output except
// as CanRunInPlace says.
inline void RunEpilogueTile(const EpiloguePlan& plan, std::span<const TensorView> inputs,
                            const TensorView& output, const float* acc, int64_t acc_stride,
                            int64_t row_begin, int64_t rows, int64_t col_begin, int64_t cols) {
  plan.RunTile(inputs, output, acc, acc_stride, row_begin, rows, col_begin, cols);
}

}  // namespace torch_tensorrt::core::kernels
