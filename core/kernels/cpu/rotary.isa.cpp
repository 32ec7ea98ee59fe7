#include "core/kernels/cpu/elements.h"
#include "core/kernels/cpu/rotary_code.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

template <typename E>
TRT_INLINE VecF LoadLanes(const typename E::T* p, int64_t lanes) {
  return lanes == VecF::kLanes ? E::Load(p) : E::LoadN(p, lanes);
}
template <typename E>
TRT_INLINE void StoreLanes(VecF x, typename E::T* p, int64_t lanes) {
  if (lanes == VecF::kLanes) {
    E::Store(x, p);
  } else {
    E::StoreN(x, p, lanes);
  }
}

template <typename E, typename P>
void RotateHalves(const void* xv, const void* cosv, const void* sinv, void* yv, int64_t depth) {
  const auto* x = static_cast<const typename E::T*>(xv);
  const auto* cos = static_cast<const typename P::T*>(cosv);
  const auto* sin = static_cast<const typename P::T*>(sinv);
  auto* y = static_cast<typename E::T*>(yv);
  const int64_t half = depth / 2;
  ForVectors(half, [&](int64_t i, int64_t lanes) {
    const VecF a = LoadLanes<E>(x + i, lanes);
    const VecF b = LoadLanes<E>(x + half + i, lanes);
    const VecF first = a * LoadLanes<P>(cos + i, lanes) - b * LoadLanes<P>(sin + i, lanes);
    const VecF second =
        b * LoadLanes<P>(cos + half + i, lanes) + a * LoadLanes<P>(sin + half + i, lanes);
    StoreLanes<E>(first, y + i, lanes);
    StoreLanes<E>(second, y + half + i, lanes);
  });
}

// [-x1, x0, -x3, x2, ...]
TRT_INLINE VecF SwapNeighbours(VecF x) {
  VecF y;
  for (int i = 0; i < VecF::kLanes; i += 2) {
    y.v[i] = -x.v[i + 1];
    y.v[i + 1] = x.v[i];
  }
  return y;
}

template <typename E, typename P>
void RotatePairs(const void* xv, const void* cosv, const void* sinv, void* yv, int64_t depth) {
  const auto* x = static_cast<const typename E::T*>(xv);
  const auto* cos = static_cast<const typename P::T*>(cosv);
  const auto* sin = static_cast<const typename P::T*>(sinv);
  auto* y = static_cast<typename E::T*>(yv);
  ForVectors(depth, [&](int64_t i, int64_t lanes) {
    const VecF v = LoadLanes<E>(x + i, lanes);
    StoreLanes<E>(
        v * LoadLanes<P>(cos + i, lanes) + SwapNeighbours(v) * LoadLanes<P>(sin + i, lanes), y + i,
        lanes);
  });
}

}  // namespace

#define TRT_ROTARY(Function)                                                \
  {                                                                         \
    {&Function<ElementF32, ElementF32>, &Function<ElementF16, ElementF16>,  \
     &Function<ElementBf16, ElementBf16>},                                  \
    {                                                                       \
      &Function<ElementF32, ElementF32>, &Function<ElementF16, ElementF32>, \
          &Function<ElementBf16, ElementF32>                                \
    }                                                                       \
  }

extern const RotaryCode kRotaryCode;
const RotaryCode kRotaryCode = {TRT_ROTARY(RotateHalves), TRT_ROTARY(RotatePairs)};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
