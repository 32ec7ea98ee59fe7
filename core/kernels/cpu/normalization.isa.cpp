#include "core/kernels/cpu/elements.h"
#include "core/kernels/cpu/normalization_code.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

constexpr int kUnroll = 4;
constexpr int64_t kStep = int64_t{kUnroll} * VecF::kLanes;
// Statistics are taken chunk by chunk, while a chunk is in L1, and merged in double.
constexpr int64_t kChunk = 4096;

// Sum over i < n of f(x[i]); f(0 - fill) lanes beyond n must not count, so f gets a mask-filled
// vector: lanes beyond n hold `fill`, for which f gives 0.
template <typename E, typename F>
TRT_INLINE float SumOf(const typename E::T* x, int64_t n, float fill, const F& f) {
  VecF sum[kUnroll];
  for (VecF& s : sum) s = VecF(0.0F);
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (int u = 0; u < kUnroll; ++u) sum[u] = f(E::Load(x + i + u * VecF::kLanes), sum[u]);
  }
  for (; i < n; i += VecF::kLanes) {
    const int64_t lanes = n - i < VecF::kLanes ? n - i : VecF::kLanes;
    sum[0] = f(LoadFilled<E>(x + i, lanes, fill), sum[0]);
  }
  return SumLanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

struct Moments {
  double mean = 0;
  double squares = 0;  // sum of squared deviations
};

// Sums over i < n of d and d * d, with d = x[i] - mean.
template <typename E>
TRT_INLINE Moments SumsAround(const typename E::T* x, int64_t n, float mean) {
  VecF sum[kUnroll];
  VecF squares[kUnroll];
  for (int u = 0; u < kUnroll; ++u) sum[u] = squares[u] = VecF(0.0F);
  const auto add = [&](VecF v, int u) {
    const VecF d = v - VecF(mean);
    sum[u] = sum[u] + d;
    squares[u] = Fma(d, d, squares[u]);
  };
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (int u = 0; u < kUnroll; ++u) add(E::Load(x + i + u * VecF::kLanes), u);
  }
  for (; i < n; i += VecF::kLanes) {
    const int64_t lanes = n - i < VecF::kLanes ? n - i : VecF::kLanes;
    add(LoadFilled<E>(x + i, lanes, mean), 0);
  }
  const auto all = [](const VecF(&v)[kUnroll]) {
    return static_cast<double>(SumLanes((v[0] + v[1]) + (v[2] + v[3])));
  };
  return {all(sum), all(squares)};
}

template <typename E>
float SquaresOf(const typename E::T* x, int64_t n) {
  return SumOf<E>(x, n, 0.0F, [](VecF v, VecF sum) { return Fma(v, v, sum); });
}

// The second pass over a chunk also finds how far off the first one's mean is: sums of values far
// from 0 lose the digits that the deviations are in.
template <typename E>
Moments MomentsOf(const typename E::T* x, int64_t n, bool center) {
  Moments all;
  for (int64_t first = 0; first < n; first += kChunk) {
    const int64_t count = n - first < kChunk ? n - first : kChunk;
    if (!center) {
      all.squares += static_cast<double>(SquaresOf<E>(x + first, count));
      continue;
    }
    const auto size = static_cast<double>(count);
    const float sum = SumOf<E>(x + first, count, 0.0F, [](VecF v, VecF s) { return s + v; });
    const auto near = static_cast<float>(static_cast<double>(sum) / size);
    const Moments around = SumsAround<E>(x + first, count, near);
    const double off = around.mean / size;
    const auto before = static_cast<double>(first);
    const double delta = static_cast<double>(near) + off - all.mean;
    all.mean += delta * size / (before + size);
    all.squares += around.squares - off * around.mean;
    all.squares += delta * delta * before * size / (before + size);
  }
  if (all.squares < 0) all.squares = 0;  // by rounding; NaN stays
  return all;
}

// A mean as two floats: the nearest one, and what is missing.
struct SplitMean {
  float near;
  double rest;

  explicit SplitMean(double mean)
      : near(static_cast<float>(mean)), rest(mean - static_cast<double>(near)) {}
  // -rest * factor; -0 changes no sum, and a factor of infinity makes no NaN of nothing.
  double Shift(double factor) const { return rest == 0 ? -0.0 : -rest * factor; }
};

TRT_INLINE double InverseDeviation(double squares, double n, double eps) {
  return 1.0 / __builtin_sqrt(squares / n + eps);
}

struct RowFactors {
  float mean;
  float scale;
  float shift;
};

// y = ((x - mean) * scale + shift) [* weight[i]] [+ bias[i]].
template <typename E, bool kWeight, bool kBias>
void WriteRow(const typename E::T* x, typename E::T* y, int64_t n, const RowFactors& f,
              const float* weight, const float* bias) {
  ForVectors(n, [&](int64_t i, int64_t lanes) {
    const bool full = lanes == VecF::kLanes;
    const VecF d = (full ? E::Load(x + i) : E::LoadN(x + i, lanes)) - VecF(f.mean);
    VecF v = Fma(d, VecF(f.scale), VecF(f.shift));
    const auto load = [&](const float* p) {
      return full ? VecF::Load(p + i) : LoadN<float>(p + i, lanes);
    };
    if constexpr (kWeight && kBias) {
      v = Fma(v, load(weight), load(bias));
    } else if constexpr (kWeight) {
      v = v * load(weight);
    } else if constexpr (kBias) {
      v = v + load(bias);
    }
    if (full) {
      E::Store(v, y + i);
    } else {
      E::StoreN(v, y + i, lanes);
    }
  });
}

template <typename E>
void WriteElementwise(const NormRowsArgs& args, const typename E::T* x, typename E::T* y,
                      const RowFactors& factors) {
  auto* write =
      args.weight != nullptr
          ? (args.bias != nullptr ? &WriteRow<E, true, true> : &WriteRow<E, true, false>)
          : (args.bias != nullptr ? &WriteRow<E, false, true> : &WriteRow<E, false, false>);
  write(x, y, args.n, factors, args.weight, args.bias);
}

template <typename E>
void NormRows(const NormRowsArgs& args) {
  for (int64_t r = 0; r < args.rows; ++r) {
    const auto* x = static_cast<const typename E::T*>(args.x) + r * args.n;
    auto* y = static_cast<typename E::T*>(args.y) + r * args.n;
    const Moments m = MomentsOf<E>(x, args.n, args.center);
    const SplitMean mean(m.mean);
    const double inverse = InverseDeviation(m.squares, static_cast<double>(args.n), args.eps);
    if (args.channels == 0) {
      WriteElementwise<E>(
          args, x, y,
          {mean.near, static_cast<float>(inverse), static_cast<float>(mean.Shift(inverse))});
      continue;
    }
    const int64_t run = args.n / args.channels;
    const int64_t first = (args.first_row + r) % args.groups * args.channels;
    for (int64_t c = 0; c < args.channels; ++c) {
      const double w = args.weight != nullptr ? static_cast<double>(args.weight[first + c]) : 1.0;
      const double b = args.bias != nullptr ? static_cast<double>(args.bias[first + c]) : -0.0;
      WriteRow<E, false, false>(x + c * run, y + c * run, run,
                                {mean.near, static_cast<float>(w * inverse),
                                 static_cast<float>(b + mean.Shift(w * inverse))},
                                nullptr, nullptr);
    }
  }
}

// Adds to out[c] the sum over positions of f(x[position][c]), c in [first, last). Blocks of
// positions keep the error of the f32 sums small.
template <typename E, typename F>
TRT_INLINE void AddColumns(const NormColumnsArgs& args, int64_t first, int64_t last, float* out,
                           const F& f) {
  constexpr int64_t kRows = 64;
  const auto* x = static_cast<const typename E::T*>(args.x);
  for (int64_t s0 = 0; s0 < args.spatial; s0 += kRows) {
    const int64_t rows = args.spatial - s0 < kRows ? args.spatial - s0 : kRows;
    ForVectors(last - first, [&](int64_t i, int64_t lanes) {
      const auto* p = x + s0 * args.channels + first + i;
      VecF sum(0.0F);
      if (lanes == VecF::kLanes) {
        for (int64_t s = 0; s < rows; ++s) sum = sum + f(E::Load(p + s * args.channels), i, lanes);
        (VecF::Load(out + first + i) + sum).Store(out + first + i);
      } else {
        for (int64_t s = 0; s < rows; ++s) {
          sum = sum + f(E::LoadN(p + s * args.channels, lanes), i, lanes);
        }
        StoreN<float>(LoadN<float>(out + first + i, lanes) + sum, out + first + i, lanes);
      }
    });
  }
}

// Replaces the channel sums by the mean of each channel's group.
void ShareGroupMeans(const NormColumnsArgs& args, float* sums) {
  for (int64_t g = args.first_group; g < args.last_group; ++g) {
    float* group = sums + g * args.per_group;
    double sum = 0;
    for (int64_t c = 0; c < args.per_group; ++c) sum += static_cast<double>(group[c]);
    sum /= static_cast<double>(args.spatial * args.per_group);
    for (int64_t c = 0; c < args.per_group; ++c) group[c] = static_cast<float>(sum);
  }
}

// From means in `shift` and mean squares in `scale` to the factors of y = x * scale + shift.
void FinishColumns(const NormColumnsArgs& args, int64_t first, int64_t last) {
  for (int64_t c = first; c < last; ++c) {
    const double inverse = InverseDeviation(static_cast<double>(args.scale[c]), 1.0, args.eps);
    const double w = args.weight != nullptr ? static_cast<double>(args.weight[c]) : 1.0;
    const double b = args.bias != nullptr ? static_cast<double>(args.bias[c]) : 0.0;
    args.shift[c] = static_cast<float>(b - static_cast<double>(args.shift[c]) * w * inverse);
    args.scale[c] = static_cast<float>(w * inverse);
  }
}

template <typename E>
void NormColumns(const NormColumnsArgs& args) {
  const int64_t first = args.first_group * args.per_group;
  const int64_t last = args.last_group * args.per_group;
  for (int64_t c = first; c < last; ++c) args.shift[c] = args.scale[c] = 0.0F;
  AddColumns<E>(args, first, last, args.shift, [](VecF v, int64_t, int64_t) { return v; });
  ShareGroupMeans(args, args.shift);
  const float* means = args.shift + first;
  AddColumns<E>(args, first, last, args.scale, [means](VecF v, int64_t i, int64_t lanes) {
    const VecF mean =
        lanes == VecF::kLanes ? VecF::Load(means + i) : LoadN<float>(means + i, lanes);
    return (v - mean) * (v - mean);
  });
  ShareGroupMeans(args, args.scale);
  FinishColumns(args, first, last);
  for (int64_t s = 0; s < args.spatial; ++s) {
    const auto* x = static_cast<const typename E::T*>(args.x) + s * args.channels + first;
    auto* y = static_cast<typename E::T*>(args.y) + s * args.channels + first;
    ForVectors(last - first, [&](int64_t i, int64_t lanes) {
      const float* scale = args.scale + first + i;
      const float* shift = args.shift + first + i;
      if (lanes == VecF::kLanes) {
        E::Store(Fma(E::Load(x + i), VecF::Load(scale), VecF::Load(shift)), y + i);
      } else {
        E::StoreN(
            Fma(E::LoadN(x + i, lanes), LoadN<float>(scale, lanes), LoadN<float>(shift, lanes)),
            y + i, lanes);
      }
    });
  }
}

}  // namespace

extern const NormalizationCode kNormalizationCode;
const NormalizationCode kNormalizationCode = {
    {&NormRows<ElementF32>, &NormRows<ElementF16>, &NormRows<ElementBf16>},
    {&NormColumns<ElementF32>, &NormColumns<ElementF16>, &NormColumns<ElementBf16>}};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
