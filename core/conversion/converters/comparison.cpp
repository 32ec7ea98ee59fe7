// Comparisons, logic, bits and selection.
#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

template <Op op>
Values Compare(ConversionContext& ctx, const Args& args) {
  const Value& a = args.Get("self");
  const Value& b = args.Get("other");
  const DataType type = ResultType(ctx, {&a, &b});
  return Out(ctx.Binary(op, AsTensor(ctx, a, type), AsTensor(ctx, b, type)));
}

template <Op op>
Values Logical(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Binary(op, ctx.Cast(args.Tensor("self"), DataType::kBool),
                        ctx.Cast(args.Tensor("other"), DataType::kBool)));
}

template <Op op>
Values Test(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(op, args.Tensor("self")));
}

Values IsFinite(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId odd =
      ctx.Binary(Op::kLogicalOr, ctx.Unary(Op::kIsNan, x), ctx.Unary(Op::kIsInf, x));
  return Out(ctx.Unary(Op::kLogicalNot, odd));
}

template <Op op, Op bound>
Values IsSignedInf(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId beyond = ctx.Binary(bound, x, ctx.Scalar(0.0, ctx.Type(x)));
  return Out(ctx.Binary(Op::kLogicalAnd, ctx.Unary(op, x), beyond));
}

template <Op op>
Values Bitwise(ConversionContext& ctx, const Args& args) {
  const DataType type = ResultType(ctx, {&args.Get("self"), &args.Get("other")});
  ctx.Require(!IsFloat(type), "bits of ", DataTypeName(type));
  return Out(PromotedBinary(ctx, op, args.Get("self"), args.Get("other")));
}

Values Where(ConversionContext& ctx, const Args& args) {
  const Value& a = args.Get("self");
  const Value& b = args.Get("other");
  const TensorId condition = ctx.Cast(args.Tensor("condition"), DataType::kBool);
  const DataType type = ResultType(ctx, {&a, &b});
  return Out(ctx.Select(condition, AsTensor(ctx, a, type), AsTensor(ctx, b, type)));
}

Values MaskedFill(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId mask = ctx.Cast(args.Tensor("mask"), DataType::kBool);
  return Out(ctx.Select(mask, AsTensor(ctx, args.Get("value"), ctx.Type(x)), x));
}

constexpr ConverterEntry kTable[] = {
    {"aten.eq.Tensor", &Compare<Op::kEq>},
    {"aten.eq.Scalar", &Compare<Op::kEq>},
    {"aten.ne.Tensor", &Compare<Op::kNe>},
    {"aten.ne.Scalar", &Compare<Op::kNe>},
    {"aten.lt.Tensor", &Compare<Op::kLt>},
    {"aten.lt.Scalar", &Compare<Op::kLt>},
    {"aten.le.Tensor", &Compare<Op::kLe>},
    {"aten.le.Scalar", &Compare<Op::kLe>},
    {"aten.gt.Tensor", &Compare<Op::kGt>},
    {"aten.gt.Scalar", &Compare<Op::kGt>},
    {"aten.ge.Tensor", &Compare<Op::kGe>},
    {"aten.ge.Scalar", &Compare<Op::kGe>},
    {"aten.logical_and.default", &Logical<Op::kLogicalAnd>},
    {"aten.logical_or.default", &Logical<Op::kLogicalOr>},
    {"aten.logical_xor.default", &Logical<Op::kLogicalXor>},
    {"aten.logical_not.default", &Test<Op::kLogicalNot>},
    {"aten.isnan.default", &Test<Op::kIsNan>},
    {"aten.isinf.default", &Test<Op::kIsInf>},
    {"aten.isfinite.default", &IsFinite},
    {"aten.isposinf.default", &IsSignedInf<Op::kIsInf, Op::kGt>},
    {"aten.isneginf.default", &IsSignedInf<Op::kIsInf, Op::kLt>},
    {"aten.bitwise_and.Tensor", &Bitwise<Op::kBitAnd>},
    {"aten.bitwise_and.Scalar", &Bitwise<Op::kBitAnd>},
    {"aten.bitwise_and.Scalar_Tensor", &Bitwise<Op::kBitAnd>},
    {"aten.bitwise_or.Tensor", &Bitwise<Op::kBitOr>},
    {"aten.bitwise_or.Scalar", &Bitwise<Op::kBitOr>},
    {"aten.bitwise_or.Scalar_Tensor", &Bitwise<Op::kBitOr>},
    {"aten.bitwise_xor.Tensor", &Bitwise<Op::kBitXor>},
    {"aten.bitwise_xor.Scalar", &Bitwise<Op::kBitXor>},
    {"aten.bitwise_xor.Scalar_Tensor", &Bitwise<Op::kBitXor>},
    {"aten.bitwise_not.default", &Test<Op::kBitNot>},
    {"aten.__and__.Tensor", &Bitwise<Op::kBitAnd>},
    {"aten.__or__.Tensor", &Bitwise<Op::kBitOr>},
    {"aten.__xor__.Tensor", &Bitwise<Op::kBitXor>},
    {"aten.bitwise_left_shift.Tensor", &Bitwise<Op::kShiftLeft>},
    {"aten.bitwise_left_shift.Tensor_Scalar", &Bitwise<Op::kShiftLeft>},
    {"aten.bitwise_right_shift.Tensor", &Bitwise<Op::kShiftRight>},
    {"aten.bitwise_right_shift.Tensor_Scalar", &Bitwise<Op::kShiftRight>},
    {"aten.where.self", &Where},
    {"aten.where.ScalarSelf", &Where},
    {"aten.where.ScalarOther", &Where},
    {"aten.where.Scalar", &Where},
    {"aten.masked_fill.Scalar", &MaskedFill},
    {"aten.masked_fill.Tensor", &MaskedFill},
};

}  // namespace

ConverterTable ComparisonConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
