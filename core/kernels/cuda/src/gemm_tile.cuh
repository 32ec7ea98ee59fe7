// What a block computes: the kernel's parameters and its tile. Part of gemm.cu, which says what
// the text before it defines.
#pragma once

#include "tile_load.cuh"

#ifdef TILE_M

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
TRT_DEVICE Place FindTile(const Params& p, int number) {
  constexpr int kGroupRows = 8;
  const int tiles = p.tiles_m * p.tiles_n;
  const int batch = number / tiles;
  const int index = number % tiles;
  const int group = index / (kGroupRows * p.tiles_n);
  const int rows = min(p.tiles_m - group * kGroupRows, kGroupRows);
  const int in_group = index % (kGroupRows * p.tiles_n);
  return {batch, (group * kGroupRows + in_group % rows) * TILE_M, in_group / rows * TILE_N};
}

TRT_DEVICE i64 BatchOffset(const Params& p, const i64 (&strides)[3], int batch) {
  const int i2 = batch % p.batch2, rest = batch / p.batch2;
  return i2 * strides[2] + rest % p.batch1 * strides[1] + rest / p.batch1 * strides[0];
}

#endif  // TILE_M
