// The pointwise operations on single values: the one definition of what they compute.
#pragma once

#include "core/kernels/reference/values.h"
#include "core/types/pointwise_op.h"

namespace torch_tensorrt::core::kernels::reference {

// Operands of an instruction; `types` are their register types (f16 and bf16 count as f32).
struct ScalarArgs {
  Value values[3];
  DataType types[3] = {DataType::kFloat32, DataType::kFloat32, DataType::kFloat32};
  double p0 = 0;
  double p1 = 0;
};

// Result of `op` as a register of dtype `result`: rounded to f32 or wrapped to the integer type.
// Integer division and remainder by zero, which torch refuses, give 0.
Value Evaluate(PointwiseOp op, DataType result, const ScalarArgs& args);

}  // namespace torch_tensorrt::core::kernels::reference
