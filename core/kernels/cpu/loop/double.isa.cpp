// f64 operations. Elementary functions are the C library's.
#include "core/kernels/cpu/loop/float_math.h"
#include "core/kernels/cpu/loop/step_map.h"
#include "core/kernels/reference/special_functions.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

#define TRT_OP1(Name, expression)                                 \
  struct Name##Op {                                               \
    static TRT_INLINE double Run(double x) { return expression; } \
  };
#define TRT_PARAMS(Name, expression)                                   \
  struct Name##Op {                                                    \
    static TRT_INLINE double Run(double x, [[maybe_unused]] double p0, \
                                 [[maybe_unused]] double p1) {         \
      return expression;                                               \
    }                                                                  \
  };
#define TRT_OP2(Name, expression)                                           \
  struct Name##Op {                                                         \
    static TRT_INLINE double Run(double a, double b) { return expression; } \
  };

TRT_INLINE double Bounded(double x, double low, double high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}
TRT_INLINE double SigmoidOf(double x) {
  const double e = exp(-fabs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}
// x P(Z <= x) through erfc, which keeps its digits in the tail.
TRT_INLINE double GeluOf(double x) { return 0.5 * x * erfc(x * -0.70710678118654752440); }

TRT_OP1(Neg, -x)
TRT_OP1(Abs, fabs(x))
TRT_OP1(Sign, static_cast<double>(static_cast<int>(x > 0) - static_cast<int>(x < 0)))
TRT_OP1(Exp, exp(x))
TRT_OP1(Exp2, exp2(x))
TRT_OP1(Expm1, expm1(x))
TRT_OP1(Log, log(x))
TRT_OP1(Log2, log2(x))
TRT_OP1(Log10, log10(x))
TRT_OP1(Log1p, log1p(x))
TRT_OP1(Sqrt, sqrt(x))
TRT_OP1(Rsqrt, 1 / sqrt(x))
TRT_OP1(Reciprocal, 1 / x)
TRT_OP1(Sin, sin(x))
TRT_OP1(Cos, cos(x))
TRT_OP1(Tan, tan(x))
TRT_OP1(Asin, asin(x))
TRT_OP1(Acos, acos(x))
TRT_OP1(Atan, atan(x))
TRT_OP1(Sinh, sinh(x))
TRT_OP1(Cosh, cosh(x))
TRT_OP1(Tanh, tanh(x))
TRT_OP1(Asinh, asinh(x))
TRT_OP1(Acosh, acosh(x))
TRT_OP1(Atanh, atanh(x))
TRT_OP1(Erf, erf(x))
TRT_OP1(Floor, floor(x))
TRT_OP1(Ceil, ceil(x))
TRT_OP1(Round, nearbyint(x))
TRT_OP1(Trunc, trunc(x))
TRT_OP1(Relu, x < 0 ? 0 : x)
TRT_OP1(Sigmoid, SigmoidOf(x))
TRT_OP1(Silu, x* SigmoidOf(x))
TRT_OP1(GeluErf, GeluOf(x))
TRT_OP1(GeluTanh, x* SigmoidOf(x * (1.5957691216057307 + 0.0713548162726002527 * x * x)))
TRT_OP1(HardSigmoid, Bounded(x + 3, 0, 6) / 6)
TRT_OP1(HardSwish, x* Bounded(x + 3, 0, 6) / 6)
TRT_PARAMS(Softplus, x* p0 > p1 ? x : log1p(exp(x * p0)) / p0)
TRT_PARAMS(Elu, x <= 0 ? expm1(x) * p0 : x * p1)
TRT_PARAMS(LeakyRelu, x > 0 ? x : x * p0)
TRT_PARAMS(Clamp, Bounded(x, p0, p1))

TRT_OP2(Add, a + b)
TRT_OP2(Sub, a - b)
TRT_OP2(Mul, a* b)
TRT_OP2(Div, a / b)
TRT_OP2(FloorDiv, FloorDivOf(a, b))
TRT_OP2(TruncDiv, trunc(a / b))
TRT_OP2(Remainder, RemainderOf(a, b))
TRT_OP2(Fmod, fmod(a, b))
TRT_OP2(Pow, b == 2.0 ? a * a : pow(a, b))
TRT_OP2(Maximum, a != a || a > b ? a : b)
TRT_OP2(Minimum, a != a || a < b ? a : b)
TRT_OP2(Atan2, atan2(a, b))
TRT_OP2(CopySign, copysign(a, b))
TRT_OP2(NextAfter, nextafter(a, b))
#define TRT_SPECIAL(Name, arity, result, commutative) TRT_OP1(Name, special::Name(x))
TRT_SPECIAL_UNARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL
#define TRT_SPECIAL(Name, arity, result, commutative) TRT_OP2(Name, special::Name(a, b))
TRT_SPECIAL_BINARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL

StepFn FindUnary(PointwiseOp op) {
  switch (op) {
#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return &MapScalar1<double, double, Name##Op>;
    TRT_CASE(Neg)
    TRT_CASE(Abs)
    TRT_CASE(Sign)
    TRT_CASE(Exp)
    TRT_CASE(Exp2)
    TRT_CASE(Expm1)
    TRT_CASE(Log)
    TRT_CASE(Log2)
    TRT_CASE(Log10)
    TRT_CASE(Log1p)
    TRT_CASE(Sqrt)
    TRT_CASE(Rsqrt)
    TRT_CASE(Reciprocal)
    TRT_CASE(Sin)
    TRT_CASE(Cos)
    TRT_CASE(Tan)
    TRT_CASE(Asin)
    TRT_CASE(Acos)
    TRT_CASE(Atan)
    TRT_CASE(Sinh)
    TRT_CASE(Cosh)
    TRT_CASE(Tanh)
    TRT_CASE(Asinh)
    TRT_CASE(Acosh)
    TRT_CASE(Atanh)
    TRT_CASE(Erf)
    TRT_CASE(Floor)
    TRT_CASE(Ceil)
    TRT_CASE(Round)
    TRT_CASE(Trunc)
    TRT_CASE(Relu)
    TRT_CASE(Sigmoid)
    TRT_CASE(Silu)
    TRT_CASE(GeluErf)
    TRT_CASE(GeluTanh)
    TRT_CASE(HardSigmoid)
    TRT_CASE(HardSwish)
#define TRT_SPECIAL(Name, arity, result, commutative) TRT_CASE(Name)
    TRT_SPECIAL_UNARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL
#undef TRT_CASE
#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return &MapScalarParams<double, Name##Op>;
    TRT_CASE(Softplus)
    TRT_CASE(Elu)
    TRT_CASE(LeakyRelu)
    TRT_CASE(Clamp)
#undef TRT_CASE
    default:
      return nullptr;
  }
}

}  // namespace

StepFn FindDouble(PointwiseOp op, int scalars) {
  switch (op) {
#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return PickScalar2<double, double, Name##Op>(scalars);
    TRT_CASE(Add)
    TRT_CASE(Sub)
    TRT_CASE(Mul)
    TRT_CASE(Div)
    TRT_CASE(FloorDiv)
    TRT_CASE(TruncDiv)
    TRT_CASE(Remainder)
    TRT_CASE(Fmod)
    TRT_CASE(Pow)
    TRT_CASE(Maximum)
    TRT_CASE(Minimum)
    TRT_CASE(Atan2)
    TRT_CASE(CopySign)
    TRT_CASE(NextAfter)
#define TRT_SPECIAL(Name, arity, result, commutative) TRT_CASE(Name)
    TRT_SPECIAL_BINARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL
#undef TRT_CASE
    default:
      return scalars == 0 ? FindUnary(op) : nullptr;
  }
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
