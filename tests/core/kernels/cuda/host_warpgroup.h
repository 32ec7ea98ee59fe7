// The text that takes the place of warpgroup.cuh when a kernel is compiled for the host. The copy
// engine copies at once; whoever waits at a barrier lets the other threads run.
#pragma once

namespace torch_tensorrt::core::kernels::testing {

inline constexpr char kHostWarpgroup[] = R"(
#pragma once
#include "mma.cuh"
extern "C" { void (*trt_yield)(); }

// words[0] is the address of what HostGpu was told (TensorMapSpec of core/device/cuda/gpu.h).
struct alignas(64) TensorMap { u64 words[16]; };
struct TrtSpec {
  char* data;
  int element_bytes, rank;
  u64 dims[4], strides[4];
  u32 box[4], windows;
  int lower[2], upper[2];
  u32 step[2];
};

struct TrtBarrier { u16 arrivals, left; i32 bytes : 31; u32 phase : 1; };
static_assert(sizeof(TrtBarrier) == 8, "as on the GPU");
inline TrtBarrier& TrtBarrierAt(u32 at) {
  TrtNeed(at % 8 == 0 && at + 8 <= sizeof(trt_shared));
  return *reinterpret_cast<TrtBarrier*>(trt_shared + at);
}
inline void TrtUpdate(TrtBarrier& b) {
  if (b.left != 0 || b.bytes != 0) return;
  b.left = b.arrivals;
  b.phase ^= 1;
}
inline void BarrierStart(u32 at, u32 arrivals) {
  TrtBarrierAt(at) = {static_cast<u16>(arrivals), static_cast<u16>(arrivals), 0, 0};
}
inline void BarriersStarted() {}
inline void BarrierExpect(u32 at, u32 bytes) {
  TrtBarrier& b = TrtBarrierAt(at);
  TrtNeed(b.left > 0);
  --b.left;
  b.bytes += bytes;
  TrtUpdate(b);
}
inline void BarrierArrive(u32 at) { BarrierExpect(at, 0); }
inline void BarrierWait(u32 at, u32 parity) {
  for (int turns = 0; TrtBarrierAt(at).phase == parity; ++turns) {
    TrtNeed(turns < 1000000);
    trt_yield();
  }
}
inline void GroupSync(int id, int threads) {
  static struct { int arrived, round; } groups[16];
  auto& group = groups[id];
  const int round = group.round;
  if (++group.arrived == threads) {
    group.arrived = 0;
    ++group.round;
    return;
  }
  for (int turns = 0; group.round == round; ++turns) {
    TrtNeed(turns < 1000000);
    trt_yield();
  }
}
template <int kCount> inline void GiveRegisters() { TrtNeed(kCount % 8 == 0 && kCount >= 24); }
template <int kCount> inline void TakeRegisters() { TrtNeed(kCount % 8 == 0 && kCount <= 240); }

// One row of a box, from element c of position `at`; null: zeros.
inline void TrtCopyRow(const TrtSpec& s, u32 to, u32 row, const char* at, i64 c) {
  TrtNeed(to % 1024 == 0 && s.box[0] * s.element_bytes == 128);
  for (u32 i = 0; i < 128; i += s.element_bytes) {
    const i64 e = c + i / s.element_bytes;
    char* out = trt_shared + to + Swizzle(row, i / 16) + i % 16;
    __builtin_memset(out, 0, s.element_bytes);
    if (at == nullptr || e < 0 || e >= static_cast<i64>(s.dims[0])) continue;
    __builtin_memcpy(out, at + e * s.element_bytes, s.element_bytes);
  }
}
inline void TrtArrived(u32 barrier, i64 bytes) {
  TrtBarrier& b = TrtBarrierAt(barrier);
  b.bytes -= bytes;
  TrtUpdate(b);
}
inline bool TrtInside(i64 at, u64 size) { return at >= 0 && at < static_cast<i64>(size); }
inline void CopyBox(u32 to, const TensorMap& map, int c0, int c1, int c2, int c3, u32 barrier) {
  const TrtSpec& s = *reinterpret_cast<const TrtSpec*>(map.words[0]);
  TrtNeed(s.windows == 0);
  u32 row = 0;
  const u32 box[4] = {s.box[0], s.box[1], s.rank > 2 ? s.box[2] : 1, s.rank > 3 ? s.box[3] : 1};
  for (u32 k = 0; k < box[3]; ++k) {
    for (u32 j = 0; j < box[2]; ++j) {
      for (u32 i = 0; i < box[1]; ++i, ++row) {
        const i64 at[3] = {c1 + i64{i}, c2 + i64{j}, c3 + i64{k}};
        const char* from = s.data;
        for (int d = 1; d < s.rank; ++d) {
          if (from != nullptr && TrtInside(at[d - 1], s.dims[d])) {
            from += at[d - 1] * s.strides[d];
          } else {
            from = nullptr;
          }
        }
        TrtCopyRow(s, to, row, from, c0);
      }
    }
  }
  TrtArrived(barrier, i64{row} * 128);
}
inline void CopyBox(u32 to, const TensorMap& map, int c0, int c1, u32 barrier) {
  CopyBox(to, map, c0, c1, 0, 0, barrier);
}
inline void CopyWindows(u32 to, const TensorMap& map, int c, int x, int y, int n, int dx, int dy,
                        u32 barrier) {
  const TrtSpec& s = *reinterpret_cast<const TrtSpec*>(map.words[0]);
  const auto last = [&](int d) { return static_cast<i64>(s.dims[d + 1]) - 1 + s.upper[d]; };
  TrtNeed(s.windows != 0 && dx >= 0 && dx < 256 && dy >= 0 && dy < 256);
  TrtNeed(x >= s.lower[0] && x <= last(0) && y >= s.lower[1] && y <= last(1));
  i64 at_x = x, at_y = y, image = n;
  for (u32 row = 0; row < s.windows; ++row) {
    const bool inside = TrtInside(at_x + dx, s.dims[1]) && TrtInside(at_y + dy, s.dims[2]) &&
                        TrtInside(image, s.dims[3]);
    TrtCopyRow(s, to, row,
               inside ? s.data + (at_x + dx) * s.strides[1] + (at_y + dy) * s.strides[2] +
                            image * s.strides[3]
                      : nullptr,
               c);
    at_x += s.step[0];
    if (at_x <= last(0)) continue;
    at_x = s.lower[0];
    at_y += s.step[1];
    if (at_y <= last(1)) continue;
    at_y = s.lower[1];
    ++image;
  }
  TrtArrived(barrier, i64{s.windows} * 128);
}

#ifdef TRT_MMA_TYPES
template <int kBlocks> inline void WgmmaPin(float (&)[kBlocks][4]) {}
inline u64 ColumnsDescriptor(u32 address, u32 part_bytes) {
  return (u64{part_bytes >> 4} << 16) | (u64{64} << 32) | (address >> 4);
}
template <int kAdd, int kBlocks>
inline void WgmmaScores(float (&d)[kBlocks][4], u64 a, u64 b) {
  float sums[kBlocks * 4];
  for (int i = 0; i < kBlocks * 4; ++i) sums[i] = kAdd ? d[i / 4][i % 4] : 0.0f;
  Wgmma(sums, a, b);
  for (int i = 0; i < kBlocks * 4; ++i) d[i / 4][i % 4] = sums[i];
}
// Value (k, n) of a tile of ColumnsDescriptor.
inline float TrtColumnValue(u64 descriptor, int k, int n) {
  const u32 part = static_cast<u32>(descriptor >> 16 & 0x3fff) << 4;
  u32 at = (static_cast<u32>(descriptor & 0x3fff) << 4) + n / 64 * part + k / 8 * 1024 + k % 8 * 128 +
           n % 64 * 2;
  at ^= (at >> 7 & 7) << 4;
  u16 bits;
  __builtin_memcpy(&bits, trt_shared + at, 2);
  return TRT_MMA_TYPES[0] == 'b' ? FromStorage(bf16{bits}) : FromStorage(f16{bits});
}
template <int kBlocks>
inline void WgmmaValues(float (&d)[kBlocks][4], const u32 (&a)[4], u64 b) {
  struct Operand { u32 a[4]; } mine = {{a[0], a[1], a[2], a[3]}};
  TrtShare(mine, [&](auto of) {
    for (int j = 0; j < kBlocks; ++j) {
      for (int e = 0; e < 4; ++e) {
        double sum = d[j][e];
        for (int k = 0; k < 16; ++k) {
          const u32 word = of(TrtLane() / 4 * 4 + k % 8 / 2)->a[k / 8 * 2 + e / 2];
          const u16 bits = static_cast<u16>(word >> (k % 2 * 16));
          const float x = TRT_MMA_TYPES[0] == 'b' ? FromStorage(bf16{bits}) : FromStorage(f16{bits});
          sum += static_cast<double>(x) * TrtColumnValue(b, k, j * 8 + TrtLane() % 4 * 2 + e % 2);
        }
        d[j][e] = static_cast<float>(sum);
      }
    }
  });
}
#endif
)";

}  // namespace torch_tensorrt::core::kernels::testing
