// The usual GEMM and convolution epilogues in one pass: out = [relu](act(acc [+ bias]) [+
// residual]).
#include "core/kernels/cpu/loop/step_map.h"
#include "core/kernels/cpu/simd_half.h"
#include "core/kernels/cpu/vecmath.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

// kNarrow: the result is rounded to bf16.
template <ChainAct kAct, bool kNarrow>
TRT_INLINE VecF Activate(VecF x) {
  if constexpr (kNarrow) {
    if constexpr (kAct == ChainAct::kGeluErf) return GeluErfNarrow(x);
    if constexpr (kAct == ChainAct::kGeluTanh) return GeluTanhNarrow(x);
    if constexpr (kAct == ChainAct::kSilu) return SiluNarrow(x);
    if constexpr (kAct == ChainAct::kSigmoid) return SigmoidNarrow(x);
  }
  if constexpr (kAct == ChainAct::kRelu) return Relu(x);
  if constexpr (kAct == ChainAct::kGeluErf) return GeluErf(x);
  if constexpr (kAct == ChainAct::kGeluTanh) return GeluTanh(x);
  if constexpr (kAct == ChainAct::kSilu) return Silu(x);
  if constexpr (kAct == ChainAct::kSigmoid) return Sigmoid(x);
  if constexpr (kAct == ChainAct::kTanh) return Tanh(x);
  return x;
}

// Types are uniform over a call, so these branches are predicted.
TRT_INLINE VecF LoadAs(const void* base, int64_t i, DataType type) {
  if (type == DataType::kFloat32) return VecF::Load(static_cast<const float*>(base) + i);
  const uint16_t* p = static_cast<const uint16_t*>(base) + i;
  return type == DataType::kBFloat16 ? LoadBf16(p) : LoadF16(p);
}
TRT_INLINE void StoreAs(VecF x, void* base, int64_t i, DataType type) {
  if (type == DataType::kFloat32) {
    x.Store(static_cast<float*>(base) + i);
  } else if (type == DataType::kBFloat16) {
    StoreBf16(x, static_cast<uint16_t*>(base) + i);
  } else {
    StoreF16(x, static_cast<uint16_t*>(base) + i);
  }
}
TRT_INLINE VecF LoadAsN(const void* base, int64_t i, DataType type, int64_t n) {
  if (type == DataType::kFloat32) return LoadN(static_cast<const float*>(base) + i, n);
  uint16_t part[VecF::kLanes] = {};
  memcpy(part, static_cast<const uint16_t*>(base) + i, static_cast<size_t>(n) * 2);
  return LoadAs(part, 0, type);
}
TRT_INLINE void StoreAsN(VecF x, void* base, int64_t i, DataType type, int64_t n) {
  if (type == DataType::kFloat32) {
    StoreN(x, static_cast<float*>(base) + i, n);
    return;
  }
  uint16_t part[VecF::kLanes];
  StoreAs(x, part, 0, type);
  memcpy(static_cast<uint16_t*>(base) + i, part, static_cast<size_t>(n) * 2);
}

template <ChainAct kAct, bool kNarrow, bool kBias, bool kResidual>
void ChainRows(const ChainArgs& s) {
  [[maybe_unused]] const VecF floor(s.relu_last ? 0.0F : -__builtin_inff());
  for (int64_t r = 0; r < s.rows; ++r) {
    const float* acc = s.acc + r * s.acc_row;
    const int64_t residual = r * s.residual_row;
    const int64_t out = r * s.out_row;
    int64_t c = 0;
    for (; c + VecF::kLanes <= s.cols; c += VecF::kLanes) {
      VecF x = VecF::Load(acc + c);
      if constexpr (kBias) x = x + LoadAs(s.bias, c, s.bias_type);
      x = Activate<kAct, kNarrow>(x);
      if constexpr (kResidual) x = x + LoadAs(s.residual, residual + c, s.residual_type);
      if constexpr (kResidual) x = MaxOr(floor, x);
      StoreAs(x, s.out, out + c, s.out_type);
    }
    if (c < s.cols) {
      const int64_t n = s.cols - c;
      VecF x = LoadN(acc + c, n);
      if constexpr (kBias) x = x + LoadAsN(s.bias, c, s.bias_type, n);
      x = Activate<kAct, kNarrow>(x);
      if constexpr (kResidual) x = x + LoadAsN(s.residual, residual + c, s.residual_type, n);
      if constexpr (kResidual) x = MaxOr(floor, x);
      StoreAsN(x, s.out, out + c, s.out_type, n);
    }
  }
}

template <ChainAct kAct, bool kNarrow>
void ChainOf(const ChainArgs& s) {
  const bool residual = s.residual != nullptr;
  if (s.bias != nullptr) {
    residual ? ChainRows<kAct, kNarrow, true, true>(s) : ChainRows<kAct, kNarrow, true, false>(s);
  } else {
    residual ? ChainRows<kAct, kNarrow, false, true>(s) : ChainRows<kAct, kNarrow, false, false>(s);
  }
}

template <ChainAct kAct>
void Chain(const ChainArgs& s) {
  constexpr bool kCheaper = kAct == ChainAct::kGeluErf || kAct == ChainAct::kGeluTanh ||
                            kAct == ChainAct::kSilu || kAct == ChainAct::kSigmoid;
  if constexpr (kCheaper) {
    if (s.out_type == DataType::kBFloat16) return ChainOf<kAct, true>(s);
  }
  ChainOf<kAct, false>(s);
}

}  // namespace

ChainFn FindChain(ChainAct act) {
  switch (act) {
    case ChainAct::kNone:
      return &Chain<ChainAct::kNone>;
    case ChainAct::kRelu:
      return &Chain<ChainAct::kRelu>;
    case ChainAct::kGeluErf:
      return &Chain<ChainAct::kGeluErf>;
    case ChainAct::kGeluTanh:
      return &Chain<ChainAct::kGeluTanh>;
    case ChainAct::kSilu:
      return &Chain<ChainAct::kSilu>;
    case ChainAct::kSigmoid:
      return &Chain<ChainAct::kSigmoid>;
    case ChainAct::kTanh:
      return &Chain<ChainAct::kTanh>;
  }
  return nullptr;
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
