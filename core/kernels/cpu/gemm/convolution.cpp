#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cpu/gemm/kernels.h"
#include "core/kernels/cpu/gemm/output.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/pixels.h"
#include "core/kernels/cpu/gemm/planar.h"
#include "core/kernels/cpu/gemm/rows.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/kernels/cpu/gemm/winograd.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr std::string_view kTag = "cpu.convolution";
constexpr size_t kLine = 64;

struct ConvolutionState final : KernelState {
  ConvolutionSize size;
  ProductPlan product;  // of one group
  OutputPlan output;
  bool pointwise = false;    // 1x1, stride 1: a plain matrix product
  bool planar = false;       // the image is not channels-last: PlanarRows
  bool widen = false;        // the image is converted to f32 first
  bool direct_rows = false;  // pointwise rows are read in place
  std::optional<WinogradPlan> winograd;
  int64_t slots = 1;  // tasks that run at a time, each with scratch of its own
  size_t bias_bytes = 0;
  size_t image_bytes = 0;
  std::vector<std::byte> zeros;  // a run outside the image
};

// "cpu.convolution": channels-last, or a small number of planes (planar.h); 1 to 3 spatial dims,
// packed weights. Attribute "algorithm":
// "direct", "winograd" (where it can be used), or absent: by a cost model, for every set of shapes.
class ConvolutionKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  ProductShape ShapeOf(const ConvolutionState& state, DataType x_dtype) const;
  bool ChoosesWinograd(const ConvolutionState& state, DataType x_dtype) const;
  bool RunFast(const RunArgs& args, const ConvolutionState& state, const float* bias,
               std::byte* scratch) const;
  void RunGroup(const RunArgs& args, const ConvolutionState& state, const void* image,
                const float* bias, int64_t group, int64_t task, std::byte* scratch) const;

  ConvolutionParams params_;
  ConvolutionTaps taps_;
  std::string algorithm_;
  ProductTuning tuning_;
  OutputStage output_;
};

Result<std::unique_ptr<const Kernel>> ConvolutionKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<ConvolutionKernel>();
  TRT_ASSIGN_OR_RETURN(kernel->params_, ConvolutionParams::Parse(kTag, attributes));
  const ConvolutionParams& p = kernel->params_;
  if (!CanPack(p.weight_dtype)) {
    return InvalidArgument("[", kTag, "] weights of type ", DataTypeName(p.weight_dtype));
  }
  kernel->taps_ = TapsOf(p.kernel, p.dilation, p.in_channels, p.groups);
  kernel->algorithm_ = attributes.Str("algorithm", "");
  kernel->tuning_ = ProductTuning::Parse(attributes);
  TRT_ASSIGN_OR_RETURN(kernel->output_, OutputStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

ProductShape ConvolutionKernel::ShapeOf(const ConvolutionState& state, DataType x_dtype) const {
  const bool bf16_rows =
      x_dtype == DataType::kBFloat16 && ProductTakesBf16Rows(params_.weight_dtype);
  ProductShape shape;
  shape.rows = state.size.pixels();
  shape.columns = params_.out_channels / params_.groups;
  shape.taps = taps_.taps;
  shape.run = taps_.run;
  if (state.planar) {  // taps follow one another without a gap
    shape.a_by_columns = true;
    shape.taps = 1;
    shape.run = taps_.taps * taps_.run;
  }
  shape.b_dtype = params_.weight_dtype;
  shape.a_is_bf16 = bf16_rows;
  shape.in_place = state.output.in_place;
  if (state.planar) {
    shape.scratch_per_row = PlanarRows::ScratchPerRow(params_);
  } else if (state.pointwise) {
    const MatrixRef m{nullptr, x_dtype, shape.rows, taps_.run, params_.in_channels, 1};
    shape.scratch_per_row = MatrixRows(m, state.direct_rows).ScratchPerRow();
  } else {
    shape.scratch_per_row = PixelRows::ScratchPerRow(params_, taps_, bf16_rows ? 2 : 4);
  }
  return shape;
}

Result<Prepared> ConvolutionKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1) {
    return InvalidArgument("[", kTag, "] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& x = args.inputs[0];
  const TensorView& w = args.inputs[1];
  auto state = std::make_unique<ConvolutionState>();
  TRT_ASSIGN_OR_RETURN(state->size, SizeStridedConvolution(kTag, params_, x, args.outputs[0]));
  state->planar =
      !x.contiguous() && PlanarRows::Suits(params_.kernel.size(), params_.in_channels,
                                           params_.groups, x.dtype, params_.weight_dtype);
  if (!state->planar) TRT_RETURN_IF_ERROR(CheckDense(kTag, x));
  const int64_t want =
      PackedConvolutionBytes(params_.weight_dtype, taps_, params_.out_channels, params_.groups);
  const int64_t got = w.numel() * static_cast<int64_t>(SizeOf(w.dtype));
  if (got != want) {
    return InvalidArgument("[", kTag, "] packed weights have ", got, " bytes, expected ", want);
  }
  TRT_ASSIGN_OR_RETURN(state->output,
                       output_.Prepare(kTag, args.inputs, args.outputs[0], params_.out_channels));
  state->pointwise = params_.IsPointwise() && !state->planar;
  state->direct_rows = MatrixRows::IsDirect(x.dtype, 1, params_.weight_dtype);
  state->widen = !state->pointwise && !state->direct_rows;
  const int threads = MaxThreads();
  const int64_t groups = params_.groups;
  state->product = PlanProduct(
      ShapeOf(*state, x.dtype),
      std::max<int>(1, threads / static_cast<int>(std::min<int64_t>(groups, threads))), tuning_);
  state->slots = std::max<int64_t>(1, std::min<int64_t>(threads, groups * state->product.tasks()));
  state->bias_bytes = output_.BiasScratch(args.inputs);
  if (state->widen) {
    state->image_bytes =
        (static_cast<size_t>(x.numel()) * sizeof(float) + kLine - 1) / kLine * kLine;
  }
  if (!state->pointwise) state->zeros.resize(static_cast<size_t>(taps_.run) * sizeof(float));
  size_t work = state->image_bytes + static_cast<size_t>(state->slots) * state->product.task_bytes;
  if (ChoosesWinograd(*state, x.dtype)) {
    state->winograd = PlanWinograd(params_, state->size, threads);
    work = std::max(work, state->winograd->scratch_bytes());
  }
  const size_t scratch = state->bias_bytes + work;
  return Prepared{std::move(state), scratch};
}

void ConvolutionKernel::RunGroup(const RunArgs& args, const ConvolutionState& state,
                                 const void* image, const float* bias, int64_t group, int64_t task,
                                 std::byte* scratch) const {
  const TensorView& x = args.inputs[0];
  const TensorView& out = args.outputs[0];
  const ProductShape& shape = state.product.shape;
  const int64_t column = group * shape.columns;
  const auto element = state.widen ? int64_t{4} : static_cast<int64_t>(SizeOf(x.dtype));
  const char* first =
      static_cast<const char*>(image) + group * (params_.in_channels / params_.groups) * element;
  std::optional<MatrixRows> matrix;
  std::optional<PixelRows> pixels;
  std::optional<PlanarRows> planar;
  ProductArgs product;
  if (state.planar) {
    planar.emplace(params_, state.size, x);
    product.a = &*planar;
  } else if (state.pointwise) {
    matrix.emplace(MatrixRef{first, x.dtype, shape.rows, taps_.run, params_.in_channels, 1},
                   state.direct_rows);
    product.a = &*matrix;
  } else {
    pixels.emplace(params_, state.size, taps_, first, element,
                   reinterpret_cast<const char*>(state.zeros.data()));
    product.a = &*pixels;
  }
  const OutputSink sink(state.output, output_.EpilogueInputs(args.inputs), out, 0, column);
  product.b = static_cast<const char*>(args.inputs[1].data) +
              group * PackedBytes(shape.b_dtype, shape.columns, shape.taps, shape.run);
  product.bias = bias == nullptr ? nullptr : bias + column;
  if (state.output.in_place) product.c = OutputAt(state.output, out, 0, column);
  product.c_stride = state.output.row_stride;
  product.sink = state.output.needs_sink ? &sink : nullptr;
  RunProductTask(state.product, product, task, scratch);
}

bool ConvolutionKernel::ChoosesWinograd(const ConvolutionState& state, DataType x_dtype) const {
  return algorithm_ != "direct" && state.output.in_place && !state.planar &&
         CanUseWinograd(params_, x_dtype, state.direct_rows) &&
         (algorithm_ == "winograd" || PrefersWinograd(params_, state.size));
}

// False when a result is not finite.
bool ConvolutionKernel::RunFast(const RunArgs& args, const ConvolutionState& state,
                                const float* bias, std::byte* scratch) const {
  const TensorView& out = args.outputs[0];
  const OutputSink sink(state.output, output_.EpilogueInputs(args.inputs), out);
  WinogradArgs fast;
  fast.image = args.inputs[0].as<const float>();
  fast.panels = static_cast<const float*>(args.inputs[1].data);
  fast.bias = bias;
  fast.out = OutputAt(state.output, out, 0, 0);
  fast.out_stride = state.output.row_stride;
  fast.sink = state.output.needs_sink ? &sink : nullptr;
  fast.scratch = scratch;
  return RunWinograd(*state.winograd, params_, state.size, fast);
}

Status ConvolutionKernel::Run(const RunArgs& args) const {
  const auto& state = *static_cast<const ConvolutionState*>(args.state);
  const float* bias = output_.Bias(args.inputs, args.scratch);
  std::byte* scratch = args.scratch + state.bias_bytes;
  // Infinities and NaNs spread inside a Winograd tile; the direct product puts them where they
  // belong.
  if (state.winograd && RunFast(args, state, bias, scratch)) return Status::Ok();
  const void* image = args.inputs[0].data;
  if (state.widen) {
    WidenAll(args.inputs[0], reinterpret_cast<float*>(scratch));
    image = scratch;
    scratch += state.image_bytes;
  }
  const int64_t tasks = state.product.tasks();
  const int64_t total = params_.groups * tasks;
  ParallelFor(total, (total + state.slots - 1) / state.slots,
              [&](int64_t begin, int64_t end, int slot) {
                std::byte* own = scratch + static_cast<size_t>(slot) * state.product.task_bytes;
                for (int64_t i = begin; i < end; ++i) {
                  RunGroup(args, state, image, bias, i / tasks, i % tasks, own);
                }
              });
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateConvolution(const Attributes& attributes) {
  return ConvolutionKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels
