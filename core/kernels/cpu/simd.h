// The vector types of the instruction set that is being compiled: for use in *.isa.cpp files only.
//
// Everything is in the namespace named by TORCHTRT_ISA and header-only. Arithmetic is written with
// the compiler's vector extension, so that one source serves all instruction sets; intrinsics
// appear only where the extension has no word for an operation. A mask is a vector of integers with
// all bits of a lane set or none.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef TORCHTRT_X86
// gcc 12 takes the deliberately undefined registers of its own intrinsics for mistakes.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#ifndef TORCHTRT_ISA
#error "simd.h is for *.isa.cpp files, which are compiled with TORCHTRT_ISA set"
#endif

#define TRT_INLINE inline __attribute__((always_inline))

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {

#if defined(__AVX512F__)
inline constexpr int kVecBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVecBytes = 32;
#else
inline constexpr int kVecBytes = 16;
#endif

template <typename T>
struct LaneTraits;
#define TRT_LANE_TRAITS(T, MaskLane, WrappingLane)                         \
  template <>                                                              \
  struct LaneTraits<T> {                                                   \
    typedef T Raw __attribute__((vector_size(kVecBytes)));                 \
    typedef WrappingLane Wrapping __attribute__((vector_size(kVecBytes))); \
    using Mask = MaskLane;                                                 \
  };
TRT_LANE_TRAITS(float, int32_t, float)
TRT_LANE_TRAITS(double, int64_t, double)
TRT_LANE_TRAITS(int32_t, int32_t, uint32_t)
TRT_LANE_TRAITS(int64_t, int64_t, uint64_t)
#undef TRT_LANE_TRAITS

// A register full of T: float, double, int32_t or int64_t. Integers wrap.
template <typename T>
struct Vec {
  static constexpr int kLanes = kVecBytes / static_cast<int>(sizeof(T));
  using Scalar = T;
  using Mask = Vec<typename LaneTraits<T>::Mask>;
  using Raw = typename LaneTraits<T>::Raw;
  using Wrapping = typename LaneTraits<T>::Wrapping;

  Raw v;

  Vec() = default;
  TRT_INLINE Vec(Raw raw) : v(raw) {}    // NOLINT(google-explicit-constructor)
  TRT_INLINE Vec(T x) : v(x - Raw{}) {}  // NOLINT(google-explicit-constructor)
  TRT_INLINE static Vec Load(const T* p) {
    Vec x;
    memcpy(&x.v, p, sizeof(x.v));
    return x;
  }
  TRT_INLINE void Store(T* p) const { memcpy(p, &v, sizeof(v)); }

  friend TRT_INLINE Vec operator+(Vec a, Vec b) {
    return Vec((Raw)((Wrapping)a.v + (Wrapping)b.v));
  }
  friend TRT_INLINE Vec operator-(Vec a, Vec b) {
    return Vec((Raw)((Wrapping)a.v - (Wrapping)b.v));
  }
  friend TRT_INLINE Vec operator*(Vec a, Vec b) {
    return Vec((Raw)((Wrapping)a.v * (Wrapping)b.v));
  }
  friend TRT_INLINE Vec operator/(Vec a, Vec b) { return Vec(a.v / b.v); }
  friend TRT_INLINE Vec operator-(Vec a) { return Vec((Raw)(-(Wrapping)a.v)); }
  friend TRT_INLINE Mask operator<(Vec a, Vec b) { return Mask(a.v < b.v); }
  friend TRT_INLINE Mask operator<=(Vec a, Vec b) { return Mask(a.v <= b.v); }
  friend TRT_INLINE Mask operator>(Vec a, Vec b) { return Mask(a.v > b.v); }
  friend TRT_INLINE Mask operator>=(Vec a, Vec b) { return Mask(a.v >= b.v); }
  friend TRT_INLINE Mask operator==(Vec a, Vec b) { return Mask(a.v == b.v); }
  friend TRT_INLINE Mask operator!=(Vec a, Vec b) { return Mask(a.v != b.v); }
};

using VecF = Vec<float>;
using VecD = Vec<double>;
using VecI32 = Vec<int32_t>;
using VecI64 = Vec<int64_t>;

TRT_INLINE VecI32 operator&(VecI32 a, VecI32 b) { return VecI32(a.v & b.v); }
TRT_INLINE VecI32 operator|(VecI32 a, VecI32 b) { return VecI32(a.v | b.v); }
TRT_INLINE VecI32 operator^(VecI32 a, VecI32 b) { return VecI32(a.v ^ b.v); }
TRT_INLINE VecI32 operator~(VecI32 a) { return VecI32(~a.v); }
TRT_INLINE VecI32 operator<<(VecI32 a, int n) { return VecI32(a.v << n); }
// Arithmetic shift.
TRT_INLINE VecI32 operator>>(VecI32 a, int n) { return VecI32(a.v >> n); }
TRT_INLINE VecI32 ShiftRightLogical(VecI32 a, int n) {
  typedef uint32_t URaw __attribute__((vector_size(kVecBytes)));
  return VecI32((VecI32::Raw)((URaw)a.v >> static_cast<unsigned>(n)));
}

TRT_INLINE VecI32 AsInt(VecF x) { return VecI32((VecI32::Raw)x.v); }
TRT_INLINE VecF AsFloat(VecI32 x) { return VecF((VecF::Raw)x.v); }
TRT_INLINE VecF ToFloat(VecI32 x) { return VecF(__builtin_convertvector(x.v, VecF::Raw)); }
// Rounds to zero. REQUIRES: |x| < 2^31 in lanes that matter.
TRT_INLINE VecI32 ToInt(VecF x) { return VecI32(__builtin_convertvector(x.v, VecI32::Raw)); }

// Lane-wise mask ? a : b.
TRT_INLINE VecF Select(VecI32 mask, VecF a, VecF b) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  return VecF(_mm256_blendv_ps(b.v, a.v, (__m256)mask.v));
#else
  return VecF(mask.v ? a.v : b.v);
#endif
}
TRT_INLINE VecI32 Select(VecI32 mask, VecI32 a, VecI32 b) { return VecI32(mask.v ? a.v : b.v); }
TRT_INLINE VecD Select(VecI64 mask, VecD a, VecD b) { return VecD(mask.v ? a.v : b.v); }

// a < b ? a : b, so b when either is NaN: the order of arguments says whether NaN passes.
TRT_INLINE VecF MinOr(VecF a, VecF b) {
#if defined(__AVX512F__)
  return VecF(_mm512_min_ps(a.v, b.v));
#elif defined(__AVX2__)
  return VecF(_mm256_min_ps(a.v, b.v));
#else
  return VecF(a.v < b.v ? a.v : b.v);
#endif
}
// a > b ? a : b, so b when either is NaN.
TRT_INLINE VecF MaxOr(VecF a, VecF b) {
#if defined(__AVX512F__)
  return VecF(_mm512_max_ps(a.v, b.v));
#elif defined(__AVX2__)
  return VecF(_mm256_max_ps(a.v, b.v));
#else
  return VecF(a.v > b.v ? a.v : b.v);
#endif
}

inline constexpr bool kHasFma =
#if defined(__FMA__)
    true;
#else
    false;
#endif

// a * b + c, rounded once where the machine can, else twice.
TRT_INLINE VecF Fma(VecF a, VecF b, VecF c) {
#if defined(__AVX512F__)
  return VecF(_mm512_fmadd_ps(a.v, b.v, c.v));
#elif defined(__FMA__)
  return VecF(_mm256_fmadd_ps(a.v, b.v, c.v));
#else
  return a * b + c;
#endif
}
TRT_INLINE VecD Fma(VecD a, VecD b, VecD c) {
#if defined(__AVX512F__)
  return VecD(_mm512_fmadd_pd(a.v, b.v, c.v));
#elif defined(__FMA__)
  return VecD(_mm256_fmadd_pd(a.v, b.v, c.v));
#else
  return a * b + c;
#endif
}

// Roundings keep the sign of zero, infinities and NaN. Round: half to even.
#if defined(__AVX512F__)
TRT_INLINE VecF Sqrt(VecF x) { return VecF(_mm512_sqrt_ps(x.v)); }
TRT_INLINE VecF Round(VecF x) { return VecF(_mm512_roundscale_ps(x.v, 0x8)); }
TRT_INLINE VecF Floor(VecF x) { return VecF(_mm512_roundscale_ps(x.v, 0x9)); }
TRT_INLINE VecF Ceil(VecF x) { return VecF(_mm512_roundscale_ps(x.v, 0xA)); }
TRT_INLINE VecF Trunc(VecF x) { return VecF(_mm512_roundscale_ps(x.v, 0xB)); }
#elif defined(__AVX2__)
TRT_INLINE VecF Sqrt(VecF x) { return VecF(_mm256_sqrt_ps(x.v)); }
TRT_INLINE VecF Round(VecF x) { return VecF(_mm256_round_ps(x.v, 0x8)); }
TRT_INLINE VecF Floor(VecF x) { return VecF(_mm256_round_ps(x.v, 0x9)); }
TRT_INLINE VecF Ceil(VecF x) { return VecF(_mm256_round_ps(x.v, 0xA)); }
TRT_INLINE VecF Trunc(VecF x) { return VecF(_mm256_round_ps(x.v, 0xB)); }
#elif defined(__SSE4_1__)
TRT_INLINE VecF Sqrt(VecF x) { return VecF(_mm_sqrt_ps(x.v)); }
TRT_INLINE VecF Round(VecF x) { return VecF(_mm_round_ps(x.v, 0x8)); }
TRT_INLINE VecF Floor(VecF x) { return VecF(_mm_round_ps(x.v, 0x9)); }
TRT_INLINE VecF Ceil(VecF x) { return VecF(_mm_round_ps(x.v, 0xA)); }
TRT_INLINE VecF Trunc(VecF x) { return VecF(_mm_round_ps(x.v, 0xB)); }
#else
#define TRT_LANEWISE(Name, function)                                  \
  TRT_INLINE VecF Name(VecF x) {                                      \
    VecF y;                                                           \
    for (int i = 0; i < VecF::kLanes; ++i) y.v[i] = function(x.v[i]); \
    return y;                                                         \
  }
TRT_LANEWISE(Sqrt, __builtin_sqrtf)
TRT_LANEWISE(Round, __builtin_rintf)
TRT_LANEWISE(Floor, __builtin_floorf)
TRT_LANEWISE(Ceil, __builtin_ceilf)
TRT_LANEWISE(Trunc, __builtin_truncf)
#undef TRT_LANEWISE
#endif

TRT_INLINE VecF Abs(VecF x) { return AsFloat(AsInt(x) & VecI32(0x7fffffff)); }
TRT_INLINE VecI32 SignBit(VecF x) { return AsInt(x) & VecI32(INT32_MIN); }
TRT_INLINE VecF CopySign(VecF magnitude, VecF sign) {
  return AsFloat(AsInt(Abs(magnitude)) | SignBit(sign));
}
TRT_INLINE VecI32 IsNan(VecF x) { return x != x; }

// True when any lane of the mask is set.
TRT_INLINE bool Any(VecI32 mask) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask((__m512i)mask.v) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_ps((__m256)mask.v) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps((__m128)mask.v) != 0;
#else
  bool any = false;
  for (int i = 0; i < VecI32::kLanes; ++i) any = any || mask.v[i] != 0;
  return any;
#endif
}

// The first n lanes from memory, the rest zero; 0 <= n <= kLanes. Touches no byte beyond.
template <typename T>
TRT_INLINE Vec<T> LoadN(const T* p, int64_t n) {
  T lanes[Vec<T>::kLanes] = {};
  memcpy(lanes, p, static_cast<size_t>(n) * sizeof(T));
  return Vec<T>::Load(lanes);
}
template <typename T>
TRT_INLINE void StoreN(Vec<T> x, T* p, int64_t n) {
  T lanes[Vec<T>::kLanes];
  x.Store(lanes);
  memcpy(p, lanes, static_cast<size_t>(n) * sizeof(T));
}
#if defined(__AVX512F__)
TRT_INLINE __mmask16 FirstLanes(int64_t n) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(n)) - 1U);
}
template <>
TRT_INLINE VecF LoadN<float>(const float* p, int64_t n) {
  return VecF(_mm512_maskz_loadu_ps(FirstLanes(n), p));
}
template <>
TRT_INLINE void StoreN<float>(VecF x, float* p, int64_t n) {
  _mm512_mask_storeu_ps(p, FirstLanes(n), x.v);
}
#elif defined(__AVX2__)
TRT_INLINE __m256i FirstLanes(int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}
template <>
TRT_INLINE VecF LoadN<float>(const float* p, int64_t n) {
  return VecF(_mm256_maskload_ps(p, FirstLanes(n)));
}
template <>
TRT_INLINE void StoreN<float>(VecF x, float* p, int64_t n) {
  _mm256_maskstore_ps(p, FirstLanes(n), x.v);
}
#endif

// Halves of a float vector as doubles, and back (rounding to nearest even).
TRT_INLINE VecD LowToDouble(VecF x) {
#if defined(__AVX512F__)
  return VecD(_mm512_cvtps_pd(_mm512_castps512_ps256(x.v)));
#elif defined(__AVX2__)
  return VecD(_mm256_cvtps_pd(_mm256_castps256_ps128(x.v)));
#else
  VecD y;
  for (int i = 0; i < VecD::kLanes; ++i) y.v[i] = static_cast<double>(x.v[i]);
  return y;
#endif
}
TRT_INLINE VecD HighToDouble(VecF x) {
#if defined(__AVX512F__)
  return VecD(_mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1)));
#elif defined(__AVX2__)
  return VecD(_mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1)));
#else
  VecD y;
  for (int i = 0; i < VecD::kLanes; ++i) y.v[i] = static_cast<double>(x.v[i + VecD::kLanes]);
  return y;
#endif
}
TRT_INLINE VecF FromDoubles(VecD low, VecD high) {
#if defined(__AVX512F__)
  return VecF(_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low.v)),
                                 _mm512_cvtpd_ps(high.v), 1));
#elif defined(__AVX2__)
  return VecF(_mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low.v)),
                                   _mm256_cvtpd_ps(high.v), 1));
#else
  VecF y;
  for (int i = 0; i < VecD::kLanes; ++i) {
    y.v[i] = static_cast<float>(low.v[i]);
    y.v[i + VecD::kLanes] = static_cast<float>(high.v[i]);
  }
  return y;
#endif
}

// Horizontal folds, in a tree, so that every instruction set has a fixed order.
TRT_INLINE float SumLanes(VecF x) {
  float lanes[VecF::kLanes];
  x.Store(lanes);
  for (int width = VecF::kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}
// NaN when any lane is NaN.
TRT_INLINE float MaxLanes(VecF x) {
  float lanes[VecF::kLanes];
  x.Store(lanes);
  float best = lanes[0];
  for (int i = 1; i < VecF::kLanes; ++i) {
    if (!(lanes[i] <= best) && best == best) best = lanes[i];
  }
  return best;
}
TRT_INLINE float MinLanes(VecF x) { return -MaxLanes(-x); }

// NaN when either is NaN.
TRT_INLINE VecF MaxNan(VecF a, VecF b) { return Select(IsNan(a), a, MaxOr(a, b)); }
TRT_INLINE VecF MinNan(VecF a, VecF b) { return Select(IsNan(a), a, MinOr(a, b)); }

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
