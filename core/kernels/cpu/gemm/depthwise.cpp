#include "core/kernels/cpu/gemm/depthwise.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cpu/gemm/kernels.h"
#include "core/kernels/cpu/gemm/output.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/kernels/cpu/gemm/transposed.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(DepthwiseTable, kDepthwise, DepthwiseTableFor)

namespace {

constexpr int64_t kMaxFilterRows = 64;
constexpr int64_t kLineValues = 16;         // f32 values of a cache line
constexpr int64_t kMinTaskWork = 32 << 10;  // multiply-adds that pay for a thread

// Pixels of an output line that one pass makes: all of them, or of a transposed convolution those
// of one phase.
struct LinePart {
  int64_t first = 0;  // pixel
  int64_t step = 1;   // between pixels
  int64_t count = 0;
  int64_t taps = 0;        // of a filter row
  int64_t weight_row = 0;  // in the packed weights
  int64_t stride = 1;      // inputs from pixel to pixel
  int64_t dilation = 1;    // inputs from tap to tap
  int64_t pad_left = 0;
};

struct DepthwiseState final : KernelState {
  ConvolutionSize size;
  std::vector<LinePart> parts;
  OutputPlan output;
  int64_t chunk = 0;  // channels of one task
  int64_t chunks = 0;
  int64_t grain = 1;  // tasks that a thread takes at least
  size_t bias_bytes = 0;
  size_t block_bytes = 0;  // one line of results, when the output can't hold them
};

// Where an output position reads along a dim with filter position `k`: -1 for nowhere.
struct Reach {
  int64_t stride, dilation, padding;
  int64_t Forward(int64_t out, int64_t k, int64_t in_size) const {
    const int64_t in = out * stride - padding + k * dilation;
    return in >= 0 && in < in_size ? in : -1;
  }
  int64_t Transposed(int64_t out, int64_t k, int64_t in_size) const {
    const int64_t in = out + padding - k * dilation;
    return in >= 0 && in % stride == 0 && in / stride < in_size ? in / stride : -1;
  }
};

// "cpu.depthwise_convolution" and "cpu.depthwise_convolution_transposed": channels-last,
// groups == in_channels == out_channels.
class DepthwiseKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes,
                                                      bool transposed);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  Result<ConvolutionSize> Size(const TensorView& x, const TensorView& out) const;
  std::vector<LinePart> PartsOf(const ConvolutionSize& size) const;
  void FindLines(const TensorView& x, const ConvolutionSize& size, int64_t line, int64_t channel,
                 const void** lines) const;
  void RunLine(const RunArgs& args, const DepthwiseState& state, const float* bias, int64_t line,
               int64_t chunk, float* block) const;

  std::string_view tag_;
  bool transposed_ = false;
  Dims output_padding_;  // of a transposed one
  ConvolutionParams params_;
  OutputStage output_;
};

Result<std::unique_ptr<const Kernel>> DepthwiseKernel::Create(const Attributes& attributes,
                                                              bool transposed) {
  auto kernel = std::make_unique<DepthwiseKernel>();
  kernel->tag_ = transposed ? "cpu.depthwise_convolution_transposed" : "cpu.depthwise_convolution";
  kernel->transposed_ = transposed;
  TRT_ASSIGN_OR_RETURN(kernel->params_, ConvolutionParams::Parse(kernel->tag_, attributes));
  const ConvolutionParams& p = kernel->params_;
  const char* other = transposed ? "cpu.convolution_transposed" : "cpu.convolution";
  if (p.groups != p.in_channels || p.in_channels != p.out_channels) {
    return Unsupported("[", kernel->tag_, "] ", p.in_channels, " input and ", p.out_channels,
                       " output channels in ", p.groups, " groups; use ", other,
                       " unless all three are equal");
  }
  if (p.kernel_d * p.kernel_h > kMaxFilterRows) {
    return Unsupported("[", kernel->tag_, "] filter of ", p.kernel_d * p.kernel_h,
                       " rows, at most ", kMaxFilterRows, " are supported; use ", other);
  }
  if (transposed) {
    kernel->output_padding_ = attributes.Ints("output_padding");
    if (p.stride_w > kMaxTransposedPhases) {
      return Unsupported("[", kernel->tag_, "] a stride of ", p.stride_w, " pixels, at most ",
                         kMaxTransposedPhases);
    }
  }
  TRT_ASSIGN_OR_RETURN(kernel->output_, OutputStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Result<ConvolutionSize> DepthwiseKernel::Size(const TensorView& x, const TensorView& out) const {
  if (transposed_) return SizeTransposed(tag_, params_, output_padding_, x, out);
  return SizeConvolution(tag_, params_, x, out);
}

std::vector<LinePart> DepthwiseKernel::PartsOf(const ConvolutionSize& size) const {
  const ConvolutionParams& p = params_;
  if (!transposed_) {
    return {{0, 1, size.out_w, p.kernel_w, 0, p.stride_w, p.dilation_w, p.pad_left}};
  }
  std::vector<LinePart> parts;
  int64_t weight_row = 0;
  for (const DepthwisePhase& phase : DepthwisePhases(p.kernel_w, p.stride_w, p.dilation_w)) {
    const auto taps = static_cast<int64_t>(phase.taps.size());
    // The first cell whose pixel is not cut away by the padding.
    const int64_t cut = std::max<int64_t>(0, p.pad_left - phase.phase);
    const int64_t cell = (cut + p.stride_w - 1) / p.stride_w;
    const int64_t first = cell * p.stride_w + phase.phase - p.pad_left;
    if (first < size.out_w) {
      const int64_t count = (size.out_w - 1 - first) / p.stride_w + 1;
      parts.push_back(
          {first, p.stride_w, count, taps, weight_row, 1, phase.step, phase.farthest - cell});
    }
    weight_row += p.kernel_d * p.kernel_h * taps;
  }
  return parts;
}

Result<Prepared> DepthwiseKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1) {
    return InvalidArgument("[", tag_, "] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& w = args.inputs[1];
  auto state = std::make_unique<DepthwiseState>();
  TRT_ASSIGN_OR_RETURN(state->size, Size(args.inputs[0], args.outputs[0]));
  state->parts = PartsOf(state->size);
  const int64_t channels = params_.out_channels;
  const int64_t want = PackedDepthwiseBytes(params_.kernel, channels);
  const int64_t got = w.numel() * static_cast<int64_t>(SizeOf(w.dtype));
  if (got != want) {
    return InvalidArgument("[", tag_, "] packed weights have ", got, " bytes, expected ", want);
  }
  TRT_ASSIGN_OR_RETURN(state->output,
                       output_.Prepare(tag_, args.inputs, args.outputs[0], channels));
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

// The image lines under each filter row for one output line; null for rows outside the image.
void DepthwiseKernel::FindLines(const TensorView& x, const ConvolutionSize& s, int64_t line,
                                int64_t channel, const void** lines) const {
  const ConvolutionParams& p = params_;
  const auto element = static_cast<int64_t>(SizeOf(x.dtype));
  const Reach depth{p.stride_d, p.dilation_d, p.pad_front};
  const Reach height{p.stride_h, p.dilation_h, p.pad_top};
  const auto reach = transposed_ ? &Reach::Transposed : &Reach::Forward;
  const int64_t slice = line / s.out_h;
  for (int64_t i = 0; i < p.kernel_d * p.kernel_h; ++i) {
    const int64_t id = (depth.*reach)(slice % s.out_d, i / p.kernel_h, s.in_d);
    const int64_t ih = (height.*reach)(line % s.out_h, i % p.kernel_h, s.in_h);
    const int64_t at =
        ((slice / s.out_d * s.in_d + id) * s.in_h + ih) * s.in_w * p.in_channels + channel;
    lines[i] = id < 0 || ih < 0 ? nullptr : static_cast<const char*>(x.data) + at * element;
  }
}

void DepthwiseKernel::RunLine(const RunArgs& args, const DepthwiseState& state, const float* bias,
                              int64_t line, int64_t chunk, float* block) const {
  const TensorView& x = args.inputs[0];
  const ConvolutionSize& s = state.size;
  const int64_t channel = chunk * state.chunk;
  const int64_t row = line * s.out_w;
  const void* lines[kMaxFilterRows];
  FindLines(x, s, line, channel, lines);
  float* out =
      state.output.in_place ? OutputAt(state.output, args.outputs[0], row, channel) : block;
  const int64_t out_stride = state.output.in_place ? state.output.row_stride : state.chunk;
  DepthwiseLine d;
  d.lines = lines;
  d.channels = std::min(state.chunk, params_.out_channels - channel);
  d.pixel_stride = params_.in_channels;
  d.weight_stride = PanelCount(params_.out_channels) * kPanelColumns;
  d.bias = bias == nullptr ? nullptr : bias + channel;
  d.in_w = s.in_w;
  d.kernel_h = params_.kernel_d * params_.kernel_h;
  const DepthwiseTable& table = DepthwiseTableFor(CurrentIsa());
  const auto run = x.dtype == DataType::kFloat32    ? table.f32
                   : x.dtype == DataType::kBFloat16 ? table.bf16
                                                    : table.f16;
  for (const LinePart& part : state.parts) {
    d.weights = static_cast<const float*>(args.inputs[1].data) + part.weight_row * d.weight_stride +
                channel;
    d.out = out + part.first * out_stride;
    d.out_stride = part.step * out_stride;
    d.out_w = part.count;
    d.kernel_w = part.taps;
    d.stride_w = part.stride;
    d.dilation_w = part.dilation;
    d.pad_left = part.pad_left;
    run(d);
  }
  if (state.output.needs_sink) {
    OutputSink(state.output, output_.EpilogueInputs(args.inputs), args.outputs[0])
        .Store(out, out_stride, row, s.out_w, channel, d.channels);
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
  return DepthwiseKernel::Create(attributes, false);
}

Result<std::unique_ptr<const Kernel>> CreateDepthwiseConvolutionTransposed(
    const Attributes& attributes) {
  return DepthwiseKernel::Create(attributes, true);
}

}  // namespace torch_tensorrt::core::kernels
