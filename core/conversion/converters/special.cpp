// Special functions, sign bits and neighbours.
#include <cmath>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

// Of one tensor; integers become floats.
template <Op op>
Values Function(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(op, AsFloat(ctx, args.Tensor("self"))));
}

// The Bessel and Airy functions name their argument otherwise.
template <Op op>
Values FunctionOfX(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(op, AsFloat(ctx, args.Tensor(args.Has("x") ? "x" : "self"))));
}

Values OfTwo(ConversionContext& ctx, Op op, const Value& a, const Value& b) {
  const DataType type = FloatTypeOf(ResultType(ctx, {&a, &b}));
  const DataType compute = OperandComputeType(ctx, type, {&a, &b});
  const TensorId out = ctx.Binary(op, AsTensor(ctx, a, compute), AsTensor(ctx, b, compute));
  return Out(ctx.Cast(out, type));
}

template <Op op>
Values Binary(ConversionContext& ctx, const Args& args) {
  return OfTwo(ctx, op, args.Get("self"), args.Get("other"));
}

template <Op op>
Values Polynomial(ConversionContext& ctx, const Args& args) {
  return OfTwo(ctx, op, args.Get("x"), args.Get("n"));
}

// The n-th derivative of digamma: (-1)^(n+1) n! zeta(n+1, x).
Values Polygamma(ConversionContext& ctx, const Args& args) {
  const int64_t n = args.Int("n");
  ctx.Require(n >= 0, "a negative order");
  const TensorId self = AsFloat(ctx, args.Tensor("self"));
  if (n == 0 || !ctx.ok()) return Out(ctx.Unary(Op::kDigamma, self));
  const DataType type = ctx.Type(self);
  const TensorId x = ctx.Cast(self, DataType::kFloat64);
  const TensorId order = ctx.Scalar(static_cast<double>(n + 1), DataType::kFloat64);
  const double sign = n % 2 == 0 ? -1 : 1;
  const TensorId factor =
      ctx.Scalar(sign * std::tgamma(static_cast<double>(n) + 1), DataType::kFloat64);
  return Out(ctx.Cast(ctx.Binary(Op::kMul, ctx.Binary(Op::kZeta, order, x), factor), type));
}

Values SignBit(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(Op::kSignBit, args.Tensor("self")));
}

Values NextAfter(ConversionContext& ctx, const Args& args) {
  const DataType type = ResultType(ctx, {&args.Get("self"), &args.Get("other")});
  ctx.Require(type == DataType::kFloat32 || type == DataType::kFloat64, "neighbours in ",
              DataTypeName(type));
  return Out(PromotedBinary(ctx, Op::kNextAfter, args.Get("self"), args.Get("other")));
}

Values Gcd(ConversionContext& ctx, const Args& args) {
  const DataType type = ResultType(ctx, {&args.Get("self"), &args.Get("other")});
  ctx.Require(!IsFloat(type) && type != DataType::kBool, "divisors of ", DataTypeName(type));
  return Out(PromotedBinary(ctx, Op::kGcd, args.Get("self"), args.Get("other")));
}

// |a / gcd(a, b) * b|; both zero give zero, since an engine's division by zero does.
Values Lcm(ConversionContext& ctx, const Args& args) {
  const Value& a = args.Get("self");
  const Value& b = args.Get("other");
  const DataType type = ResultType(ctx, {&a, &b});
  ctx.Require(!IsFloat(type) && type != DataType::kBool, "multiples of ", DataTypeName(type));
  const TensorId x = AsTensor(ctx, a, type);
  const TensorId y = AsTensor(ctx, b, type);
  const TensorId part = ctx.Binary(Op::kTruncDiv, x, ctx.Binary(Op::kGcd, x, y));
  return Out(ctx.Unary(Op::kAbs, ctx.Binary(Op::kMul, part, y)));
}

#define TRT_POLYNOMIAL(name, op)                                 \
  {"aten.special_" name ".default", &Polynomial<Op::op>},        \
      {"aten.special_" name ".x_scalar", &Polynomial<Op::op>}, { \
    "aten.special_" name ".n_scalar", &Polynomial<Op::op>        \
  }

constexpr ConverterEntry kTable[] = {
    {"aten.erfc.default", &Function<Op::kErfc>},
    {"aten.erfinv.default", &Function<Op::kErfinv>},
    {"aten.special_erfcx.default", &Function<Op::kErfcx>},
    {"aten.special_ndtri.default", &Function<Op::kNdtri>},
    {"aten.lgamma.default", &Function<Op::kLgamma>},
    {"aten.digamma.default", &Function<Op::kDigamma>},
    {"aten.polygamma.default", &Polygamma},
    {"aten.i0.default", &Function<Op::kBesselI0>},
    {"aten.special_i0e.default", &Function<Op::kBesselI0e>},
    {"aten.special_i1.default", &Function<Op::kBesselI1>},
    {"aten.special_i1e.default", &Function<Op::kBesselI1e>},
    {"aten.special_bessel_j0.default", &FunctionOfX<Op::kBesselJ0>},
    {"aten.special_bessel_j1.default", &FunctionOfX<Op::kBesselJ1>},
    {"aten.special_bessel_y0.default", &FunctionOfX<Op::kBesselY0>},
    {"aten.special_bessel_y1.default", &FunctionOfX<Op::kBesselY1>},
    {"aten.special_modified_bessel_i0.default", &FunctionOfX<Op::kBesselI0>},
    {"aten.special_modified_bessel_i1.default", &FunctionOfX<Op::kBesselI1>},
    {"aten.special_modified_bessel_k0.default", &FunctionOfX<Op::kBesselK0>},
    {"aten.special_modified_bessel_k1.default", &FunctionOfX<Op::kBesselK1>},
    {"aten.special_scaled_modified_bessel_k0.default", &FunctionOfX<Op::kBesselK0e>},
    {"aten.special_scaled_modified_bessel_k1.default", &FunctionOfX<Op::kBesselK1e>},
    {"aten.special_airy_ai.default", &FunctionOfX<Op::kAiryAi>},
    {"aten.igamma.default", &Binary<Op::kIgamma>},
    {"aten.igammac.default", &Binary<Op::kIgammac>},
    {"aten.special_zeta.default", &Binary<Op::kZeta>},
    {"aten.special_zeta.self_scalar", &Binary<Op::kZeta>},
    {"aten.special_zeta.other_scalar", &Binary<Op::kZeta>},
    TRT_POLYNOMIAL("chebyshev_polynomial_t", kChebyshevT),
    TRT_POLYNOMIAL("chebyshev_polynomial_u", kChebyshevU),
    TRT_POLYNOMIAL("chebyshev_polynomial_v", kChebyshevV),
    TRT_POLYNOMIAL("chebyshev_polynomial_w", kChebyshevW),
    TRT_POLYNOMIAL("shifted_chebyshev_polynomial_t", kShiftedChebyshevT),
    TRT_POLYNOMIAL("shifted_chebyshev_polynomial_u", kShiftedChebyshevU),
    TRT_POLYNOMIAL("shifted_chebyshev_polynomial_v", kShiftedChebyshevV),
    TRT_POLYNOMIAL("shifted_chebyshev_polynomial_w", kShiftedChebyshevW),
    TRT_POLYNOMIAL("hermite_polynomial_h", kHermiteH),
    TRT_POLYNOMIAL("hermite_polynomial_he", kHermiteHe),
    TRT_POLYNOMIAL("laguerre_polynomial_l", kLaguerreL),
    TRT_POLYNOMIAL("legendre_polynomial_p", kLegendreP),
    {"aten.signbit.default", &SignBit},
    {"aten.copysign.Tensor", &Binary<Op::kCopySign>},
    {"aten.copysign.Scalar", &Binary<Op::kCopySign>},
    {"aten.nextafter.default", &NextAfter},
    {"aten.gcd.default", &Gcd},
    {"aten.lcm.default", &Lcm},
};
#undef TRT_POLYNOMIAL

}  // namespace

ConverterTable SpecialConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
