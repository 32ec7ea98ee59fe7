#include "core/kernels/cpu/elements.h"
#include "core/kernels/cpu/softmax_code.h"
#include "core/kernels/cpu/vecmath.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

constexpr int kUnroll = 4;
constexpr int64_t kBlock = int64_t{kUnroll} * VecF::kLanes;
const float kLowest = -__builtin_inff();

// The largest element that is not NaN. A NaN shows up again in the sum of exponentials.
template <typename E>
float MaxOfRow(const typename E::T* x, int64_t n) {
  VecF best[kUnroll];
  for (VecF& b : best) b = VecF(kLowest);
  int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    for (int u = 0; u < kUnroll; ++u) best[u] = MaxOr(E::Load(x + i + u * VecF::kLanes), best[u]);
  }
  for (; i < n; i += VecF::kLanes) {
    const int64_t lanes = n - i < VecF::kLanes ? n - i : VecF::kLanes;
    best[0] = MaxOr(LoadFilled<E>(x + i, lanes, kLowest), best[0]);
  }
  return MaxLanes(MaxOr(MaxOr(best[0], best[1]), MaxOr(best[2], best[3])));
}

// Sum of exp(x - max). Writes the exponentials to y when kStore.
template <typename E, bool kStore>
float SumOfExp(const typename E::T* x, int64_t n, float max, float* y) {
  VecF sum[kUnroll];
  for (VecF& s : sum) s = VecF(0.0F);
  const VecF shift(max);
  int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    for (int u = 0; u < kUnroll; ++u) {
      const VecF e = ExpFast(E::Load(x + i + u * VecF::kLanes) - shift);
      if constexpr (kStore) e.Store(y + i + u * VecF::kLanes);
      sum[u] = sum[u] + e;
    }
  }
  for (; i < n; i += VecF::kLanes) {
    const int64_t lanes = n - i < VecF::kLanes ? n - i : VecF::kLanes;
    const VecF e = ExpFast(LoadFilled<E>(x + i, lanes, kLowest) - shift);
    if constexpr (kStore) StoreN<float>(e, y + i, lanes);
    sum[0] = sum[0] + e;
  }
  return SumLanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

// y = f(x) over n elements of one format.
template <typename E, typename F>
TRT_INLINE void MapRow(const typename E::T* x, typename E::T* y, int64_t n, const F& f) {
  ForVectors(n, [&](int64_t i, int64_t lanes) {
    if (lanes == VecF::kLanes) {
      E::Store(f(E::Load(x + i)), y + i);
    } else {
      E::StoreN(f(E::LoadN(x + i, lanes)), y + i, lanes);
    }
  });
}

template <typename E>
void SoftmaxRows(const SoftmaxArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    const auto* x = static_cast<const typename E::T*>(args.x) + r * args.x_row;
    auto* y = static_cast<typename E::T*>(args.y) + r * args.y_row;
    const float max = MaxOfRow<E>(x, args.n);
    if (args.log) {
      // Two subtractions: max and the logarithm may differ by many orders of magnitude.
      const VecF log_sum(__builtin_logf(SumOfExp<E, false>(x, args.n, max, nullptr)));
      MapRow<E>(x, y, args.n, [&](VecF v) { return v - VecF(max) - log_sum; });
    } else if constexpr (sizeof(typename E::T) == sizeof(float)) {
      const VecF scale(1.0F / SumOfExp<E, true>(x, args.n, max, y));
      MapRow<E>(y, y, args.n, [&](VecF v) { return v * scale; });
    } else {
      // A 16-bit row cannot hold the exponentials, so they are computed twice.
      const VecF scale(1.0F / SumOfExp<E, false>(x, args.n, max, nullptr));
      MapRow<E>(x, y, args.n, [&](VecF v) { return ExpFast(v - VecF(max)) * scale; });
    }
  }
}

}  // namespace

extern const SoftmaxCode kSoftmaxCode;
const SoftmaxCode kSoftmaxCode = {
    {&SoftmaxRows<ElementF32>, &SoftmaxRows<ElementF16>, &SoftmaxRows<ElementBf16>}};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
