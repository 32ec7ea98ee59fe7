#include "core/conversion/operands.h"

#include <algorithm>

#include "core/conversion/bounds.h"
#include "core/conversion/promote.h"

namespace torch_tensorrt::core::conversion {

DataType ResultType(ConversionContext& ctx, std::initializer_list<const Value*> operands) {
  ResultTypeState state;
  for (const Value* value : operands) {
    if (const auto* ref = value->get<TensorRef>()) {
      state.AddTensor(ctx.Type(ref->id), ctx.Rank(ref->id) > 0);
    } else if (value->get<double>() != nullptr) {
      state.AddNumber(DataType::kFloat32);
    } else if (value->get<SymInt>() != nullptr) {
      state.AddNumber(DataType::kInt64);
    } else if (value->get<bool>() != nullptr) {
      state.AddNumber(DataType::kBool);
    } else if (!value->is_none()) {
      ctx.Fail(Unsupported("operand ", Describe(*value, ctx.network()),
                           " is no tensor of a supported dtype and no number"));
    }
  }
  return state.Get();
}

DataType OperandComputeType(ConversionContext& ctx, DataType result,
                            std::initializer_list<const Value*> operands) {
  if (!IsHalf(result)) return result;
  for (const Value* value : operands) {
    const auto* ref = value->get<TensorRef>();
    if (ref == nullptr) {
      if (!value->is_none()) return DataType::kFloat32;
    } else if (ctx.Rank(ref->id) == 0 && ctx.Type(ref->id) != result &&
               IsFloat(ctx.Type(ref->id))) {
      return DataType::kFloat32;
    }
  }
  return result;
}

TensorId AsTensor(ConversionContext& ctx, const Value& value, DataType type) {
  if (const auto* ref = value.get<TensorRef>()) return ctx.Cast(ref->id, type);
  return ctx.Number(value, type);
}

TensorId AsFloat(ConversionContext& ctx, TensorId x) {
  return ctx.Cast(x, FloatTypeOf(ctx.Type(x)));
}

TensorId PromotedBinary(ConversionContext& ctx, PointwiseOp op, const Value& a, const Value& b) {
  const DataType type = ResultType(ctx, {&a, &b});
  const DataType compute = OperandComputeType(ctx, type, {&a, &b});
  const TensorId left = AsTensor(ctx, a, compute);
  const TensorId right = AsTensor(ctx, b, compute);
  const TensorId out = ctx.Binary(op, left, right);
  return ctx.Type(out) == compute ? ctx.Cast(out, type) : out;
}

namespace {

// Whether the low bytes that `type` keeps are not all zero.
bool IsNonZeroAs(int64_t value, DataType type) {
  const size_t bits = SizeOf(type) * 8;
  return type == DataType::kBool || bits == 64 ? value != 0
                                               : (value & ((int64_t{1} << bits) - 1)) != 0;
}

bool IsNeverZero(const ConversionContext& ctx, const SymInt& value, DataType type) {
  if (value.is_constant()) return IsNonZeroAs(value.constant(), type);
  // Sizes fit into 32 bits; what a narrower type keeps of them may be zero.
  if (SizeOf(type) < 4) return false;
  return IsNonNegative(ctx, value - 1) || IsNonNegative(ctx, SymInt(-1) - value);
}

template <typename T>
bool AllNonZero(const ir::Weights& weights, DataType type) {
  const T* data = weights.as<T>();
  return std::all_of(data, data + NumElements(weights.dims),
                     [type](T x) { return IsNonZeroAs(static_cast<int64_t>(x), type); });
}

bool AllNonZero(const ir::Weights& weights, DataType type) {
  switch (weights.dtype) {
    case DataType::kInt64:
      return AllNonZero<int64_t>(weights, type);
    case DataType::kInt32:
      return AllNonZero<int32_t>(weights, type);
    case DataType::kInt16:
      return AllNonZero<int16_t>(weights, type);
    case DataType::kInt8:
      return AllNonZero<int8_t>(weights, type);
    case DataType::kUInt8:
    case DataType::kBool:
      return AllNonZero<uint8_t>(weights, type);
    default:
      return false;
  }
}

}  // namespace

bool IsNeverZero(const ConversionContext& ctx, const Value& value, DataType type) {
  if (const auto* number = value.get<SymInt>()) return IsNeverZero(ctx, *number, type);
  if (const auto* flag = value.get<bool>()) return *flag;
  const auto* ref = value.get<TensorRef>();
  if (ref == nullptr || ref->id < 0) return false;
  const ir::Layer* maker = ctx.network().producer(ref->id);
  if (maker == nullptr) return false;
  if (maker->kind == LayerKind::kConstant) return AllNonZero(maker->weights, type);
  return maker->kind == LayerKind::kFill &&
         IsNeverZero(ctx, maker->attrs.Get<SymInt>("ivalue", 0), type);
}

bool IsNumber(const Value& value, double n) {
  if (const auto* d = value.get<double>()) return *d == n;
  if (const auto* i = value.get<SymInt>()) {
    return i->is_constant() && static_cast<double>(i->constant()) == n;
  }
  return false;
}

}  // namespace torch_tensorrt::core::conversion
