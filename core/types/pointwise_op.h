// The one table of pointwise operations. IR layers (Unary, Elementwise, Select, Cast), the Loop IR,
// its executors and the reference kernels all take their operations from here. The numeric values
// are stored in plan files: append only.
//
// Semantics are PyTorch's. "p0", "p1" are the instruction's scalar parameters.
// Result types: kSame = the operand type; kBool = bool. Operands share one type except where noted.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace torch_tensorrt::core {

enum class ResultType : uint8_t { kSame, kBool, kCast };

// Special functions, computed in f64 (core/kernels/cuda/src/special.cuh).
#define TRT_SPECIAL_UNARY_OPS(X) \
  X(Erfc, 1, kSame, false)       \
  X(Erfinv, 1, kSame, false)     \
  X(Erfcx, 1, kSame, false)      \
  X(Ndtri, 1, kSame, false)      \
  X(Lgamma, 1, kSame, false)     \
  X(Digamma, 1, kSame, false)    \
  X(BesselJ0, 1, kSame, false)   \
  X(BesselJ1, 1, kSame, false)   \
  X(BesselY0, 1, kSame, false)   \
  X(BesselY1, 1, kSame, false)   \
  X(BesselI0, 1, kSame, false)   \
  X(BesselI0e, 1, kSame, false)  \
  X(BesselI1, 1, kSame, false)   \
  X(BesselI1e, 1, kSame, false)  \
  X(BesselK0, 1, kSame, false)   \
  X(BesselK0e, 1, kSame, false)  \
  X(BesselK1, 1, kSame, false)   \
  X(BesselK1e, 1, kSame, false)  \
  X(AiryAi, 1, kSame, false)
#define TRT_SPECIAL_BINARY_OPS(X)       \
  X(Igamma, 2, kSame, false)            \
  X(Igammac, 2, kSame, false)           \
  X(Zeta, 2, kSame, false)              \
  X(ChebyshevT, 2, kSame, false)        \
  X(ChebyshevU, 2, kSame, false)        \
  X(ChebyshevV, 2, kSame, false)        \
  X(ChebyshevW, 2, kSame, false)        \
  X(ShiftedChebyshevT, 2, kSame, false) \
  X(ShiftedChebyshevU, 2, kSame, false) \
  X(ShiftedChebyshevV, 2, kSame, false) \
  X(ShiftedChebyshevW, 2, kSame, false) \
  X(HermiteH, 2, kSame, false)          \
  X(HermiteHe, 2, kSame, false)         \
  X(LaguerreL, 2, kSame, false)         \
  X(LegendreP, 2, kSame, false)

// X(name, arity, result, commutative)
#define TRT_POINTWISE_OPS(X)                                                         \
  /* binary arithmetic */                                                            \
  X(Add, 2, kSame, true)                                                             \
  X(Sub, 2, kSame, false)                                                            \
  X(Mul, 2, kSame, true)                                                             \
  X(Div, 2, kSame, false)       /* floats only; integers are cast to float first */  \
  X(FloorDiv, 2, kSame, false)  /* rounds to minus infinity, floats as torch */      \
  X(TruncDiv, 2, kSame, false)  /* rounds to zero */                                 \
  X(Remainder, 2, kSame, false) /* sign of divisor, Python's % */                    \
  X(Fmod, 2, kSame, false)      /* sign of dividend, C's fmod */                     \
  X(Pow, 2, kSame, false)                                                            \
  X(Maximum, 2, kSame, true) /* NaN propagates */                                    \
  X(Minimum, 2, kSame, true) /* NaN propagates */                                    \
  X(Atan2, 2, kSame, false)                                                          \
  /* comparison: bool out */                                                         \
  X(Eq, 2, kBool, true)                                                              \
  X(Ne, 2, kBool, true)                                                              \
  X(Lt, 2, kBool, false)                                                             \
  X(Le, 2, kBool, false)                                                             \
  X(Gt, 2, kBool, false)                                                             \
  X(Ge, 2, kBool, false)                                                             \
  /* logical: any in (nonzero = true), bool out */                                   \
  X(LogicalAnd, 2, kBool, true)                                                      \
  X(LogicalOr, 2, kBool, true)                                                       \
  X(LogicalXor, 2, kBool, true)                                                      \
  X(LogicalNot, 1, kBool, false)                                                     \
  /* bitwise: integers and bool */                                                   \
  X(BitAnd, 2, kSame, true)                                                          \
  X(BitOr, 2, kSame, true)                                                           \
  X(BitXor, 2, kSame, true)                                                          \
  X(BitNot, 1, kSame, false)                                                         \
  X(ShiftLeft, 2, kSame, false)                                                      \
  X(ShiftRight, 2, kSame, false) /* arithmetic */                                    \
  /* unary */                                                                        \
  X(Neg, 1, kSame, false)                                                            \
  X(Abs, 1, kSame, false)                                                            \
  X(Sign, 1, kSame, false)                                                           \
  X(Exp, 1, kSame, false)                                                            \
  X(Exp2, 1, kSame, false)                                                           \
  X(Expm1, 1, kSame, false)                                                          \
  X(Log, 1, kSame, false)                                                            \
  X(Log2, 1, kSame, false)                                                           \
  X(Log10, 1, kSame, false)                                                          \
  X(Log1p, 1, kSame, false)                                                          \
  X(Sqrt, 1, kSame, false)                                                           \
  X(Rsqrt, 1, kSame, false)                                                          \
  X(Reciprocal, 1, kSame, false)                                                     \
  X(Sin, 1, kSame, false)                                                            \
  X(Cos, 1, kSame, false)                                                            \
  X(Tan, 1, kSame, false)                                                            \
  X(Asin, 1, kSame, false)                                                           \
  X(Acos, 1, kSame, false)                                                           \
  X(Atan, 1, kSame, false)                                                           \
  X(Sinh, 1, kSame, false)                                                           \
  X(Cosh, 1, kSame, false)                                                           \
  X(Tanh, 1, kSame, false)                                                           \
  X(Asinh, 1, kSame, false)                                                          \
  X(Acosh, 1, kSame, false)                                                          \
  X(Atanh, 1, kSame, false)                                                          \
  X(Erf, 1, kSame, false)                                                            \
  X(Floor, 1, kSame, false)                                                          \
  X(Ceil, 1, kSame, false)                                                           \
  X(Round, 1, kSame, false) /* half to even */                                       \
  X(Trunc, 1, kSame, false)                                                          \
  X(IsNan, 1, kBool, false)                                                          \
  X(IsInf, 1, kBool, false)                                                          \
  /* activations kept whole: better numerics and one instruction */                  \
  X(Relu, 1, kSame, false)                                                           \
  X(Sigmoid, 1, kSame, false)                                                        \
  X(Silu, 1, kSame, false)                                                           \
  X(GeluErf, 1, kSame, false)                                                        \
  X(GeluTanh, 1, kSame, false)                                                       \
  X(HardSigmoid, 1, kSame, false)                                                    \
  X(HardSwish, 1, kSame, false)                                                      \
  X(Softplus, 1, kSame, false) /* p0 = beta, p1 = threshold */                       \
  X(Elu, 1, kSame,                                                                   \
    false) /* p0 = negative scale alpha*scale, p1 = positive scale; input_scale 1 */ \
  X(LeakyRelu, 1, kSame, false) /* p0 = negative slope */                            \
  X(Clamp, 1, kSame, false)     /* p0 = low, p1 = high; NaN propagates */            \
  /* three operands: condition (bool), then, else */                                 \
  X(Select, 3, kSame, false)                                                         \
  /* to the instruction's type; float -> int truncates; any -> bool is (x != 0) */   \
  X(Cast, 1, kCast, false)                                                           \
  /* the sign bit, of zeros and NaN too; bool out */                                 \
  X(SignBit, 1, kBool, false)                                                        \
  X(Gcd, 2, kSame, true)        /* integers; not negative */                         \
  X(CopySign, 2, kSame, false)  /* |a| with the sign bit of b */                     \
  X(NextAfter, 2, kSame, false) /* f32 and f64 */                                    \
  TRT_SPECIAL_UNARY_OPS(X)                                                           \
  TRT_SPECIAL_BINARY_OPS(X)

enum class PointwiseOp : uint8_t {
#define TRT_ENUM(name, arity, result, commutative) k##name,
  TRT_POINTWISE_OPS(TRT_ENUM)
#undef TRT_ENUM
};
#define TRT_COUNT(name, arity, result, commutative) +1
inline constexpr int kPointwiseOpCount = 0 TRT_POINTWISE_OPS(TRT_COUNT);
#undef TRT_COUNT

struct PointwiseOpInfo {
  std::string_view name;
  int arity;
  ResultType result;
  bool commutative;
};

// REQUIRES: op is one of the table.
const PointwiseOpInfo& InfoOf(PointwiseOp op);
std::optional<PointwiseOp> ParsePointwiseOp(std::string_view name);

}  // namespace torch_tensorrt::core
