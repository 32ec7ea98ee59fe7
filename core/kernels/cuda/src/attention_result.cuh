// Adds up what warps and blocks summed, and stores it. Part of attention.cu, which says what
// the text before it defines.
#pragma once

#include "attention_scores.cuh"

#ifdef WARPS_KEYS

// 16 rows to shared memory: sums as kRows rows of kSumRow floats per group of warps along
// keys, then maximum and total of each row.
TRT_DEVICE void StageRows(const Rows& w, float* staged, int first, int warp_keys) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float total = w.total[half];
    total += ShuffleXor(total, 1);
    total += ShuffleXor(total, 2);
    const int r = warp_keys * kRows + first + lane / 4 + half * 8;
    float* row = staged + r * kSumRow;
#pragma unroll
    for (int j = 0; j < HEAD_V / 8; ++j) {
      *reinterpret_cast<float2*>(row + j * 8 + lane % 4 * 2) =
          make_float2(w.sums[j][half * 2], w.sums[j][half * 2 + 1]);
    }
    if (lane % 4 == 0) {
      *reinterpret_cast<float4*>(staged + WARPS_KEYS * kRows * kSumRow + r * 4) =
          make_float4(w.maximum[half], total, 0.0f, 0.0f);
    }
  }
}

// Eight sums of one row relative to `maximum`, and the row's total.
struct Partial {
  float v[8];
  float maximum, total;
};

// Where group `i`'s sums of row r, and its maximum and total, are.
TRT_DEVICE const float* SumsOf(const float* staged, int i, int r) {
  return staged + (i * kRows + r) * kSumRow;
}
TRT_DEVICE const float* HeadOf(const float* staged, int groups, int i, int r) {
  return staged + groups * kRows * kSumRow + (i * kRows + r) * 4;
}

// Adds up partial sums in their order. `read(i, from, v)` reads four floats of part i.
template <int kCount, typename Read>
TRT_DEVICE Partial AddUp(const float* (&sums)[kCount], const float* (&heads)[kCount], Read read) {
  Partial result;
  float head[kCount][4], part[kCount][2][4];
  result.maximum = -TRT_INFINITY;
  result.total = 0.0f;
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    read(i, heads[i], head[i]);
    read(i, sums[i], part[i][0]);
    read(i, sums[i] + 4, part[i][1]);
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) result.maximum = fmaxf(result.maximum, head[i][0]);
  const float base = result.maximum == -TRT_INFINITY ? 0.0f : result.maximum;
#pragma unroll
  for (int e = 0; e < 8; ++e) result.v[e] = 0.0f;
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const float scale = Exp2(head[i][0] - base);
    result.total += head[i][1] * scale;
#pragma unroll
    for (int e = 0; e < 8; ++e) result.v[e] += part[i][e / 4][e % 4] * scale;
  }
  return result;
}

// What the block's warps summed.
TRT_DEVICE Partial AddWarps(const float* staged, int r, int column) {
  const float* sums[WARPS_KEYS];
  const float* heads[WARPS_KEYS];
#pragma unroll
  for (int i = 0; i < WARPS_KEYS; ++i) {
    sums[i] = SumsOf(staged, i, r) + column;
    heads[i] = HeadOf(staged, WARPS_KEYS, i, r);
  }
  return AddUp<WARPS_KEYS>(sums, heads, [](int, const float* from, float (&v)[4]) {
    const float4 x = *reinterpret_cast<const float4*>(from);
    v[0] = x.x;
    v[1] = x.y;
    v[2] = x.z;
    v[3] = x.w;
  });
}

#if SPLIT > 1
// The block's sums for the other blocks of the cluster.
TRT_DEVICE void Publish(const float* staged, float* shared) {
  constexpr int kVectors = HEAD_V / 8;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kVectors; i += kThreads) {
    const int r = i / kVectors, column = i % kVectors * 8;
    const Partial x = AddWarps(staged, r, column);
    float4* to = reinterpret_cast<float4*>(shared + r * kSumRow + column);
    to[0] = make_float4(x.v[0], x.v[1], x.v[2], x.v[3]);
    to[1] = make_float4(x.v[4], x.v[5], x.v[6], x.v[7]);
    if (column == 0) {
      *reinterpret_cast<float4*>(shared + kRows * kSumRow + r * 4) =
          make_float4(x.maximum, x.total, 0.0f, 0.0f);
    }
  }
}
TRT_DEVICE Partial AddBlocks(const float* shared, int r, int column) {
  const float* sums[SPLIT];
  const float* heads[SPLIT];
#pragma unroll
  for (int i = 0; i < SPLIT; ++i) {
    sums[i] = SumsOf(shared, 0, r) + column;
    heads[i] = HeadOf(shared, 1, 0, r);
  }
  return AddUp<SPLIT>(sums, heads, [](int rank, const float* from, float (&v)[4]) {
    LoadRemote(v, SharedAddress(from), static_cast<u32>(rank));
  });
}
#endif

// What all warps of the cluster summed.
TRT_DEVICE Partial AddAll(const float* staged, int r, int column) {
#if SPLIT > 1
  return AddBlocks(staged, r, column);
#else
  return AddWarps(staged, r, column);
#endif
}

TRT_DEVICE void StoreRows(const Params& p, const float* staged, int batch, int key_head, int row0,
                          int rank) {
  constexpr int kVectors = HEAD_V / 8;
  for (int i = static_cast<int>(threadIdx.x) + rank * kThreads; i < kRows * kVectors;
       i += kThreads * SPLIT) {
    const int r = i / kVectors, column = i % kVectors * 8;
    if (row0 + r >= p.rows || column >= p.d_v) continue;
    const Partial x = AddAll(staged, r, column);
    const float inverse = x.total == 0.0f ? TRT_HIDDEN : 1.0f / x.total;
    TRT_IN* out = p.out + RowOffset(p, p.out_stride, batch, key_head, row0 + r) + column;
    Pack<TRT_IN, 8> result;
#pragma unroll
    for (int e = 0; e < 8; ++e) result.Set(e, x.v[e] * inverse);
    result.Store(out, p.d_v - column, p.vector != 0);
  }
}

#endif  // WARPS_KEYS
