// Special functions of the pointwise operations, in double precision, for every kernel of the CPU.
#pragma once

#include "core/types/pointwise_op.h"

namespace torch_tensorrt::core::kernels::special {

#define TRT_DECLARE(name, arity, result, commutative) double name(double x);
TRT_SPECIAL_UNARY_OPS(TRT_DECLARE)
#undef TRT_DECLARE
#define TRT_DECLARE(name, arity, result, commutative) double name(double a, double b);
TRT_SPECIAL_BINARY_OPS(TRT_DECLARE)
#undef TRT_DECLARE

}  // namespace torch_tensorrt::core::kernels::special
