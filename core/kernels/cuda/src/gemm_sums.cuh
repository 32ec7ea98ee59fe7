// The sums of a tile in shared memory, and who finishes which of them. Part of gemm.cu, which says
// what the text before it defines.
#pragma once

#include "gemm_product.cuh"

#ifdef TILE_M

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

#endif  // TILE_M
