#include "core/kernels/cpu/gemm/geometry.h"

#include "core/kernels/cpu/gemm/output.h"

namespace torch_tensorrt::core::kernels {
namespace {

// The value for the dim `from_last` before the innermost in a list whose spatial dims end before
// `end`; `fallback` for dims that the convolution does not have.
int64_t Spatial(const Dims& dims, size_t end, size_t spatial, size_t from_last, int64_t fallback) {
  return from_last < spatial ? dims[end - 1 - from_last] : fallback;
}

int64_t OutputSize(int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation) {
  const int64_t room = in + pads - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

bool AllAtLeast(const Dims& dims, int64_t bound) {
  for (int64_t d : dims) {
    if (d < bound) return false;
  }
  return true;
}

}  // namespace

Result<ConvolutionParams> ConvolutionParams::Parse(std::string_view tag,
                                                   const Attributes& attributes) {
  ConvolutionParams p;
  p.kernel = attributes.Ints("kernel");
  p.dilation = attributes.Ints("dilation");
  const Dims stride = attributes.Ints("stride");
  const Dims padding = attributes.Ints("padding");
  const size_t spatial = p.kernel.size();
  if (spatial < 1 || spatial > 3) {
    return Unsupported("[", tag, "] ", spatial,
                       " spatial dims; 1 to 3 are supported, others run on the reference kernel");
  }
  if (p.dilation.size() != spatial || stride.size() != spatial || padding.size() != 2 * spatial ||
      !AllAtLeast(p.kernel, 1) || !AllAtLeast(p.dilation, 1) || !AllAtLeast(stride, 1) ||
      !AllAtLeast(padding, 0)) {
    return InvalidArgument("[", tag, "] kernel, dilation, stride and padding of ", spatial,
                           " dims have ", p.dilation.size(), ", ", stride.size(), " and ",
                           padding.size(), " values, or one is out of range");
  }
  p.spatial = static_cast<int64_t>(spatial);
  p.kernel_d = Spatial(p.kernel, spatial, spatial, 2, 1);
  p.kernel_h = Spatial(p.kernel, spatial, spatial, 1, 1);
  p.kernel_w = p.kernel.back();
  p.stride_d = Spatial(stride, spatial, spatial, 2, 1);
  p.stride_h = Spatial(stride, spatial, spatial, 1, 1);
  p.stride_w = stride.back();
  p.dilation_d = Spatial(p.dilation, spatial, spatial, 2, 1);
  p.dilation_h = Spatial(p.dilation, spatial, spatial, 1, 1);
  p.dilation_w = p.dilation.back();
  p.pad_front = Spatial(padding, spatial, spatial, 2, 0);
  p.pad_top = Spatial(padding, spatial, spatial, 1, 0);
  p.pad_left = padding[spatial - 1];
  p.pad_back = Spatial(padding, 2 * spatial, spatial, 2, 0);
  p.pad_bottom = Spatial(padding, 2 * spatial, spatial, 1, 0);
  p.pad_right = padding.back();
  p.groups = attributes.Int("groups", 1);
  p.in_channels = attributes.Int("in_channels", -1);
  p.out_channels = attributes.Int("out_channels", -1);
  p.weight_dtype = attributes.Get<DataType>("b_dtype", DataType::kFloat32);
  if (p.groups < 1 || p.in_channels < 0 || p.out_channels < 0 || p.in_channels % p.groups != 0 ||
      p.out_channels % p.groups != 0) {
    return InvalidArgument("[", tag, "] ", p.in_channels, " input and ", p.out_channels,
                           " output channels in ", p.groups, " groups");
  }
  return p;
}

Result<ConvolutionSize> SizesOf(std::string_view tag, const ConvolutionParams& params,
                                const TensorView& x, const TensorView& output) {
  const int rank = static_cast<int>(params.spatial) + 2;
  const auto last = static_cast<size_t>(rank - 1);
  if (x.rank != rank || output.rank != rank || x.dims[last] != params.in_channels ||
      output.dims[last] != params.out_channels || x.dims[0] != output.dims[0]) {
    return InvalidArgument("[", tag, "] x ", DimsText(x), " and output ", DimsText(output),
                           " do not fit ", params.in_channels, " input and ", params.out_channels,
                           " output channels");
  }
  if (x.dtype != DataType::kFloat32 && !IsHalf(x.dtype)) {
    return Unsupported("[", tag, "] x of type ", DataTypeName(x.dtype),
                       "; f32, f16 and bf16 are supported, others run on the reference kernel");
  }
  ConvolutionSize s;
  s.batch = x.dims[0];
  s.in_w = x.dims[last - 1];
  s.out_w = output.dims[last - 1];
  if (params.spatial > 1) {
    s.in_h = x.dims[last - 2];
    s.out_h = output.dims[last - 2];
  }
  if (params.spatial > 2) {
    s.in_d = x.dims[last - 3];
    s.out_d = output.dims[last - 3];
  }
  return s;
}

Status CheckDense(std::string_view tag, const TensorView& x) {
  if (x.contiguous()) return Status::Ok();
  return Unsupported("[", tag, "] x ", DimsText(x), " is not dense channels-last; copy it first");
}

Result<ConvolutionSize> SizeConvolution(std::string_view tag, const ConvolutionParams& params,
                                        const TensorView& x, const TensorView& output) {
  TRT_RETURN_IF_ERROR(CheckDense(tag, x));
  return SizeStridedConvolution(tag, params, x, output);
}

Result<ConvolutionSize> SizeStridedConvolution(std::string_view tag,
                                               const ConvolutionParams& params, const TensorView& x,
                                               const TensorView& output) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionSize s, SizesOf(tag, params, x, output));
  const int64_t out_d = OutputSize(s.in_d, params.pad_front + params.pad_back, params.kernel_d,
                                   params.stride_d, params.dilation_d);
  const int64_t out_h = OutputSize(s.in_h, params.pad_top + params.pad_bottom, params.kernel_h,
                                   params.stride_h, params.dilation_h);
  const int64_t out_w = OutputSize(s.in_w, params.pad_left + params.pad_right, params.kernel_w,
                                   params.stride_w, params.dilation_w);
  if (out_d != s.out_d || out_h != s.out_h || out_w != s.out_w) {
    return InvalidArgument("[", tag, "] output ", DimsText(output), " of x ", DimsText(x),
                           " should be ", out_d, " by ", out_h, " by ", out_w);
  }
  return s;
}

Result<ConvolutionSize> SizeTransposed(std::string_view tag, const ConvolutionParams& params,
                                       const Dims& output_padding, const TensorView& x,
                                       const TensorView& output) {
  TRT_RETURN_IF_ERROR(CheckDense(tag, x));
  TRT_ASSIGN_OR_RETURN(const ConvolutionSize s, SizesOf(tag, params, x, output));
  if (output_padding.size() != params.kernel.size()) {
    return InvalidArgument("[", tag, "] ", output_padding.size(), " output paddings for ",
                           params.kernel.size(), " spatial dims");
  }
  const auto size = [&](int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation,
                        size_t from_last) {
    const int64_t more =
        Spatial(output_padding, output_padding.size(), output_padding.size(), from_last, 0);
    return (in - 1) * stride - pads + dilation * (kernel - 1) + more + 1;
  };
  const int64_t out_d = size(s.in_d, params.pad_front + params.pad_back, params.kernel_d,
                             params.stride_d, params.dilation_d, 2);
  const int64_t out_h = size(s.in_h, params.pad_top + params.pad_bottom, params.kernel_h,
                             params.stride_h, params.dilation_h, 1);
  const int64_t out_w = size(s.in_w, params.pad_left + params.pad_right, params.kernel_w,
                             params.stride_w, params.dilation_w, 0);
  if (out_d != s.out_d || out_h != s.out_h || out_w != s.out_w) {
    return InvalidArgument("[", tag, "] output ", DimsText(output), " of x ", DimsText(x),
                           " should be ", out_d, " by ", out_h, " by ", out_w);
  }
  return s;
}

}  // namespace torch_tensorrt::core::kernels
