// Sum, mean, max and min of a dense [outer, n, inner] tensor over n: a thread keeps kVector
// neighbouring columns, the 8 warps of a block share the rows. Floats only; sums in float.
// IN, OUT are storage types; KIND 0 sum, 1 mean, 2 max, 3 min.
#include "math.cuh"

constexpr int kWarps = 8;

struct Params {
  const IN* in;
  OUT* out;
  i64 n;
  i64 inner;
  double count;  // what a mean is divided by
  Divisor column_blocks;
  u64 aligned;
};

TRT_DEVICE float Combine(float a, float b) {
  if (KIND <= 1) return a + b;
  return KIND == 2 ? MaxFold{}(a, b) : MinFold{}(a, b);
}

extern "C" __global__ void __launch_bounds__(kWarps * 32) reduce_columns(const Params p) {
  WaitForPrevious();
  __shared__ float shared[kWarps][32 * kVector];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const u32 outer = Quotient(static_cast<u32>(blockIdx.x), p.column_blocks);
  const i64 column =
      (static_cast<i64>(blockIdx.x - outer * p.column_blocks.value) * 32 + lane) * kVector;
  const int count = static_cast<int>(p.inner - column < kVector ? p.inner - column : kVector);
  const IN* from = p.in + static_cast<i64>(outer) * p.n * p.inner + column;
  float acc[kVector];
#pragma unroll
  for (int v = 0; v < kVector; ++v) acc[v] = KIND <= 1 ? 0.0f : (KIND == 2 ? -TRT_INF : TRT_INF);
#pragma unroll 8
  for (i64 row = warp; row < p.n; row += kWarps) {
    Pack<IN, kVector> pack;
    pack.Load(from + row * p.inner, count, (p.aligned & 1) != 0);
#pragma unroll
    for (int v = 0; v < kVector; ++v) acc[v] = Combine(acc[v], pack.Get(v));
  }
#pragma unroll
  for (int v = 0; v < kVector; ++v) shared[warp][v * 32 + lane] = acc[v];
  __syncthreads();
  if (warp != 0) return;
  Pack<OUT, kVector> result;
#pragma unroll
  for (int v = 0; v < kVector; ++v) {
    float value = acc[v];
#pragma unroll
    for (int w = 1; w < kWarps; ++w) value = Combine(value, shared[w][v * 32 + lane]);
    result.Set(v, KIND == 1 ? value / static_cast<float>(p.count) : value);
  }
  result.Store(p.out + static_cast<i64>(outer) * p.inner + column, count, (p.aligned & 2) != 0);
}
