#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/cells.h"
#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cpu/gemm/kernels.h"
#include "core/kernels/cpu/gemm/output.h"
#include "core/kernels/cpu/gemm/rows.h"
#include "core/kernels/cpu/gemm/transposed.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr std::string_view kTag = "cpu.convolution_transposed";
constexpr int64_t kMaxBlockCells = 144;
constexpr int64_t kMinBlockCells = 8;
constexpr int64_t kResultBytes = 512 << 10;  // of a block's products: stays in L2

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
size_t Align64(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }

struct TransposedState final : KernelState {
  Cells cells;
  std::vector<ProductPlan> plans;  // of a full block and one group
  OutputPlan output;
  bool widen = false;  // the image is converted to f32 first
  int64_t block_cells = 0;
  int64_t blocks = 0;
  int64_t grain = 1;    // blocks that a thread takes at least
  int64_t element = 4;  // bytes of a value of the image
  size_t bias_bytes = 0;
  size_t columns_bias_bytes = 0;
  size_t image_bytes = 0;
  size_t result_bytes = 0;  // of one slot's scratch
  size_t line_bytes = 0;
  size_t slot_bytes = 0;
  std::vector<std::byte> zeros;  // an input outside the image
};

// A line of output pixels [begin, end) under work.
struct Target {
  float* pixels;   // pixel `begin`
  int64_t stride;  // between pixels
  int64_t begin;
  int64_t end;
};

// "cpu.convolution_transposed": channels-last, 1 to 3 spatial dims, weights packed by
// PackTransposed. Blocks of cells are multiplied group by group, then their products go to the
// output pixels, which no two cells share.
class TransposedKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  Result<Cells> SizeCells(const TensorView& x, const TensorView& out) const;
  void ChooseBlocks(TransposedState* state) const;
  void PlanProducts(bool bf16_rows, TransposedState* state) const;
  void SpreadBias(const float* bias, float* columns) const;
  void RunBlock(const RunArgs& args, const TransposedState& state, const void* image,
                const float* bias, int64_t index, std::byte* scratch) const;
  void Multiply(const RunArgs& args, const TransposedState& state, const void* image,
                const float* bias, int64_t group, int64_t begin, int64_t count,
                std::byte* scratch) const;
  void StoreLine(const RunArgs& args, const TransposedState& state, int64_t group, const Cell& cell,
                 int64_t count, const float* products, float* buffer) const;
  void Spread(const PhaseLine& line, int64_t first_w, int64_t count, const float* products,
              const Target& target) const;

  ConvolutionParams params_;
  TransposedShape shape_;
  Spatial3 stride_{};
  Spatial3 padding_{};
  Dims output_padding_;
  std::vector<TransposedProduct> products_;
  std::vector<PhaseLine> lines_;
  int64_t channels_ = 0;  // output channels of a group
  int64_t columns_ = 0;   // of all products of a group
  OutputStage output_;
};

Result<std::unique_ptr<const Kernel>> TransposedKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<TransposedKernel>();
  TRT_ASSIGN_OR_RETURN(kernel->params_, ConvolutionParams::Parse(kTag, attributes));
  const ConvolutionParams& p = kernel->params_;
  kernel->output_padding_ = attributes.Ints("output_padding");
  if (!CanPack(p.weight_dtype)) {
    return InvalidArgument("[", kTag, "] weights of type ", DataTypeName(p.weight_dtype));
  }
  const Dims stride = attributes.Ints("stride");
  if (NumElements(stride) > kMaxTransposedPhases ||
      kernel->output_padding_.size() != p.kernel.size()) {
    return InvalidArgument("[", kTag, "] stride of ", NumElements(stride), " pixels, at most ",
                           kMaxTransposedPhases, "; ", kernel->output_padding_.size(),
                           " output paddings for ", p.kernel.size(), " spatial dims");
  }
  kernel->shape_ = {p.in_channels, p.out_channels, p.groups};
  kernel->stride_ = {p.stride_d, p.stride_h, p.stride_w};
  kernel->padding_ = {p.pad_front, p.pad_top, p.pad_left};
  kernel->products_ = TransposedProducts(p.kernel, stride, p.dilation);
  kernel->channels_ = p.out_channels / p.groups;
  kernel->lines_ = LinesOf(kernel->products_, kernel->stride_, kernel->channels_);
  kernel->columns_ = NumElements(stride) * kernel->channels_;
  TRT_ASSIGN_OR_RETURN(kernel->output_, OutputStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Result<Cells> TransposedKernel::SizeCells(const TensorView& x, const TensorView& out) const {
  TRT_ASSIGN_OR_RETURN(const ConvolutionSize size,
                       SizeTransposed(kTag, params_, output_padding_, x, out));
  Cells cells;
  cells.batch = size.batch;
  cells.in = {size.in_d, size.in_h, size.in_w};
  cells.out = {size.out_d, size.out_h, size.out_w};
  for (size_t d = 0; d < 3; ++d) {
    cells.first[d] = padding_[d] / stride_[d];
    const int64_t end = padding_[d] + cells.out[d] - 1;  // the last output, without padding
    cells.count[d] = cells.out[d] <= 0 ? 0 : end / stride_[d] - cells.first[d] + 1;
  }
  return cells;
}

void TransposedKernel::ChooseBlocks(TransposedState* state) const {
  const int64_t total = state->cells.total();
  const int64_t threads = MaxThreads();
  const int64_t groups = params_.groups;
  const int64_t row_bytes = std::max<int64_t>(columns_, 1) * static_cast<int64_t>(sizeof(float));
  const int64_t limit = std::clamp(kResultBytes / row_bytes, kMinBlockCells, kMaxBlockCells);
  // As many blocks for every thread, unless they became too small.
  const int64_t wanted = CeilDiv(CeilDiv(total, limit) * groups, threads) * threads;
  const int64_t most = std::max<int64_t>(1, total / kMinBlockCells);
  const int64_t blocks = std::max(CeilDiv(total, limit), std::min(CeilDiv(wanted, groups), most));
  state->block_cells = std::max<int64_t>(1, CeilDiv(total, std::max<int64_t>(blocks, 1)));
  state->blocks = CeilDiv(total, state->block_cells);
  double work = static_cast<double>(state->block_cells) * static_cast<double>(channels_);
  double taps = 1;
  for (const int64_t k : params_.kernel) taps *= static_cast<double>(k);
  work *= taps * static_cast<double>(params_.in_channels / groups);
  state->grain =
      std::max<int64_t>(CeilDiv(state->blocks * groups, threads),
                        static_cast<int64_t>(std::min(kMinTaskWork / std::max(work, 1.0), 1e6)));
}

void TransposedKernel::PlanProducts(bool bf16_rows, TransposedState* state) const {
  size_t task_bytes = 0;
  for (const TransposedProduct& product : products_) {
    ProductShape shape;
    shape.rows = state->block_cells;
    shape.columns = product.columns(channels_);
    shape.taps = product.taps();
    shape.run = params_.in_channels / params_.groups;
    shape.b_dtype = params_.weight_dtype;
    shape.a_is_bf16 = bf16_rows;
    state->plans.push_back(shape.taps == 0 ? ProductPlan{shape} : PlanProduct(shape, 1));
    task_bytes = std::max(task_bytes, state->plans.back().task_bytes);
  }
  constexpr auto kFloat = static_cast<int64_t>(sizeof(float));
  state->result_bytes = Align64(state->block_cells * columns_ * kFloat);
  if (!state->output.in_place) {
    const int64_t cells = std::min(state->block_cells, state->cells.count[2]);
    state->line_bytes = Align64(cells * stride_[2] * channels_ * kFloat);
  }
  state->slot_bytes = state->result_bytes + state->line_bytes + task_bytes;
  state->zeros.resize(static_cast<size_t>(params_.in_channels / params_.groups) * sizeof(float));
  state->columns_bias_bytes = Align64(params_.groups * columns_ * kFloat);
}

Result<Prepared> TransposedKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1) {
    return InvalidArgument("[", kTag, "] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& x = args.inputs[0];
  const TensorView& w = args.inputs[1];
  const int64_t want = PackedTransposedBytes(params_.weight_dtype, products_, shape_);
  const int64_t got = w.numel() * static_cast<int64_t>(SizeOf(w.dtype));
  if (got != want) {
    return InvalidArgument("[", kTag, "] packed weights have ", got, " bytes, expected ", want);
  }
  auto state = std::make_unique<TransposedState>();
  TRT_ASSIGN_OR_RETURN(state->cells, SizeCells(x, args.outputs[0]));
  TRT_ASSIGN_OR_RETURN(state->output,
                       output_.Prepare(kTag, args.inputs, args.outputs[0], params_.out_channels));
  state->widen = !MatrixRows::IsDirect(x.dtype, 1, params_.weight_dtype);
  state->element = state->widen ? 4 : static_cast<int64_t>(SizeOf(x.dtype));
  ChooseBlocks(state.get());
  PlanProducts(!state->widen && x.dtype == DataType::kBFloat16, state.get());
  state->bias_bytes = output_.BiasScratch(args.inputs);
  if (state->widen) {
    state->image_bytes = Align64(x.numel() * static_cast<int64_t>(sizeof(float)));
  }
  const auto slots = static_cast<size_t>(MaxThreads());
  const size_t scratch = state->bias_bytes + state->columns_bias_bytes + state->image_bytes +
                         slots * state->slot_bytes;
  return Prepared{std::move(state), scratch};
}

// The bias of every column of every group.
void TransposedKernel::SpreadBias(const float* bias, float* columns) const {
  for (int64_t group = 0; group < params_.groups; ++group, bias += channels_) {
    for (int64_t c = 0; c < columns_; c += channels_, columns += channels_) {
      std::copy_n(bias, channels_, columns);
    }
  }
}

void TransposedKernel::Multiply(const RunArgs& args, const TransposedState& state,
                                const void* image, const float* bias, int64_t group, int64_t begin,
                                int64_t count, std::byte* scratch) const {
  const int64_t run = params_.in_channels / params_.groups;
  const char* first = static_cast<const char*>(image) + group * run * state.element;
  const char* weights = static_cast<const char*>(args.inputs[1].data);
  auto* results = reinterpret_cast<float*>(scratch);
  std::byte* own = scratch + state.result_bytes + state.line_bytes;
  for (size_t i = 0; i < products_.size(); ++i) {
    ProductPlan plan = state.plans[i];
    const int64_t columns = plan.shape.columns;
    const int64_t bytes = PackedBytes(plan.shape.b_dtype, columns, plan.shape.taps, run);
    if (plan.shape.taps == 0) {
      for (int64_t row = 0; row < count; ++row) {
        float* to = results + row * columns_;
        bias == nullptr ? std::fill_n(to, columns, 0.0F) : std::copy_n(bias, columns, to);
      }
    } else {
      const CellRows rows(state.cells, products_[i], first, params_.in_channels * state.element,
                          begin, reinterpret_cast<const char*>(state.zeros.data()));
      plan.shape.rows = count;
      ProductArgs product;
      product.a = &rows;
      product.b = weights + group * bytes;
      product.bias = bias;
      product.c = results;
      product.c_stride = columns_;
      RunProductTask(plan, product, 0, own);
    }
    weights += params_.groups * bytes;
    results += columns;
    if (bias != nullptr) bias += columns;
  }
}

// Copies the products of `count` cells, the first at `first_w`, to the pixels of one line.
void TransposedKernel::Spread(const PhaseLine& line, int64_t first_w, int64_t count,
                              const float* products, const Target& target) const {
  const auto pixel = static_cast<size_t>(channels_) * sizeof(float);
  for (const PhaseRun& run : line.runs) {
    const float* from = products + run.column;
    int64_t w = first_w * stride_[2] + run.phase - padding_[2];
    for (int64_t i = 0; i < count; ++i, w += stride_[2], from += columns_) {
      if (target.stride == channels_ && w >= target.begin && w + run.count <= target.end) {
        std::memcpy(target.pixels + (w - target.begin) * target.stride, from,
                    pixel * static_cast<size_t>(run.count));
        continue;
      }
      for (int64_t k = 0; k < run.count; ++k) {
        if (w + k < target.begin || w + k >= target.end) continue;
        std::memcpy(target.pixels + (w + k - target.begin) * target.stride, from + k * channels_,
                    pixel);
      }
    }
  }
}

// The output pixels of `count` cells of one line, from `cell` on.
void TransposedKernel::StoreLine(const RunArgs& args, const TransposedState& state, int64_t group,
                                 const Cell& cell, int64_t count, const float* products,
                                 float* buffer) const {
  const Spatial3& out = state.cells.out;
  const TensorView& y = args.outputs[0];
  const int64_t column = group * channels_;
  const int64_t first_w = cell.at[2] * stride_[2] - padding_[2];
  const int64_t begin = std::max<int64_t>(first_w, 0);
  const int64_t end = std::min(first_w + count * stride_[2], out[2]);
  for (const PhaseLine& line : lines_) {
    const int64_t d = cell.at[0] * stride_[0] + line.d - padding_[0];
    const int64_t h = cell.at[1] * stride_[1] + line.h - padding_[1];
    if (d < 0 || d >= out[0] || h < 0 || h >= out[1] || begin >= end) continue;
    const int64_t row = ((cell.n * out[0] + d) * out[1] + h) * out[2] + begin;
    const bool in_place = state.output.in_place;
    const Target target{in_place ? OutputAt(state.output, y, row, column) : buffer,
                        in_place ? state.output.row_stride : channels_, begin, end};
    Spread(line, cell.at[2], count, products, target);
    if (!state.output.needs_sink) continue;
    OutputSink(state.output, output_.EpilogueInputs(args.inputs), y, row, column)
        .Store(target.pixels, target.stride, 0, end - begin, 0, channels_);
  }
}

void TransposedKernel::RunBlock(const RunArgs& args, const TransposedState& state,
                                const void* image, const float* bias, int64_t index,
                                std::byte* scratch) const {
  const int64_t group = index / state.blocks;
  const int64_t begin = index % state.blocks * state.block_cells;
  const int64_t end = std::min(begin + state.block_cells, state.cells.total());
  const float* group_bias = bias == nullptr ? nullptr : bias + group * columns_;
  Multiply(args, state, image, group_bias, group, begin, end - begin, scratch);
  const auto* products = reinterpret_cast<const float*>(scratch);
  auto* buffer = reinterpret_cast<float*>(scratch + state.result_bytes);
  const int64_t line_end = state.cells.first[2] + state.cells.count[2];
  for (int64_t i = begin; i < end;) {
    const Cell cell = CellAt(state.cells, i);
    const int64_t count = std::min(line_end - cell.at[2], end - i);
    StoreLine(args, state, group, cell, count, products + (i - begin) * columns_, buffer);
    i += count;
  }
}

Status TransposedKernel::Run(const RunArgs& args) const {
  const auto& state = *static_cast<const TransposedState*>(args.state);
  const float* bias = output_.Bias(args.inputs, args.scratch);
  std::byte* scratch = args.scratch + state.bias_bytes;
  if (bias != nullptr) {
    SpreadBias(bias, reinterpret_cast<float*>(scratch));
    bias = reinterpret_cast<const float*>(scratch);
  }
  scratch += state.columns_bias_bytes;
  const void* image = args.inputs[0].data;
  if (state.widen) {
    WidenAll(args.inputs[0], reinterpret_cast<float*>(scratch));
    image = scratch;
    scratch += state.image_bytes;
  }
  ParallelFor(params_.groups * state.blocks, state.grain,
              [&](int64_t begin, int64_t end, int slot) {
                std::byte* own = scratch + static_cast<size_t>(slot) * state.slot_bytes;
                for (int64_t i = begin; i < end; ++i) {
                  RunBlock(args, state, image, bias, i, own);
                }
              });
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateConvolutionTransposed(const Attributes& attributes) {
  return TransposedKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels
