// The kernel's parameters; loads queries, keys and values. Part of attention.cu, which says what
// the text before it defines.
#pragma once

#include "math.cuh"
#include "tile_load.cuh"

#ifdef WARPS_KEYS

constexpr int kThreads = WARPS_ROWS * WARPS_KEYS * 32;
constexpr int kWarpRows = BLOCKS * 16;
constexpr int kRows = WARPS_ROWS * kWarpRows;
constexpr int kPer = Chunk<TRT_IN>::kElements, kPartValues = Chunk<TRT_IN>::kTile;
constexpr int kSteps = HEAD / (2 * kPer);  // products along a head
// Tiles of 128-byte rows that hold a head: a power of two, so that a thread keeps its chunk.
template <int kHead>
struct PartsOf {
  static constexpr int kLeast = (kHead + kPartValues - 1) / kPartValues;
  static constexpr int kCount = kLeast <= 2 ? kLeast : kLeast <= 4 ? 4 : 8;
};
constexpr int kParts = PartsOf<HEAD>::kCount, kPartsV = PartsOf<HEAD_V>::kCount;
constexpr int kWarpKeys = KEYS / WARPS_KEYS;
constexpr int kBytesQ = kRows * 128 * kParts;
constexpr int kBytesK = KEYS * 128 * kParts, kBytesV = KEYS * 128 * kPartsV;
constexpr int kStages = 2;
constexpr int kSumRow = HEAD_V + 8;  // floats
#define TRT_INFINITY BitsFloat(0x7f800000u)
// What a query gives whose scores are all -inf.
#ifdef HIDDEN_NAN
#define TRT_HIDDEN BitsFloat(0x7fc00000u)
#else
#define TRT_HIDDEN 0.0f
#endif
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

#endif  // WARPS_KEYS
