// Arithmetic of two or three operands: tensors and Python numbers in any mix.
#include <limits>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

// a + sign * alpha * b, rounded once.
Values Sum(ConversionContext& ctx, Op op, const Value& a, const Value& b, const Value& alpha) {
  if (alpha.is_none() || IsNumber(alpha, 1)) return Out(PromotedBinary(ctx, op, a, b));
  const DataType type = ResultType(ctx, {&a, &b});
  const DataType compute = ComputeTypeOf(type);
  const TensorId scaled =
      ctx.Binary(Op::kMul, AsTensor(ctx, b, compute), ctx.Number(alpha, compute));
  return Out(ctx.Cast(ctx.Binary(op, AsTensor(ctx, a, compute), scaled), type));
}

Values Add(ConversionContext& ctx, const Args& args) {
  return Sum(ctx, Op::kAdd, args.Get("self"), args.Get("other"), args.Get("alpha"));
}

Values Sub(ConversionContext& ctx, const Args& args) {
  return Sum(ctx, Op::kSub, args.Get("self"), args.Get("other"), args.Get("alpha"));
}

Values Rsub(ConversionContext& ctx, const Args& args) {
  return Sum(ctx, Op::kSub, args.Get("other"), args.Get("self"), args.Get("alpha"));
}

template <Op op>
Values Promoted(ConversionContext& ctx, const Args& args) {
  return Out(PromotedBinary(ctx, op, args.Get("self"), args.Get("other")));
}

// Division to integers. PyTorch raises an error for an integer divided by zero; a running engine
// does not look, so a divisor that may be zero stays in PyTorch.
template <Op op>
Values Divided(ConversionContext& ctx, const Args& args) {
  const Value& a = args.Get("self");
  const Value& b = args.Get("other");
  const DataType type = ResultType(ctx, {&a, &b});
  const auto* divided = a.get<TensorRef>();
  const bool empty = divided != nullptr && NumElements(ctx.Dims(divided->id)).Equals(0);
  ctx.Require(IsFloat(type) || empty || IsNeverZero(ctx, b, type),
              "the integer divisor may be zero, for which PyTorch raises an error");
  return Out(PromotedBinary(ctx, op, a, b));
}

// Integers are divided as floats.
TensorId TrueDivide(ConversionContext& ctx, const Value& a, const Value& b) {
  const DataType type = FloatTypeOf(ResultType(ctx, {&a, &b}));
  const DataType compute = OperandComputeType(ctx, type, {&a, &b});
  return ctx.Cast(ctx.Binary(Op::kDiv, AsTensor(ctx, a, compute), AsTensor(ctx, b, compute)), type);
}

Values Div(ConversionContext& ctx, const Args& args) {
  const Value& a = args.Get("self");
  const Value& b = args.Get("other");
  const std::string mode = args.Str("rounding_mode", "");
  if (mode == "floor") return Divided<Op::kFloorDiv>(ctx, args);
  if (mode == "trunc") return Divided<Op::kTruncDiv>(ctx, args);
  ctx.Require(mode.empty(), "rounding_mode ", mode);
  return Out(TrueDivide(ctx, a, b));
}

// As Promoted, with integers taken as floats.
template <Op op>
Values PromotedFloat(ConversionContext& ctx, const Args& args) {
  const Value& a = args.Get("self");
  const Value& b = args.Get("other");
  const DataType type = FloatTypeOf(ResultType(ctx, {&a, &b}));
  return Out(ctx.Binary(op, AsTensor(ctx, a, type), AsTensor(ctx, b, type)));
}

// Powers with a cheaper and more accurate form; kNone for the others.
TensorId SimplePower(ConversionContext& ctx, TensorId x, const Value& exponent) {
  if (IsNumber(exponent, 1)) return x;
  if (IsNumber(exponent, 2)) return ctx.Binary(Op::kMul, x, x);
  if (IsNumber(exponent, 3)) return ctx.Binary(Op::kMul, ctx.Binary(Op::kMul, x, x), x);
  if (!IsFloat(ctx.Type(x))) return ir::kNone;
  if (IsNumber(exponent, 0.5)) return ctx.Unary(Op::kSqrt, x);
  if (IsNumber(exponent, -0.5)) return ctx.Unary(Op::kRsqrt, x);
  if (IsNumber(exponent, -1)) return ctx.Unary(Op::kReciprocal, x);
  if (IsNumber(exponent, -2)) return ctx.Unary(Op::kReciprocal, ctx.Binary(Op::kMul, x, x));
  return ir::kNone;
}

Values Pow(ConversionContext& ctx, const Args& args) {
  const Value& base = args.Get("self");
  const Value& exponent = args.Get("exponent");
  const DataType type = ResultType(ctx, {&base, &exponent});
  if (base.is_tensor() && !exponent.is_tensor()) {
    const TensorId x = AsTensor(ctx, base, ComputeTypeOf(type));
    const TensorId simple = SimplePower(ctx, x, exponent);
    if (simple != ir::kNone) return Out(ctx.Cast(simple, type));
  }
  return Out(PromotedBinary(ctx, Op::kPow, base, exponent));
}

// self + value * t1 * t2, or / t2.
template <Op op>
Values AddC(ConversionContext& ctx, const Args& args) {
  const Value& self = args.Get("self");
  const Value& t1 = args.Get("tensor1");
  const Value& t2 = args.Get("tensor2");
  const DataType type = ResultType(ctx, {&self, &t1, &t2});
  ctx.Require(op != Op::kDiv || IsFloat(type), "integer division");
  const DataType compute = ComputeTypeOf(type);
  TensorId term = AsTensor(ctx, t1, compute);
  if (!IsNumber(args.Get("value"), 1) && args.Has("value")) {
    term = ctx.Binary(Op::kMul, term, ctx.Number(args.Get("value"), compute));
  }
  term = ctx.Binary(op, term, AsTensor(ctx, t2, compute));
  return Out(ctx.Cast(ctx.Binary(Op::kAdd, AsTensor(ctx, self, compute), term), type));
}

// start + weight * (end - start), taken from the nearer end as torch does.
Values Lerp(ConversionContext& ctx, const Args& args) {
  const DataType type = ctx.Type(args.Tensor("self"));
  const DataType compute = ComputeTypeOf(type);
  const TensorId start = AsTensor(ctx, args.Get("self"), compute);
  const TensorId end = AsTensor(ctx, args.Get("end"), compute);
  const TensorId weight = AsTensor(ctx, args.Get("weight"), compute);
  const TensorId span = ctx.Binary(Op::kSub, end, start);
  const TensorId low = ctx.Binary(Op::kAdd, start, ctx.Binary(Op::kMul, weight, span));
  const TensorId rest = ctx.Binary(Op::kSub, ctx.Scalar(1.0, compute), weight);
  const TensorId high = ctx.Binary(Op::kSub, end, ctx.Binary(Op::kMul, span, rest));
  const TensorId near = ctx.Binary(Op::kLt, ctx.Unary(Op::kAbs, weight), ctx.Scalar(0.5, compute));
  return Out(ctx.Cast(ctx.Select(near, low, high), type));
}

Values Hypot(ConversionContext& ctx, const Args& args) {
  const Value& a = args.Get("self");
  const Value& b = args.Get("other");
  const DataType type = ResultType(ctx, {&a, &b});
  const DataType compute = ComputeTypeOf(type);
  const TensorId x = ctx.Unary(Op::kAbs, AsTensor(ctx, a, compute));
  const TensorId y = ctx.Unary(Op::kAbs, AsTensor(ctx, b, compute));
  const TensorId high = ctx.Binary(Op::kMaximum, x, y);
  const TensorId low = ctx.Binary(Op::kMinimum, x, y);
  const TensorId zero = ctx.Scalar(0.0, compute);
  // Scaled by the larger side so that squares do not overflow; 0 is its own length. An infinite
  // side makes the length infinite even if the other one is NaN.
  const TensorId ratio = ctx.Binary(Op::kDiv, low, high);
  const TensorId one = ctx.Scalar(1.0, compute);
  const TensorId length = ctx.Binary(
      Op::kMul, high,
      ctx.Unary(Op::kSqrt, ctx.Binary(Op::kAdd, one, ctx.Binary(Op::kMul, ratio, ratio))));
  const TensorId finite = ctx.Select(ctx.Binary(Op::kEq, high, zero), high, length);
  const TensorId infinite =
      ctx.Binary(Op::kLogicalOr, ctx.Unary(Op::kIsInf, x), ctx.Unary(Op::kIsInf, y));
  const TensorId infinity = ctx.Scalar(std::numeric_limits<double>::infinity(), compute);
  return Out(ctx.Cast(ctx.Select(infinite, infinity, finite), type));
}

constexpr ConverterEntry kTable[] = {
    {"aten.add.Tensor", &Add},
    {"aten.add.Scalar", &Add},
    {"aten.sub.Tensor", &Sub},
    {"aten.sub.Scalar", &Sub},
    {"aten.rsub.Tensor", &Rsub},
    {"aten.rsub.Scalar", &Rsub},
    {"aten.mul.Tensor", &Promoted<Op::kMul>},
    {"aten.mul.Scalar", &Promoted<Op::kMul>},
    {"aten.div.Tensor", &Div},
    {"aten.div.Scalar", &Div},
    {"aten.div.Tensor_mode", &Div},
    {"aten.div.Scalar_mode", &Div},
    {"aten.true_divide.Tensor", &Div},
    {"aten.floor_divide.default", &Divided<Op::kFloorDiv>},
    {"aten.floor_divide.Scalar", &Divided<Op::kFloorDiv>},
    {"aten.remainder.Tensor", &Divided<Op::kRemainder>},
    {"aten.remainder.Scalar", &Divided<Op::kRemainder>},
    {"aten.remainder.Scalar_Tensor", &Divided<Op::kRemainder>},
    {"aten.fmod.Tensor", &Divided<Op::kFmod>},
    {"aten.fmod.Scalar", &Divided<Op::kFmod>},
    {"aten.maximum.default", &Promoted<Op::kMaximum>},
    {"aten.minimum.default", &Promoted<Op::kMinimum>},
    {"aten.max.other", &Promoted<Op::kMaximum>},
    {"aten.min.other", &Promoted<Op::kMinimum>},
    {"aten.atan2.default", &PromotedFloat<Op::kAtan2>},
    {"aten.pow.Tensor_Tensor", &Pow},
    {"aten.pow.Tensor_Scalar", &Pow},
    {"aten.pow.Scalar", &Pow},
    {"aten.addcmul.default", &AddC<Op::kMul>},
    {"aten.addcdiv.default", &AddC<Op::kDiv>},
    {"aten.lerp.Scalar", &Lerp},
    {"aten.lerp.Tensor", &Lerp},
    {"aten.hypot.default", &Hypot},
};

}  // namespace

ConverterTable ArithmeticConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
