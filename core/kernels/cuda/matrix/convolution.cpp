#include <algorithm>
#include <memory>
#include <utility>

#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/matrix/gemv.h"
#include "core/kernels/cuda/matrix/kernels.h"
#include "core/kernels/cuda/matrix/library.h"
#include "core/kernels/cuda/matrix/product.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

// Params of conv_pad.cu.
struct PadParams {
  const void* x;
  void* out;
  int64_t pixels;
};

struct ConvolutionState final : KernelState {
  std::unique_ptr<MatrixState> product;
  // The image with padded channels, made first; none when pad.pixels is 0.
  PadParams pad{};
  device::cuda::Function pad_function;
  device::cuda::LaunchConfig pad_config;
};

// "cuda.convolution": channels-last, 1 or 2 spatial dims; weights [O, taps * I/g] with each row
// padded by zeros to a multiple of 16 bytes. `padded_channels` above in_channels: the weights of
// each tap are padded to so many, and the image is padded in scratch.
class ConvolutionKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  ConvShape WindowsOf(const ConvolutionSize& size) const;
  Status PreparePadding(const device::cuda::Gpu* gpu, const TensorView& x,
                        ConvolutionState* state) const;
  // Of one pixel of the image that is convolved.
  int64_t Channels() const { return std::max(params_.in_channels, padded_channels_); }

  ConvolutionParams params_;
  int64_t padded_channels_ = 0;
  bool allow_tf32_ = false;
  ResultStage result_;
};

Result<std::unique_ptr<const Kernel>> ConvolutionKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<ConvolutionKernel>();
  TRT_ASSIGN_OR_RETURN(kernel->params_, ConvolutionParams::Parse("cuda.convolution", attributes));
  kernel->allow_tf32_ = attributes.Bool("allow_tf32");
  kernel->padded_channels_ = attributes.Int("padded_channels");
  if (kernel->padded_channels_ != 0 &&
      (kernel->params_.groups != 1 || kernel->padded_channels_ < kernel->params_.in_channels)) {
    return InvalidArgument("[cuda.convolution] ", kernel->params_.in_channels, " channels in ",
                           kernel->params_.groups, " groups padded to ", kernel->padded_channels_);
  }
  TRT_ASSIGN_OR_RETURN(kernel->result_, ResultStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

ConvShape ConvolutionKernel::WindowsOf(const ConvolutionSize& size) const {
  const auto narrow = [](int64_t x) { return static_cast<int32_t>(x); };
  ConvShape s;
  s.in_h = narrow(size.in_h);
  s.in_w = narrow(size.in_w);
  s.in_c = narrow(Channels());
  s.group_c = narrow(Channels() / params_.groups);
  s.kernel_h = narrow(params_.kernel_h);
  s.kernel_w = narrow(params_.kernel_w);
  s.stride_h = narrow(params_.stride_h);
  s.stride_w = narrow(params_.stride_w);
  s.dilation_h = narrow(params_.dilation_h);
  s.dilation_w = narrow(params_.dilation_w);
  s.pad_top = narrow(params_.pad_top);
  s.pad_left = narrow(params_.pad_left);
  s.out_h = narrow(size.out_h);
  s.out_w = narrow(size.out_w);
  return s;
}

Result<Prepared> ConvolutionKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1) {
    return InvalidArgument("[cuda.convolution] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& x = args.inputs[0];
  const TensorView& w = args.inputs[1];
  TRT_ASSIGN_OR_RETURN(const ConvolutionSize size,
                       SizeConvolution("cuda.convolution", params_, x, args.outputs[0]));
  if (std::max({size.in_h, size.in_w, size.out_h, size.out_w, Channels()}) > INT32_MAX) {
    return Unsupported("[cuda.convolution] x ", DimsText(x), ", whose dims don't fit 32 bits");
  }
  const int64_t group_k = params_.kernel_h * params_.kernel_w * (Channels() / params_.groups);
  if (w.rank != 2 || w.dims[0] != params_.out_channels || w.dims[1] < group_k || !w.contiguous()) {
    return InvalidArgument("[cuda.convolution] packed weights ", DimsText(w), " for ",
                           params_.out_channels, " x ", group_k);
  }
  if (w.dtype != x.dtype) {
    return Unsupported("[cuda.convolution] x of type ", DataTypeName(x.dtype), ", weights of type ",
                       DataTypeName(w.dtype));
  }
  Product p;
  p.dtype = x.dtype;
  p.m = size.pixels();
  p.n = params_.out_channels / params_.groups;
  p.k = group_k;
  p.batches[2] = params_.groups;
  p.a.row = Channels();
  p.a.batch[2] = Channels() / params_.groups;
  p.b.row = w.dims[1];
  p.b.batch[2] = p.n * w.dims[1];
  p.windows = !params_.IsPointwise();
  p.conv = WindowsOf(size);
  p.b_constant = true;
  p.allow_tf32 = allow_tf32_;
  p.out_batch_columns = p.n;
  p.out_row = params_.out_channels;
  TRT_ASSIGN_OR_RETURN(ResultPlan result, result_.Prepare("cuda.convolution", args.inputs,
                                                          args.outputs[0], params_.out_channels));
  auto state = std::make_unique<ConvolutionState>();
  if (!p.windows && Channels() == params_.in_channels && GemvState::Takes(p)) {
    TRT_ASSIGN_OR_RETURN(state->product,
                         GemvState::Create("cuda.convolution", args.gpu, p, std::move(result)));
    return Prepared{std::move(state), 0};
  }
  if (Channels() == params_.in_channels) {
    TRT_ASSIGN_OR_RETURN(state->product,
                         CreateFastest("cuda.convolution", args, p, result_, result));
    return Prepared{std::move(state), 0};
  }
  TRT_ASSIGN_OR_RETURN(state->product,
                       CreateProduct("cuda.convolution", args.gpu, p, std::move(result)));
  TRT_RETURN_IF_ERROR(PreparePadding(args.gpu, x, state.get()));
  const auto bytes = static_cast<size_t>(state->pad.pixels * Channels()) * SizeOf(x.dtype);
  return Prepared{std::move(state), bytes};
}

Status ConvolutionKernel::PreparePadding(const device::cuda::Gpu* gpu, const TensorView& x,
                                         ConvolutionState* state) const {
  constexpr int kThreads = 256;  // as in conv_pad.cu
  state->pad.pixels = x.numel() / std::max<int64_t>(params_.in_channels, 1);
  if (gpu == nullptr || state->pad.pixels == 0) return Status::Ok();
  const std::string text =
      StrCat(Define("TRT_IN", StorageName(x.dtype)), Define("CHANNELS", params_.in_channels),
             Define("PADDED", padded_channels_), "#include \"tile_load.cuh\"\n",
             SourceText("conv_pad.cu"));
  TRT_ASSIGN_OR_RETURN(state->pad_function,
                       gpu->Load(MakeSource("pad channels", text), "trt_pad_channels"));
  state->pad_config.grid[0] = static_cast<unsigned>(CeilDiv(state->pad.pixels, kThreads));
  state->pad_config.block[0] = kThreads;
  state->pad_config.overlap_previous = gpu->info().compute_major >= 9;
  return Status::Ok();
}

Status ConvolutionKernel::Run(const RunArgs& args) const {
  auto& state = *static_cast<ConvolutionState*>(args.state);
  const void* x = args.inputs[0].data;
  if (state.pad.pixels != 0) {
    state.pad.x = x;
    state.pad.out = args.scratch;
    void* pointers[] = {&state.pad, nullptr};
    TRT_RETURN_IF_ERROR(
        args.gpu->Launch(state.pad_function, state.pad_config, args.stream, pointers));
    x = args.scratch;
  }
  return state.product->Run(args, result_, x, args.inputs[1].data);
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateConvolution(const Attributes& attributes) {
  return ConvolutionKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels::cuda
