// out = epilogue(a b^T + bias), tile by tile on tensor cores; also the implicit GEMM of
// channels-last convolutions. The text before this file defines:
//   TRT_IN                      element type of a and b: f16, bf16 or float
//   TRT_BIAS                    element type of bias; undefined: no bias
//   TILE_M, TILE_N, STAGES, WARPS_M, WARPS_N
//   TRT_WGMMA                   1: warpgroup products (WARPS_M counts warps, a multiple of 4)
//   A_ALIGN, B_ALIGN            elements per copy along k; 0: any strides
//   CONV                        1: a is an image read through windows
//   B_CONSTANT                  1: b does not depend on the kernel before
//   SPLIT                       blocks (of one cluster) that share the k of a tile
//   TERMS                       float only: 3 = products of split values, 1 = plain TF32
// and trt_epilogue, trt_out, TrtEpilogueArgs (core/kernels/cuda/loop/printer.h).

constexpr int kThreads = WARPS_M * WARPS_N * 32;
constexpr int kTileK = Chunk<TRT_IN>::kTile;
constexpr int kBytesA = TILE_M * 128, kBytesB = TILE_N * 128;
constexpr int kBytesStage = kBytesA + kBytesB;
// A warp owns kBlocksM blocks of 16 rows and kBlocksN of 8 columns.
#if TRT_WGMMA
constexpr int kGroups = WARPS_M / 4;
constexpr int kRowsOfGroup = TILE_M / kGroups;
constexpr int kBlocksM = kRowsOfGroup / 64;
#else
constexpr int kBlocksM = TILE_M / WARPS_M / 16;
#endif
constexpr int kColumnsOfWarp = TILE_N / WARPS_N;
constexpr int kBlocksN = kColumnsOfWarp / 8;
constexpr int kStagedRow = TILE_N + 8;  // floats

struct Params {
  const TRT_IN* a;
  const TRT_IN* b;
  const void* bias;
  trt_out* out;
  int m, n, k;  // of one product
  int tiles_m, tiles_n;
  int k_tiles;  // per block of a cluster
  int vector;   // 1: rows of out are 16-byte aligned, n is a multiple of 8
  // Strides in elements. Batch index i = (i0 * batch1 + i1) * batch2 + i2.
  i64 a_row, a_column, b_row, b_column;
  int batch1, batch2;
  i64 a_batch[3], b_batch[3];
  // Element (row, column) of product i is element (i * out_batch_rows + row, i * out_batch_columns +
  // column) of the output matrix, whose rows are out_row apart.
  int out_batch_rows, out_batch_columns;
  i64 out_row;
  ConvShape conv;
};

struct Place {
  int batch, row, column;
};

// Tiles in an order that keeps neighbours in the L2 cache: columns of eight tiles of rows.
TRT_DEVICE Place FindTile(const Params& p) {
  constexpr int kGroupRows = 8;
  const int tiles = p.tiles_m * p.tiles_n;
  const int batch = static_cast<int>(blockIdx.x) / tiles;
  const int index = static_cast<int>(blockIdx.x) % tiles;
  const int group = index / (kGroupRows * p.tiles_n);
  const int rows = min(p.tiles_m - group * kGroupRows, kGroupRows);
  const int in_group = index % (kGroupRows * p.tiles_n);
  return {batch, (group * kGroupRows + in_group % rows) * TILE_M, in_group / rows * TILE_N};
}

TRT_DEVICE i64 BatchOffset(const Params& p, const i64 (&strides)[3], int batch) {
  const int i2 = batch % p.batch2, rest = batch / p.batch2;
  return i2 * strides[2] + rest % p.batch1 * strides[1] + rest / p.batch1 * strides[0];
}

// --- loading ------------------------------------------------------------------------------------
template <int kRows, int kAlign>
struct OperandLoader {
  RowLoader<TRT_IN, kRows, kThreads, kAlign> rows;
  TRT_DEVICE void Start(const TRT_IN* base, i64 row, i64, int first, int count, int k0) {
    rows.Start(base, row, first, count, k0);
  }
  TRT_DEVICE void Load(u32 tile, int k_end) { rows.Load(tile, k_end); }
};
template <int kRows>
struct OperandLoader<kRows, 0> {
  StridedLoader<TRT_IN, kRows, kThreads> any;
  TRT_DEVICE void Start(const TRT_IN* base, i64 row, i64 column, int first, int count, int k0) {
    any.Start(base, row, column, first, count, k0);
  }
  TRT_DEVICE void Load(u32 tile, int k_end) { any.Load(tile, k_end); }
};

struct Loader {
#if CONV
  WindowLoader<TRT_IN, TILE_M, kThreads, A_ALIGN> a;
  const TRT_IN* image;
#else
  OperandLoader<TILE_M, A_ALIGN> a;
#endif
  OperandLoader<TILE_N, B_ALIGN> b;
  int k_end;

  TRT_DEVICE void Start(const Params& p, const Place& at, int k0) {
    k_end = p.k;
    const TRT_IN* a_base = p.a + BatchOffset(p, p.a_batch, at.batch);
#if CONV
    image = a_base;
    a.Start(a_base, p.conv, at.row, p.m, k0);
#else
    a.Start(a_base, p.a_row, p.a_column, at.row, p.m, k0);
#endif
    b.Start(p.b + BatchOffset(p, p.b_batch, at.batch), p.b_row, p.b_column, at.column, p.n, k0);
  }
  TRT_DEVICE void LoadA(u32 stage, const Params& p) {
#if CONV
    a.Load(stage, p.conv, image);
#else
    a.Load(stage, k_end);
#endif
  }
  TRT_DEVICE void LoadB(u32 stage) { b.Load(stage + kBytesA, k_end); }
};

// --- products -----------------------------------------------------------------------------------
TRT_DEVICE int WarpIndex() { return static_cast<int>(threadIdx.x) / 32; }
// First row of the warp's block of rows `block` in the tile; its first column.
TRT_DEVICE int WarpRow(int block) {
#if TRT_WGMMA
  return WarpIndex() / 4 % kGroups * kRowsOfGroup + block * 64 + WarpIndex() % 4 * 16;
#else
  return (WarpIndex() % WARPS_M * kBlocksM + block) * 16;
#endif
}
TRT_DEVICE int WarpColumn() { return WarpIndex() / WARPS_M * kColumnsOfWarp; }

#if TRT_WGMMA
typedef float Accumulators[kBlocksM][kBlocksN * 4];

TRT_DEVICE void Products(Accumulators& acc, u32 stage) {
  const int group = WarpIndex() / 4;
  const u32 a = stage + group % kGroups * kRowsOfGroup * 128;
  const u32 b = stage + kBytesA + group / kGroups * kColumnsOfWarp * 128;
  WgmmaFence();
#pragma unroll
  for (int step = 0; step < 4; ++step) {
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
      Wgmma(acc[i], TileDescriptor(a + i * 64 * 128 + step * 32), TileDescriptor(b + step * 32));
    }
  }
  WgmmaCommit();
}
#else
typedef float Accumulators[kBlocksM][kBlocksN][4];

TRT_DEVICE void Step(Accumulators& acc, u32 stage, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const u32 b_tile = stage + kBytesA;
  u32 a[kBlocksM][4];
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) {
    LoadMatrix(a[i], stage + Swizzle(WarpRow(i) + lane % 16, step * 2 + lane / 16));
  }
#if TERMS == 3
  u32 a_low[kBlocksM][4];
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) {
    const u32 whole[4] = {a[i][0], a[i][1], a[i][2], a[i][3]};
    SplitTf32(whole, a[i], a_low[i]);
  }
#endif
#pragma unroll
  for (int j = 0; j < kBlocksN; j += 2) {
    u32 b[4];
    LoadMatrix(b, b_tile + Swizzle(WarpColumn() + j * 8 + lane % 8 + lane / 16 * 8,
                                   step * 2 + lane / 8 % 2));
#if TERMS == 3
    const u32 whole[4] = {b[0], b[1], b[2], b[3]};
    u32 b_low[4];
    SplitTf32(whole, b, b_low);
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
      Mma<TRT_IN>(acc[i][j], a_low[i], b[0], b[1]);
      Mma<TRT_IN>(acc[i][j + 1], a_low[i], b[2], b[3]);
      Mma<TRT_IN>(acc[i][j], a[i], b_low[0], b_low[1]);
      Mma<TRT_IN>(acc[i][j + 1], a[i], b_low[2], b_low[3]);
    }
#endif
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
      Mma<TRT_IN>(acc[i][j], a[i], b[0], b[1]);
      Mma<TRT_IN>(acc[i][j + 1], a[i], b[2], b[3]);
    }
  }
}

TRT_DEVICE void Products(Accumulators& acc, u32 stage) {
#if TERMS == 3
  // Tensor cores truncate when they add: short sums there, the long sum by rounding additions.
  Accumulators part = {};
#pragma unroll
  for (int step = 0; step < 4; ++step) Step(part, stage, step);
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) acc[i][j][e] += part[i][j][e];
    }
  }
#else
#pragma unroll
  for (int step = 0; step < 4; ++step) Step(acc, stage, step);
#endif
}
#endif  // TRT_WGMMA

// Tiles [0, tiles) along k of the loader. With warpgroup products one product is still under way
// while the next tile is loaded, so a stage is free one step later.
TRT_DEVICE void MainLoop(const Params& p, Loader& loader, Accumulators& acc, u32 shared,
                         int tiles) {
#if TRT_WGMMA
  constexpr int kAhead = STAGES - 2;
#else
  constexpr int kAhead = STAGES - 1;
#endif
#if B_CONSTANT
#pragma unroll
  for (int s = 0; s < kAhead; ++s) {
    if (s < tiles) loader.LoadB(shared + s * kBytesStage);
  }
  WaitForPrevious();
#else
  WaitForPrevious();
#pragma unroll
  for (int s = 0; s < kAhead; ++s) {
    if (s < tiles) loader.LoadB(shared + s * kBytesStage);
  }
#endif
#pragma unroll
  for (int s = 0; s < kAhead; ++s) {
    if (s < tiles) loader.LoadA(shared + s * kBytesStage, p);
    CopyCommit();
  }
  u32 stage = shared, next = shared + kAhead * kBytesStage;
  const u32 end = shared + STAGES * kBytesStage;
#pragma unroll 1
  for (int t = 0; t < tiles; ++t) {
    CopyWait<kAhead - 1>();
#if TRT_WGMMA
    FenceSharedForProducts();
    __syncthreads();
    Products(acc, stage);
#else
    __syncthreads();
#endif
    if (t + kAhead < tiles) {
      loader.LoadA(next, p);
      loader.LoadB(next);
    }
    CopyCommit();
#if TRT_WGMMA
    WgmmaWait<1>();
#else
    Products(acc, stage);
#endif
    stage = stage + kBytesStage == end ? shared : stage + kBytesStage;
    next = next + kBytesStage == end ? shared : next + kBytesStage;
  }
#if TRT_WGMMA
  WgmmaWait<0>();
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) WgmmaPin(acc[i]);
#endif
  CopyWait<0>();
}

// --- results ------------------------------------------------------------------------------------
TRT_DEVICE float Accumulated(const Accumulators& acc, int i, int j, int e) {
#if TRT_WGMMA
  return acc[i][j * 4 + e];
#else
  return acc[i][j][e];
#endif
}

// The tile's sums to shared memory, row-major.
TRT_DEVICE void Stage(const Accumulators& acc, float* staged) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) {
    float* row = staged + (WarpRow(i) + lane / 4) * kStagedRow + WarpColumn() + lane % 4 * 2;
#pragma unroll
    for (int j = 0; j < kBlocksN; ++j) {
      *reinterpret_cast<float2*>(row + j * 8) =
          make_float2(Accumulated(acc, i, j, 0), Accumulated(acc, i, j, 1));
      *reinterpret_cast<float2*>(row + 8 * kStagedRow + j * 8) =
          make_float2(Accumulated(acc, i, j, 2), Accumulated(acc, i, j, 3));
    }
  }
}

// Eight neighbours of the staged tile, summed over the first kBlocks blocks of the cluster in their
// order; 1: the block's own.
template <int kBlocks>
TRT_DEVICE void Collect(const float* staged, int row, int column, float (&v)[8]) {
  const float* from = staged + row * kStagedRow + column;
#if SPLIT > 1
  if constexpr (kBlocks > 1) {
    const u32 address = SharedAddress(from);
    float part[4];
#pragma unroll
    for (int r = 0; r < kBlocks; ++r) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        LoadRemote(part, address + half * 16, r);
#pragma unroll
        for (int e = 0; e < 4; ++e) v[half * 4 + e] = r == 0 ? part[e] : v[half * 4 + e] + part[e];
      }
    }
    return;
  }
#endif
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float4 part = *reinterpret_cast<const float4*>(from + half * 4);
    v[half * 4] = part.x;
    v[half * 4 + 1] = part.y;
    v[half * 4 + 2] = part.z;
    v[half * 4 + 3] = part.w;
  }
}

// A thread finishes the same eight columns of several rows; threads left over do nothing.
constexpr int kVectors = TILE_N / 8;
constexpr int kRowsOfBlock = TILE_M / SPLIT;
constexpr int kRowStep = kThreads / kVectors;
// Blocks whose sums are left to add up; floats are complete before (gemm_exact.cuh).
constexpr int kPartsOfSum = TERMS == 3 ? 1 : SPLIT;
#include "gemm_exact.cuh"

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

TRT_KERNEL void
#if SPLIT > 1
__cluster_dims__(1, 1, SPLIT)
#endif
#if TERMS == 3
__launch_bounds__(kThreads, 1)
#else
__launch_bounds__(kThreads)
#endif
trt_gemm(const __grid_constant__ Params p, const __grid_constant__ TrtEpilogueArgs e) {
  char* memory = DynamicShared();
  const Place at = FindTile(p);
  const int rank = SPLIT > 1 ? static_cast<int>(blockIdx.z) : 0;
  const int first = rank * p.k_tiles;
  const int tiles = max(0, min(p.k_tiles, (p.k + kTileK - 1) / kTileK - first));
  Loader loader;
  loader.Start(p, at, first * kTileK);
  Accumulators acc = {};
#if TRT_WGMMA
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) WgmmaPin(acc[i]);
#endif
  ReleaseNext();
  MainLoop(p, loader, acc, SharedAddress(memory), tiles);
  const int column = static_cast<int>(threadIdx.x) % kVectors * 8;
  const bool exists =
      at.column + column < p.n && static_cast<int>(threadIdx.x) < kVectors * kRowStep;
  Bias bias;
  if (exists) {
    bias.Load(p, static_cast<i64>(at.batch) * p.out_batch_columns + at.column + column,
              p.n - at.column - column);
  }
  float* staged = reinterpret_cast<float*>(memory);
  __syncthreads();
  Stage(acc, staged);
#if SPLIT > 1
  ClusterSync();
#else
  __syncthreads();
#endif
#if TERMS == 3
  if (exists) CompleteSums(p, at, staged, rank * kRowsOfBlock, column);
#endif
  if (exists && p.vector) {
    FinishVectors(p, e, at, staged, bias, rank * kRowsOfBlock, column);
  } else if (exists) {
    FinishElements(p, e, at, staged, bias, rank * kRowsOfBlock, column);
  }
#if SPLIT > 1
  ClusterSync();
#endif
}
