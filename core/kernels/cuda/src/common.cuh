// What all kernels share: element types, conversions, vector loads and stores, reductions.
//
// Storage types: float, double, i64, i32, i16, i8, u8 stand for themselves; f16, bf16 and b8 (bool)
// are wrappers of their bits. Register types: f16 and bf16 compute as float, b8 as bool.
#pragma once

#include "intrinsics.cuh"

struct f16 {
  u16 bits;
};
struct bf16 {
  u16 bits;
};
struct b8 {
  u8 bits;
};

// Storage type -> register type.
template <typename T>
struct RegisterOf {
  typedef T type;
};
template <>
struct RegisterOf<f16> {
  typedef float type;
};
template <>
struct RegisterOf<bf16> {
  typedef float type;
};
template <>
struct RegisterOf<b8> {
  typedef bool type;
};

template <typename T>
TRT_DEVICE T FromStorage(T x) {
  return x;
}
TRT_DEVICE float FromStorage(f16 x) { return F16ToFloat(x.bits); }
TRT_DEVICE float FromStorage(bf16 x) { return BitsFloat(static_cast<u32>(x.bits) << 16); }
TRT_DEVICE bool FromStorage(b8 x) { return x.bits != 0; }

// Rounds to nearest even.
template <typename T>
struct Storage {
  template <typename R>
  static TRT_DEVICE T From(R x) {
    return static_cast<T>(x);
  }
};
template <>
struct Storage<f16> {
  static TRT_DEVICE f16 From(float x) { return f16{FloatToF16(x)}; }
};
template <>
struct Storage<bf16> {
  static TRT_DEVICE bf16 From(float x) { return bf16{FloatToBF16(x)}; }
};
template <>
struct Storage<b8> {
  static TRT_DEVICE b8 From(bool x) { return b8{static_cast<u8>(x ? 1 : 0)}; }
};

template <typename T>
TRT_DEVICE T ToStorage(typename RegisterOf<T>::type x) {
  return Storage<T>::From(x);
}

// Unsigned words of 1 to 16 bytes.
template <int kBytes>
struct WordOf;
template <>
struct WordOf<1> {
  typedef u8 type;
};
template <>
struct WordOf<2> {
  typedef u16 type;
};
template <>
struct WordOf<4> {
  typedef u32 type;
};
template <>
struct WordOf<8> {
  typedef uint2 type;
};
template <>
struct WordOf<16> {
  typedef uint4 type;
};

// kCount elements in their storage type, kept in registers.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount > 16 ? 16 : sizeof(T) * kCount) Pack {
  T v[kCount];
  static constexpr int kBytes = static_cast<int>(sizeof(T)) * kCount;
  static constexpr int kWord = kBytes > 16 ? 16 : kBytes;
  typedef typename WordOf<kWord>::type Word;

  // One access per 16 bytes. REQUIRES: p is aligned to the smaller of 16 bytes and the pack.
  TRT_DEVICE void LoadAligned(const T* p) {
    const Word* from = reinterpret_cast<const Word*>(p);
    Word* to = reinterpret_cast<Word*>(v);
#pragma unroll
    for (int i = 0; i < kBytes / kWord; ++i) to[i] = from[i];
  }
  TRT_DEVICE void StoreAligned(T* p) const {
    Word* to = reinterpret_cast<Word*>(p);
    const Word* from = reinterpret_cast<const Word*>(v);
#pragma unroll
    for (int i = 0; i < kBytes / kWord; ++i) to[i] = from[i];
  }
  // Elements k < count at p[k * stride]; the others become zero bits.
  template <typename Index>
  TRT_DEVICE void LoadStrided(const T* p, Index stride, int count) {
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      if (k < count) {
        v[k] = p[k * stride];
      } else {
        v[k] = T{};
      }
    }
  }
  template <typename Index>
  TRT_DEVICE void StoreStrided(T* p, Index stride, int count) const {
#pragma unroll
    for (int k = 0; k < kCount; ++k) {
      if (k < count) p[k * stride] = v[k];
    }
  }
  // Elements k < count at p[k]; `wide`: p is aligned as LoadAligned asks.
  TRT_DEVICE void Load(const T* p, int count, bool wide) {
    if (wide && count >= kCount) {
      LoadAligned(p);
    } else {
      LoadStrided(p, 1, count);
    }
  }
  TRT_DEVICE void Store(T* p, int count, bool wide) const {
    if (wide && count >= kCount) {
      StoreAligned(p);
    } else {
      StoreStrided(p, 1, count);
    }
  }
  // Zero bits unless `keep`.
  TRT_DEVICE void KeepIf(bool keep) {
    Word* words = reinterpret_cast<Word*>(v);
#pragma unroll
    for (int i = 0; i < kBytes / kWord; ++i) words[i] = keep ? words[i] : Word{};
  }
  TRT_DEVICE typename RegisterOf<T>::type Get(int k) const { return FromStorage(v[k]); }
  TRT_DEVICE void Set(int k, typename RegisterOf<T>::type x) { v[k] = ToStorage<T>(x); }
};

// Division by a number known at launch; written by the host (core/kernels/cuda/launch.h).
struct Divisor {
  u32 value;
  u32 magic;
  u32 shift;
  u32 unused;
};
// REQUIRES: n < 2^31.
TRT_DEVICE u32 Quotient(u32 n, const Divisor& d) { return (MulHigh(n, d.magic) + n) >> d.shift; }
TRT_DEVICE u64 Quotient(u64 n, const Divisor& d) { return n / d.value; }

// Folds over the kLanes (a power of two up to 32) neighbours of a lane; all get the result. The
// order is fixed, so results do not change from run to run.
template <int kLanes, typename T, typename Fold>
TRT_DEVICE T WarpFold(T value, Fold fold) {
#pragma unroll
  for (int mask = kLanes / 2; mask > 0; mask /= 2) value = fold(value, ShuffleXor(value, mask));
  return value;
}

// Folds over a block of kThreads threads (a multiple of 32); all get the result. `shared` holds one
// value per warp and may be reused after the next barrier.
template <int kThreads, typename T, typename Fold>
TRT_DEVICE T BlockFold(T value, T* shared, Fold fold) {
  value = WarpFold<32>(value, fold);
  if (kThreads == 32) return value;
  const int thread = static_cast<int>(threadIdx.x);
  __syncthreads();
  if (thread % 32 == 0) shared[thread / 32] = value;
  __syncthreads();
  T result = shared[0];
#pragma unroll
  for (int w = 1; w < kThreads / 32; ++w) result = fold(result, shared[w]);
  return result;
}

// NaN wins.
struct MaxFold {
  template <typename T>
  TRT_DEVICE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct MinFold {
  template <typename T>
  TRT_DEVICE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
