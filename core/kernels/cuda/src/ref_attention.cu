// Attention of any strides: one block per query, keys in tiles of one per thread, online softmax.
// DATA is the storage type of q, k, v and the output; MASK that of the mask.
#include "view.cuh"

typedef typename RegisterOf<DATA>::type Register;
constexpr int kThreads = 128;
constexpr int kMaxPerThread = 4;  // value_depth <= 512

struct AttentionParams {
  View<const DATA> q;     // [B, H, S, D]
  View<const DATA> k;     // [B, Hk, T, D]
  View<const DATA> v;     // [B, Hk, T, Dv]
  View<const MASK> mask;  // broadcast to [B, H, S, T]
  View<DATA> out;         // [B, H, S, Dv]
  double scale;
  i64 causal;
  i64 masked;
  i64 hidden_nan;  // a query whose scores are all -inf gives NaN
};

TRT_DEVICE Register Score(const AttentionParams& p, i64 b, i64 h, i64 s, i64 t, i64 q0, i64 k0) {
  if (p.causal != 0 && t > s) return -Register(TRT_INF);
  Register dot = Register(0);
#pragma unroll 1
  for (i64 d = 0; d < p.q.dims[3]; ++d) {
    dot += FromStorage(p.q.data[q0 + d * p.q.strides[3]]) *
           FromStorage(p.k.data[k0 + t * p.k.strides[2] + d * p.k.strides[3]]);
  }
  dot *= static_cast<Register>(p.scale);
  if (p.masked == 0) return dot;
  const i64 at =
      b * p.mask.strides[0] + h * p.mask.strides[1] + s * p.mask.strides[2] + t * p.mask.strides[3];
#ifdef BOOL_MASK
  return FromStorage(p.mask.data[at]) ? dot : -Register(TRT_INF);
#else
  return dot + static_cast<Register>(FromStorage(p.mask.data[at]));
#endif
}

extern "C" __global__ void __launch_bounds__(kThreads) attention(const AttentionParams p) {
  __shared__ Register scores[kThreads];
  __shared__ Register shared[32];
  const int thread = static_cast<int>(threadIdx.x);
  const i64 heads = p.q.dims[1], queries = p.q.dims[2], keys = p.k.dims[2];
  const i64 depth = p.v.dims[3];
  const i64 row = blockIdx.x;
  const i64 s = row % queries, h = row / queries % heads, b = row / queries / heads;
  const i64 kv = h / (heads / p.k.dims[1]);
  const i64 q0 = b * p.q.strides[0] + h * p.q.strides[1] + s * p.q.strides[2];
  const i64 k0 = b * p.k.strides[0] + kv * p.k.strides[1];
  const i64 v0 = b * p.v.strides[0] + kv * p.v.strides[1];
  const i64 visible = p.causal != 0 && s + 1 < keys ? s + 1 : keys;
  Register acc[kMaxPerThread];
#pragma unroll
  for (int e = 0; e < kMaxPerThread; ++e) acc[e] = Register(0);
  Register max = -Register(TRT_INF), sum = Register(0);
  for (i64 first = 0; first < visible; first += kThreads) {
    const i64 t = first + thread;
    const Register score = t < visible ? Score(p, b, h, s, t, q0, k0) : -Register(TRT_INF);
    const Register tile_max = BlockFold<kThreads>(score, shared, MaxFold{});
    const Register new_max = MaxFold{}(max, tile_max);
    const bool nothing = new_max == -Register(TRT_INF);
    const Register weight = nothing ? Register(0) : PwExp(score - new_max);
    const Register old = nothing ? Register(1) : PwExp(max - new_max);
    const Register tile_sum = BlockFold<kThreads>(weight, shared, SumFold{});
    scores[thread] = weight;
    __syncthreads();
    sum = sum * old + tile_sum;
    const int n = static_cast<int>(visible - first < kThreads ? visible - first : kThreads);
#pragma unroll
    for (int e = 0; e < kMaxPerThread; ++e) {
      const i64 column = thread + static_cast<i64>(e) * kThreads;
      if (column >= depth) continue;
      Register part = acc[e] * old;
#pragma unroll 1
      for (int j = 0; j < n; ++j) {
        part += scores[j] *
                FromStorage(p.v.data[v0 + (first + j) * p.v.strides[2] + column * p.v.strides[3]]);
      }
      acc[e] = part;
    }
    max = new_max;
    __syncthreads();
  }
  const i64 out0 = b * p.out.strides[0] + h * p.out.strides[1] + s * p.out.strides[2];
#pragma unroll
  for (int e = 0; e < kMaxPerThread; ++e) {
    const i64 column = thread + static_cast<i64>(e) * kThreads;
    if (column >= depth) continue;
    const Register hidden = p.hidden_nan != 0 ? Register(TRT_NAN) : Register(0);
    const Register value = max == -Register(TRT_INF) ? hidden : acc[e] / sum;
    p.out.data[out0 + column * p.out.strides[3]] = ToStorage<DATA>(value);
  }
}
