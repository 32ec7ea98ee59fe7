// The function table of this instruction set.
#include "core/kernels/cpu/loop/step_map.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

StepFn FindPointwise(PointwiseOp op, DataType operand, int scalars) {
  if (op == PointwiseOp::kSelect) return FindSelect(operand, scalars);
  if (StepFn found = FindPredicate(op, operand, scalars)) return found;
  if (operand == DataType::kFloat32) {
    if (StepFn found = FindFloatBinary(op, scalars)) return found;
    return scalars == 0 ? FindFloatUnary(op) : nullptr;
  }
  if (operand == DataType::kFloat64) return FindDouble(op, scalars);
  return FindInteger(op, operand, scalars);
}

}  // namespace

extern const LoopCode kLoopCode;
const LoopCode kLoopCode = {&FindPointwise, &FindCast, &FindFold, &FindChain};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
