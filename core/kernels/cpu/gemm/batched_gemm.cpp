#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/kernels.h"
#include "core/kernels/cpu/gemm/output.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/rows.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

// One operand: a stack of matrices.
struct Stack {
  MatrixRef matrix;              // of batch 0
  std::vector<int64_t> strides;  // per output batch dim, 0 where broadcast
};

struct BatchedState final : KernelState {
  ProductPlan product;  // of one batch
  OutputPlan output;
  Dims batch_dims;
  int64_t batches = 1;
  int64_t slots = 1;
  bool direct_rows = false;
  size_t bias_bytes = 0;
  size_t pack_bytes = 0;  // the packed panels of one task
};

// "cpu.batched_gemm": a [..., M, K] times b [..., K, N], neither constant; b is packed as it is
// met.
class BatchedGemmKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  Result<Stack> ReadStack(const TensorView& view, bool transposed, const Dims& batch_dims) const;
  void RunSlot(const RunArgs& args, const BatchedState& state, const Stack& a, const Stack& b,
               const float* bias, int64_t begin, int64_t end, std::byte* scratch) const;

  bool transpose_a_ = false;
  bool transpose_b_ = false;
  OutputStage output_;
};

Result<std::unique_ptr<const Kernel>> BatchedGemmKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<BatchedGemmKernel>();
  kernel->transpose_a_ = attributes.Bool("transpose_a");
  kernel->transpose_b_ = attributes.Bool("transpose_b");
  TRT_ASSIGN_OR_RETURN(kernel->output_, OutputStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Result<Stack> BatchedGemmKernel::ReadStack(const TensorView& view, bool transposed,
                                           const Dims& batch_dims) const {
  if (view.dtype != DataType::kFloat32 && !IsHalf(view.dtype)) {
    return Unsupported("[cpu.batched_gemm] operand of type ", DataTypeName(view.dtype),
                       "; f32, f16 and bf16 are supported, others run on the reference kernel");
  }
  if (view.rank < 2 || static_cast<size_t>(view.rank - 2) > batch_dims.size()) {
    return InvalidArgument("[cpu.batched_gemm] operand ", DimsText(view), " with ",
                           batch_dims.size(), " batch dims in the output");
  }
  const auto row = static_cast<size_t>(view.rank - (transposed ? 1 : 2));
  const auto column = static_cast<size_t>(view.rank - (transposed ? 2 : 1));
  Stack stack;
  stack.matrix = {view.data,         view.dtype,        view.dims[row],
                  view.dims[column], view.strides[row], view.strides[column]};
  stack.strides.assign(batch_dims.size(), 0);
  const size_t lead = batch_dims.size() - static_cast<size_t>(view.rank - 2);
  for (size_t d = lead; d < batch_dims.size(); ++d) {
    const int64_t size = view.dims[d - lead];
    if (size != 1 && size != batch_dims[d]) {
      return InvalidArgument("[cpu.batched_gemm] operand ", DimsText(view),
                             " does not broadcast to ", batch_dims[d], " in batch dim ", d);
    }
    if (size != 1) stack.strides[d] = view.strides[d - lead];
  }
  return stack;
}

// Elements from batch 0 to batch `index`.
int64_t BatchOffset(const Stack& stack, const Dims& batch_dims, int64_t index) {
  int64_t offset = 0;
  for (size_t d = batch_dims.size(); d-- > 0;) {
    offset += index % batch_dims[d] * stack.strides[d];
    index /= batch_dims[d];
  }
  return offset;
}

MatrixRef MatrixAt(const Stack& stack, const Dims& batch_dims, int64_t index) {
  MatrixRef m = stack.matrix;
  m.data = static_cast<const char*>(m.data) +
           BatchOffset(stack, batch_dims, index) * static_cast<int64_t>(SizeOf(m.dtype));
  return m;
}

Result<Prepared> BatchedGemmKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1 || args.outputs[0].rank < 2) {
    return InvalidArgument("[cpu.batched_gemm] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& out = args.outputs[0];
  auto state = std::make_unique<BatchedState>();
  state->batch_dims.assign(out.dims.begin(), out.dims.begin() + (out.rank - 2));
  for (int64_t d : state->batch_dims) state->batches *= d;
  TRT_ASSIGN_OR_RETURN(const Stack a, ReadStack(args.inputs[0], transpose_a_, state->batch_dims));
  TRT_ASSIGN_OR_RETURN(const Stack b, ReadStack(args.inputs[1], transpose_b_, state->batch_dims));
  const int64_t m = out.dims[static_cast<size_t>(out.rank - 2)];
  const int64_t n = out.dims[static_cast<size_t>(out.rank - 1)];
  if (a.matrix.rows != m || b.matrix.columns != n || a.matrix.columns != b.matrix.rows) {
    return InvalidArgument("[cpu.batched_gemm] a ", DimsText(args.inputs[0]), " times b ",
                           DimsText(args.inputs[1]), " does not give ", DimsText(out));
  }
  TRT_ASSIGN_OR_RETURN(state->output, output_.Prepare("cpu.batched_gemm", args.inputs, out, n));
  ProductShape shape;
  shape.rows = m;
  shape.columns = n;
  shape.run = a.matrix.columns;
  shape.b_dtype = b.matrix.dtype;
  state->direct_rows = MatrixRows::IsDirect(a.matrix.dtype, a.matrix.column_stride, shape.b_dtype);
  shape.a_is_bf16 = state->direct_rows && a.matrix.dtype == DataType::kBFloat16;
  shape.in_place = state->output.in_place;
  shape.scratch_per_row = MatrixRows(a.matrix, state->direct_rows).ScratchPerRow();
  const int64_t threads = MaxThreads();
  const int64_t sharing = std::clamp<int64_t>(state->batches, 1, threads);
  state->product = PlanProduct(shape, static_cast<int>(threads / sharing));
  const double work = static_cast<double>(state->batches) * static_cast<double>(m) *
                      static_cast<double>(n) * static_cast<double>(shape.run);
  state->slots = std::clamp<int64_t>(static_cast<int64_t>(work / kMinTaskWork), 1, threads);
  state->bias_bytes = output_.BiasScratch(args.inputs);
  int64_t panels = 0;
  for (int64_t task = 0; task < state->product.tasks(); ++task) {
    const PanelRange range = TaskPanels(state->product, task);
    panels = std::max(panels, range.end - range.begin);
  }
  state->pack_bytes = static_cast<size_t>((panels * state->product.panel_bytes + 63) / 64 * 64);
  const size_t scratch = state->bias_bytes + static_cast<size_t>(state->slots) *
                                                 (state->pack_bytes + state->product.task_bytes);
  return Prepared{std::move(state), scratch};
}

void BatchedGemmKernel::RunSlot(const RunArgs& args, const BatchedState& state, const Stack& a,
                                const Stack& b, const float* bias, int64_t begin, int64_t end,
                                std::byte* scratch) const {
  const TensorView& out = args.outputs[0];
  const ProductShape& shape = state.product.shape;
  const int64_t tasks = state.product.tasks();
  const void* packed = nullptr;  // whose panels lie in scratch
  int64_t packed_begin = -1;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t batch = i / tasks;
    const PanelRange panels = TaskPanels(state.product, i % tasks);
    const MatrixRef b_matrix = MatrixAt(b, state.batch_dims, batch);
    if (b_matrix.data != packed || panels.begin != packed_begin) {
      PackPanels({b_matrix.data, b_matrix.dtype, b_matrix.column_stride, b_matrix.row_stride},
                 shape.b_dtype, shape.columns, 1, shape.run, panels.begin, panels.end, scratch);
      packed = b_matrix.data;
      packed_begin = panels.begin;
    }
    const MatrixRows rows(MatrixAt(a, state.batch_dims, batch), state.direct_rows);
    const int64_t first_row = batch * shape.rows;
    const OutputSink sink(state.output, output_.EpilogueInputs(args.inputs), out, first_row, 0);
    ProductArgs product;
    product.a = &rows;
    product.b = scratch;
    product.first_panel = panels.begin;
    product.bias = bias;
    if (state.output.in_place) product.c = OutputAt(state.output, out, first_row, 0);
    product.c_stride = state.output.row_stride;
    product.sink = state.output.needs_sink ? &sink : nullptr;
    RunProductTask(state.product, product, i % tasks, scratch + state.pack_bytes);
  }
}

Status BatchedGemmKernel::Run(const RunArgs& args) const {
  const auto& state = *static_cast<const BatchedState*>(args.state);
  TRT_ASSIGN_OR_RETURN(const Stack a, ReadStack(args.inputs[0], transpose_a_, state.batch_dims));
  TRT_ASSIGN_OR_RETURN(const Stack b, ReadStack(args.inputs[1], transpose_b_, state.batch_dims));
  const float* bias = output_.Bias(args.inputs, args.scratch);
  const int64_t total = state.batches * state.product.tasks();
  const size_t slot_bytes = state.pack_bytes + state.product.task_bytes;
  ParallelFor(total, (total + state.slots - 1) / state.slots,
              [&](int64_t begin, int64_t end, int slot) {
                RunSlot(args, state, a, b, bias, begin, end,
                        args.scratch + state.bias_bytes + static_cast<size_t>(slot) * slot_bytes);
              });
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateBatchedGemm(const Attributes& attributes) {
  return BatchedGemmKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels
