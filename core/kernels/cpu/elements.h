// Float elements of the three narrow formats as f32 vectors: for *.isa.cpp files only. A template
// over one of these types is written once for f32, f16 and bf16.
#pragma once

#include "core/kernels/cpu/simd_half.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {

struct ElementF32 {
  using T = float;
  TRT_INLINE static VecF Load(const T* p) { return VecF::Load(p); }
  TRT_INLINE static VecF LoadN(const T* p, int64_t n) { return TORCHTRT_ISA::LoadN<float>(p, n); }
  TRT_INLINE static void Store(VecF x, T* p) { x.Store(p); }
  TRT_INLINE static void StoreN(VecF x, T* p, int64_t n) { TORCHTRT_ISA::StoreN<float>(x, p, n); }
};

#define TRT_HALF_ELEMENT(Name, LoadHalf, StoreHalf)                 \
  struct Name {                                                     \
    using T = uint16_t;                                             \
    TRT_INLINE static VecF Load(const T* p) { return LoadHalf(p); } \
    TRT_INLINE static VecF LoadN(const T* p, int64_t n) {           \
      T lanes[VecF::kLanes] = {};                                   \
      memcpy(lanes, p, static_cast<size_t>(n) * sizeof(T));         \
      return LoadHalf(lanes);                                       \
    }                                                               \
    TRT_INLINE static void Store(VecF x, T* p) { StoreHalf(x, p); } \
    TRT_INLINE static void StoreN(VecF x, T* p, int64_t n) {        \
      T lanes[VecF::kLanes];                                        \
      StoreHalf(x, lanes);                                          \
      memcpy(p, lanes, static_cast<size_t>(n) * sizeof(T));         \
    }                                                               \
  };
TRT_HALF_ELEMENT(ElementF16, LoadF16, StoreF16)
TRT_HALF_ELEMENT(ElementBf16, LoadBf16, StoreBf16)
#undef TRT_HALF_ELEMENT

// Lane numbers 0, 1, 2 ...
TRT_INLINE VecI32 LaneNumbers() {
  VecI32 x;
  for (int i = 0; i < VecI32::kLanes; ++i) x.v[i] = i;
  return x;
}

// The first n lanes from memory, the rest `fill`.
template <typename E>
TRT_INLINE VecF LoadFilled(const typename E::T* p, int64_t n, float fill) {
  return Select(LaneNumbers() < VecI32(static_cast<int32_t>(n)), E::LoadN(p, n), VecF(fill));
}

// Calls f(element offset, lanes) over [0, n): whole vectors, then the rest.
template <typename F>
TRT_INLINE void ForVectors(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + VecF::kLanes <= n; i += VecF::kLanes) f(i, VecF::kLanes);
  if (i < n) f(i, n - i);
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
