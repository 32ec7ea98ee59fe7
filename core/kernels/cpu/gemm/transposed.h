// How a transposed convolution becomes matrix products. An output pixel at distance q from the
// corner of the output without padding gets, along each dim, the taps k with k * dilation = r
// (mod stride), where r = q % stride is its phase and j = q / stride its cell: tap k reads input
// j - (k * dilation - r) / stride. Phases that read the same inputs share one product, whose rows
// are the cells and whose columns are the phases' output channels. No product reads an input that
// does not reach the output: zeros in its place would turn infinities into NaN.
// Plain functions and values; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/kernels/cpu/gemm/pack.h"

namespace torch_tensorrt::core::kernels {

inline constexpr int64_t kMaxTransposedPhases = 4096;  // of all dims together

// Depth, height, width; 1 or 0 for dims that the convolution does not have.
using Spatial3 = std::array<int64_t, 3>;

// `values` of 1 to 3 spatial dims, after `fallback` for the dims that are missing.
Spatial3 ToSpatial3(const Dims& values, int64_t fallback);

struct TransposedProduct {
  std::vector<Spatial3> shifts;  // per tap of the product: how many inputs before the cell it reads
  std::vector<Spatial3> phases;
  std::vector<int64_t> filter;  // [phase * shifts.size() + tap]: the tap of the filter
  int64_t taps() const { return static_cast<int64_t>(shifts.size()); }
  int64_t columns(int64_t channels) const { return static_cast<int64_t>(phases.size()) * channels; }
};

// Together they hold every phase once. One without taps leaves nothing but the bias.
std::vector<TransposedProduct> TransposedProducts(const Dims& kernel, const Dims& stride,
                                                  const Dims& dilation);

// One phase of the last dim, for depthwise filters: its outputs are those of a convolution in steps
// of 1 with some taps of each filter row.
struct DepthwisePhase {
  int64_t phase = 0;
  std::vector<int64_t> taps;  // of a filter row, those that read further back first
  int64_t farthest = 0;       // the first tap reads this many inputs before the cell
  int64_t step = 1;           // inputs from what a tap reads to what the next one reads
};
// One for each phase, in order; some may have no taps.
std::vector<DepthwisePhase> DepthwisePhases(int64_t kernel, int64_t stride, int64_t dilation);
// The order in which a transposed depthwise filter is packed: phase after phase, of each all filter
// rows (of all slices) with the phase's taps. REQUIRES: `kernel` of 1 to 3 dims; values >= 1.
std::vector<int64_t> DepthwiseOrder(const Dims& kernel, int64_t stride, int64_t dilation);

// Of a transposed convolution's weights.
struct TransposedShape {
  int64_t in_channels = 0;  // of all groups
  int64_t out_channels = 0;
  int64_t groups = 1;
};
// Bytes of the packed weights: product after product, the groups of each one after the other, each
// packed as a matrix (pack.h).
int64_t PackedTransposedBytes(DataType dtype, const std::vector<TransposedProduct>& products,
                              const TransposedShape& shape);
// Packs dense weights [I, spatial..., O/g] of type `dtype`, in parallel.
void PackTransposed(const void* weights, DataType dtype,
                    const std::vector<TransposedProduct>& products, const TransposedShape& shape,
                    void* dst);

}  // namespace torch_tensorrt::core::kernels
