#include <algorithm>
#include <cstdlib>
#include <memory>

#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/matrix/kernels.h"
#include "core/kernels/cuda/matrix/product.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr std::string_view kTag = "cuda.first_convolution";
constexpr int kThreads = 128;                   // as in first_convolution.cu
constexpr int64_t kMostShared = 48 * 1024 / 4;  // weights, as floats

// Params of first_convolution.cu.
struct Params {
  const void* x;
  const void* w;
  const void* bias;
  void* out;
  int64_t image_stride, row_stride, column_stride, channel_stride;
  int32_t in_h, in_w, out_h, out_w;
  int32_t step_h, step_w, dilation_h, dilation_w, pad_top, pad_left;
  int32_t groups, rows, vector;
};

struct FirstConvolutionState final : KernelState {
  ResultPlan result;
  Params params{};
  device::cuda::Function function;
  device::cuda::LaunchConfig config;  // an empty grid: nothing to compute
};

// "cuda.first_convolution": x of any strides, one group, 1 or 2 spatial dims; weights
// [taps * channels, filters], a multiple of 8 filters.
class FirstConvolutionKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  Params ParamsOf(const ConvolutionSize& size, const TensorView& x, int pixels) const;
  std::string SourceOf(const TensorView& x, int pixels, const std::string& result) const;

  ConvolutionParams params_;
  ResultStage result_;
};

Result<std::unique_ptr<const Kernel>> FirstConvolutionKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<FirstConvolutionKernel>();
  TRT_ASSIGN_OR_RETURN(kernel->params_, ConvolutionParams::Parse(kTag, attributes));
  const ConvolutionParams& p = kernel->params_;
  if (p.groups != 1 || p.spatial > 2 || p.out_channels % 8 != 0 || p.out_channels > 64 ||
      p.kernel_h > kMostShared || p.kernel_w > kMostShared || p.in_channels > kMostShared ||
      p.kernel_h * p.kernel_w * p.in_channels * p.out_channels > kMostShared) {
    return Unsupported("[", kTag, "] ", p.in_channels, " -> ", p.out_channels, " channels in ",
                       p.groups, " groups, window ", ToString(p.kernel));
  }
  TRT_ASSIGN_OR_RETURN(kernel->result_, ResultStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Params FirstConvolutionKernel::ParamsOf(const ConvolutionSize& size, const TensorView& x,
                                        int pixels) const {
  const auto narrow = [](int64_t value) { return static_cast<int32_t>(value); };
  const auto rank = static_cast<size_t>(x.rank);
  Params p{};
  p.image_stride = x.strides[0];
  p.row_stride = params_.spatial > 1 ? x.strides[1] : 0;
  p.column_stride = x.strides[rank - 2];
  p.channel_stride = x.strides[rank - 1];
  p.in_h = narrow(size.in_h);
  p.in_w = narrow(size.in_w);
  p.out_h = narrow(size.out_h);
  p.out_w = narrow(size.out_w);
  p.step_h = narrow(params_.stride_h);
  p.step_w = narrow(params_.stride_w);
  p.dilation_h = narrow(params_.dilation_h);
  p.dilation_w = narrow(params_.dilation_w);
  p.pad_top = narrow(params_.pad_top);
  p.pad_left = narrow(params_.pad_left);
  p.groups = narrow(CeilDiv(size.out_w, pixels));
  p.rows = narrow(size.batch * size.out_h);
  return p;
}

std::string FirstConvolutionKernel::SourceOf(const TensorView& x, int pixels,
                                             const std::string& result) const {
  // Columns reach beyond the image by less than the image and the window.
  const auto rank = static_cast<size_t>(x.rank);
  const int64_t reach = x.dims[rank - 2] + (pixels + 1) * params_.stride_w + params_.pad_left +
                        params_.kernel_w * params_.dilation_w;
  const bool wide = reach > INT32_MAX / std::max<int64_t>(std::abs(x.strides[rank - 2]), 1);
  return StrCat(Define("TRT_IN", StorageName(x.dtype)), Define("WIDE_INDEX", wide ? 1 : 0),
                Define("CHANNELS", params_.in_channels), Define("FILTERS", params_.out_channels),
                Define("KERNEL_H", params_.kernel_h), Define("KERNEL_W", params_.kernel_w),
                Define("PIXELS", pixels), "#include \"tile_load.cuh\"\n", result,
                SourceText("first_convolution.cu"));
}

Result<Prepared> FirstConvolutionKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1) {
    return InvalidArgument("[", kTag, "] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& x = args.inputs[0];
  const TensorView& w = args.inputs[1];
  const TensorView& out = args.outputs[0];
  TRT_ASSIGN_OR_RETURN(const ConvolutionSize size, SizeStridedConvolution(kTag, params_, x, out));
  if (w.numel() !=
          params_.kernel_h * params_.kernel_w * params_.in_channels * params_.out_channels ||
      !w.contiguous() || w.dtype != x.dtype || !IsTensorCoreType(x.dtype)) {
    return InvalidArgument("[", kTag, "] x of type ", DataTypeName(x.dtype), ", weights ",
                           DimsText(w), " of type ", DataTypeName(w.dtype));
  }
  constexpr int64_t kMaxSize = int64_t{1} << 30;
  if (out.numel() > kMaxSize || size.in_h > kMaxSize || size.in_w > kMaxSize) {
    return Unsupported("[", kTag, "] output ", DimsText(out), " of more than 2^30 values");
  }
  auto state = std::make_unique<FirstConvolutionState>();
  TRT_ASSIGN_OR_RETURN(state->result,
                       result_.Prepare(kTag, args.inputs, out, params_.out_channels));
  state->config.grid[0] = 0;
  if (args.gpu == nullptr || out.numel() == 0) return Prepared{std::move(state), 0};
  // Two pixels share the weights that a thread reads, where there are enough for all threads.
  constexpr int64_t kThreadsOfMultiprocessor = 1024;
  const bool many =
      size.pixels() > 2 * kThreadsOfMultiprocessor * args.gpu->info().multiprocessors &&
      params_.out_channels <= 32;
  const int pixels = many ? 2 : 1;
  state->params = ParamsOf(size, x, pixels);
  const auto source = MakeSource("first convolution", SourceOf(x, pixels, state->result.text));
  TRT_ASSIGN_OR_RETURN(state->function, args.gpu->Load(source, "trt_first_convolution"));
  const int64_t threads = int64_t{state->params.groups} * state->params.rows;
  state->config.grid[0] = static_cast<unsigned>(CeilDiv(threads, kThreads));
  state->config.block[0] = kThreads;
  state->config.overlap_previous = args.gpu->info().compute_major >= 9;
  return Prepared{std::move(state), 0};
}

Status FirstConvolutionKernel::Run(const RunArgs& args) const {
  auto& state = *static_cast<FirstConvolutionState*>(args.state);
  if (state.config.grid[0] == 0) return Status::Ok();
  Params& p = state.params;
  p.x = args.inputs[0].data;
  p.w = args.inputs[1].data;
  p.bias = result_.Bias(args.inputs);
  p.out = args.outputs[0].data;
  p.vector = IsAligned(p.out) ? 1 : 0;
  std::vector<std::byte> epilogue = result_.Arguments(state.result, args.inputs);
  void* pointers[] = {&p, epilogue.data(), nullptr};
  return args.gpu->Launch(state.function, state.config, args.stream, pointers);
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateFirstConvolution(const Attributes& attributes) {
  return FirstConvolutionKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels::cuda
