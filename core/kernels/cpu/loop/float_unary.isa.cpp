// f32 operations on one argument.
#include "core/kernels/cpu/loop/step_map.h"
#include "core/kernels/cpu/vecmath.h"
#include "core/kernels/reference/special_functions.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

#define TRT_OP1(Name, expression)                                                            \
  struct Name##Op {                                                                          \
    static TRT_INLINE VecF Run(VecF x, [[maybe_unused]] VecF p0, [[maybe_unused]] VecF p1) { \
      return expression;                                                                     \
    }                                                                                        \
  };

TRT_OP1(Neg, AsFloat(AsInt(x) ^ VecI32(INT32_MIN)))
TRT_OP1(Abs, Abs(x))
TRT_OP1(Sign, Select(x > VecF(0.0F), VecF(1.0F), VecF(0.0F)) -
                  Select(x < VecF(0.0F), VecF(1.0F), VecF(0.0F)))
TRT_OP1(Exp, Exp(x))
TRT_OP1(Exp2, Exp2(x))
TRT_OP1(Expm1, Expm1(x))
TRT_OP1(Log, Log(x))
TRT_OP1(Log2, Log2(x))
TRT_OP1(Log10, Log10(x))
TRT_OP1(Log1p, Log1p(x))
TRT_OP1(Sqrt, Sqrt(x))
TRT_OP1(Rsqrt, VecF(1.0F) / Sqrt(x))
TRT_OP1(Reciprocal, VecF(1.0F) / x)
TRT_OP1(Sin, Sin(x))
TRT_OP1(Cos, Cos(x))
TRT_OP1(Tanh, Tanh(x))
TRT_OP1(Erf, Erf(x))
TRT_OP1(Floor, Floor(x))
TRT_OP1(Ceil, Ceil(x))
TRT_OP1(Round, Round(x))
TRT_OP1(Trunc, Trunc(x))
TRT_OP1(Relu, Relu(x))
TRT_OP1(Sigmoid, Sigmoid(x))
TRT_OP1(Silu, Silu(x))
TRT_OP1(GeluErf, GeluErf(x))
TRT_OP1(GeluTanh, GeluTanh(x))
TRT_OP1(HardSigmoid, HardSigmoid(x))
TRT_OP1(HardSwish, HardSwish(x))
TRT_OP1(Softplus, Softplus(x, p0, p1))
TRT_OP1(Elu, Elu(x, p0, p1))
TRT_OP1(LeakyRelu, LeakyRelu(x, p0))
TRT_OP1(Clamp, Clamp(x, p0, p1))
#undef TRT_OP1

// Rare functions: the C library's, lane by lane.
#define TRT_LIBM1(Name, function)                                \
  struct Name##Op {                                              \
    static TRT_INLINE float Run(float x) { return function(x); } \
  };
TRT_LIBM1(Tan, tanf)
TRT_LIBM1(Asin, asinf)
TRT_LIBM1(Acos, acosf)
TRT_LIBM1(Atan, atanf)
TRT_LIBM1(Sinh, sinhf)
TRT_LIBM1(Cosh, coshf)
TRT_LIBM1(Asinh, asinhf)
TRT_LIBM1(Acosh, acoshf)
TRT_LIBM1(Atanh, atanhf)
#undef TRT_LIBM1

#define TRT_SPECIAL(Name, arity, result, commutative)                                     \
  struct Name##Op {                                                                       \
    static TRT_INLINE float Run(float x) { return static_cast<float>(special::Name(x)); } \
  };
TRT_SPECIAL_UNARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL

}  // namespace

#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return &MapUnary<Name##Op>;
#define TRT_CASE_LIBM(Name)  \
  case PointwiseOp::k##Name: \
    return &MapScalar1<float, float, Name##Op>;

StepFn FindFloatUnary(PointwiseOp op) {
  switch (op) {
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
    TRT_CASE(Tanh)
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
    TRT_CASE(Softplus)
    TRT_CASE(Elu)
    TRT_CASE(LeakyRelu)
    TRT_CASE(Clamp)
    TRT_CASE_LIBM(Tan)
    TRT_CASE_LIBM(Asin)
    TRT_CASE_LIBM(Acos)
    TRT_CASE_LIBM(Atan)
    TRT_CASE_LIBM(Sinh)
    TRT_CASE_LIBM(Cosh)
    TRT_CASE_LIBM(Asinh)
    TRT_CASE_LIBM(Acosh)
    TRT_CASE_LIBM(Atanh)
#define TRT_SPECIAL(Name, arity, result, commutative) TRT_CASE_LIBM(Name)
    TRT_SPECIAL_UNARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL
    default:
      return nullptr;
  }
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
