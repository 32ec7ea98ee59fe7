// The f32 vector of the instruction set a *.isa.cpp file is being compiled for: just what matrix
// products need. Everything sits in an unnamed namespace inside namespace TORCHTRT_ISA, so that
// code compiled for one instruction set can never be linked in place of another's. REQUIRES:
// TORCHTRT_ISA is defined.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(TORCHTRT_ISA_avx2) || defined(TORCHTRT_ISA_avx512) || defined(TORCHTRT_ISA_avx512_bf16)
// GCC 12 takes the "undefined" operands inside its own AVX-512 intrinsics for uses of uninitialised
// values.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif
#if defined(TORCHTRT_ISA_avx512) || defined(TORCHTRT_ISA_avx512_bf16)
#define TORCHTRT_GEMM_AVX512 1
#elif defined(TORCHTRT_ISA_avx2)
#define TORCHTRT_GEMM_AVX2 1
#endif

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

#if defined(TORCHTRT_GEMM_AVX512)

using Vec = __m512;
inline constexpr int kLanes = 16;

inline __mmask16 TailMask(int64_t n) { return static_cast<__mmask16>((1U << n) - 1U); }
inline Vec Zero() { return _mm512_setzero_ps(); }
inline Vec Set1(float x) { return _mm512_set1_ps(x); }
inline Vec Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec Add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec Fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
// The first n lanes (0 < n < kLanes), the others zero.
inline Vec LoadTail(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(TailMask(n), p); }
inline void StoreTail(float* p, Vec v, int64_t n) { _mm512_mask_storeu_ps(p, TailMask(n), v); }
inline Vec LoadF16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Vec LoadBf16(const uint16_t* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
// Pairs of bf16 (k, k + 1) of kLanes columns: the even and the odd members.
inline Vec LoadPairEven(const uint16_t* p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16));
}
inline Vec LoadPairOdd(const uint16_t* p) {
  return _mm512_castsi512_ps(
      _mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(static_cast<int>(0xffff0000U))));
}
inline void StoreF16(uint16_t* p, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void StoreBf16(uint16_t* p, Vec v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i out = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  out = _mm512_mask_or_epi32(out, nan, bits, _mm512_set1_epi32(0x400000));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(out, 16)));
}

// Lanes 0, 2, 4 ... of a followed by b.
inline Vec EvenLanes(Vec a, Vec b) {
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_ps(a, even, b);
}

#elif defined(TORCHTRT_GEMM_AVX2)

using Vec = __m256;
inline constexpr int kLanes = 8;

inline __m256i TailMask(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec Zero() { return _mm256_setzero_ps(); }
inline Vec Set1(float x) { return _mm256_set1_ps(x); }
inline Vec Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec Add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec Fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
// The first n lanes (0 < n < kLanes), the others zero.
inline Vec LoadTail(const float* p, int64_t n) { return _mm256_maskload_ps(p, TailMask(n)); }
inline void StoreTail(float* p, Vec v, int64_t n) { _mm256_maskstore_ps(p, TailMask(n), v); }
inline Vec LoadF16(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Vec LoadBf16(const uint16_t* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
// Pairs of bf16 (k, k + 1) of kLanes columns: the even and the odd members.
inline Vec LoadPairEven(const uint16_t* p) {
  const __m256i pair = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(pair, 16));
}
inline Vec LoadPairOdd(const uint16_t* p) {
  const __m256i pair = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm256_castsi256_ps(
      _mm256_and_si256(pair, _mm256_set1_epi32(static_cast<int>(0xffff0000U))));
}
inline void StoreF16(uint16_t* p, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void StoreBf16(uint16_t* p, Vec v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  __m256i out = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
  out = _mm256_castps_si256(
      _mm256_blendv_ps(_mm256_castsi256_ps(out), _mm256_castsi256_ps(quiet), nan));
  out = _mm256_srli_epi32(out, 16);
  const __m128i packed =
      _mm_packus_epi32(_mm256_castsi256_si128(out), _mm256_extracti128_si256(out, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}

inline Vec EvenLanes(Vec a, Vec b) {
  const __m256d quads = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
  return _mm256_castpd_ps(_mm256_permute4x64_pd(quads, 0xd8));
}

#else  // portable: the compiler's own vectors

typedef float Vec __attribute__((vector_size(16)));
inline constexpr int kLanes = 4;

inline Vec Set1(float x) { return Vec{x, x, x, x}; }
inline Vec Zero() { return Set1(0.0F); }
inline Vec Load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
inline void Store(float* p, Vec v) { std::memcpy(p, &v, sizeof(v)); }
inline Vec Add(Vec a, Vec b) { return a + b; }
inline Vec Fma(Vec a, Vec b, Vec c) { return a * b + c; }
inline Vec LoadTail(const float* p, int64_t n) {
  Vec v = Zero();
  std::memcpy(&v, p, sizeof(float) * static_cast<size_t>(n));
  return v;
}
inline void StoreTail(float* p, Vec v, int64_t n) {
  std::memcpy(p, &v, sizeof(float) * static_cast<size_t>(n));
}
inline Vec EvenLanes(Vec a, Vec b) { return Vec{a[0], a[2], b[0], b[2]}; }
inline float FloatOfBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof(x));
  return x;
}
inline uint32_t BitsOfFloat(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(x));
  return bits;
}
inline float F16ToF32(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000U) << 16;
  const uint32_t exponent = (h >> 10) & 0x1fU;
  const uint32_t mantissa = h & 0x3ffU;
  if (exponent == 0x1fU) return FloatOfBits(sign | 0x7f800000U | (mantissa << 13));
  if (exponent != 0) return FloatOfBits(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
  return sign != 0 ? -magnitude : magnitude;
}
inline uint16_t F32ToF16(float x) {
  const uint32_t bits = BitsOfFloat(x);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) {
    return static_cast<uint16_t>(sign | 0x7e00U | ((bits >> 13) & 0x3ffU));
  }
  if (magnitude >= 0x477ff000U) return static_cast<uint16_t>(sign | 0x7c00U);
  if (magnitude < 0x38800000U) {
    // Adding 0.5 leaves the rounded subnormal in the low mantissa bits.
    return static_cast<uint16_t>(sign | (BitsOfFloat(FloatOfBits(magnitude) + 0.5F) - 0x3f000000U));
  }
  const uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}
inline uint16_t F32ToBf16(float x) {
  const uint32_t bits = BitsOfFloat(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}
inline Vec LoadF16(const uint16_t* p) {
  return Vec{F16ToF32(p[0]), F16ToF32(p[1]), F16ToF32(p[2]), F16ToF32(p[3])};
}
inline float Bf16ToF32(uint16_t h) { return FloatOfBits(static_cast<uint32_t>(h) << 16); }
inline Vec LoadBf16(const uint16_t* p) {
  return Vec{Bf16ToF32(p[0]), Bf16ToF32(p[1]), Bf16ToF32(p[2]), Bf16ToF32(p[3])};
}
// Pairs of bf16 (k, k + 1) of kLanes columns: the even and the odd members.
inline Vec LoadPairEven(const uint16_t* p) {
  return Vec{Bf16ToF32(p[0]), Bf16ToF32(p[2]), Bf16ToF32(p[4]), Bf16ToF32(p[6])};
}
inline Vec LoadPairOdd(const uint16_t* p) { return LoadPairEven(p + 1); }
inline void StoreF16(uint16_t* p, Vec v) {
  for (int i = 0; i < kLanes; ++i) p[i] = F32ToF16(v[i]);
}
inline void StoreBf16(uint16_t* p, Vec v) {
  for (int i = 0; i < kLanes; ++i) p[i] = F32ToBf16(v[i]);
}

#endif

}  // namespace
}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
