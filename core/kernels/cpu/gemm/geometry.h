// The shape arithmetic that channels-last convolutions share. One spatial dim is treated as two
// with height 1.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/types/attributes.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels {

// What a convolution kernel knows from its attributes: stride, padding (begin of each dim, then
// end), dilation, groups, kernel, in_channels, out_channels, b_dtype.
struct ConvolutionParams {
  Dims kernel;  // as given: 1 or 2 dims
  Dims dilation;
  int64_t spatial = 2;
  int64_t kernel_h = 1, kernel_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t groups = 1;
  int64_t in_channels = 0, out_channels = 0;
  DataType weight_dtype = DataType::kFloat32;

  // 1x1, stride 1: every output pixel reads its own input pixel.
  bool IsPointwise() const {
    return kernel_h == 1 && kernel_w == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 &&
           pad_left == 0 && pad_bottom == 0 && pad_right == 0;
  }

  // InvalidArgument for values that make no convolution; Unsupported for 3 spatial dims. `tag`
  // names the kernel.
  static Result<ConvolutionParams> Parse(std::string_view tag, const Attributes& attributes);
};

// One image size.
struct ConvolutionSize {
  int64_t batch = 0;
  int64_t in_h = 1, in_w = 0;
  int64_t out_h = 1, out_w = 0;
  int64_t pixels() const { return batch * out_h * out_w; }
};

// Checks x [N, spatial..., C], dense, against the output [N, spatial..., O].
Result<ConvolutionSize> SizeConvolution(std::string_view tag, const ConvolutionParams& params,
                                        const TensorView& x, const TensorView& output);

}  // namespace torch_tensorrt::core::kernels
