// f32 operations on two arguments.
#include "core/kernels/cpu/loop/float_math.h"
#include "core/kernels/cpu/loop/step_map.h"
#include "core/kernels/reference/special_functions.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

#define TRT_OP2(Name, expression)                                                      \
  struct Name##Op {                                                                    \
    static TRT_INLINE VecF Run(VecF a, [[maybe_unused]] VecF b) { return expression; } \
  };
TRT_OP2(Add, a + b)
TRT_OP2(Sub, a - b)
TRT_OP2(Mul, a* b)
TRT_OP2(Div, a / b)
TRT_OP2(TruncDiv, Trunc(a / b))
TRT_OP2(Maximum, MaxNan(a, b))
TRT_OP2(Minimum, MinNan(a, b))
TRT_OP2(Square, a* a)
TRT_OP2(Cube, a * a * a)
TRT_OP2(SquareRoot, Sqrt(a))
TRT_OP2(Inverse, VecF(1.0F) / a)
TRT_OP2(InverseSquare, VecF(1.0F) / (a * a))
#undef TRT_OP2

#define TRT_SCALAR2(Name, expression)                                    \
  struct Name##Op {                                                      \
    static TRT_INLINE float Run(float a, float b) { return expression; } \
  };
TRT_SCALAR2(FloorDiv, FloorDivOf(a, b))
TRT_SCALAR2(Remainder, RemainderOf(a, b))
TRT_SCALAR2(Fmod, FmodOf(a, b))
TRT_SCALAR2(Pow, PowOf(a, b))
TRT_SCALAR2(Atan2, Atan2Of(a, b))
TRT_SCALAR2(CopySign, copysignf(a, b))
TRT_SCALAR2(NextAfter, nextafterf(a, b))
#define TRT_SPECIAL(Name, arity, result, commutative) \
  TRT_SCALAR2(Name, static_cast<float>(special::Name(a, b)))
TRT_SPECIAL_BINARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL
#undef TRT_SCALAR2

// x ** scalar: the exponents that PyTorch too computes without pow().
void PowByScalar(const StepArgs& s) {
  StepArgs row = s;
  row.rows = 1;
  for (int64_t r = 0; r < s.rows; ++r) {
    row.dst = OutRow<float>(s, r);
    row.src[0] = Row<float>(s, 0, r);
    row.src[1] = Row<float>(s, 1, r);
    const float exponent = *Row<float>(s, 1, r);
    if (exponent == 2.0F) {
      MapBinary<SquareOp, false, true>(row);
    } else if (exponent == 3.0F) {
      MapBinary<CubeOp, false, true>(row);
    } else if (exponent == 0.5F) {
      MapBinary<SquareRootOp, false, true>(row);
    } else if (exponent == -1.0F) {
      MapBinary<InverseOp, false, true>(row);
    } else if (exponent == -2.0F) {
      MapBinary<InverseSquareOp, false, true>(row);
    } else {
      MapScalar2<float, float, PowOp, false, true>(row);
    }
  }
}

}  // namespace

#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return PickBinary<Name##Op>(scalars);
#define TRT_CASE_SCALAR(Name) \
  case PointwiseOp::k##Name:  \
    return PickScalar2<float, float, Name##Op>(scalars);

StepFn FindFloatBinary(PointwiseOp op, int scalars) {
  if (op == PointwiseOp::kPow && scalars == 2) return &PowByScalar;
  switch (op) {
    TRT_CASE(Add)
    TRT_CASE(Sub)
    TRT_CASE(Mul)
    TRT_CASE(Div)
    TRT_CASE(TruncDiv)
    TRT_CASE(Maximum)
    TRT_CASE(Minimum)
    TRT_CASE_SCALAR(FloorDiv)
    TRT_CASE_SCALAR(Remainder)
    TRT_CASE_SCALAR(Fmod)
    TRT_CASE_SCALAR(Pow)
    TRT_CASE_SCALAR(Atan2)
    TRT_CASE_SCALAR(CopySign)
    TRT_CASE_SCALAR(NextAfter)
#define TRT_SPECIAL(Name, arity, result, commutative) TRT_CASE_SCALAR(Name)
    TRT_SPECIAL_BINARY_OPS(TRT_SPECIAL)
#undef TRT_SPECIAL
    default:
      return nullptr;
  }
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
