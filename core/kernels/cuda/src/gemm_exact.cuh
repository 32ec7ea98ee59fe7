// Float products where tensor cores give no number: a value split in two terms (SplitTf32) takes
// infinities to NaN, and may round the largest floats to infinity. Such sums are computed anew by
// float32 multiply-adds along k. Part of gemm.cu, which says what the text before it defines.
#pragma once

#include "gemm_sums.cuh"

#if TERMS == 3

TRT_DEVICE bool IsFinite(float x) { return (FloatBits(x) & 0x7f800000u) != 0x7f800000u; }

// Element (row, column) of product `batch`.
TRT_DEVICE float ExactProduct(const Params& p, int batch, int row, int column) {
  const float* a = p.a + BatchOffset(p, p.a_batch, batch);
  const float* b = p.b + BatchOffset(p, p.b_batch, batch) + column * p.b_row;
  float sum = 0.0f;
#if CONV
  const ConvShape& s = p.conv;
  const int rest = row / s.out_w;
  const int in_x = row % s.out_w * s.stride_w - s.pad_left;
  const int in_y = rest % s.out_h * s.stride_h - s.pad_top;
  a += static_cast<i64>(rest / s.out_h) * s.in_h * s.in_w * s.in_c;
  Tap tap;
  tap.Start(s, 0);
#pragma unroll 1
  for (int k = 0; k < p.k; ++k) {
    const int y = in_y + tap.h * s.dilation_h, x = in_x + tap.w * s.dilation_w;
    if (0 <= y && y < s.in_h && 0 <= x && x < s.in_w) {
      sum += a[(y * s.in_w + x) * s.in_c + tap.c] * b[k * p.b_column];
    }
    tap.Advance(s, 1);
  }
#else
  a += row * p.a_row;
#pragma unroll 1
  for (int k = 0; k < p.k; ++k) sum += a[k * p.a_column] * b[k * p.b_column];
#endif
  return sum;
}

// Makes the block's own staged tile hold, in the rows and columns that this thread finishes, the
// whole sums: over all blocks of the cluster, and right where they are no finite numbers.
TRT_DEVICE void CompleteSums(const Params& p, const Place& at, float* staged, int first,
                             int column) {
  const int end = min(first + kRowsOfBlock, p.m - at.row);
  const int count = min(8, p.n - at.column - column);
#pragma unroll 1
  for (int r = first + static_cast<int>(threadIdx.x) / kVectors; r < end; r += kRowStep) {
    float* sums = staged + r * kStagedRow + column;
    float v[8];
    Collect<SPLIT>(staged, r, column, v);
    bool finite = true;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      finite = finite && IsFinite(v[e]);
      if (SPLIT > 1) sums[e] = v[e];
    }
    if (finite) continue;
#pragma unroll 1
    for (int e = 0; e < count; ++e) {
      if (!IsFinite(sums[e])) sums[e] = ExactProduct(p, at.batch, at.row + r, at.column + column + e);
    }
  }
}

#endif  // TERMS == 3
