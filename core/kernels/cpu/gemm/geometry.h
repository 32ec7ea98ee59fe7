// The shape arithmetic that channels-last convolutions share. One or two spatial dims are treated
// as three with depth, and height, 1.
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
  Dims kernel;  // as given: 1 to 3 dims
  Dims dilation;
  int64_t spatial = 2;
  int64_t kernel_d = 1, kernel_h = 1, kernel_w = 1;
  int64_t stride_d = 1, stride_h = 1, stride_w = 1;
  int64_t dilation_d = 1, dilation_h = 1, dilation_w = 1;
  int64_t pad_front = 0, pad_top = 0, pad_left = 0;
  int64_t pad_back = 0, pad_bottom = 0, pad_right = 0;
  int64_t groups = 1;
  int64_t in_channels = 0, out_channels = 0;
  DataType weight_dtype = DataType::kFloat32;

  // 1x1, stride 1: every output pixel reads its own input pixel.
  bool IsPointwise() const {
    return kernel_d == 1 && kernel_h == 1 && kernel_w == 1 && stride_d == 1 && stride_h == 1 &&
           stride_w == 1 && pad_front == 0 && pad_top == 0 && pad_left == 0 && pad_back == 0 &&
           pad_bottom == 0 && pad_right == 0;
  }

  // InvalidArgument for values that make no convolution; Unsupported for more than 3 spatial dims.
  // `tag` names the kernel.
  static Result<ConvolutionParams> Parse(std::string_view tag, const Attributes& attributes);
};

// One image size.
struct ConvolutionSize {
  int64_t batch = 0;
  int64_t in_d = 1, in_h = 1, in_w = 0;
  int64_t out_d = 1, out_h = 1, out_w = 0;
  int64_t pixels() const { return batch * out_d * out_h * out_w; }
};

// The sizes of x [N, spatial..., C], of any strides, and of the output [N, spatial..., O]; checks
// all but whether the output's spatial dims follow from x's.
Result<ConvolutionSize> SizesOf(std::string_view tag, const ConvolutionParams& params,
                                const TensorView& x, const TensorView& output);
// Unsupported unless x is dense channels-last.
Status CheckDense(std::string_view tag, const TensorView& x);
// As SizesOf, of a convolution that is not transposed: checks all dims.
Result<ConvolutionSize> SizeStridedConvolution(std::string_view tag,
                                               const ConvolutionParams& params, const TensorView& x,
                                               const TensorView& output);
// The same of dense x.
Result<ConvolutionSize> SizeConvolution(std::string_view tag, const ConvolutionParams& params,
                                        const TensorView& x, const TensorView& output);
// As SizesOf, of a transposed convolution of dense x with this output padding per spatial dim:
// checks all dims.
Result<ConvolutionSize> SizeTransposed(std::string_view tag, const ConvolutionParams& params,
                                       const Dims& output_padding, const TensorView& x,
                                       const TensorView& output);

}  // namespace torch_tensorrt::core::kernels
