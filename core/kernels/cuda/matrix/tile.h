// How a product is cut into tiles, one per block of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/device/cuda/gpu.h"
#include "core/types/data_type.h"

namespace torch_tensorrt::core::kernels::cuda {

// One specialisation of gemm.cu.
struct Tile {
  int m = 64;
  int n = 64;
  int stages = 3;
  int warps_m = 2;
  int warps_n = 2;
  bool wgmma = false;
  int split = 1;  // blocks that share the k of a tile

  int threads() const { return warps_m * warps_n * 32; }
  // Dynamic shared memory: operand stages, later the tile of sums.
  size_t shared_bytes() const;
};

// Elements along k that one stage holds.
int64_t TileDepth(DataType dtype);

struct TileChoice {
  Tile tile;
  double nanoseconds = 0;  // that the model expects
};

// The tile that a simple model of the GPU expects to be fastest for `batches` products of
// m x k by k x n. `any_strides`: operands are gathered element by element.
TileChoice ChooseTile(const device::cuda::GpuInfo& gpu, DataType dtype, int64_t m, int64_t n,
                      int64_t k, int64_t batches, bool any_strides);

}  // namespace torch_tensorrt::core::kernels::cuda
