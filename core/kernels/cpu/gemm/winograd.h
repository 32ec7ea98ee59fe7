// Winograd's F(2x2, 3x3) for channels-last f32 convolutions: 2.25 times fewer multiplications than
// the direct product, on the same packed weights (they are transformed as they are used, so a plan
// holds them once). Rounding errors are those of the direct product; what is not finite spreads
// inside a 4x4 tile, so callers recompute directly when Run says so.
//
// Plan once per set of shapes; plans are immutable; Run may be called by many threads with scratch
// of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/geometry.h"
#include "core/types/data_type.h"

namespace torch_tensorrt::core::kernels {

struct WinogradPlan {
  int64_t tiles_h = 0, tiles_w = 0, tiles = 0;
  // Whether each slot has tiles of its own, from the image to the result; else the slots share the
  // tiles and divide the output channels.
  bool own_tiles = false;
  int64_t chunk_tiles = 0;   // tiles transformed at a time
  int64_t block_tiles = 0;   // tiles multiplied at a time
  int64_t block_panels = 0;  // panels multiplied at a time
  int64_t tile_groups = 1;   // tasks that share the tiles of a chunk
  // Elements from one of a tile's 16 positions to the next.
  int64_t input_stride = 0;
  int64_t weight_stride = 0;
  int64_t product_stride = 0;
  size_t input_bytes = 0;  // scratch: transformed chunks, then each slot's own part
  size_t weight_bytes = 0;
  size_t slot_bytes = 0;
  int64_t slots = 1;
  int64_t inputs() const { return own_tiles ? slots : 1; }
  std::vector<float> zeros;  // a pixel outside the image
  size_t scratch_bytes() const {
    return static_cast<size_t>(inputs()) * input_bytes + static_cast<size_t>(slots) * slot_bytes;
  }
};

// Whether the algorithm can do this convolution at all: a dense 3x3 filter in steps of 1, f32.
bool CanUseWinograd(const ConvolutionParams& params, DataType image, bool f32_rows_in_place);
// Whether it is expected to be faster than the direct product, by a count of vector operations.
bool PrefersWinograd(const ConvolutionParams& params, const ConvolutionSize& size);

// REQUIRES: CanUseWinograd.
WinogradPlan PlanWinograd(const ConvolutionParams& params, const ConvolutionSize& size,
                          int threads);

struct WinogradArgs {
  const float* image = nullptr;   // [N, H, W, C], dense
  const float* panels = nullptr;  // packed weights (pack.h)
  const float* bias = nullptr;    // one value per output channel, or null
  float* out = nullptr;           // pixel rows, out_stride apart
  int64_t out_stride = 0;
  const BlockSink* sink = nullptr;  // takes finished rows of pixels, or null
  std::byte* scratch = nullptr;     // plan.scratch_bytes(), 64-byte aligned
};

// Returns false when a result is not finite: the output is then to be computed directly.
bool RunWinograd(const WinogradPlan& plan, const ConvolutionParams& params,
                 const ConvolutionSize& size, const WinogradArgs& args);

}  // namespace torch_tensorrt::core::kernels
