// Operands of pointwise operators: a tensor or a Python number each.
#pragma once

#include <initializer_list>

#include "core/conversion/args.h"
#include "core/conversion/context.h"

namespace torch_tensorrt::core::conversion {

// torch.result_type of tensors and numbers; None is skipped.
DataType ResultType(ConversionContext& ctx, std::initializer_list<const Value*> operands);
// The default dtype (f32) for integers and bool, else the type itself.
inline DataType FloatTypeOf(DataType type) { return IsFloat(type) ? type : DataType::kFloat32; }
// f32 for f16 and bf16, else the type itself: what PyTorch computes in before it rounds once.
inline DataType ComputeTypeOf(DataType type) { return IsHalf(type) ? DataType::kFloat32 : type; }
// The type PyTorch computes `result` in: f32 for a half type when some operand is a number or a
// 0-d tensor of a wider type, since those are not rounded first.
DataType OperandComputeType(ConversionContext& ctx, DataType result,
                            std::initializer_list<const Value*> operands);
// A tensor of `type` from a tensor or a number.
TensorId AsTensor(ConversionContext& ctx, const Value& value, DataType type);
// x as a float tensor.
TensorId AsFloat(ConversionContext& ctx, TensorId x);
// op on two operands promoted as torch does; the result has their result type.
TensorId PromotedBinary(ConversionContext& ctx, PointwiseOp op, const Value& a, const Value& b);
// Whether no element of `value`, converted to the integer `type`, can be zero.
bool IsNeverZero(const ConversionContext& ctx, const Value& value, DataType type);
// Whether `value` is the number `n`.
bool IsNumber(const Value& value, double n);

}  // namespace torch_tensorrt::core::conversion
