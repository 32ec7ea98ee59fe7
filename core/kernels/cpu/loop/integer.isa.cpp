// Operations on integers and bool. Arithmetic wraps; it is done on unsigned values, where wrapping
// is defined.
#include "core/kernels/cpu/loop/step_map.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

template <typename T>
struct UnsignedOf;
template <>
struct UnsignedOf<int64_t> {
  using Type = uint64_t;
};
template <>
struct UnsignedOf<int32_t> {
  using Type = uint32_t;
};
// Wide enough that promotion to (signed) int can't overflow in a product.
template <>
struct UnsignedOf<int16_t> {
  using Type = uint32_t;
};
template <>
struct UnsignedOf<int8_t> {
  using Type = uint32_t;
};
template <>
struct UnsignedOf<uint8_t> {
  using Type = uint32_t;
};
template <typename T>
using Unsigned = typename UnsignedOf<T>::Type;

template <typename T>
inline constexpr bool kSigned = static_cast<T>(-1) < static_cast<T>(0);
template <typename T>
inline constexpr int kBits = static_cast<int>(sizeof(T)) * 8;

#define TRT_OP1(Name, expression)                                       \
  template <typename T>                                                 \
  struct Name##Op {                                                     \
    static TRT_INLINE T Run(T a) { return static_cast<T>(expression); } \
  };
#define TRT_OP2(Name, expression)                                            \
  template <typename T>                                                      \
  struct Name##Op {                                                          \
    static TRT_INLINE T Run(T a, T b) { return static_cast<T>(expression); } \
  };
#define TRT_U(x) static_cast<Unsigned<T>>(x)

// A divisor of 0 gives 0. PyTorch raises an error; converters leave such divisions to it.
template <typename T>
TRT_INLINE T TruncDivOf(T a, T b) {
  if (b == 0) return 0;
  if (kSigned<T> && b == static_cast<T>(-1)) return static_cast<T>(TRT_U(0) - TRT_U(a));
  return static_cast<T>(a / b);
}
template <typename T>
TRT_INLINE T FmodOfInt(T a, T b) {
  if (b == 0 || (kSigned<T> && b == static_cast<T>(-1))) return 0;
  return static_cast<T>(a % b);
}
template <typename T>
TRT_INLINE T RemainderOfInt(T a, T b) {
  const T mod = FmodOfInt(a, b);
  return mod != 0 && (mod < 0) != (b < 0) ? static_cast<T>(mod + b) : mod;
}
template <typename T>
TRT_INLINE T FloorDivOfInt(T a, T b) {
  const T quotient = TruncDivOf(a, b);
  const T mod = FmodOfInt(a, b);
  return mod != 0 && (mod < 0) != (b < 0) ? static_cast<T>(quotient - 1) : quotient;
}
template <typename T>
TRT_INLINE T PowOfInt(T a, T b) {
  if (kSigned<T> && b < 0) {
    if (a == 1) return 1;
    if (a == static_cast<T>(-1)) return static_cast<T>((b & 1) != 0 ? -1 : 1);
    return 0;
  }
  Unsigned<T> base = TRT_U(a);
  Unsigned<T> result = 1;
  for (Unsigned<T> n = TRT_U(b); n != 0; n >>= 1U) {
    if ((n & 1U) != 0) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}
template <typename T>
TRT_INLINE bool ShiftInRange(T n) {
  return n >= 0 && static_cast<int64_t>(n) < kBits<T>;
}

TRT_OP2(Add, TRT_U(a) + TRT_U(b))
TRT_OP2(Sub, TRT_U(a) - TRT_U(b))
TRT_OP2(Mul, TRT_U(a) * TRT_U(b))
TRT_OP2(FloorDiv, FloorDivOfInt(a, b))
TRT_OP2(TruncDiv, TruncDivOf(a, b))
TRT_OP2(Remainder, RemainderOfInt(a, b))
TRT_OP2(Fmod, FmodOfInt(a, b))
TRT_OP2(Pow, PowOfInt(a, b))
TRT_OP2(Maximum, a > b ? a : b)
TRT_OP2(Minimum, a < b ? a : b)
TRT_OP2(BitAnd, a& b)
TRT_OP2(BitOr, a | b)
TRT_OP2(BitXor, a ^ b)
TRT_OP2(ShiftLeft, ShiftInRange(b) ? TRT_U(a) << static_cast<unsigned>(b) : TRT_U(0))
TRT_OP2(ShiftRight, a >> (ShiftInRange(b) ? static_cast<int>(b) : kBits<T> - (kSigned<T> ? 1 : 0)))
TRT_OP1(BitNot, ~TRT_U(a))
TRT_OP1(Neg, TRT_U(0) - TRT_U(a))
TRT_OP1(Abs, a < 0 ? TRT_U(0) - TRT_U(a) : TRT_U(a))
TRT_OP1(Sign, static_cast<int>(a > 0) - static_cast<int>(a < 0))
TRT_OP1(Relu, a < 0 ? 0 : a)
TRT_OP1(Same, a)
TRT_OP1(BoolNot, a == 0)

template <typename T>
struct ClampOp {
  static TRT_INLINE T Run(T a, double p0, double p1) {
    // Bounds beyond the type's range do not bind.
    const double x = static_cast<double>(a);
    if (x < p0) return static_cast<T>(p0);
    return x > p1 ? static_cast<T>(p1) : a;
  }
};

template <typename T>
StepFn FindTyped(PointwiseOp op, int scalars) {
  switch (op) {
#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return PickScalar2<T, T, Name##Op<T>>(scalars);
    TRT_CASE(Add)
    TRT_CASE(Sub)
    TRT_CASE(Mul)
    TRT_CASE(FloorDiv)
    TRT_CASE(TruncDiv)
    TRT_CASE(Remainder)
    TRT_CASE(Fmod)
    TRT_CASE(Pow)
    TRT_CASE(Maximum)
    TRT_CASE(Minimum)
    TRT_CASE(BitAnd)
    TRT_CASE(BitOr)
    TRT_CASE(BitXor)
    TRT_CASE(ShiftLeft)
    TRT_CASE(ShiftRight)
#undef TRT_CASE
#define TRT_CASE(Name, Code) \
  case PointwiseOp::k##Name: \
    return scalars == 0 ? &MapScalar1<T, T, Code##Op<T>> : nullptr;
    TRT_CASE(BitNot, BitNot)
    TRT_CASE(Neg, Neg)
    TRT_CASE(Abs, Abs)
    TRT_CASE(Sign, Sign)
    TRT_CASE(Relu, Relu)
    TRT_CASE(Floor, Same)
    TRT_CASE(Ceil, Same)
    TRT_CASE(Round, Same)
    TRT_CASE(Trunc, Same)
#undef TRT_CASE
    case PointwiseOp::kClamp:
      return scalars == 0 ? &MapScalarParams<T, ClampOp<T>> : nullptr;
    default:
      return nullptr;
  }
}

// bool is stored as 0 or 1: sums and products are or and and.
StepFn FindBool(PointwiseOp op, int scalars) {
  using B = uint8_t;
  switch (op) {
    case PointwiseOp::kAdd:
    case PointwiseOp::kMaximum:
    case PointwiseOp::kBitOr:
      return PickScalar2<B, B, BitOrOp<B>>(scalars);
    case PointwiseOp::kMul:
    case PointwiseOp::kMinimum:
    case PointwiseOp::kBitAnd:
      return PickScalar2<B, B, BitAndOp<B>>(scalars);
    case PointwiseOp::kBitXor:
      return PickScalar2<B, B, BitXorOp<B>>(scalars);
    case PointwiseOp::kBitNot:
      return scalars == 0 ? &MapScalar1<B, B, BoolNotOp<B>> : nullptr;
    case PointwiseOp::kAbs:
    case PointwiseOp::kSign:
    case PointwiseOp::kRelu:
      return scalars == 0 ? &MapScalar1<B, B, SameOp<B>> : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace

StepFn FindInteger(PointwiseOp op, DataType type, int scalars) {
  switch (type) {
    case DataType::kInt64:
      return FindTyped<int64_t>(op, scalars);
    case DataType::kInt32:
      return FindTyped<int32_t>(op, scalars);
    case DataType::kInt16:
      return FindTyped<int16_t>(op, scalars);
    case DataType::kInt8:
      return FindTyped<int8_t>(op, scalars);
    case DataType::kUInt8:
      return FindTyped<uint8_t>(op, scalars);
    case DataType::kBool:
      return FindBool(op, scalars);
    default:
      return nullptr;
  }
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
