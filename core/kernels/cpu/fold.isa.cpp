#include "core/kernels/cpu/elements.h"
#include "core/kernels/cpu/fold_code.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

constexpr int kUnroll = 4;
constexpr int64_t kStep = int64_t{kUnroll} * VecF::kLanes;
constexpr int64_t kBlock = 4096;

TRT_INLINE VecF Truth(VecF x) { return Select(x != VecF(0.0F), VecF(1.0F), VecF(0.0F)); }

template <FoldKind kKind>
TRT_INLINE VecF Apply(VecF acc, VecF x) {
  if constexpr (kKind == FoldKind::kSum) return acc + x;
  if constexpr (kKind == FoldKind::kProd) return acc * x;
  if constexpr (kKind == FoldKind::kMax) return MaxNan(acc, x);
  if constexpr (kKind == FoldKind::kMin) return MinNan(acc, x);
  if constexpr (kKind == FoldKind::kAny) return MaxOr(acc, Truth(x));
  if constexpr (kKind == FoldKind::kAll) return MinOr(acc, Truth(x));
}

template <FoldKind kKind>
double FoldLanes(VecF x) {
  float lanes[VecF::kLanes];
  x.Store(lanes);
  if constexpr (kKind == FoldKind::kSum) return static_cast<double>(SumLanes(x));
  if constexpr (kKind == FoldKind::kProd) {
    double product = 1;
    for (const float lane : lanes) product *= static_cast<double>(lane);
    return product;
  }
  if constexpr (kKind == FoldKind::kMin || kKind == FoldKind::kAll) {
    return static_cast<double>(MinLanes(x));
  }
  return static_cast<double>(MaxLanes(x));
}

template <FoldKind kKind>
TRT_INLINE double Merge(double a, double b) {
  if constexpr (kKind == FoldKind::kSum) return a + b;
  if constexpr (kKind == FoldKind::kProd) return a * b;
  if (a != a || b != b) return a + b;
  if constexpr (kKind == FoldKind::kMin || kKind == FoldKind::kAll) return a < b ? a : b;
  return a > b ? a : b;
}

template <FoldKind kKind, typename E>
double FoldRow(const void* data, int64_t n) {
  const auto* x = static_cast<const typename E::T*>(data);
  constexpr float kStart = FoldStart(kKind);
  auto all = static_cast<double>(kStart);
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t last = n - first < kBlock ? n : first + kBlock;
    VecF acc[kUnroll];
    for (VecF& a : acc) a = VecF(kStart);
    int64_t i = first;
    for (; i + kStep <= last; i += kStep) {
      for (int u = 0; u < kUnroll; ++u) {
        acc[u] = Apply<kKind>(acc[u], E::Load(x + i + u * VecF::kLanes));
      }
    }
    for (; i < last; i += VecF::kLanes) {
      const int64_t lanes = last - i < VecF::kLanes ? last - i : VecF::kLanes;
      acc[0] = Apply<kKind>(acc[0], LoadFilled<E>(x + i, lanes, kStart));
    }
    const VecF half[2] = {Apply<kKind>(acc[0], acc[1]), Apply<kKind>(acc[2], acc[3])};
    all = Merge<kKind>(all, FoldLanes<kKind>(Apply<kKind>(half[0], half[1])));
  }
  return all;
}

template <FoldKind kKind, typename E>
void FoldInto(const void* data, int64_t n, float* acc) {
  const auto* x = static_cast<const typename E::T*>(data);
  ForVectors(n, [&](int64_t i, int64_t lanes) {
    if (lanes == VecF::kLanes) {
      Apply<kKind>(VecF::Load(acc + i), E::Load(x + i)).Store(acc + i);
    } else {
      StoreN<float>(Apply<kKind>(LoadN<float>(acc + i, lanes), E::LoadN(x + i, lanes)), acc + i,
                    lanes);
    }
  });
}

// Out[i] = finish(fold over runs of step(acc, run[i], run number)), kept in registers.
template <typename E, typename Out, typename Step, typename Finish>
TRT_INLINE void FoldRuns(const void* const* runs, int64_t count, int64_t n, float start,
                         typename Out::T* out, const Step& step, const Finish& finish) {
  using T = typename E::T;
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    VecF acc[kUnroll];
    for (VecF& a : acc) a = VecF(start);
    for (int64_t r = 0; r < count; ++r) {
      const T* x = static_cast<const T*>(runs[r]) + i;
      for (int u = 0; u < kUnroll; ++u) acc[u] = step(acc[u], E::Load(x + u * VecF::kLanes), r);
    }
    for (int u = 0; u < kUnroll; ++u) Out::Store(finish(acc[u]), out + i + u * VecF::kLanes);
  }
  for (; i < n; i += VecF::kLanes) {
    const int64_t lanes = n - i < VecF::kLanes ? n - i : VecF::kLanes;
    VecF acc(start);
    for (int64_t r = 0; r < count; ++r) {
      acc = step(acc, E::LoadN(static_cast<const T*>(runs[r]) + i, lanes), r);
    }
    Out::StoreN(finish(acc), out + i, lanes);
  }
}

template <typename E>
void MaxOf(const void* const* runs, int64_t count, int64_t n, void* out) {
  FoldRuns<E, E>(
      runs, count, n, FoldStart(FoldKind::kMax), static_cast<typename E::T*>(out),
      [](VecF acc, VecF x, int64_t) { return MaxNan(acc, x); }, [](VecF acc) { return acc; });
}

template <typename E>
void SumOf(const void* const* runs, int64_t count, int64_t n, float scale, void* out) {
  FoldRuns<E, E>(
      runs, count, n, 0.0F, static_cast<typename E::T*>(out),
      [](VecF acc, VecF x, int64_t) { return acc + x; },
      [scale](VecF acc) { return acc * VecF(scale); });
}

// A count known to the compiler unrolls the loop over runs.
template <typename E, typename Out, int64_t kCount>
TRT_INLINE void BlendRuns(const void* const* runs, const float* weights, int64_t n,
                          typename Out::T* out) {
  VecF w[kCount];
  for (int64_t r = 0; r < kCount; ++r) w[r] = VecF(weights[r]);
  FoldRuns<E, Out>(
      runs, kCount, n, 0.0F, out, [&w](VecF acc, VecF x, int64_t r) { return Fma(w[r], x, acc); },
      [](VecF acc) { return acc; });
}

template <typename E, typename Out>
TRT_INLINE void BlendAs(const void* const* runs, const float* weights, int64_t count, int64_t n,
                        typename Out::T* out) {
  switch (count) {
    case 1:
      return BlendRuns<E, Out, 1>(runs, weights, n, out);
    case 2:
      return BlendRuns<E, Out, 2>(runs, weights, n, out);
    case 4:
      return BlendRuns<E, Out, 4>(runs, weights, n, out);
    default:
      FoldRuns<E, Out>(
          runs, count, n, 0.0F, out,
          [weights](VecF acc, VecF x, int64_t r) { return Fma(VecF(weights[r]), x, acc); },
          [](VecF acc) { return acc; });
  }
}

template <typename E>
void Blend(const void* const* runs, const float* weights, int64_t count, int64_t n, void* out) {
  BlendAs<E, E>(runs, weights, count, n, static_cast<typename E::T*>(out));
}

template <typename E>
void BlendF32(const void* const* runs, const float* weights, int64_t count, int64_t n, float* out) {
  BlendAs<E, ElementF32>(runs, weights, count, n, out);
}

template <typename E>
void StoreScaled(const float* acc, float scale, int64_t n, void* out) {
  auto* p = static_cast<typename E::T*>(out);
  ForVectors(n, [&](int64_t i, int64_t lanes) {
    if (lanes == VecF::kLanes) {
      E::Store(VecF::Load(acc + i) * VecF(scale), p + i);
    } else {
      E::StoreN(LoadN<float>(acc + i, lanes) * VecF(scale), p + i, lanes);
    }
  });
}

}  // namespace

#define TRT_TYPES(Function) {&Function<ElementF32>, &Function<ElementF16>, &Function<ElementBf16>}
#define TRT_KIND(Function, kind)                                                 \
  {&Function<FoldKind::kind, ElementF32>, &Function<FoldKind::kind, ElementF16>, \
   &Function<FoldKind::kind, ElementBf16>}
#define TRT_KINDS(Function)                                                       \
  {TRT_KIND(Function, kSum), TRT_KIND(Function, kProd), TRT_KIND(Function, kMax), \
   TRT_KIND(Function, kMin), TRT_KIND(Function, kAny),  TRT_KIND(Function, kAll)}

extern const FoldCode kFoldCode;
const FoldCode kFoldCode = {TRT_KINDS(FoldRow),    TRT_KINDS(FoldInto), TRT_TYPES(MaxOf),
                            TRT_TYPES(SumOf),      TRT_TYPES(Blend),    TRT_TYPES(BlendF32),
                            TRT_TYPES(StoreScaled)};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
