// out = epilogue(a b^T + bias) for few rows of a: every weight is read once, as fast as memory
// gives it. The text before this file defines:
//   TRT_IN              element type of a and b: f16, bf16 or float
//   TRT_BIAS            element type of bias; undefined: no bias
//   ROWS_A              rows of a that are computed (1, 2, 4 or 8)
//   ROWS_B              rows of b per warp
//   WARPS_N, WARPS_K    warps of a block along rows of b and along k
//   UNROLL              16-byte chunks of each row of b that a lane has under way
// and trt_epilogue, trt_out, TrtEpilogueArgs. Rows of a and b start at multiples of 16 bytes; rows
// of b are padded to such by zeros.

constexpr int kThreads = WARPS_N * WARPS_K * 32;
constexpr int kChunk = 16 / static_cast<int>(sizeof(TRT_IN));
constexpr int kStep = 32 * kChunk;  // values a warp takes per chunk
typedef Pack<TRT_IN, kChunk> Values;

struct Params {
  const TRT_IN* a;
  const TRT_IN* b;
  const void* bias;
  trt_out* out;
  int m, n, k;
  int unused;
  i64 a_row, b_row, out_row;
};

struct Weights {
  Values v[UNROLL][ROWS_B];
};

// The lane's chunks from position k on; zeros beyond the end.
TRT_DEVICE void LoadWeights(const Params& p, const TRT_IN* const (&rows)[ROWS_B], int k,
                            Weights& w) {
#pragma unroll
  for (int u = 0; u < UNROLL; ++u) {
    const int at = k + u * WARPS_K * kStep;
#pragma unroll
    for (int r = 0; r < ROWS_B; ++r) {
      if (at < p.k) {
        LoadStreaming(w.v[u][r].v, rows[r] + at);
      } else {
#pragma unroll
        for (int e = 0; e < kChunk; ++e) w.v[u][r].v[e] = ZeroOf<TRT_IN>();
      }
    }
  }
}

TRT_DEVICE void AddProducts(const Params& p, int k, const Weights& w,
                            float (&sums)[ROWS_B][ROWS_A]) {
#pragma unroll
  for (int u = 0; u < UNROLL; ++u) {
    const int at = k + u * WARPS_K * kStep;
    if (at >= p.k) break;
#pragma unroll
    for (int m = 0; m < ROWS_A; ++m) {
      Values x;
      x.LoadAligned(p.a + min(m, p.m - 1) * p.a_row + at);
#pragma unroll
      for (int r = 0; r < ROWS_B; ++r) {
#pragma unroll
        for (int e = 0; e < kChunk; ++e) sums[r][m] += x.Get(e) * w.v[u][r].Get(e);
      }
    }
  }
}

TRT_DEVICE void StoreResult(const Params& p, const TrtEpilogueArgs& e, int m, int n, float sum) {
  if (m >= p.m || n >= p.n) return;
#ifdef TRT_BIAS
  sum += FromStorage(static_cast<const TRT_BIAS*>(p.bias)[n]);
#endif
  p.out[m * p.out_row + n] = trt_epilogue(sum, e, m, n);
}

TRT_KERNEL void __launch_bounds__(kThreads)
trt_gemv(const __grid_constant__ Params p, const __grid_constant__ TrtEpilogueArgs e) {
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_n = warp % WARPS_N, warp_k = warp / WARPS_N;
  const int n0 = (static_cast<int>(blockIdx.x) * WARPS_N + warp_n) * ROWS_B;
  const TRT_IN* rows[ROWS_B];
#pragma unroll
  for (int r = 0; r < ROWS_B; ++r) rows[r] = p.b + min(n0 + r, p.n - 1) * p.b_row;
  float sums[ROWS_B][ROWS_A] = {};
  int k = warp_k * kStep + lane * kChunk;
  Weights weights;
  LoadWeights(p, rows, k, weights);
  WaitForPrevious();
#pragma unroll 1
  while (k < p.k) {
    const int next = k + UNROLL * WARPS_K * kStep;
    Weights ahead;
    LoadWeights(p, rows, next, ahead);
    AddProducts(p, k, weights, sums);
    weights = ahead;
    k = next;
  }
  float* staged = reinterpret_cast<float*>(DynamicShared());
#pragma unroll
  for (int r = 0; r < ROWS_B; ++r) {
#pragma unroll
    for (int m = 0; m < ROWS_A; ++m) {
      float sum = sums[r][m];
#pragma unroll
      for (int mask = 16; mask > 0; mask /= 2) sum += ShuffleXor(sum, mask);
      if (lane == 0) staged[(warp * ROWS_B + r) * ROWS_A + m] = sum;
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < WARPS_N * ROWS_B * ROWS_A; i += kThreads) {
    const int m = i / (WARPS_N * ROWS_B), column = i % (WARPS_N * ROWS_B);
    float sum = 0.0f;
#pragma unroll
    for (int w = 0; w < WARPS_K; ++w) {
      sum += staged[((w * WARPS_N + column / ROWS_B) * ROWS_B + column % ROWS_B) * ROWS_A + m];
    }
    StoreResult(p, e, m, static_cast<int>(blockIdx.x) * WARPS_N * ROWS_B + column, sum);
  }
}
