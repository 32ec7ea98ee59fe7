// Scalar binary functions with PyTorch's semantics for T = float and double: for *.isa.cpp files
// only.
#pragma once

#include <math.h>

#include "core/kernels/cpu/simd.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {

TRT_INLINE float FmodOf(float a, float b) { return fmodf(a, b); }
TRT_INLINE double FmodOf(double a, double b) { return fmod(a, b); }
TRT_INLINE float PowOf(float a, float b) { return powf(a, b); }
TRT_INLINE double PowOf(double a, double b) { return pow(a, b); }
TRT_INLINE float Atan2Of(float a, float b) { return atan2f(a, b); }
TRT_INLINE double Atan2Of(double a, double b) { return atan2(a, b); }
TRT_INLINE float FloorOf(float a) { return floorf(a); }
TRT_INLINE double FloorOf(double a) { return floor(a); }
TRT_INLINE float TruncOf(float a) { return truncf(a); }
TRT_INLINE double TruncOf(double a) { return trunc(a); }

// The quotient rounded down, computed through the remainder so that rounding of a / b can't reach
// an integer that is too large.
template <typename T>
TRT_INLINE T FloorDivOf(T a, T b) {
  if (b == T(0)) return a / b;
  const T mod = FmodOf(a, b);
  T quotient = (a - mod) / b;
  if (mod != T(0) && (b < T(0)) != (mod < T(0))) quotient -= T(1);
  if (quotient == T(0)) return signbit(a / b) ? T(-0.0) : T(0);
  const T floored = FloorOf(quotient);
  return quotient - floored > T(0.5) ? floored + T(1) : floored;
}

template <typename T>
TRT_INLINE T RemainderOf(T a, T b) {
  const T mod = FmodOf(a, b);
  return mod != T(0) && (b < T(0)) != (mod < T(0)) ? mod + b : mod;
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
