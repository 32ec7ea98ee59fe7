#include "core/kernels/cpu/gemm/depthwise.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cpu/gemm/kernels.h"
#include "core/kernels/cpu/gemm/output.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(DepthwiseTable, kDepthwise, DepthwiseTableFor)

namespace {

constexpr int64_t kMaxFilterRows = 64;
constexpr int64_t kLineValues = 16;         // f32 values of a cache line
constexpr int64_t kMinTaskWork = 32 << 10;  // multiply-adds that pay for a thread

struct DepthwiseState final : KernelState {
  ConvolutionSize size;
  OutputPlan output;
  int64_t chunk = 0;  // channels of one task
  int64_t chunks = 0;
  int64_t grain = 1;  // tasks that a thread takes at least
  size_t bias_bytes = 0;
  size_t block_bytes = 0;  // one line of results, when the output can't hold them
};

// "cpu.depthwise_convolution": channels-last, groups == in_channels == out_channels.
class DepthwiseKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  void RunLine(const RunArgs& args, const DepthwiseState& state, const float* bias, int64_t line,
               int64_t chunk, float* block) const;

  ConvolutionParams params_;
  OutputStage output_;
};

Result<std::unique_ptr<const Kernel>> DepthwiseKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<DepthwiseKernel>();
  TRT_ASSIGN_OR_RETURN(kernel->params_,
                       ConvolutionParams::Parse("cpu.depthwise_convolution", attributes));
  const ConvolutionParams& p = kernel->params_;
  if (p.groups != p.in_channels || p.in_channels != p.out_channels) {
    return Unsupported("[cpu.depthwise_convolution] ", p.in_channels, " input and ", p.out_channels,
                       " output channels in ", p.groups,
                       " groups; use cpu.convolution unless all three are equal");
  }
  if (p.kernel_d * p.kernel_h > kMaxFilterRows) {
    return Unsupported("[cpu.depthwise_convolution] filter of ", p.kernel_d * p.kernel_h,
                       " rows, at most ", kMaxFilterRows, " are supported; use cpu.convolution");
  }
  TRT_ASSIGN_OR_RETURN(kernel->output_, OutputStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Result<Prepared> DepthwiseKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1) {
    return InvalidArgument("[cpu.depthwise_convolution] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& w = args.inputs[1];
  auto state = std::make_unique<DepthwiseState>();
  TRT_ASSIGN_OR_RETURN(state->size, SizeConvolution("cpu.depthwise_convolution", params_,
                                                    args.inputs[0], args.outputs[0]));
  const int64_t channels = params_.out_channels;
  const int64_t want = PackedDepthwiseBytes(params_.kernel, channels);
  const int64_t got = w.numel() * static_cast<int64_t>(SizeOf(w.dtype));
  if (got != want) {
    return InvalidArgument("[cpu.depthwise_convolution] packed weights have ", got,
                           " bytes, expected ", want);
  }
  TRT_ASSIGN_OR_RETURN(state->output, output_.Prepare("cpu.depthwise_convolution", args.inputs,
                                                      args.outputs[0], channels));
  const int64_t threads = MaxThreads();
  const int64_t lines = state->size.batch * state->size.out_d * state->size.out_h;
  // A line is cut into channel ranges only where there are too few lines for the threads.
  const int64_t wanted =
      lines >= 4 * threads ? 1 : (4 * threads + lines - 1) / std::max<int64_t>(lines, 1);
  const int64_t per_chunk = std::max<int64_t>((channels + wanted - 1) / wanted, 4 * kLineValues);
  state->chunk = (per_chunk + kLineValues - 1) / kLineValues * kLineValues;
  state->chunks = (channels + state->chunk - 1) / state->chunk;
  const int64_t work =
      state->size.out_w * state->chunk * params_.kernel_d * params_.kernel_h * params_.kernel_w;
  const int64_t total = lines * state->chunks;
  state->grain = std::max(
      {int64_t{1}, kMinTaskWork / std::max<int64_t>(work, 1), (total + threads - 1) / threads});
  state->bias_bytes = output_.BiasScratch(args.inputs);
  if (!state->output.in_place) {
    state->block_bytes =
        static_cast<size_t>(state->size.out_w * state->chunk) * sizeof(float);  // whole cache lines
  }
  const size_t scratch = state->bias_bytes + static_cast<size_t>(threads) * state->block_bytes;
  return Prepared{std::move(state), scratch};
}

void DepthwiseKernel::RunLine(const RunArgs& args, const DepthwiseState& state, const float* bias,
                              int64_t line, int64_t chunk, float* block) const {
  const TensorView& x = args.inputs[0];
  const ConvolutionSize& s = state.size;
  const int64_t channel = chunk * state.chunk;
  const int64_t row = line * s.out_w;
  const auto element = static_cast<int64_t>(SizeOf(x.dtype));
  DepthwiseLine d;
  d.channels = std::min(state.chunk, params_.out_channels - channel);
  d.pixel_stride = params_.in_channels;
  d.weight_stride = PanelCount(params_.out_channels) * kPanelColumns;
  d.weights = static_cast<const float*>(args.inputs[1].data) + channel;
  d.bias = bias == nullptr ? nullptr : bias + channel;
  d.out = state.output.in_place ? OutputAt(state.output, args.outputs[0], row, channel) : block;
  d.out_stride = state.output.in_place ? state.output.row_stride : state.chunk;
  d.in_w = s.in_w;
  d.out_w = s.out_w;
  d.kernel_h = params_.kernel_d * params_.kernel_h;
  d.kernel_w = params_.kernel_w;
  d.stride_w = params_.stride_w;
  d.dilation_w = params_.dilation_w;
  d.pad_left = params_.pad_left;
  const void* lines[kMaxFilterRows];
  const int64_t slice = line / s.out_h;
  const int64_t ih0 = line % s.out_h * params_.stride_h - params_.pad_top;
  const int64_t id0 = slice % s.out_d * params_.stride_d - params_.pad_front;
  for (int64_t i = 0; i < d.kernel_h; ++i) {
    const int64_t id = id0 + i / params_.kernel_h * params_.dilation_d;
    const int64_t ih = ih0 + i % params_.kernel_h * params_.dilation_h;
    const bool inside = id >= 0 && id < s.in_d && ih >= 0 && ih < s.in_h;
    const int64_t at =
        ((slice / s.out_d * s.in_d + id) * s.in_h + ih) * s.in_w * params_.in_channels + channel;
    lines[i] = inside ? static_cast<const char*>(x.data) + at * element : nullptr;
  }
  d.lines = lines;
  const DepthwiseTable& table = DepthwiseTableFor(CurrentIsa());
  (x.dtype == DataType::kFloat32    ? table.f32
   : x.dtype == DataType::kBFloat16 ? table.bf16
                                    : table.f16)(d);
  if (state.output.needs_sink) {
    OutputSink(state.output, output_.EpilogueInputs(args.inputs), args.outputs[0])
        .Store(d.out, d.out_stride, row, s.out_w, channel, d.channels);
  }
}

Status DepthwiseKernel::Run(const RunArgs& args) const {
  const auto& state = *static_cast<const DepthwiseState*>(args.state);
  const float* bias = output_.Bias(args.inputs, args.scratch);
  std::byte* blocks = args.scratch + state.bias_bytes;
  const int64_t total = state.size.batch * state.size.out_d * state.size.out_h * state.chunks;
  ParallelFor(total, state.grain, [&](int64_t begin, int64_t end, int slot) {
    auto* block = reinterpret_cast<float*>(blocks + static_cast<size_t>(slot) * state.block_bytes);
    for (int64_t i = begin; i < end; ++i) {
      RunLine(args, state, bias, i / state.chunks, i % state.chunks, block);
    }
  });
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateDepthwiseConvolution(const Attributes& attributes) {
  return DepthwiseKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels
