// Vector loads and stores of the 16-bit float formats, converted from and to f32 lanes: for
// *.isa.cpp files. Stores round to nearest even; NaN stays NaN. Bit for bit the scalar conversions
// of core/types/half.h.
#pragma once

#include "core/kernels/cpu/simd.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {

typedef uint16_t Half16Raw __attribute__((vector_size(kVecBytes / 2)));

// A vector of 16-bit lanes in the low half of each 32-bit lane, and back.
TRT_INLINE VecI32 WidenHalves(const uint16_t* p) {
  Half16Raw bits;
  memcpy(&bits, p, sizeof(bits));
#if defined(__AVX512F__)
  return VecI32((VecI32::Raw)_mm512_cvtepu16_epi32((__m256i)bits));
#elif defined(__AVX2__)
  return VecI32((VecI32::Raw)_mm256_cvtepu16_epi32((__m128i)bits));
#else
  return VecI32(__builtin_convertvector(bits, VecI32::Raw));
#endif
}
TRT_INLINE void NarrowToHalves(VecI32 x, uint16_t* p) {
#if defined(__AVX512F__)
  const __m256i bits = _mm512_cvtepi32_epi16((__m512i)x.v);
#elif defined(__AVX2__)
  const __m256i pairs = _mm256_packus_epi32((__m256i)x.v, (__m256i)x.v);
  const __m128i bits = _mm256_castsi256_si128(_mm256_permute4x64_epi64(pairs, 0x8));
#else
  const Half16Raw bits = __builtin_convertvector(x.v, Half16Raw);
#endif
  memcpy(p, &bits, sizeof(bits));
}

TRT_INLINE VecF LoadBf16(const uint16_t* p) { return AsFloat(WidenHalves(p) << 16); }

TRT_INLINE void StoreBf16(VecF x, uint16_t* p) {
  const VecI32 bits = AsInt(x);
  const VecI32 odd = ShiftRightLogical(bits, 16) & VecI32(1);
  const VecI32 rounded = ShiftRightLogical(bits + VecI32(0x7fff) + odd, 16);
  const VecI32 nan = ShiftRightLogical(bits, 16) | VecI32(0x40);
  NarrowToHalves(Select(IsNan(x), nan, rounded), p);
}

#if defined(__F16C__)
TRT_INLINE VecF LoadF16(const uint16_t* p) {
  Half16Raw bits;
  memcpy(&bits, p, sizeof(bits));
#if defined(__AVX512F__)
  return VecF(_mm512_cvtph_ps((__m256i)bits));
#else
  return VecF(_mm256_cvtph_ps((__m128i)bits));
#endif
}
TRT_INLINE void StoreF16(VecF x, uint16_t* p) {
#if defined(__AVX512F__)
  const __m256i bits = _mm512_cvtps_ph(x.v, 0x8);
#else
  const __m128i bits = _mm256_cvtps_ph(x.v, 0x8);
#endif
  memcpy(p, &bits, sizeof(bits));
}
#else
TRT_INLINE VecF LoadF16(const uint16_t* p) {
  const VecI32 half = WidenHalves(p);
  const VecI32 sign = (half & VecI32(0x8000)) << 16;
  const VecI32 magnitude = half & VecI32(0x7fff);
  const VecI32 shifted = magnitude << 13;
  const VecF normal = AsFloat(shifted + VecI32(112 << 23));
  const VecF special = AsFloat(shifted | VecI32(0x7f800000));
  const VecF subnormal = ToFloat(magnitude) * VecF(0x1p-24F);
  VecF value = Select(magnitude < VecI32(0x400), subnormal, normal);
  value = Select(magnitude >= VecI32(0x7c00), special, value);
  // Hardware conversion makes signalling NaNs quiet; so does this.
  value = Select(IsNan(value), AsFloat(AsInt(value) | VecI32(0x400000)), value);
  return AsFloat(AsInt(value) | sign);
}
TRT_INLINE void StoreF16(VecF x, uint16_t* p) {
  const VecI32 bits = AsInt(x);
  const VecI32 sign = ShiftRightLogical(bits, 16) & VecI32(0x8000);
  const VecI32 magnitude = bits & VecI32(0x7fffffff);
  const VecI32 odd = ShiftRightLogical(magnitude, 13) & VecI32(1);
  const VecI32 normal = ShiftRightLogical(magnitude + VecI32(0xfff) + odd - VecI32(0x38000000), 13);
  // Adding 0.5 leaves the rounded subnormal in the low mantissa bits.
  const VecI32 subnormal = AsInt(AsFloat(magnitude) + VecF(0.5F)) - VecI32(0x3f000000);
  const VecI32 nan = VecI32(0x7e00) | (ShiftRightLogical(magnitude, 13) & VecI32(0x3ff));
  VecI32 half = Select(magnitude < VecI32(0x38800000), subnormal, normal);
  half = Select(magnitude >= VecI32(0x477ff000), VecI32(0x7c00), half);
  half = Select(magnitude > VecI32(0x7f800000), nan, half);
  NarrowToHalves(half | sign, p);
}
#endif

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
