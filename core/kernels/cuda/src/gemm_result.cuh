// Bias, epilogue and stores. Part of gemm.cu, which says what the text before it defines.
#pragma once

#include "gemm_sums.cuh"

#ifdef TILE_M

struct Bias {
#ifdef TRT_BIAS
  Pack<TRT_BIAS, 8> values;
  TRT_DEVICE void Load(const Params& p, i64 column, int count) {
    values.Load(static_cast<const TRT_BIAS*>(p.bias) + column, count, p.vector != 0);
  }
  TRT_DEVICE void AddTo(float (&v)[8]) const {
#pragma unroll
    for (int e = 0; e < 8; ++e) v[e] += values.Get(e);
  }
#else
  TRT_DEVICE void Load(const Params&, i64, int) {}
  TRT_DEVICE void AddTo(float (&)[8]) const {}
#endif
};

// Writes rows `r0`, `r0` + kRowStep ... of the tile, whole vectors: several rows' inputs are read
// before the first result is written. Rows beyond the last repeat it and are not written.
TRT_DEVICE void FinishVectors(const Params& p, const TrtEpilogueArgs& e, const Place& at,
                              const float* staged, const Bias& bias, int first, int column) {
  constexpr int kCount = (kRowsOfBlock + kRowStep - 1) / kRowStep;
  constexpr int kBatch = kCount < 4 ? kCount : 4;
  const i64 row0 = static_cast<i64>(at.batch) * p.out_batch_rows + at.row;
  const i64 out_column = static_cast<i64>(at.batch) * p.out_batch_columns + at.column + column;
  const int r0 = first + static_cast<int>(threadIdx.x) / kVectors;
  const int last = min(p.m - 1 - at.row, first + kRowsOfBlock - 1);
#pragma unroll 1
  for (int i = 0; i < kCount; i += kBatch) {
    Pack<trt_out, 8> results[kBatch];
#pragma unroll
    for (int u = 0; u < kBatch; ++u) {
      const int r = max(min(r0 + (i + u) * kRowStep, last), 0);
      float v[8];
      Collect<kPartsOfSum>(staged, r, column, v);
      bias.AddTo(v);
      trt_epilogue(v, e, row0 + r, out_column, results[u].v);
    }
#pragma unroll
    for (int u = 0; u < kBatch; ++u) {
      const int r = r0 + (i + u) * kRowStep;
      if (r <= last) {
        results[u].StoreAligned(p.out + (row0 + r) * p.out_row + out_column);
      }
    }
  }
}

// The same for rows of any alignment and length.
TRT_DEVICE void FinishElements(const Params& p, const TrtEpilogueArgs& e, const Place& at,
                               const float* staged, const Bias& bias, int first, int column) {
  const i64 row0 = static_cast<i64>(at.batch) * p.out_batch_rows + at.row;
  const i64 out_column = static_cast<i64>(at.batch) * p.out_batch_columns + at.column + column;
  const int end = min(first + kRowsOfBlock, p.m - at.row), left = p.n - at.column - column;
#pragma unroll 1
  for (int r = first + static_cast<int>(threadIdx.x) / kVectors; r < end; r += kRowStep) {
    float v[8];
    Collect<kPartsOfSum>(staged, r, column, v);
    bias.AddTo(v);
    trt_out* out = p.out + (row0 + r) * p.out_row + out_column;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      if (k < left) out[k] = trt_epilogue(v[k], e, row0 + r, out_column + k);
    }
  }
}

#endif  // TILE_M
