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
#include "gemm_exact.cuh"
#include "gemm_result.cuh"

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
  const Place at = FindTile(p, static_cast<int>(blockIdx.x));
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
