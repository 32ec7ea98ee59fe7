// Functions of one tensor.
#include <cmath>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

// Integers become floats.
template <Op op>
Values Float(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(op, AsFloat(ctx, args.Tensor("self"))));
}

template <Op op>
Values Same(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(op, args.Tensor("self")));
}

// Integers are whole already.
template <Op op>
Values Whole(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  ctx.Require(ctx.Type(x) != DataType::kBool, "rounding of bool");
  return Out(IsFloat(ctx.Type(x)) ? ctx.Unary(op, x) : x);
}

Values RoundDecimals(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t decimals = args.Int("decimals", 0);
  if (decimals == 0 || !IsFloat(ctx.Type(x))) return Whole<Op::kRound>(ctx, args);
  const DataType compute = ComputeTypeOf(ctx.Type(x));
  const TensorId scale =
      ctx.Scalar(std::pow(10.0, static_cast<double>(std::abs(decimals))), compute);
  const TensorId wide = ctx.Cast(x, compute);
  const Op to = decimals > 0 ? Op::kMul : Op::kDiv;
  const Op back = decimals > 0 ? Op::kDiv : Op::kMul;
  const TensorId rounded =
      ctx.Binary(back, ctx.Unary(Op::kRound, ctx.Binary(to, wide, scale)), scale);
  return Out(ctx.Cast(rounded, ctx.Type(x)));
}

Values Frac(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(ctx.Binary(Op::kSub, x, ctx.Unary(Op::kTrunc, x)));
}

Values Square(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(ctx.Binary(Op::kMul, x, x));
}

Values Logit(ConversionContext& ctx, const Args& args) {
  const TensorId x = AsFloat(ctx, args.Tensor("self"));
  const DataType compute = ComputeTypeOf(ctx.Type(x));
  TensorId p = ctx.Cast(x, compute);
  if (args.Has("eps")) {
    const double eps = args.Double("eps");
    p = ctx.Unary(Op::kClamp, p, eps, 1 - eps);
  }
  const TensorId rest = ctx.Binary(Op::kSub, ctx.Scalar(1.0, compute), p);
  return Out(ctx.Cast(ctx.Unary(Op::kLog, ctx.Binary(Op::kDiv, p, rest)), ctx.Type(x)));
}

Values NanToNum(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const DataType type = ctx.Type(x);
  if (!IsFloat(type)) return Out(x);
  double largest = 3.4028234663852886e38;
  if (type == DataType::kFloat64) largest = 1.7976931348623157e308;
  if (type == DataType::kFloat16) largest = 65504;
  if (type == DataType::kBFloat16) largest = 3.3895313892515355e38;
  const TensorId zero = ctx.Scalar(0.0, type);
  const TensorId infinite = ctx.Unary(Op::kIsInf, x);
  const TensorId high = ctx.Scalar(args.Double("posinf", largest), type);
  const TensorId low = ctx.Scalar(args.Double("neginf", -largest), type);
  const TensorId bounded =
      ctx.Select(infinite, ctx.Select(ctx.Binary(Op::kGt, x, zero), high, low), x);
  return Out(
      ctx.Select(ctx.Unary(Op::kIsNan, x), ctx.Scalar(args.Double("nan", 0.0), type), bounded));
}

template <bool radians>
Values Angle(ConversionContext& ctx, const Args& args) {
  constexpr double kPi = 3.14159265358979323846;
  const TensorId x = AsFloat(ctx, args.Tensor("self"));
  const DataType compute = ComputeTypeOf(ctx.Type(x));
  const TensorId factor = ctx.Scalar(radians ? kPi / 180 : 180 / kPi, compute);
  return Out(ctx.Cast(ctx.Binary(Op::kMul, ctx.Cast(x, compute), factor), ctx.Type(x)));
}

constexpr ConverterEntry kTable[] = {
    {"aten.abs.default", &Same<Op::kAbs>},
    {"aten.acos.default", &Float<Op::kAcos>},
    {"aten.acosh.default", &Float<Op::kAcosh>},
    {"aten.asin.default", &Float<Op::kAsin>},
    {"aten.asinh.default", &Float<Op::kAsinh>},
    {"aten.atan.default", &Float<Op::kAtan>},
    {"aten.atanh.default", &Float<Op::kAtanh>},
    {"aten.ceil.default", &Whole<Op::kCeil>},
    {"aten.cos.default", &Float<Op::kCos>},
    {"aten.cosh.default", &Float<Op::kCosh>},
    {"aten.deg2rad.default", &Angle<true>},
    {"aten.rad2deg.default", &Angle<false>},
    {"aten.erf.default", &Float<Op::kErf>},
    {"aten.exp.default", &Float<Op::kExp>},
    {"aten.exp2.default", &Float<Op::kExp2>},
    {"aten.expm1.default", &Float<Op::kExpm1>},
    {"aten.floor.default", &Whole<Op::kFloor>},
    {"aten.frac.default", &Frac},
    {"aten.log.default", &Float<Op::kLog>},
    {"aten.log10.default", &Float<Op::kLog10>},
    {"aten.log1p.default", &Float<Op::kLog1p>},
    {"aten.log2.default", &Float<Op::kLog2>},
    {"aten.logit.default", &Logit},
    {"aten.nan_to_num.default", &NanToNum},
    {"aten.neg.default", &Same<Op::kNeg>},
    {"aten.reciprocal.default", &Float<Op::kReciprocal>},
    {"aten.round.default", &Whole<Op::kRound>},
    {"aten.round.decimals", &RoundDecimals},
    {"aten.rsqrt.default", &Float<Op::kRsqrt>},
    {"aten.sigmoid.default", &Float<Op::kSigmoid>},
    {"aten.sign.default", &Same<Op::kSign>},
    {"aten.sgn.default", &Same<Op::kSign>},
    {"aten.sin.default", &Float<Op::kSin>},
    {"aten.sinh.default", &Float<Op::kSinh>},
    {"aten.sqrt.default", &Float<Op::kSqrt>},
    {"aten.square.default", &Square},
    {"aten.tan.default", &Float<Op::kTan>},
    {"aten.tanh.default", &Float<Op::kTanh>},
    {"aten.trunc.default", &Whole<Op::kTrunc>},
    {"aten.fix.default", &Whole<Op::kTrunc>},
};

}  // namespace

ConverterTable UnaryConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
