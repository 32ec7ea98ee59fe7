// Multiplies tiles, the next ones under way: the loop along k. Part of gemm.cu, which says what the
// text before it defines.
#pragma once

#include "gemm_load.cuh"

#ifdef TILE_M

// Of the warps that share a tile.
TRT_DEVICE int WarpIndex() { return static_cast<int>(threadIdx.x) / 32 % (WARPS_M * WARPS_N); }
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
    // Tensor cores truncate when they add: the shortest sums there, the long sum by rounding additions.
    const u32 whole[4] = {b[0], b[1], b[2], b[3]};
    u32 b_low[4];
    SplitTf32(whole, b, b_low);
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float part[4] = {};
        Mma<TRT_IN>(part, a_low[i], b[half * 2], b[half * 2 + 1]);
        Mma<TRT_IN>(part, a[i], b_low[half * 2], b_low[half * 2 + 1]);
        Mma<TRT_IN>(part, a[i], b[half * 2], b[half * 2 + 1]);
#pragma unroll
        for (int e = 0; e < 4; ++e) acc[i][j + half][e] += part[e];
      }
    }
#else
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
      Mma<TRT_IN>(acc[i][j], a[i], b[0], b[1]);
      Mma<TRT_IN>(acc[i][j + 1], a[i], b[2], b[3]);
    }
#endif
  }
}

TRT_DEVICE void Products(Accumulators& acc, u32 stage) {
#if TERMS == 3  // independent sums of several steps would take too many registers
#pragma unroll 1
#else
#pragma unroll
#endif
  for (int step = 0; step < 4; ++step) Step(acc, stage, step);
}
#endif  // TRT_WGMMA

#ifndef TRT_STREAM
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
#endif  // TRT_STREAM

#endif  // TILE_M
