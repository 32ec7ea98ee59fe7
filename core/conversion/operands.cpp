#include "core/conversion/operands.h"

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

bool IsNumber(const Value& value, double n) {
  if (const auto* d = value.get<double>()) return *d == n;
  if (const auto* i = value.get<SymInt>()) {
    return i->is_constant() && static_cast<double>(i->constant()) == n;
  }
  return false;
}

}  // namespace torch_tensorrt::core::conversion
