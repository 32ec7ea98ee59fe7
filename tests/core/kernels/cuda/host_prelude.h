// The text that takes the place of intrinsics.cuh when a kernel is compiled for the host: CUDA's
// words and built-in names in terms of a few functions that HostGpu provides.
#pragma once

namespace torch_tensorrt::core::kernels::testing {

inline constexpr char kHostIntrinsics[] = R"(
#pragma once
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
#define __host__
#define __grid_constant__
#define TRT_DEVICE inline

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
struct uint2 { u32 x, y; };
struct alignas(16) uint4 { u32 x, y, z, w; };
struct dim3 { u32 x, y, z; };

// Filled by the host before a thread runs.
struct HostThread { dim3 thread, block, block_dim, grid_dim; };
extern "C" { HostThread trt_thread; void (*trt_barrier)(); u64 (*trt_exchange)(u64, int); }
#define threadIdx trt_thread.thread
#define blockIdx trt_thread.block
#define blockDim trt_thread.block_dim
#define gridDim trt_thread.grid_dim
inline void __syncthreads() { trt_barrier(); }
inline void __syncwarp() { trt_exchange(0, 0); }

template <typename T>
inline T TrtExchange(T value, int lane) {
  u64 bits = 0;
  __builtin_memcpy(&bits, &value, sizeof(T));
  bits = trt_exchange(bits, lane);
  __builtin_memcpy(&value, &bits, sizeof(T));
  return value;
}
inline int TrtLane() { return static_cast<int>(threadIdx.x % 32); }
template <typename T> inline T ShuffleXor(T v, int mask) { return TrtExchange(v, TrtLane() ^ mask); }
template <typename T> inline T ShuffleUp(T v, int delta) {
  return TrtExchange(v, TrtLane() < delta ? TrtLane() : TrtLane() - delta);
}
template <typename T> inline T ShuffleFrom(T v, int lane) { return TrtExchange(v, lane); }
inline void WaitForPrevious() {}
extern "C" float exp2f(float);
inline float FastExp2(float x) { return exp2f(x); }
inline float FastReciprocal(float x) { return 1.0f / x; }
inline u32 MulHigh(u32 a, u32 b) { return static_cast<u32>(static_cast<u64>(a) * b >> 32); }
inline u32 FloatBits(float v) { u32 b; __builtin_memcpy(&b, &v, 4); return b; }
inline float BitsFloat(u32 b) { float v; __builtin_memcpy(&v, &b, 4); return v; }

inline float F16ToFloat(u16 bits) {
  const u32 sign = static_cast<u32>(bits & 0x8000u) << 16;
  const u32 exponent = (bits >> 10) & 0x1fu, mantissa = bits & 0x3ffu;
  if (exponent == 31) return BitsFloat(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return BitsFloat(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}
inline u16 FloatToF16(float value) {
  const u32 bits = FloatBits(value), magnitude = bits & 0x7fffffffu;
  const u32 sign = (bits >> 16) & 0x8000u;
  if (magnitude > 0x7f800000u) return static_cast<u16>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<u16>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    return static_cast<u16>(sign | (FloatBits(BitsFloat(magnitude) + 0.5f) - 0x3f000000u));
  }
  return static_cast<u16>(sign | ((magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13));
}
inline u16 FloatToBF16(float value) {
  const u32 bits = FloatBits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<u16>((bits >> 16) | 0x40u);
  return static_cast<u16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#define TRT_HOST_MATH(name) \
  extern "C" double name(double); extern "C" float name##f(float); \
  inline float name(float x) { return name##f(x); }
TRT_HOST_MATH(exp) TRT_HOST_MATH(exp2) TRT_HOST_MATH(expm1) TRT_HOST_MATH(log)
TRT_HOST_MATH(log2) TRT_HOST_MATH(log10) TRT_HOST_MATH(log1p) TRT_HOST_MATH(sqrt)
TRT_HOST_MATH(sin) TRT_HOST_MATH(cos) TRT_HOST_MATH(tan) TRT_HOST_MATH(asin)
TRT_HOST_MATH(acos) TRT_HOST_MATH(atan) TRT_HOST_MATH(sinh) TRT_HOST_MATH(cosh)
TRT_HOST_MATH(tanh) TRT_HOST_MATH(asinh) TRT_HOST_MATH(acosh) TRT_HOST_MATH(atanh)
TRT_HOST_MATH(erf) TRT_HOST_MATH(floor) TRT_HOST_MATH(ceil) TRT_HOST_MATH(rint)
TRT_HOST_MATH(trunc) TRT_HOST_MATH(fabs) TRT_HOST_MATH(erfc) TRT_HOST_MATH(lgamma)
TRT_HOST_MATH(j0) TRT_HOST_MATH(j1) TRT_HOST_MATH(y0) TRT_HOST_MATH(y1)
#define TRT_HOST_MATH2(name) \
  extern "C" double name(double, double); extern "C" float name##f(float, float); \
  inline float name(float x, float y) { return name##f(x, y); }
TRT_HOST_MATH2(fmod) TRT_HOST_MATH2(pow) TRT_HOST_MATH2(atan2) TRT_HOST_MATH2(copysign)
TRT_HOST_MATH2(fmax) TRT_HOST_MATH2(fmin) TRT_HOST_MATH2(nextafter)
)";

// Put after a kernel: `trt_run` calls it with its arguments.
inline constexpr char kHostEntry[] = R"(
template <int... kI> struct TrtList {};
template <int kN, int... kI> struct TrtRange : TrtRange<kN - 1, kN - 1, kI...> {};
template <int... kI> struct TrtRange<0, kI...> { typedef TrtList<kI...> type; };
template <typename T> struct TrtBare { typedef T type; };
template <typename T> struct TrtBare<const T> { typedef T type; };
template <typename... A, int... kI>
void TrtCall(void (*f)(A...), void** a, TrtList<kI...>) {
  f(*static_cast<typename TrtBare<A>::type*>(a[kI])...);
}
template <typename... A>
void TrtCallAll(void (*f)(A...), void** a) {
  TrtCall(f, a, typename TrtRange<sizeof...(A)>::type());
}
extern "C" void trt_run(void** a) { TrtCallAll(&TRT_HOST_ENTRY, a); }
)";

}  // namespace torch_tensorrt::core::kernels::testing
