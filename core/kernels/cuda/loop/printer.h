// The CUDA printer of the Loop IR: a program becomes the text of one kernel, or of the function a
// matrix product applies to its accumulators.
//
// Texts include "common.cuh" and "math.cuh" and are valid for NVRTC; everything about shapes that
// costs nothing at run time is an argument of the kernel, so one text serves many shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/kernels/cuda/loop/loop_plan.h"
#include "core/loop/program.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels::cuda {

// The whole source of a kernel `trt_loop(const Params p)`; Params is laid out as loop_plan.h says.
// REQUIRES: plan was made for this program.
Result<std::string> PrintLoop(const loop::Program& program, const LoopPlan& plan);

// ---- Epilogues -------------------------------------------------------------------------------
//
// A producer sees its output as a matrix: `col` is the last dim, `row` the product of the others in
// row-major order. The printed text, to be put before the producer's kernel, defines
//
//   typedef ... trt_out;                     // storage type of the output: f16, bf16, float ...
//   struct TrtEpilogueArgs { ... };          // a by-value parameter of the producer's kernel
//   template <int kCount>
//   TRT_DEVICE void trt_epilogue(const trt_acc (&acc)[kCount], const TrtEpilogueArgs& e,
//                                i64 row, i64 col, trt_out (&out)[kCount]);
//   TRT_DEVICE trt_out trt_epilogue(trt_acc acc, const TrtEpilogueArgs& e, i64 row, i64 col);
//
// The first transforms the kCount (1, 2, 4 or 8) neighbours col .. col + kCount - 1 of one row;
// REQUIRES: all are inside the matrix, and col % kCount == 0. Inputs are read in one access when
// their addresses allow. trt_acc is float (double for an f64 accumulator). The producer stores
// `out` itself.

// How an epilogue reads one extra input.
struct EpilogueInput {
  enum class Columns : uint8_t { kSame, kUnit, kStrided };  // along a row
  Columns columns = Columns::kUnit;
  std::vector<bool> walks;       // per outer dim: does the read move along it?
  std::vector<int64_t> strides;  // per outer dim; 0 where it does not walk
  int64_t column_stride = 0;
};

// What of the shapes is part of the text, and what MakeEpilogueArgs needs. Outer dims are those of
// the output but the last, joined where every input allows: usually one is left and no division is
// printed.
struct EpilogueShape {
  DataType accumulator = DataType::kFloat32;
  std::vector<int64_t> outer_dims;
  std::vector<EpilogueInput> inputs;  // of the program's inputs 1..n
  // Which outer dim a domain dim is; -1: cannot be told (needed by Iota only).
  std::vector<int> outer_of_domain;
};

// `extra` are the program's inputs 1..n (data may be null), `domain` the output's dims.
// Unsupported: Reduce, StoreRow, several outputs, more than kMaxOuterDims joined outer dims.
inline constexpr int kMaxOuterDims = 4;
Result<EpilogueShape> PlanEpilogue(const loop::Program& program, const Dims& domain,
                                   std::span<const TensorView> extra,
                                   DataType accumulator = DataType::kFloat32);
Result<std::string> PrintEpilogue(const loop::Program& program, const EpilogueShape& shape);

// The bytes of TrtEpilogueArgs with the data pointers of `extra`: pass their address as the kernel
// parameter. Cheap enough for every Run.
std::vector<std::byte> MakeEpilogueArgs(const EpilogueShape& shape,
                                        std::span<const TensorView> extra);

class ParamBlock;
// The same words at the end of a kernel parameter that LaunchList fills: extra input i of the
// epilogue is input `first_input` + i of the step.
void AppendEpilogueArgs(const EpilogueShape& shape, std::span<const TensorView> extra,
                        size_t first_input, ParamBlock* params);

// The program of a layer without epilogue: stores the accumulator as `dtype`.
loop::Program StoreProgram(int rank, DataType dtype);

}  // namespace torch_tensorrt::core::kernels::cuda
