// Float attention where tensor cores give no number: a value split in two terms (SplitTf32) takes
// infinities to NaN, and may round the largest floats to infinity. Rows with such results are
// computed anew by float32 multiply-adds, one warp per row. Part of attention.cu, which says what
// the text before it defines.
#pragma once

#include "attention_result.cuh"

#if TRT_FLOAT

TRT_DEVICE bool IsFinite(float x) { return (FloatBits(x) & 0x7f800000u) != 0x7f800000u; }

// One query and what it looks at.
struct ExactRow {
  const float* q;
  const float* k;
  const float* v;
#ifdef TRT_MASK
  const TRT_MASK* mask;
#endif
  int keys;  // visible ones
};

TRT_DEVICE ExactRow FindExactRow(const Params& p, int batch, int key_head, int row) {
  ExactRow x;
  const int query = row % p.s;
  x.q = p.q + RowOffset(p, p.q_stride, batch, key_head, row);
  x.k = p.k + batch * p.k_stride[0] + key_head * p.k_stride[1];
  x.v = p.v + batch * p.v_stride[0] + key_head * p.v_stride[1];
  x.keys = CAUSAL ? min(p.t, query + 1) : p.t;
#ifdef TRT_MASK
  x.mask = static_cast<const TRT_MASK*>(p.mask) + batch * p.mask_stride[0] +
           (key_head * p.group + row / p.s) * p.mask_stride[1] + query * p.mask_stride[2];
#endif
  return x;
}

// The scaled and masked score, not times log2(e): that may overflow.
TRT_DEVICE float ExactScore(const Params& p, const ExactRow& row, int key) {
  constexpr float kLn2 = 0.6931471805599453f;
  const float* k = row.k + key * p.k_stride[2];
  float dot = 0.0f;
#pragma unroll 1
  for (int i = 0; i < p.d; ++i) dot += row.q[i] * k[i];
  dot *= p.scale * kLn2;
#ifdef TRT_MASK
  const auto value = FromStorage(row.mask[key * p.mask_stride[3]]);
  if constexpr (sizeof(TRT_MASK) == 1) {
    dot = value ? dot : -TRT_INFINITY;
  } else {
    dot += value;
  }
#endif
  return dot;
}

TRT_DEVICE float ExactExp(float x) {
  constexpr float kLog2E = 1.4426950408889634f;
  return Exp2(x * kLog2E);
}

// Every lane takes every 32nd key, then every 32nd column.
TRT_DEVICE void StoreExactRow(const Params& p, const ExactRow& row, TRT_IN* out) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float top = -TRT_INFINITY;
#pragma unroll 1
  for (int key = lane; key < row.keys; key += 32) top = fmaxf(top, ExactScore(p, row, key));
#pragma unroll 1
  for (int mask = 16; mask > 0; mask /= 2) top = fmaxf(top, ShuffleXor(top, mask));
  const float base = top == -TRT_INFINITY ? 0.0f : top;
  float total = 0.0f;
#pragma unroll 1
  for (int key = lane; key < row.keys; key += 32) total += ExactExp(ExactScore(p, row, key) - base);
#pragma unroll 1
  for (int mask = 16; mask > 0; mask /= 2) total += ShuffleXor(total, mask);
  const float inverse = total == 0.0f ? TRT_HIDDEN : 1.0f / total;
  constexpr int kColumns = (HEAD_V + 31) / 32;
  float sums[kColumns] = {};
#pragma unroll 1
  for (int key0 = 0; key0 < row.keys; key0 += 32) {
    const int mine = min(key0 + lane, row.keys - 1), end = min(row.keys - key0, 32);
    const float weight = ExactExp(ExactScore(p, row, mine) - base) * inverse;
#pragma unroll 1
    for (int i = 0; i < end; ++i) {
      const float w = ShuffleFrom(weight, i);
      const float* v = row.v + (key0 + i) * p.v_stride[2];
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        if (c * 32 + lane < p.d_v) sums[c] += w * v[c * 32 + lane];
      }
    }
  }
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    if (c * 32 + lane < p.d_v) out[c * 32 + lane] = sums[c];
  }
}

// Overwrites the rows of the block whose sums are no finite numbers. REQUIRES: StoreRows of the
// whole cluster is done.
TRT_DEVICE void StoreExactRows(const Params& p, const float* staged, int batch, int key_head,
                               int row0, int rank) {
  constexpr int kWarps = kThreads / 32;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int rows = min(kRows, p.rows - row0);
#pragma unroll 1
  for (int r = rank * kWarps + warp; r < rows; r += kWarps * SPLIT) {
    const Partial x = AddAll(staged, r, min(lane * 8, HEAD_V - 8));
    int broken = IsFinite(x.total) ? 0 : 1;
#ifndef TRT_MASK
    // Nothing hides all keys: scores of -inf may be rounded.
    if (x.total == 0.0f) broken = 1;
#endif
#pragma unroll
    for (int e = 0; e < 8; ++e) broken |= IsFinite(x.v[e]) ? 0 : 1;
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) broken |= ShuffleXor(broken, mask);
    if (broken == 0) continue;
    StoreExactRow(p, FindExactRow(p, batch, key_head, row0 + r),
                  p.out + RowOffset(p, p.out_stride, batch, key_head, row0 + r));
  }
}

#endif  // TRT_FLOAT
