// What kernels need beyond portable C++: 16-bit float conversions, warp exchange, atomics. The one
// file with PTX of the loop, row and reference kernels; tests on a host replace it.
#pragma once

#define TRT_DEVICE __device__ __forceinline__

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

TRT_DEVICE float F16ToFloat(u16 bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
TRT_DEVICE u16 FloatToF16(float value) {
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
TRT_DEVICE u16 FloatToBF16(float value) {
  u16 bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

TRT_DEVICE u32 FloatBits(float value) { return __float_as_uint(value); }
TRT_DEVICE float BitsFloat(u32 bits) { return __uint_as_float(bits); }

// 2^x and 1 / x within 2 ulp, of values that are rounded to 16 bits soon after.
TRT_DEVICE float FastExp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
TRT_DEVICE float FastReciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// High half of the 64-bit product.
TRT_DEVICE u32 MulHigh(u32 a, u32 b) { return __umulhi(a, b); }

// The value of the lane whose number differs by `mask`. Every lane of the warp takes part.
template <typename T>
TRT_DEVICE T ShuffleXor(T value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
// The value of the lane `delta` below; lanes without one keep theirs.
template <typename T>
TRT_DEVICE T ShuffleUp(T value, int delta) {
  return __shfl_up_sync(0xffffffffu, value, delta);
}
// The value of lane `lane`.
template <typename T>
TRT_DEVICE T ShuffleFrom(T value, int lane) {
  return __shfl_sync(0xffffffffu, value, lane);
}

// In kernels launched with overlap_previous: returns when the kernels before are done, and lets the
// next overlapping kernel start. Not earlier: blocks of many kernels that all wait would take the
// places where those of the next one to run spread best. No effect in others.
TRT_DEVICE void WaitForPrevious() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
