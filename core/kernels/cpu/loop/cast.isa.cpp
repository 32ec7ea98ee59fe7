// Conversions between all pairs of types.
//
// Floats to integers truncate; values out of range wrap or give the smallest integer, as PyTorch on
// x86 does. f64 and integers reach f16 and bf16 through f32.
#include "core/kernels/cpu/loop/step_map.h"
#include "core/kernels/cpu/simd_half.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};
struct Bool {
  uint8_t value;
};
constexpr int kLanes = VecF::kLanes;

template <typename T>
inline constexpr bool kIsHalf = false;
template <>
inline constexpr bool kIsHalf<F16> = true;
template <>
inline constexpr bool kIsHalf<Bf16> = true;
template <typename T>
inline constexpr bool kIsSmallInt = sizeof(T) < 4;

TRT_INLINE VecF LoadHalf(const F16* p) { return LoadF16(&p->bits); }
TRT_INLINE VecF LoadHalf(const Bf16* p) { return LoadBf16(&p->bits); }
TRT_INLINE void StoreHalf(VecF x, F16* p) { StoreF16(x, &p->bits); }
TRT_INLINE void StoreHalf(VecF x, Bf16* p) { StoreBf16(x, &p->bits); }

template <typename To>
struct Convert {
  template <typename From>
  static TRT_INLINE To Run(From x) {
    return static_cast<To>(x);
  }
  static TRT_INLINE To Run(float x) {
    if constexpr (kIsSmallInt<To>) return static_cast<To>(static_cast<int32_t>(x));
    return static_cast<To>(x);
  }
  static TRT_INLINE To Run(double x) {
    if constexpr (kIsSmallInt<To>) return static_cast<To>(static_cast<int32_t>(x));
    return static_cast<To>(x);
  }
  static TRT_INLINE To Run(Bool x) { return static_cast<To>(x.value); }
};
template <>
struct Convert<Bool> {
  template <typename From>
  static TRT_INLINE Bool Run(From x) {
    return Bool{static_cast<uint8_t>(x != From(0))};
  }
  static TRT_INLINE Bool Run(Bool x) { return x; }
};

// kLanes elements, or n of them.
template <typename From, typename To>
TRT_INLINE void ConvertBlock(const From* a, To* d) {
  if constexpr (kIsHalf<From> && kIsHalf<To>) {
    StoreHalf(LoadHalf(a), d);
  } else if constexpr (kIsHalf<From>) {
    float lanes[kLanes];
    LoadHalf(a).Store(lanes);
    for (int i = 0; i < kLanes; ++i) d[i] = Convert<To>::Run(lanes[i]);
  } else if constexpr (kIsHalf<To>) {
    float lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = Convert<float>::Run(a[i]);
    StoreHalf(VecF::Load(lanes), d);
  } else {
    for (int i = 0; i < kLanes; ++i) d[i] = Convert<To>::Run(a[i]);
  }
}
template <typename From, typename To>
TRT_INLINE void ConvertPart(const From* a, To* d, int64_t n) {
  From in[kLanes] = {};
  To out[kLanes];
  memcpy(in, a, static_cast<size_t>(n) * sizeof(From));
  ConvertBlock(in, out);
  memcpy(d, out, static_cast<size_t>(n) * sizeof(To));
}

template <typename From, typename To>
void MapCast(const StepArgs& s) {
  for (int64_t r = 0; r < s.rows; ++r) {
    const From* a = Row<From>(s, 0, r);
    To* d = OutRow<To>(s, r);
    int64_t c = 0;
    if constexpr (kIsHalf<From> || kIsHalf<To>) {
      for (; c + kLanes <= s.cols; c += kLanes) ConvertBlock(a + c, d + c);
      if (c < s.cols) ConvertPart(a + c, d + c, s.cols - c);
    } else {
#pragma GCC ivdep
      for (; c < s.cols; ++c) d[c] = Convert<To>::Run(a[c]);
    }
  }
}

// Fills each row with its converted scalar.
template <typename From, typename To>
void MapFill(const StepArgs& s) {
  for (int64_t r = 0; r < s.rows; ++r) {
    To value;
    ConvertPart(Row<From>(s, 0, r), &value, 1);
    To* d = OutRow<To>(s, r);
    for (int64_t c = 0; c < s.cols; ++c) d[c] = value;
  }
}

template <typename T>
void MapCopy(const StepArgs& s) {
  for (int64_t r = 0; r < s.rows; ++r) {
    memcpy(OutRow<T>(s, r), Row<T>(s, 0, r), static_cast<size_t>(s.cols) * sizeof(T));
  }
}

template <typename From, typename To>
StepFn Pick(bool scalar) {
  return scalar ? &MapFill<From, To> : &MapCast<From, To>;
}

template <typename From>
StepFn FindFrom(DataType to, bool scalar) {
  switch (to) {
    case DataType::kFloat32:
      return Pick<From, float>(scalar);
    case DataType::kFloat16:
      return Pick<From, F16>(scalar);
    case DataType::kBFloat16:
      return Pick<From, Bf16>(scalar);
    case DataType::kFloat64:
      return Pick<From, double>(scalar);
    case DataType::kInt64:
      return Pick<From, int64_t>(scalar);
    case DataType::kInt32:
      return Pick<From, int32_t>(scalar);
    case DataType::kInt16:
      return Pick<From, int16_t>(scalar);
    case DataType::kInt8:
      return Pick<From, int8_t>(scalar);
    case DataType::kUInt8:
      return Pick<From, uint8_t>(scalar);
    case DataType::kBool:
      return Pick<From, Bool>(scalar);
  }
  return nullptr;
}

// Equal types: the bits, NaN payloads included.
StepFn FindCopy(DataType type, bool scalar) {
  switch (type) {
    case DataType::kFloat64:
    case DataType::kInt64:
      return scalar ? &MapFill<int64_t, int64_t> : &MapCopy<int64_t>;
    case DataType::kFloat32:
    case DataType::kInt32:
      return scalar ? &MapFill<int32_t, int32_t> : &MapCopy<int32_t>;
    case DataType::kFloat16:
    case DataType::kBFloat16:
    case DataType::kInt16:
      return scalar ? &MapFill<int16_t, int16_t> : &MapCopy<int16_t>;
    case DataType::kInt8:
    case DataType::kUInt8:
    case DataType::kBool:
      return scalar ? &MapFill<int8_t, int8_t> : &MapCopy<int8_t>;
  }
  return nullptr;
}

}  // namespace

StepFn FindCast(DataType from, DataType to, int scalars) {
  const bool scalar = scalars != 0;
  if (from == to) return FindCopy(from, scalar);
  switch (from) {
    case DataType::kFloat32:
      return FindFrom<float>(to, scalar);
    case DataType::kFloat16:
      return FindFrom<F16>(to, scalar);
    case DataType::kBFloat16:
      return FindFrom<Bf16>(to, scalar);
    case DataType::kFloat64:
      return FindFrom<double>(to, scalar);
    case DataType::kInt64:
      return FindFrom<int64_t>(to, scalar);
    case DataType::kInt32:
      return FindFrom<int32_t>(to, scalar);
    case DataType::kInt16:
      return FindFrom<int16_t>(to, scalar);
    case DataType::kInt8:
      return FindFrom<int8_t>(to, scalar);
    case DataType::kUInt8:
      return FindFrom<uint8_t>(to, scalar);
    case DataType::kBool:
      return FindFrom<Bool>(to, scalar);
  }
  return nullptr;
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
