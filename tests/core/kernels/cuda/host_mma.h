// The text that takes the place of mma.cuh when a kernel is compiled for the host: its instructions
// in plain C++. Copies happen at once; products of a warp read the other lanes' operands. Clusters
// do not exist here.
#pragma once

namespace torch_tensorrt::core::kernels::testing {

inline constexpr char kHostMma[] = R"(
#pragma once
#include "common.cuh"
#define TRT_KERNEL extern "C"
#define __cluster_dims__(...)
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
template <typename T> inline T min(T a, T b) { return b < a ? b : a; }
template <typename T> inline T max(T a, T b) { return a < b ? b : a; }
inline float fmaxf(float a, float b) { return a != a || a < b ? b : a; }

alignas(1024) static char trt_shared[232448];
static const void* trt_slots[1024];
inline char* DynamicShared() { return trt_shared; }
inline u32 SharedAddress(const void* p) {
  return static_cast<u32>(static_cast<const char*>(p) - trt_shared);
}
inline u32 Swizzle(u32 row, u32 chunk) { return row * 128 + ((chunk ^ (row & 7)) << 4); }
inline void TrtNeed(bool ok) { if (!ok) __builtin_trap(); }

template <int kBytes> inline void CopyAsync(u32 to, const void* from, int bytes) {
  TrtNeed(to % kBytes == 0 && to + kBytes <= sizeof(trt_shared) && bytes <= kBytes);
  TrtNeed(bytes == 0 || reinterpret_cast<u64>(from) % kBytes == 0);
  __builtin_memset(trt_shared + to, 0, kBytes);
  if (bytes > 0) __builtin_memcpy(trt_shared + to, from, bytes);
}
inline void CopyCommit() {}
template <int kPending> inline void CopyWait() {}
inline u32 LoadSharedWord(u32 from) {
  u32 word;
  __builtin_memcpy(&word, trt_shared + from, 4);
  return word;
}
inline void StoreShared(u32 to, const u32 (&v)[4]) {
  TrtNeed(to % 16 == 0);
  __builtin_memcpy(trt_shared + to, v, 16);
}
template <typename T, int kCount> inline void LoadStreaming(T (&v)[kCount], const T* from) {
  TrtNeed(reinterpret_cast<u64>(from) % 16 == 0);
  __builtin_memcpy(v, from, 16);
}

// Shows `mine` to the warp for as long as `work` runs.
template <typename T, typename Work> inline void TrtShare(const T& mine, Work work) {
  const u32 first = threadIdx.x / 32 * 32;
  trt_slots[threadIdx.x] = &mine;
  __syncwarp();
  work([&](int lane) { return static_cast<const T*>(trt_slots[first + lane]); });
  __syncwarp();
}
inline void LoadMatrix(u32 (&r)[4], u32 from) {
  TrtShare(from, [&](auto of) {
    for (int m = 0; m < 4; ++m) {
      __builtin_memcpy(&r[m], trt_shared + *of(m * 8 + TrtLane() / 4) + TrtLane() % 4 * 4, 4);
    }
  });
}
inline void LoadMatrixTransposed(u32 (&r)[4], u32 from) {
  TrtShare(from, [&](auto of) {
    for (int m = 0; m < 4; ++m) {
      r[m] = 0;
      for (int half = 0; half < 2; ++half) {
        u16 x;
        __builtin_memcpy(&x, trt_shared + *of(m * 8 + TrtLane() % 4 * 2 + half) + TrtLane() / 4 * 2, 2);
        r[m] |= static_cast<u32>(x) << (16 * half);
      }
    }
  });
}
template <typename T> inline float TrtValue(u32 word, int half) {
  if constexpr (sizeof(T) == 4) {
    return BitsFloat(word & 0xffffe000u);
  } else {
    return FromStorage(T{static_cast<u16>(word >> (16 * half))});
  }
}
struct TrtOperands { const u32* a; u32 b[2]; };
template <typename T> inline void Mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  constexpr int kPer = 4 / static_cast<int>(sizeof(T));
  TrtShare(TrtOperands{a, {b0, b1}}, [&](auto of) {
    for (int e = 0; e < 4; ++e) {
      const int m = TrtLane() / 4, n = TrtLane() % 4 * 2 + e % 2;
      double sum = d[e];
      for (int t = 0; t < 4; ++t) {
        for (int part = 0; part < 2; ++part) {
          for (int i = 0; i < kPer; ++i) {
            sum += static_cast<double>(TrtValue<T>(of(m * 4 + t)->a[part * 2 + e / 2], i)) *
                   TrtValue<T>(of(n * 4 + t)->b[part], i);
          }
        }
      }
      d[e] = static_cast<float>(sum);
    }
  });
}
inline u32 RoundToTf32(float x) {
  const u32 bits = FloatBits(x);
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
}
inline void SplitTf32(const u32 (&x)[4], u32 (&high)[4], u32 (&low)[4]) {
  for (int i = 0; i < 4; ++i) {
    high[i] = RoundToTf32(BitsFloat(x[i]));
    const bool finite = (high[i] & 0x7f800000u) != 0x7f800000u;
    low[i] = finite ? RoundToTf32(BitsFloat(x[i]) - BitsFloat(high[i])) : 0u;
  }
}
template <typename T> inline u32 PackPair(float low, float high) {
  return static_cast<u32>(ToStorage<T>(low).bits) | static_cast<u32>(ToStorage<T>(high).bits) << 16;
}
inline float Exp2(float x) { return exp2f(x); }

#ifdef TRT_MMA_TYPES
inline void FenceSharedForProducts() {}
inline void WgmmaFence() {}
inline void WgmmaCommit() {}
template <int kPending> inline void WgmmaWait() {}
template <int kCount> inline void WgmmaPin(float (&)[kCount]) {}
inline u64 TileDescriptor(u32 address) { return (u64{64} << 32) | (address >> 4); }
// Row r, value k of the swizzled tile of a descriptor.
inline float TrtTileValue(u64 descriptor, int r, int k) {
  const u32 groups = static_cast<u32>(descriptor >> 32 & 0x3fff) << 4;
  u32 at = (static_cast<u32>(descriptor & 0x3fff) << 4) + r / 8 * groups + r % 8 * 128 + k * 2;
  at ^= (at >> 7 & 7) << 4;
  u16 bits;
  __builtin_memcpy(&bits, trt_shared + at, 2);
  return TRT_MMA_TYPES[0] == 'b' ? FromStorage(bf16{bits}) : FromStorage(f16{bits});
}
template <int kCount> inline void Wgmma(float (&d)[kCount], u64 a, u64 b) {
  for (int i = 0; i < kCount; ++i) {
    const int m = threadIdx.x / 32 % 4 * 16 + TrtLane() / 4 + i / 2 % 2 * 8;
    const int n = i / 4 * 8 + TrtLane() % 4 * 2 + i % 2;
    double sum = d[i];
    for (int k = 0; k < 16; ++k) {
      sum += static_cast<double>(TrtTileValue(a, m, k)) * TrtTileValue(b, n, k);
    }
    d[i] = static_cast<float>(sum);
  }
}
#endif
)";

}  // namespace torch_tensorrt::core::kernels::testing
