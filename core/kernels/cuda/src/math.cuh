// Pointwise operations (core/types/pointwise_op.h) on register types. Semantics are PyTorch's:
// NaN propagates through Maximum, Minimum, Clamp and Relu; integers wrap; division by zero of
// integers yields 0.
#pragma once

#include "common.cuh"

#define TRT_NAN BitsFloat(0x7fc00000u)
#define TRT_INF BitsFloat(0x7f800000u)

template <typename T>
struct IsFloatType {
  static constexpr bool value = false;
};
template <>
struct IsFloatType<float> {
  static constexpr bool value = true;
};
template <>
struct IsFloatType<double> {
  static constexpr bool value = true;
};

// The type integers of T are computed in, and its unsigned twin, where overflow wraps.
template <typename T>
struct WideOf {
  typedef i32 type;
  typedef u32 bits;
};
template <>
struct WideOf<i64> {
  typedef i64 type;
  typedef u64 bits;
};

// ---- arithmetic ----
#define TRT_WRAPPING(name, symbol)                                       \
  template <typename T>                                                  \
  TRT_DEVICE T name(T a, T b) {                                          \
    if constexpr (IsFloatType<T>::value) {                               \
      return a symbol b;                                                 \
    } else {                                                             \
      typedef typename WideOf<T>::bits U;                                \
      return static_cast<T>(static_cast<U>(a) symbol static_cast<U>(b)); \
    }                                                                    \
  }
TRT_WRAPPING(PwAdd, +)
TRT_WRAPPING(PwSub, -)
TRT_WRAPPING(PwMul, *)
#undef TRT_WRAPPING

template <typename W>
TRT_DEVICE W IntTruncDiv(W a, W b) {
  typedef typename WideOf<W>::bits U;
  if (b == 0) return 0;
  if (b == -1) return static_cast<W>(U{0} - static_cast<U>(a));
  return a / b;
}
template <typename W>
TRT_DEVICE W IntTruncMod(W a, W b) {
  return b == 0 || b == -1 ? W{0} : a % b;
}

template <typename T>
TRT_DEVICE T PwTruncDiv(T a, T b) {
  if constexpr (IsFloatType<T>::value) {
    return trunc(a / b);
  } else {
    typedef typename WideOf<T>::type W;
    return static_cast<T>(IntTruncDiv<W>(a, b));
  }
}
template <typename T>
TRT_DEVICE T PwDiv(T a, T b) {
  if constexpr (IsFloatType<T>::value) {
    return a / b;
  } else {
    return PwTruncDiv(a, b);
  }
}
template <typename T>
TRT_DEVICE T FloatFloorDiv(T a, T b) {
  if (b == 0) return a / b;
  const T m = fmod(a, b);
  T quotient = (a - m) / b;
  if (m != 0 && (b < 0) != (m < 0)) quotient -= 1;
  if (quotient == 0) return copysign(T{0}, a / b);
  const T low = floor(quotient);
  return quotient - low > T(0.5) ? low + 1 : low;
}
template <typename T>
TRT_DEVICE T PwFloorDiv(T a, T b) {
  if constexpr (IsFloatType<T>::value) {
    return FloatFloorDiv(a, b);
  } else {
    typedef typename WideOf<T>::type W;
    const W x = a, y = b;
    if (y == 0 || y == -1) return static_cast<T>(IntTruncDiv(x, y));
    return static_cast<T>(x / y - (x % y != 0 && (x % y < 0) != (y < 0) ? 1 : 0));
  }
}
template <typename T>
TRT_DEVICE T PwFmod(T a, T b) {
  if constexpr (IsFloatType<T>::value) {
    return fmod(a, b);
  } else {
    typedef typename WideOf<T>::type W;
    return static_cast<T>(IntTruncMod<W>(a, b));
  }
}
template <typename T>
TRT_DEVICE T PwRemainder(T a, T b) {
  const T m = PwFmod(a, b);
  return m != 0 && (b < 0) != (m < 0) ? static_cast<T>(m + b) : m;
}
TRT_DEVICE float PowOf(float a, float b) { return powf(a, b); }
TRT_DEVICE double PowOf(double a, double b) { return pow(a, b); }
template <typename W>
TRT_DEVICE W PowOf(W base, W exponent) {
  typedef typename WideOf<W>::bits U;
  if (exponent < 0) return base == 1 ? 1 : (base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0);
  U result = 1;
  for (U b = static_cast<U>(base); exponent != 0; exponent >>= 1, b *= b) {
    if ((exponent & 1) != 0) result *= b;
  }
  return static_cast<W>(result);
}
template <typename T>
TRT_DEVICE T PwPow(T a, T b) {
  if constexpr (IsFloatType<T>::value) {
    return PowOf(a, b);
  } else {
    typedef typename WideOf<T>::type W;
    return static_cast<T>(PowOf<W>(a, b));
  }
}
template <typename T>
TRT_DEVICE T PwMaximum(T a, T b) {
  return b != b ? b : (a != a || a > b ? a : b);
}
template <typename T>
TRT_DEVICE T PwMinimum(T a, T b) {
  return b != b ? b : (a != a || a < b ? a : b);
}

// ---- comparison and logic ----
#define TRT_COMPARE(name, symbol)  \
  template <typename T>            \
  TRT_DEVICE bool name(T a, T b) { \
    return a symbol b;             \
  }
TRT_COMPARE(PwEq, ==)
TRT_COMPARE(PwNe, !=)
TRT_COMPARE(PwLt, <)
TRT_COMPARE(PwLe, <=)
TRT_COMPARE(PwGt, >)
TRT_COMPARE(PwGe, >=)
#undef TRT_COMPARE
template <typename A, typename B>
TRT_DEVICE bool PwLogicalAnd(A a, B b) {
  return a != A{0} && b != B{0};
}
template <typename A, typename B>
TRT_DEVICE bool PwLogicalOr(A a, B b) {
  return a != A{0} || b != B{0};
}
template <typename A, typename B>
TRT_DEVICE bool PwLogicalXor(A a, B b) {
  return (a != A{0}) != (b != B{0});
}
template <typename T>
TRT_DEVICE bool PwLogicalNot(T a) {
  return a == T{0};
}
template <typename T>
TRT_DEVICE T PwBitAnd(T a, T b) {
  return static_cast<T>(a & b);
}
template <typename T>
TRT_DEVICE T PwBitOr(T a, T b) {
  return static_cast<T>(a | b);
}
template <typename T>
TRT_DEVICE T PwBitXor(T a, T b) {
  return static_cast<T>(a ^ b);
}
template <typename T>
TRT_DEVICE T PwBitNot(T a) {
  return static_cast<T>(~static_cast<typename WideOf<T>::type>(a));
}
TRT_DEVICE bool PwBitNot(bool a) { return !a; }
template <typename T>
TRT_DEVICE T PwShiftLeft(T a, T by) {
  const i64 n = static_cast<i64>(by);
  if (n < 0 || n >= static_cast<i64>(sizeof(T)) * 8) return T{0};
  return static_cast<T>(static_cast<typename WideOf<T>::bits>(a) << n);
}
template <typename T>
TRT_DEVICE T PwShiftRight(T a, T by) {
  typedef typename WideOf<T>::type W;
  const i64 n = static_cast<i64>(by);
  const bool far = n < 0 || n >= static_cast<i64>(sizeof(T)) * 8;
  return static_cast<T>(static_cast<W>(a) >> (far ? static_cast<int>(sizeof(W)) * 8 - 1 : n));
}

// ---- unary ----
template <typename T>
TRT_DEVICE T PwNeg(T a) {
  if constexpr (IsFloatType<T>::value) {
    return -a;
  } else {
    typedef typename WideOf<T>::bits U;
    return static_cast<T>(U{0} - static_cast<U>(a));
  }
}
TRT_DEVICE float PwAbs(float a) { return fabsf(a); }
TRT_DEVICE double PwAbs(double a) { return fabs(a); }
template <typename T>
TRT_DEVICE T PwAbs(T a) {
  return a < T{0} ? PwNeg(a) : a;
}
template <typename T>
TRT_DEVICE T PwSign(T a) {
  return static_cast<T>(a > T{0} ? 1 : (a < T{0} ? -1 : 0));
}

// Functions of the math library, in the precision of the argument.
#define TRT_MATH(name, function)                            \
  TRT_DEVICE float name(float a) { return function##f(a); } \
  TRT_DEVICE double name(double a) { return function(a); }
TRT_MATH(PwExp, exp)
TRT_MATH(PwExp2, exp2)
TRT_MATH(PwExpm1, expm1)
TRT_MATH(PwLog, log)
TRT_MATH(PwLog2, log2)
TRT_MATH(PwLog10, log10)
TRT_MATH(PwLog1p, log1p)
TRT_MATH(PwSqrt, sqrt)
TRT_MATH(PwSin, sin)
TRT_MATH(PwCos, cos)
TRT_MATH(PwTan, tan)
TRT_MATH(PwAsin, asin)
TRT_MATH(PwAcos, acos)
TRT_MATH(PwAtan, atan)
TRT_MATH(PwSinh, sinh)
TRT_MATH(PwCosh, cosh)
#ifdef TRT_HALF_MATH  // the float one is below
TRT_DEVICE double PwTanh(double a) { return tanh(a); }
#else
TRT_MATH(PwTanh, tanh)
#endif
TRT_MATH(PwAsinh, asinh)
TRT_MATH(PwAcosh, acosh)
TRT_MATH(PwAtanh, atanh)
TRT_MATH(PwErf, erf)
#undef TRT_MATH

// Rounding leaves integers as they are.
#define TRT_ROUNDING(name, function)                        \
  TRT_DEVICE float name(float a) { return function##f(a); } \
  TRT_DEVICE double name(double a) { return function(a); }  \
  template <typename T>                                     \
  TRT_DEVICE T name(T a) {                                  \
    return a;                                               \
  }
TRT_ROUNDING(PwFloor, floor)
TRT_ROUNDING(PwCeil, ceil)
TRT_ROUNDING(PwRound, rint)
TRT_ROUNDING(PwTrunc, trunc)
#undef TRT_ROUNDING

TRT_DEVICE float PwRsqrt(float a) { return 1.0f / sqrtf(a); }
TRT_DEVICE double PwRsqrt(double a) { return 1.0 / sqrt(a); }
template <typename T>
TRT_DEVICE T PwReciprocal(T a) {
  return T(1) / a;
}
TRT_DEVICE float PwAtan2(float a, float b) { return atan2f(a, b); }
TRT_DEVICE double PwAtan2(double a, double b) { return atan2(a, b); }
TRT_DEVICE float PwCopySign(float a, float b) { return copysignf(a, b); }
TRT_DEVICE double PwCopySign(double a, double b) { return copysign(a, b); }
TRT_DEVICE float PwNextAfter(float a, float b) { return nextafterf(a, b); }
TRT_DEVICE double PwNextAfter(double a, double b) { return nextafter(a, b); }
TRT_DEVICE bool PwSignBit(float a) { return FloatBits(a) >> 31 != 0; }
TRT_DEVICE bool PwSignBit(double a) { return copysign(1.0, a) < 0; }
template <typename T>
TRT_DEVICE bool PwSignBit(T a) {
  return a < T{0};
}
template <typename T>
TRT_DEVICE T PwGcd(T a, T b) {
  typedef typename WideOf<T>::bits U;
  U x = static_cast<U>(a < T{0} ? PwNeg(a) : a);
  U y = static_cast<U>(b < T{0} ? PwNeg(b) : b);
  while (y != 0) {
    const U rest = x % y;
    x = y;
    y = rest;
  }
  return static_cast<T>(x);
}
template <typename T>
TRT_DEVICE bool PwIsNan(T a) {
  return a != a;
}
template <typename T>
TRT_DEVICE bool PwIsInf(T a) {
  if constexpr (IsFloatType<T>::value) {
    return a == T(TRT_INF) || a == -T(TRT_INF);
  } else {
    return false;
  }
}

// ---- activations ----
template <typename T>
TRT_DEVICE T PwRelu(T a) {
  return a < T{0} ? T{0} : a;
}
template <typename T>
TRT_DEVICE T PwSigmoid(T a) {
  return T(1) / (T(1) + PwExp(-a));
}
template <typename T>
TRT_DEVICE T PwSilu(T a) {
  return a / (T(1) + PwExp(-a));
}
template <typename T>
TRT_DEVICE T PwGeluErf(T a) {
  return T(0.5) * a * (T(1) + PwErf(a * T(0.70710678118654752440)));
}
template <typename T>
TRT_DEVICE T PwGeluTanh(T a) {
  const T inner = T(0.79788456080286535588) * (a + T(0.044715) * a * a * a);
  return T(0.5) * a * (T(1) + PwTanh(inner));
}
#ifdef TRT_HALF_MATH
// Of results that are rounded to 16 bits: within 3e-6 of the value (GELU: a seventh of what f16 has
// between neighbours there), special values as above. An epilogue has no time for more.
TRT_DEVICE float PwSigmoid(float a) { return FastReciprocal(1.0f + FastExp2(a * -1.44269504f)); }
TRT_DEVICE float PwSilu(float a) { return a * PwSigmoid(a); }
TRT_DEVICE float PwTanh(float a) {
  const float whole = 1.0f - 2.0f * FastReciprocal(1.0f + FastExp2(a * 2.88539008f));
  return fabs(a) < 0.04f ? a - a * a * a * 0.33333333f : whole;  // whole loses digits near 0
}
// max(a, 0) - |a| 2^q: a polynomial q of |a|, fitted to what f16 has between neighbours, is the
// logarithm of the curve's tail.
TRT_DEVICE float GeluOfTail(float a, float size, float q) {
  return a > 16.0f ? a : fmaxf(a, 0.0f) - size * FastExp2(q);
}
// The tail is erfc(|a| / sqrt(2)) / 2.
TRT_DEVICE float PwGeluErf(float a) {
  const float size = fabs(a);
  float q = -0.00033006911f;
  q = q * size + 0.0059182309f;
  q = q * size - 0.048537847f;
  q = q * size - 0.46371159f;
  q = q * size - 1.1493826f;
  return GeluOfTail(a, size, q * size - 1.0001091f);
}
// The tail is sigmoid(-2 sqrt(2 / pi) (|a| + 0.044715 |a|^3)).
TRT_DEVICE float PwGeluTanh(float a) {
  const float size = fabs(a);
  float q = -3.0163319e-5f;
  q = q * size + 0.00086482341f;
  q = q * size - 0.0080666747f;
  q = q * size + 0.026964938f;
  q = q * size - 0.073699497f;
  q = q * size - 0.44736856f;
  q = q * size - 1.1534042f;
  return GeluOfTail(a, size, q * size - 0.99992305f);
}
#endif
template <typename T>
TRT_DEVICE T PwHardSigmoid(T a) {
  return PwMinimum(PwMaximum(a + T(3), T(0)), T(6)) / T(6);
}
template <typename T>
TRT_DEVICE T PwHardSwish(T a) {
  return a * PwHardSigmoid(a);
}
template <typename T>
TRT_DEVICE T PwSoftplus(T a, double beta, double threshold) {
  const T scaled = a * T(beta);
  return scaled > T(threshold) ? a : PwLog1p(PwExp(scaled)) / T(beta);
}
template <typename T>
TRT_DEVICE T PwElu(T a, double negative, double positive) {
  return a <= T(0) ? PwExpm1(a) * T(negative) : a * T(positive);
}
template <typename T>
TRT_DEVICE T PwLeakyRelu(T a, double slope, double) {
  return a > T(0) ? a : a * T(slope);
}

// ---- casts ----
// Towards zero; what an i64 cannot hold gives its least value, and so for i32.
template <typename F>
TRT_DEVICE i64 TruncateToI64(F x) {
  if (!(x >= F(-9223372036854775808.0) && x < F(9223372036854775808.0))) {
    return static_cast<i64>(1ull << 63);
  }
  return static_cast<i64>(x);
}
template <typename To>
struct FloatTo {
  template <typename F>
  static TRT_DEVICE To From(F x) {
    return static_cast<To>(TruncateToI64(x));
  }
};
template <>
struct FloatTo<i32> {
  static TRT_DEVICE i32 From(float x) {
    return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<i32>(x)
                                                    : static_cast<i32>(1u << 31);
  }
  static TRT_DEVICE i32 From(double x) {
    return x > -2147483649.0 && x < 2147483648.0 ? static_cast<i32>(x) : static_cast<i32>(1u << 31);
  }
};
template <typename To, typename From>
TRT_DEVICE To PwCast(From x) {
  if constexpr (IsFloatType<To>::value) {
    return static_cast<To>(x);
  } else if constexpr (sizeof(To) == sizeof(bool) && static_cast<To>(2) == static_cast<To>(1)) {
    return x != From{0};
  } else if constexpr (IsFloatType<From>::value) {
    return FloatTo<To>::From(x);
  } else {
    return static_cast<To>(x);
  }
}

template <typename T>
TRT_DEVICE T PwClamp(T a, double low, double high) {
  if constexpr (IsFloatType<T>::value) {
    if (a != a) return a;
    if (low != low) return T(low);
    const T l = T(low), h = T(high);
    const T raised = a > l ? a : l;
    return raised < h ? raised : h;
  } else {
    const double x = static_cast<double>(a);
    if (x > high) return static_cast<T>(TruncateToI64(high));
    return x < low ? static_cast<T>(TruncateToI64(low < high ? low : high)) : a;
  }
}

// ---- folds (see WarpFold) ----
struct SumFold {
  template <typename T>
  TRT_DEVICE T operator()(T a, T b) const {
    return PwAdd(a, b);
  }
};
struct ProductFold {
  template <typename T>
  TRT_DEVICE T operator()(T a, T b) const {
    return PwMul(a, b);
  }
};
struct AnyFold {
  TRT_DEVICE bool operator()(bool a, bool b) const { return a || b; }
};
struct AllFold {
  TRT_DEVICE bool operator()(bool a, bool b) const { return a && b; }
};
