#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/matrix/kernels.h"
#include "core/kernels/cuda/matrix/product.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr int kThreads = 128;  // as in depthwise.cu
// Fewer threads than this leave a multiprocessor waiting for its loads.
constexpr int64_t kThreadsOfMultiprocessor = 512;

// Params of depthwise.cu.
struct Params {
  const void* x;
  const void* w;
  const void* bias;
  void* out;
  int32_t in_h, in_w, channels, out_h, out_w;
  int32_t stride_h, dilation_h, pad_top, pad_left;
  int32_t vectors, groups, rows;
};

struct DepthwiseState final : KernelState {
  struct Variant {
    device::cuda::Function function;
    device::cuda::LaunchConfig config;
    Params params{};
  };
  ResultPlan result;
  ConvolutionSize size;
  DataType dtype = DataType::kFloat32;
  std::optional<Variant> wide;  // none: nothing to compute
  std::optional<Variant> any;   // loaded when data at odd addresses is first met
};

// "cuda.depthwise_convolution": channels-last, 1 or 2 spatial dims, one filter per channel; weights
// [taps, channels].
class DepthwiseKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  Params ParamsOf(const ConvolutionSize& size, int vector, int outputs) const;
  // `vector` channels and `outputs` neighbours per thread.
  Result<DepthwiseState::Variant> Load(const device::cuda::Gpu& gpu, const DepthwiseState& state,
                                       int vector, int outputs) const;
  std::string SourceOf(DataType dtype, int vector, int outputs, bool early,
                       const std::string& result) const;

  ConvolutionParams params_;
  ResultStage result_;
};

Result<std::unique_ptr<const Kernel>> DepthwiseKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<DepthwiseKernel>();
  TRT_ASSIGN_OR_RETURN(kernel->params_,
                       ConvolutionParams::Parse("cuda.depthwise_convolution", attributes));
  const ConvolutionParams& p = kernel->params_;
  if (p.groups != p.in_channels || p.out_channels != p.in_channels) {
    return InvalidArgument("[cuda.depthwise_convolution] ", p.groups, " groups, ", p.in_channels,
                           " -> ", p.out_channels, " channels");
  }
  if (p.kernel_h * p.kernel_w > 128 || (p.kernel_w - 1) * p.dilation_w > 32 || p.stride_w > 8) {
    return Unsupported("[cuda.depthwise_convolution] a window of ", p.kernel_h, " x ", p.kernel_w,
                       ", dilation ", p.dilation_w, ", stride ", p.stride_w);
  }
  TRT_ASSIGN_OR_RETURN(kernel->result_, ResultStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Params DepthwiseKernel::ParamsOf(const ConvolutionSize& size, int vector, int outputs) const {
  const auto narrow = [](int64_t x) { return static_cast<int32_t>(x); };
  Params p{};
  p.in_h = narrow(size.in_h);
  p.in_w = narrow(size.in_w);
  p.channels = narrow(params_.in_channels);
  p.out_h = narrow(size.out_h);
  p.out_w = narrow(size.out_w);
  p.stride_h = narrow(params_.stride_h);
  p.dilation_h = narrow(params_.dilation_h);
  p.pad_top = narrow(params_.pad_top);
  p.pad_left = narrow(params_.pad_left);
  p.vectors = narrow(params_.in_channels / vector);
  p.groups = narrow(CeilDiv(size.out_w, outputs));
  p.rows = narrow(size.batch * size.out_h);
  return p;
}

std::string DepthwiseKernel::SourceOf(DataType dtype, int vector, int outputs, bool early,
                                      const std::string& result) const {
  return StrCat(Define("TRT_IN", StorageName(dtype)), Define("VECTOR", vector),
                Define("EARLY", early ? 1 : 0), Define("OUTPUTS", outputs),
                Define("KERNEL_H", params_.kernel_h), Define("KERNEL_W", params_.kernel_w),
                Define("STRIDE_W", params_.stride_w), Define("DILATION_W", params_.dilation_w),
                "#include \"tile_load.cuh\"\n", result, SourceText("depthwise.cu"));
}

Result<Prepared> DepthwiseKernel::Prepare(const PrepareArgs& args) const {
  constexpr std::string_view kTag = "cuda.depthwise_convolution";
  if (args.inputs.size() < 2 || args.outputs.size() != 1) {
    return InvalidArgument("[", kTag, "] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& x = args.inputs[0];
  const TensorView& w = args.inputs[1];
  const TensorView& out = args.outputs[0];
  TRT_ASSIGN_OR_RETURN(const ConvolutionSize size, SizeConvolution(kTag, params_, x, out));
  if (w.numel() != params_.kernel_h * params_.kernel_w * params_.in_channels || !w.contiguous() ||
      w.dtype != x.dtype) {
    return InvalidArgument("[", kTag, "] weights ", DimsText(w), " of type ",
                           DataTypeName(w.dtype));
  }
  constexpr int64_t kMaxSize = int64_t{1} << 30;
  if (out.numel() > kMaxSize || size.in_h * size.in_w * params_.in_channels > kMaxSize) {
    return Unsupported("[", kTag, "] output ", DimsText(out), " of more than 2^30 values");
  }
  auto state = std::make_unique<DepthwiseState>();
  TRT_ASSIGN_OR_RETURN(state->result,
                       result_.Prepare(kTag, args.inputs, out, params_.out_channels));
  state->size = size;
  state->dtype = x.dtype;
  if (args.gpu == nullptr || out.numel() == 0) return Prepared{std::move(state), 0};
  int vector = x.dtype == DataType::kFloat32 ? 4 : 8;
  while (params_.in_channels % vector != 0) vector /= 2;
  int outputs = size.out_w >= 4 && params_.kernel_w <= 7 ? 4 : 1;
  // Small images in smaller pieces: threads that wait for one load after the other are slow where
  // they are few.
  const int64_t wanted = kThreadsOfMultiprocessor * std::max(args.gpu->info().multiprocessors, 1);
  const auto threads = [&] {
    return size.batch * size.out_h * CeilDiv(size.out_w, outputs) * (params_.in_channels / vector);
  };
  while (outputs > 1 && threads() < wanted) outputs /= 2;
  while (vector * static_cast<int>(SizeOf(x.dtype)) > 4 && threads() < wanted) vector /= 2;
  TRT_ASSIGN_OR_RETURN(state->wide, Load(*args.gpu, *state, vector, outputs));
  return Prepared{std::move(state), 0};
}

Result<DepthwiseState::Variant> DepthwiseKernel::Load(const device::cuda::Gpu& gpu,
                                                      const DepthwiseState& state, int vector,
                                                      int outputs) const {
  DepthwiseState::Variant v;
  v.params = ParamsOf(state.size, vector, outputs);
  const int64_t threads = int64_t{v.params.vectors} * v.params.groups * v.params.rows;
  // Registers for all weights: where few threads wait for each load, and not many are needed.
  constexpr int64_t kMostEarlyBytes = 200;
  const int64_t weights =
      params_.kernel_h * params_.kernel_w * vector * static_cast<int64_t>(SizeOf(state.dtype));
  const bool early = weights <= kMostEarlyBytes &&
                     threads < 2 * kThreadsOfMultiprocessor * gpu.info().multiprocessors;
  const auto source =
      MakeSource("depthwise", SourceOf(state.dtype, vector, outputs, early, state.result.text));
  TRT_ASSIGN_OR_RETURN(v.function, gpu.Load(source, "trt_depthwise"));
  v.config.grid[0] = static_cast<unsigned>(CeilDiv(threads, kThreads));
  v.config.block[0] = kThreads;
  v.config.overlap_previous = gpu.info().compute_major >= 9;
  return v;
}

Status DepthwiseKernel::Run(const RunArgs& args) const {
  auto& state = *static_cast<DepthwiseState*>(args.state);
  if (!state.wide.has_value()) return Status::Ok();
  const void* bias = result_.Bias(args.inputs);
  const bool aligned = IsAligned(args.inputs[0].data) && IsAligned(args.inputs[1].data) &&
                       IsAligned(bias) && IsAligned(args.outputs[0].data);
  if (!aligned && !state.any.has_value()) {
    TRT_ASSIGN_OR_RETURN(state.any, Load(*args.gpu, state, 1, 1));
  }
  DepthwiseState::Variant& v = aligned ? *state.wide : *state.any;
  // An image of no pixels in padding has no memory.
  v.params.x = args.inputs[args.inputs[0].numel() == 0 ? 1 : 0].data;
  v.params.w = args.inputs[1].data;
  v.params.bias = bias;
  v.params.out = args.outputs[0].data;
  std::vector<std::byte> epilogue = result_.Arguments(state.result, args.inputs);
  void* pointers[] = {&v.params, epilogue.data(), nullptr};
  return args.gpu->Launch(v.function, v.config, args.stream, pointers);
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateDepthwise(const Attributes& attributes) {
  return DepthwiseKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels::cuda
