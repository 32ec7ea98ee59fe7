// The functions that carry out one instruction on one tile, and the table through which the
// executor reaches those of an instruction set. Plain data and pointers only: this header is
// compiled for every instruction set.
#pragma once

#include <cstdint>

#include "core/device/cpu/isa.h"
#include "core/loop/program.h"
#include "core/types/data_type.h"
#include "core/types/pointwise_op.h"

namespace torch_tensorrt::core::kernels {

// rows x cols elements. Element (r, c) of the result is dst[r * dst_row + c]; of an argument
// src[i][r * src_row[i] + c], or src[i][r * src_row[i]] where the function takes argument i as a
// scalar per row. dst may equal an argument whose place and row stride are the same; it overlaps
// none otherwise.
struct StepArgs {
  void* dst = nullptr;
  const void* src[3] = {};
  int64_t dst_row = 0;
  int64_t src_row[3] = {};
  int64_t rows = 0;
  int64_t cols = 0;
  double p0 = 0;
  double p1 = 0;
};
using StepFn = void (*)(const StepArgs& args);

// Folds each row of src into one 8-byte state per row: double for floats, int64_t for the rest.
struct FoldArgs {
  const void* src = nullptr;
  int64_t src_row = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  void* state = nullptr;
};
using FoldFn = void (*)(const FoldArgs& args);

// The usual epilogues in one pass over the accumulators:
// out = [relu](act(acc [+ bias]) [+ residual]).
// kinds: the few pointwise operations that such a pass knows, numbered for the table of variants.
enum class ChainAct : uint8_t { kNone, kRelu, kGeluErf, kGeluTanh, kSilu, kSigmoid, kTanh };
inline constexpr int kChainActCount = 7;
struct ChainArgs {
  const float* acc = nullptr;
  int64_t acc_row = 0;
  const void* bias = nullptr;  // one per column, or null
  const void* residual = nullptr;
  int64_t residual_row = 0;
  void* out = nullptr;
  int64_t out_row = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  bool relu_last = false;
  DataType bias_type = DataType::kFloat32;  // each f32, f16 or bf16
  DataType residual_type = DataType::kFloat32;
  DataType out_type = DataType::kFloat32;
};
using ChainFn = void (*)(const ChainArgs& args);

// Bit i of `scalars` says that argument i is a scalar per row. Null when there is no such function.
struct LoopCode {
  // `operand` is the type of the arguments (of the last two for kSelect). Not for kCast.
  StepFn (*pointwise)(PointwiseOp op, DataType operand, int scalars);
  // Converts; equal types copy.
  StepFn (*cast)(DataType from, DataType to, int scalars);
  FoldFn (*fold)(loop::ReduceOp op, DataType operand);
  ChainFn (*chain)(ChainAct act);
};

// REQUIRES: isa <= BestIsa().
const LoopCode& LoopCodeFor(Isa isa);

}  // namespace torch_tensorrt::core::kernels
