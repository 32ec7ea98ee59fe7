#include "core/kernels/cpu/attention_code.h"
#include "core/kernels/cpu/elements.h"
#include "core/kernels/cpu/vecmath.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

const float kLowest = -__builtin_inff();

template <typename E>
void AddFloatMask(ScoreRow* row) {
  const auto* mask = static_cast<const typename E::T*>(row->mask);
  const VecF scale(row->scale);
  float* scores = row->scores;
  if (row->mask_stride != 1) {
    for (int64_t t = 0; t < row->valid; ++t) {
      float lanes[VecF::kLanes];
      E::LoadN(mask + t * row->mask_stride, 1).Store(lanes);
      scores[t] = scores[t] * row->scale + lanes[0];
    }
    return;
  }
  ForVectors(row->valid, [&](int64_t i, int64_t lanes) {
    if (lanes == VecF::kLanes) {
      Fma(VecF::Load(scores + i), scale, E::Load(mask + i)).Store(scores + i);
    } else {
      StoreN<float>(Fma(LoadN<float>(scores + i, lanes), scale, E::LoadN(mask + i, lanes)),
                    scores + i, lanes);
    }
  });
}

void ApplyBoolMask(ScoreRow* row) {
  const auto* mask = static_cast<const uint8_t*>(row->mask);
  float* scores = row->scores;
  for (int64_t t = 0; t < row->valid; ++t) {
    scores[t] = mask[t * row->mask_stride] != 0 ? scores[t] * row->scale : kLowest;
  }
}

// Scales and masks the scores where that takes a pass of its own. Returns the scale still to come,
// which is not negative.
float ApplyMask(ScoreRow* row) {
  switch (row->mask_type) {
    case 0:
      AddFloatMask<ElementF32>(row);
      return 1;
    case 1:
      AddFloatMask<ElementF16>(row);
      return 1;
    case 2:
      AddFloatMask<ElementBf16>(row);
      return 1;
    case kBoolMask:
      ApplyBoolMask(row);
      return 1;
    default:
      break;
  }
  if (row->scale > 0) return row->scale;
  for (int64_t t = 0; t < row->valid; ++t) row->scores[t] *= row->scale;
  return 1;
}

// The largest element that is not NaN. A NaN shows up again in the sum of exponentials.
float MaxOf(const float* x, int64_t n) {
  VecF best[2] = {VecF(kLowest), VecF(kLowest)};
  int64_t i = 0;
  for (; i + 2 * VecF::kLanes <= n; i += 2 * VecF::kLanes) {
    best[0] = MaxOr(VecF::Load(x + i), best[0]);
    best[1] = MaxOr(VecF::Load(x + i + VecF::kLanes), best[1]);
  }
  for (; i < n; i += VecF::kLanes) {
    const int64_t lanes = n - i < VecF::kLanes ? n - i : VecF::kLanes;
    best[0] = MaxOr(LoadFilled<ElementF32>(x + i, lanes, kLowest), best[0]);
  }
  float lanes[VecF::kLanes];
  MaxOr(best[0], best[1]).Store(lanes);
  for (int width = VecF::kLanes / 2; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k)
      lanes[k] = lanes[k] > lanes[k + width] ? lanes[k] : lanes[k + width];
  }
  return lanes[0];
}

float ScalarExp(float x) {
  float lanes[VecF::kLanes];
  ExpFast(VecF(x)).Store(lanes);
  return lanes[0];
}

template <bool kNarrow>
TRT_INLINE VecF Exponential(VecF x) {
  if constexpr (kNarrow) return ExpNarrow(x);
  return ExpFast(x);
}

template <bool kNarrow>
TRT_INLINE void StoreExponentials(const ScoreRow& row, int64_t i, int64_t lanes, VecF e) {
  if constexpr (kNarrow) {
    if (lanes == VecF::kLanes) {
      ElementBf16::Store(e, row.narrow + i);
    } else {
      ElementBf16::StoreN(e, row.narrow + i, lanes);
    }
  } else {
    if (lanes == VecF::kLanes) {
      e.Store(row.scores + i);
    } else {
      StoreN<float>(e, row.scores + i, lanes);
    }
  }
}

template <bool kNarrow>
float Fold(ScoreRow* row) {
  const float scale = ApplyMask(row);
  const float* x = row->scores;
  const float block_max = MaxOf(x, row->valid) * scale;
  const float max = row->max > block_max ? row->max : block_max;
  // While all is -inf, any finite shift makes every exponential 0.
  const float shift = max == kLowest ? 0.0F : max;
  VecF sum[2] = {VecF(0.0F), VecF(0.0F)};
  int64_t i = 0;
  for (; i + 2 * VecF::kLanes <= row->valid; i += 2 * VecF::kLanes) {
    for (int u = 0; u < 2; ++u) {
      const int64_t at = i + u * VecF::kLanes;
      const VecF e = Exponential<kNarrow>(Fma(VecF::Load(x + at), VecF(scale), VecF(-shift)));
      StoreExponentials<kNarrow>(*row, at, VecF::kLanes, e);
      sum[u] = sum[u] + e;
    }
  }
  for (; i < row->valid; i += VecF::kLanes) {
    const int64_t lanes = row->valid - i < VecF::kLanes ? row->valid - i : VecF::kLanes;
    const VecF scores = LoadFilled<ElementF32>(x + i, lanes, kLowest);
    const VecF e = Exponential<kNarrow>(Fma(scores, VecF(scale), VecF(-shift)));
    StoreExponentials<kNarrow>(*row, i, lanes, e);
    sum[0] = sum[0] + e;
  }
  for (i = row->valid; i < row->padded; ++i) {
    kNarrow ? void(row->narrow[i] = 0) : void(row->scores[i] = 0.0F);
  }
  const float before = row->max == kLowest ? 0.0F : ScalarExp(row->max - shift);
  row->sum = row->sum * before + SumLanes(sum[0] + sum[1]);
  row->max = max;
  return before;
}

void Pair(const uint16_t* low, const uint16_t* high, uint32_t* out, int64_t n) {
  if (high == nullptr) {
    for (int64_t i = 0; i < n; ++i) out[i] = low[i];
    return;
  }
  for (int64_t i = 0; i < n; ++i) out[i] = low[i] | static_cast<uint32_t>(high[i]) << 16;
}

template <typename E>
void LoadRow(const void* in, float scale, float* out, int64_t n) {
  const auto* p = static_cast<const typename E::T*>(in);
  ForVectors(n, [&](int64_t i, int64_t lanes) {
    if (lanes == VecF::kLanes) {
      (E::Load(p + i) * VecF(scale)).Store(out + i);
    } else {
      StoreN<float>(E::LoadN(p + i, lanes) * VecF(scale), out + i, lanes);
    }
  });
}

template <typename E>
void StoreRow(const float* in, float scale, void* out, int64_t n) {
  auto* p = static_cast<typename E::T*>(out);
  ForVectors(n, [&](int64_t i, int64_t lanes) {
    if (lanes == VecF::kLanes) {
      E::Store(VecF::Load(in + i) * VecF(scale), p + i);
    } else {
      E::StoreN(LoadN<float>(in + i, lanes) * VecF(scale), p + i, lanes);
    }
  });
}

// Dot products of q with kKeys rows of k.
template <typename E, int kKeys>
TRT_INLINE void DotsOf(const float* q, const typename E::T* k, int64_t k_stride, int64_t depth,
                       float* scores) {
  VecF sum[kKeys];
  for (VecF& s : sum) s = VecF(0.0F);
  int64_t i = 0;
  for (; i + VecF::kLanes <= depth; i += VecF::kLanes) {
    const VecF x = VecF::Load(q + i);
    for (int t = 0; t < kKeys; ++t) sum[t] = Fma(x, E::Load(k + t * k_stride + i), sum[t]);
  }
  if (i < depth) {
    const VecF x = LoadN<float>(q + i, depth - i);
    for (int t = 0; t < kKeys; ++t) {
      sum[t] = Fma(x, E::LoadN(k + t * k_stride + i, depth - i), sum[t]);
    }
  }
  for (int t = 0; t < kKeys; ++t) scores[t] = SumLanes(sum[t]);
}

template <typename E>
void Dots(const float* q, const void* k, int64_t k_stride, int64_t keys, int64_t depth,
          float* scores) {
  const auto* p = static_cast<const typename E::T*>(k);
  constexpr int kKeys = 4;
  int64_t t = 0;
  for (; t + kKeys <= keys; t += kKeys) {
    DotsOf<E, kKeys>(q, p + t * k_stride, k_stride, depth, scores + t);
  }
  for (; t < keys; ++t) DotsOf<E, 1>(q, p + t * k_stride, k_stride, depth, scores + t);
}

// kVectors vectors of the output at once, over all keys.
template <typename E, int kVectors>
TRT_INLINE void WeighColumns(const float* weights, const typename E::T* v, int64_t v_stride,
                             int64_t keys, float scale, float* out) {
  VecF sum[kVectors];
  for (int u = 0; u < kVectors; ++u) sum[u] = VecF::Load(out + u * VecF::kLanes) * VecF(scale);
  for (int64_t t = 0; t < keys; ++t) {
    const VecF w(weights[t]);
    for (int u = 0; u < kVectors; ++u) {
      sum[u] = Fma(w, E::Load(v + t * v_stride + u * VecF::kLanes), sum[u]);
    }
  }
  for (int u = 0; u < kVectors; ++u) sum[u].Store(out + u * VecF::kLanes);
}

template <typename E>
void Weigh(const float* weights, const void* v, int64_t v_stride, int64_t keys, int64_t depth,
           float scale, float* out) {
  const auto* p = static_cast<const typename E::T*>(v);
  constexpr int kVectors = 8;
  int64_t i = 0;
  for (; i + kVectors * VecF::kLanes <= depth; i += kVectors * VecF::kLanes) {
    WeighColumns<E, kVectors>(weights, p + i, v_stride, keys, scale, out + i);
  }
  for (; i + VecF::kLanes <= depth; i += VecF::kLanes) {
    WeighColumns<E, 1>(weights, p + i, v_stride, keys, scale, out + i);
  }
  if (i == depth) return;
  const int64_t lanes = depth - i;
  VecF sum = LoadN<float>(out + i, lanes) * VecF(scale);
  for (int64_t t = 0; t < keys; ++t) {
    sum = Fma(VecF(weights[t]), E::LoadN(p + t * v_stride + i, lanes), sum);
  }
  StoreN<float>(sum, out + i, lanes);
}

}  // namespace

extern const AttentionCode kAttentionCode;
const AttentionCode kAttentionCode = {
    &Fold<false>,
    &Fold<true>,
    &Pair,
    {&LoadRow<ElementF32>, &LoadRow<ElementF16>, &LoadRow<ElementBf16>},
    {&StoreRow<ElementF32>, &StoreRow<ElementF16>, &StoreRow<ElementBf16>},
    {&Dots<ElementF32>, &Dots<ElementF16>, &Dots<ElementBf16>},
    {&Weigh<ElementF32>, &Weigh<ElementF16>, &Weigh<ElementBf16>}};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
