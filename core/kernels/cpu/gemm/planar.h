// Row source for the first convolution of an image network (see block.h).
#pragma once

#include <cstdint>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::kernels {

// The pixels under a filter as rows of a matrix, of an f32 image of few channels in any layout,
// above all one plane per channel as PyTorch has it: a block's patches are gathered line by line,
// so that the image needs no copy in another layout. Blocks are by columns (ProductShape); a row is
// one run, taps and in each the channels, as f32 weights are packed. Refers to its
// arguments.
class PlanarRows final : public RowSource {
 public:
  // Whether images that are not channels-last are read this way.
  static bool Suits(size_t spatial_dims, int64_t in_channels, int64_t groups, DataType image,
                    DataType weights);

  // `x` is [N, W, C] or [N, H, W, C] with any strides.
  PlanarRows(const ConvolutionParams& params, const ConvolutionSize& size, const TensorView& x);

  static int64_t ScratchPerRow(const ConvolutionParams& p);
  int64_t ScratchPerRow() const override { return ScratchPerRow(p_); }
  void Locate(int64_t row, int64_t count, const void** pointers, int64_t stride,
              std::byte* scratch) const override;

 private:
  struct Strip {
    int64_t n, oh, ow;  // the first output pixel
    int64_t count;      // pixels of one line
  };
  void GatherStrip(const Strip& strip, float* columns, int64_t pitch) const;
  void GatherTap(const Strip& strip, int64_t kw, const float* line, float* columns,
                 int64_t pitch) const;

  const ConvolutionParams& p_;
  const ConvolutionSize& s_;
  const float* image_;
  int64_t stride_n_, stride_h_, stride_w_, stride_c_;
};

}  // namespace torch_tensorrt::core::kernels
