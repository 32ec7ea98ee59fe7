// softmax(q k^T * scale + mask) v on tensor cores, without storing the scores. The text before this
// file defines:
//   TRT_IN                f16, bf16 or float: q, k, v and the output
//   TRT_FLOAT             1: TRT_IN is float
//   HEAD, HEAD_V          head sizes of q/k and of v, rounded up to 16
//   ALIGNED               1: rows of q, k, v start at multiples of 16 bytes
//   CAUSAL                1: key t is visible to query s when t <= s
//   TRT_MASK              element type of the mask (b8: true = visible); undefined: no mask
//   WARPS_ROWS            warps along queries
//   BLOCKS                blocks of 16 rows per warp
//   WARPS_KEYS            warps that share the keys of a tile
//   KEYS                  keys per tile
//   SPLIT                 blocks (of one cluster) that share the keys
// The queries of all heads that share a key head are one list of rows: row = head * s + query.
#include "attention_exact.cuh"
#include "attention_result.cuh"

TRT_KERNEL void
#if SPLIT > 1
__cluster_dims__(1, 1, SPLIT)
#endif
#if WARPS_KEYS == 1 || TRT_FLOAT
__launch_bounds__(kThreads, 1)
#else
__launch_bounds__(kThreads)
#endif
trt_attention(const __grid_constant__ Params p) {
  char* memory = DynamicShared();
  const u32 queries = SharedAddress(memory), stages = queries + kBytesQ;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_row = warp % WARPS_ROWS, warp_keys = warp / WARPS_ROWS;
  const int pair = static_cast<int>(blockIdx.x) / p.row_tiles;
  // Causal rows at the end have the most work: they start first.
  const int row0 = (p.row_tiles - 1 - static_cast<int>(blockIdx.x) % p.row_tiles) * kRows;
  const int batch = pair / p.key_heads, key_head = pair % p.key_heads;
  const int rank = SPLIT > 1 ? static_cast<int>(blockIdx.z) : 0;
  int visible = p.t;
  if (CAUSAL && row0 / p.s == (min(row0 + kRows, p.rows) - 1) / p.s) {
    visible = min(p.t, (min(row0 + kRows, p.rows) - 1) % p.s + 1);
  }
  const int tiles = (visible + KEYS - 1) / KEYS, share = (tiles + SPLIT - 1) / SPLIT;
  const int first = rank * share, end = min(first + share, tiles);
  const TRT_IN* k = p.k + batch * p.k_stride[0] + key_head * p.k_stride[1];
  const TRT_IN* v = p.v + batch * p.v_stride[0] + key_head * p.v_stride[1];
  WaitForPrevious();
  LoadQueries(p, queries, batch, key_head, row0);
  const auto load = [&](int tile) {
    const u32 stage = stages + (tile - first) % kStages * (kBytesK + kBytesV);
    LoadKeys<kParts>(stage, k, p.k_stride[2], tile * KEYS, p.t, p.d);
    LoadKeys<kPartsV>(stage + kBytesK, v, p.v_stride[2], tile * KEYS, p.t, p.d_v);
  };
  if (first < end) load(first);
  CopyCommit();
  Rows w[BLOCKS];
#pragma unroll
  for (int i = 0; i < BLOCKS; ++i) {
    StartRows(p, w[i], batch, key_head, row0 + warp_row * kWarpRows + i * 16);
  }
#pragma unroll 1
  for (int tile = first; tile < end; ++tile) {
    CopyWait<0>();
    __syncthreads();
#if !TRT_FLOAT
    if (tile == first) {
#pragma unroll
      for (int i = 0; i < BLOCKS; ++i) {
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
          LoadFragment(w[i].q[step], queries, warp_row * kWarpRows + i * 16, step);
        }
      }
    }
#endif
    if (tile + 1 < end) load(tile + 1);
    CopyCommit();
    const u32 stage = stages + (tile - first) % kStages * (kBytesK + kBytesV);
    const int key0 = tile * KEYS + warp_keys * kWarpKeys;
    Scores s[BLOCKS] = {};
    ComputeScores(w, queries, warp_row * kWarpRows, stage, warp_keys * kWarpKeys, s);
#pragma unroll
    for (int i = 0; i < BLOCKS; ++i) {
      if (AllVisible(p, w[i], key0)) {
        Weigh(w[i], p.scale, s[i]);
      } else {
        Mask(p, w[i], key0, s[i]);
        Weigh(w[i], 1.0f, s[i]);
      }
    }
    AddValues(w, stage + kBytesK, warp_keys * kWarpKeys, s);
  }
  CopyWait<0>();
  __syncthreads();
  float* staged = reinterpret_cast<float*>(memory);
#pragma unroll
  for (int i = 0; i < BLOCKS; ++i) {
    StageRows(w[i], staged, warp_row * kWarpRows + i * 16, warp_keys);
  }
  __syncthreads();
#if SPLIT > 1
  float* shared = staged + WARPS_KEYS * kRows * (kSumRow + 4);
  Publish(staged, shared);
  ClusterSync();
  StoreRows(p, shared, batch, key_head, row0, rank);
  ClusterSync();
#if TRT_FLOAT
  StoreExactRows(p, shared, batch, key_head, row0, rank);
  ClusterSync();
#endif
#else
  StoreRows(p, staged, batch, key_head, row0, rank);
#if TRT_FLOAT
  __syncthreads();
  StoreExactRows(p, staged, batch, key_head, row0, rank);
#endif
#endif
}
