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
#include "math.cuh"

constexpr int kThreads = WARPS_ROWS * WARPS_KEYS * 32;
constexpr int kWarpRows = BLOCKS * 16;
constexpr int kRows = WARPS_ROWS * kWarpRows;
constexpr int kPer = Chunk<TRT_IN>::kElements, kPartValues = Chunk<TRT_IN>::kTile;
constexpr int kSteps = HEAD / (2 * kPer);  // products along a head
// Tiles of 128-byte rows that hold a head.
constexpr int kParts = (HEAD + kPartValues - 1) / kPartValues;
constexpr int kPartsV = (HEAD_V + kPartValues - 1) / kPartValues;
constexpr int kWarpKeys = KEYS / WARPS_KEYS;
constexpr int kBytesQ = kRows * 128 * kParts;
constexpr int kBytesK = KEYS * 128 * kParts, kBytesV = KEYS * 128 * kPartsV;
constexpr int kStages = 2;
constexpr int kSumRow = HEAD_V + 8;  // floats
#define TRT_INFINITY BitsFloat(0x7f800000u)
#define TRT_MAX_FLOAT BitsFloat(0x7f7fffffu)

struct Params {
  const TRT_IN* q;
  const TRT_IN* k;
  const TRT_IN* v;
  const void* mask;
  TRT_IN* out;
  int rows, s, t, d, d_v;  // rows = s * heads per key head
  int key_heads, row_tiles;
  int vector;  // 1: rows of out start at multiples of 16 bytes, d_v is a multiple of 8
  float scale;  // times log2(e)
  int group;    // heads per key head
  // Strides in elements: batch, head, position.
  i64 q_stride[3], k_stride[3], v_stride[3], out_stride[3];
  i64 mask_stride[4];  // batch, head, query, key
};

// One row's share of q, or of the output.
TRT_DEVICE i64 RowOffset(const Params& p, const i64 (&stride)[3], int batch, int key_head, int row) {
  return batch * stride[0] + (key_head * p.group + row / p.s) * stride[1] + row % p.s * stride[2];
}

// Chunk `chunk` (16 bytes) of a row of `d` values to the parts of a tile of kTileRows rows; zeros
// beyond d and for rows that do not exist.
template <int kTileRows>
TRT_DEVICE void LoadChunk(u32 tile, int r, int chunk, const TRT_IN* row, bool exists, int d) {
  const u32 to = tile + chunk / 8 * kTileRows * 128 + Swizzle(r, chunk % 8);
  const int first = chunk * kPer;
#if ALIGNED
  const bool inside = exists && first < d;
  CopyAsync<16>(to, inside ? row + first : row, inside ? 16 : 0);
#else
  TRT_IN v[kPer];
#pragma unroll
  for (int i = 0; i < kPer; ++i) v[i] = exists && first + i < d ? row[first + i] : ZeroOf<TRT_IN>();
  StoreChunk(to, v);
#endif
}

TRT_DEVICE void LoadQueries(const Params& p, u32 tile, int batch, int key_head, int row0) {
  constexpr int kChunks = kRows * kParts * 8;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < kChunks; i += kThreads) {
    const int r = i / (kParts * 8), row = min(row0 + r, p.rows - 1);
    LoadChunk<kRows>(tile, r, i % (kParts * 8),
                     p.q + RowOffset(p, p.q_stride, batch, key_head, row), row0 + r < p.rows, p.d);
  }
}
template <int kTileParts>
TRT_DEVICE void LoadKeys(u32 tile, const TRT_IN* base, i64 stride, int key0, int keys, int d) {
  constexpr int kRowChunks = kTileParts * 8, kStep = kThreads / kRowChunks;
  static_assert(kThreads % kRowChunks == 0, "a thread keeps its chunk");
  const int chunk = static_cast<int>(threadIdx.x) % kRowChunks;
  const int r0 = static_cast<int>(threadIdx.x) / kRowChunks;
#if ALIGNED
  const u32 to = tile + chunk / 8 * KEYS * 128;
  const TRT_IN* from = base + (key0 + r0) * stride + chunk * kPer;
  const int left = chunk * kPer < d ? keys - key0 - r0 : 0;
#if TRT_FLOAT  // their addresses would take too many registers
#pragma unroll 2
#else
#pragma unroll
#endif
  for (int i = 0; i < KEYS / kStep; ++i) {
    const bool inside = i * kStep < left;
    CopyAsync<16>(to + Swizzle(r0 + i * kStep, chunk % 8),
                  inside ? from + i * kStep * stride : base, inside ? 16 : 0);
  }
#else
#pragma unroll 1
  for (int r = r0; r < KEYS; r += kStep) {
    const int key = min(key0 + r, keys - 1);
    LoadChunk<KEYS>(tile, r, chunk, base + key * stride, key0 + r < keys, d);
  }
#endif
}

// What a warp keeps of 16 rows; lane l has rows l / 4 and l / 4 + 8.
struct Rows {
#if !TRT_FLOAT
  u32 q[kSteps][4];
#endif
  float sums[HEAD_V / 8][4];
  float maximum[2], total[2];  // maximum of the scaled scores
  int query[2];
  int first_query;  // of the 16
#ifdef TRT_MASK
  const TRT_MASK* mask[2];
#endif
};

TRT_DEVICE void StartRows(const Params& p, Rows& w, int batch, int key_head, int row0) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int last = min(row0 + 15, p.rows - 1);
  w.first_query = row0 < p.rows && row0 / p.s == last / p.s ? row0 % p.s : 0;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = min(row0 + lane / 4 + half * 8, p.rows - 1);
    w.query[half] = row % p.s;
    w.maximum[half] = -TRT_INFINITY;
    w.total[half] = 0.0f;
#ifdef TRT_MASK
    w.mask[half] = static_cast<const TRT_MASK*>(p.mask) + batch * p.mask_stride[0] +
                   (key_head * p.group + row / p.s) * p.mask_stride[1] +
                   w.query[half] * p.mask_stride[2];
#endif
  }
#pragma unroll
  for (int j = 0; j < HEAD_V / 8; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) w.sums[j][e] = 0.0f;
  }
}

// Queries of 16 rows from row `first` of their tile on, for one step along the head.
TRT_DEVICE void LoadFragment(u32 (&q)[4], u32 queries, int first, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  LoadMatrix(q, queries + step / 4 * kRows * 128 +
                    Swizzle(first + lane % 16, step % 4 * 2 + lane / 16));
}

// d += a b^T for the two blocks of 8 rows of b that LoadMatrix gives; floats keep their precision.
TRT_DEVICE void Multiply(float (&d0)[4], float (&d1)[4], const u32 (&a)[4], const u32 (&b)[4]) {
  if constexpr (sizeof(TRT_IN) == 4) {
    u32 a_high[4], a_low[4], b_high[4], b_low[4];
    SplitTf32(a, a_high, a_low);
    SplitTf32(b, b_high, b_low);
    Mma<TRT_IN>(d0, a_low, b_high[0], b_high[1]);
    Mma<TRT_IN>(d1, a_low, b_high[2], b_high[3]);
    Mma<TRT_IN>(d0, a_high, b_low[0], b_low[1]);
    Mma<TRT_IN>(d1, a_high, b_low[2], b_low[3]);
    Mma<TRT_IN>(d0, a_high, b_high[0], b_high[1]);
    Mma<TRT_IN>(d1, a_high, b_high[2], b_high[3]);
  } else {
    Mma<TRT_IN>(d0, a, b[0], b[1]);
    Mma<TRT_IN>(d1, a, b[2], b[3]);
  }
}

typedef float Scores[kWarpKeys / 8][4];

// Floats have no registers left to keep the queries of row `first_row` on.
TRT_DEVICE void ComputeScores(const Rows (&w)[BLOCKS], u32 queries, int first_row, u32 keys,
                              int first, Scores (&s)[BLOCKS]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    const u32 part = keys + step / 4 * KEYS * 128;
#if TRT_FLOAT
    u32 q[BLOCKS][4];
#pragma unroll
    for (int i = 0; i < BLOCKS; ++i) LoadFragment(q[i], queries, first_row + i * 16, step);
#endif
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; j += 2) {
      u32 b[4];
      LoadMatrix(b, part + Swizzle(first + j * 8 + lane % 8 + lane / 16 * 8,
                                   step % 4 * 2 + lane / 8 % 2));
#pragma unroll
      for (int i = 0; i < BLOCKS; ++i) {
#if TRT_FLOAT
        Multiply(s[i][j], s[i][j + 1], q[i], b);
#else
        Multiply(s[i][j], s[i][j + 1], w[i].q[step], b);
#endif
      }
    }
  }
}

#ifdef TRT_MASK
// What the mask adds to a score, times log2(e).
TRT_DEVICE float MaskTerm(const TRT_MASK* at) {
  constexpr float kLog2E = 1.4426950408889634f;
  const auto value = FromStorage(*at);
  if constexpr (sizeof(TRT_MASK) == 1) {
    return value ? 0.0f : -TRT_INFINITY;
  } else {
    const float term = value * kLog2E;
    return term < -TRT_MAX_FLOAT && value > -TRT_INFINITY ? -TRT_MAX_FLOAT : term;
  }
}
#endif

// Are all keys from key0 on visible to all rows of the warp, and is nothing added to their scores?
TRT_DEVICE bool AllVisible(const Params& p, const Rows& w, int key0) {
#ifdef TRT_MASK
  return false;
#else
  return key0 + kWarpKeys <= p.t && (!CAUSAL || key0 + kWarpKeys - 1 <= w.first_query) &&
         p.scale > 0.0f;
#endif
}

// Scales and masks the scores of keys key0 ...
TRT_DEVICE void Mask(const Params& p, const Rows& w, int key0, Scores& s) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; ++j) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int key = key0 + j * 8 + lane % 4 * 2 + e;
        float x = s[j][half * 2 + e] * p.scale;
        const bool visible = key < p.t && (!CAUSAL || key <= w.query[half]);
#ifdef TRT_MASK
        if (visible) x += MaskTerm(w.mask[half] + key * p.mask_stride[3]);
#endif
        s[j][half * 2 + e] = visible ? x : -TRT_INFINITY;
      }
    }
  }
}

// Turns scores, which `scale` > 0 is still to multiply, into weights relative to the rows' new
// maxima and rescales what was summed before.
TRT_DEVICE void Weigh(Rows& w, float scale, Scores& s) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float top = -TRT_INFINITY;
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; ++j) {
      top = fmaxf(top, fmaxf(s[j][half * 2], s[j][half * 2 + 1]));
    }
    top = fmaxf(top, ShuffleXor(top, 1));
    top = fmaxf(top, ShuffleXor(top, 2));
    top = fmaxf(top * scale, w.maximum[half]);
    const float base = top == -TRT_INFINITY ? 0.0f : top;
    const float shrink = Exp2(w.maximum[half] - base);
    w.maximum[half] = top;
    float total = 0.0f;
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; ++j) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float& x = s[j][half * 2 + e];
        x = Exp2(x * scale - base);
        total += x;
      }
    }
    w.total[half] = w.total[half] * shrink + total;
#pragma unroll
    for (int j = 0; j < HEAD_V / 8; ++j) {
      w.sums[j][half * 2] *= shrink;
      w.sums[j][half * 2 + 1] *= shrink;
    }
  }
}

#if TRT_FLOAT
// Lane l takes keys 2 (l % 4) and 2 (l % 4) + 1 of each block of 8 where a product asks for keys
// l % 4 and l % 4 + 4: the scores lie so. The sums of a tile are short, the long sum is by rounding
// additions.
TRT_DEVICE void AddValues(Rows (&w)[BLOCKS], u32 values, int first, const Scores (&s)[BLOCKS]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int j = 0; j < HEAD_V / 8; j += 2) {
    float part[BLOCKS][2][4] = {};
#pragma unroll
    for (int step = 0; step < kWarpKeys / 8; ++step) {
      u32 b[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int key = first + step * 8 + lane % 4 * 2 + e % 2;
        const int column = (j + e / 2) * 8 + lane / 4;
        b[e] = LoadSharedWord(values + column / 32 * KEYS * 128 + Swizzle(key, column % 32 / 4) +
                              column % 4 * 4);
      }
#pragma unroll
      for (int i = 0; i < BLOCKS; ++i) {
        const u32 weights[4] = {FloatBits(s[i][step][0]), FloatBits(s[i][step][2]),
                                FloatBits(s[i][step][1]), FloatBits(s[i][step][3])};
        Multiply(part[i][0], part[i][1], weights, b);
      }
    }
#pragma unroll
    for (int i = 0; i < BLOCKS; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        w[i].sums[j][e] += part[i][0][e];
        w[i].sums[j + 1][e] += part[i][1][e];
      }
    }
  }
}
#else
TRT_DEVICE void AddValues(Rows (&w)[BLOCKS], u32 values, int first, const Scores (&s)[BLOCKS]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int step = 0; step < kWarpKeys / 16; ++step) {
    u32 weights[BLOCKS][4];
#pragma unroll
    for (int i = 0; i < BLOCKS; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float* pair = &s[i][step * 2 + e / 2][e % 2 * 2];
        weights[i][e] = PackPair<TRT_IN>(pair[0], pair[1]);
      }
    }
#pragma unroll
    for (int j = 0; j < HEAD_V / 8; j += 2) {
      u32 b[4];
      LoadMatrixTransposed(b, values + j / 8 * KEYS * 128 +
                                  Swizzle(first + step * 16 + lane % 16, j % 8 + lane / 16));
#pragma unroll
      for (int i = 0; i < BLOCKS; ++i) {
        Multiply(w[i].sums[j], w[i].sums[j + 1], weights[i], b);
      }
    }
  }
}
#endif

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
    const float inverse = x.total == 0.0f ? 0.0f : 1.0f / x.total;
    TRT_IN* out = p.out + RowOffset(p, p.out_stride, batch, key_head, row0 + r) + column;
    Pack<TRT_IN, 8> result;
#pragma unroll
    for (int e = 0; e < 8; ++e) result.Set(e, x.v[e] * inverse);
    result.Store(out, p.d_v - column, p.vector != 0);
  }
}

#include "attention_exact.cuh"

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
  ReleaseNext();
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
