#include <memory>
#include <utility>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/kernels.h"
#include "core/kernels/cpu/gemm/output.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/rows.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

struct GemmState final : KernelState {
  ProductPlan product;
  OutputPlan output;
  size_t bias_bytes = 0;
  bool direct_rows = false;
};

// "cpu.gemm": a [..., K] (or [K, M] with transpose_a) times constant packed weights.
class GemmKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  Result<MatrixRef> ReadA(const TensorView& a) const;

  int64_t n_ = 0;
  int64_t k_ = 0;
  DataType b_dtype_ = DataType::kFloat32;
  bool transpose_a_ = false;
  ProductTuning tuning_;
  OutputStage output_;
};

Result<std::unique_ptr<const Kernel>> GemmKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<GemmKernel>();
  kernel->n_ = attributes.Int("n", -1);
  kernel->k_ = attributes.Int("k", -1);
  kernel->b_dtype_ = attributes.Get<DataType>("b_dtype", DataType::kFloat32);
  kernel->transpose_a_ = attributes.Bool("transpose_a");
  kernel->tuning_ = ProductTuning::Parse(attributes);
  if (kernel->n_ < 0 || kernel->k_ < 0 || !CanPack(kernel->b_dtype_)) {
    return InvalidArgument("[cpu.gemm] n ", kernel->n_, ", k ", kernel->k_, ", weights of type ",
                           DataTypeName(kernel->b_dtype_));
  }
  TRT_ASSIGN_OR_RETURN(kernel->output_, OutputStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Result<MatrixRef> GemmKernel::ReadA(const TensorView& a) const {
  if (a.dtype != DataType::kFloat32 && !IsHalf(a.dtype)) {
    return Unsupported("[cpu.gemm] a of type ", DataTypeName(a.dtype),
                       "; f32, f16 and bf16 are supported, others run on the reference kernel");
  }
  MatrixRef m;
  if (transpose_a_) {
    if (a.rank != 2) {
      return Unsupported("[cpu.gemm] transpose_a with a of rank ", a.rank,
                         "; use cpu.batched_gemm or transpose a first");
    }
    m = {a.data, a.dtype, a.dims[1], a.dims[0], a.strides[1], a.strides[0]};
  } else {
    if (!CanReadAsRows(a)) {
      return Unsupported("[cpu.gemm] a ", DimsText(a),
                         " is not evenly spaced rows of adjacent values; copy it first");
    }
    m = ReadAsRows(a);
  }
  if (m.columns != k_) {
    return InvalidArgument("[cpu.gemm] a ", DimsText(a), " has ", m.columns, " columns, weights ",
                           k_);
  }
  return m;
}

Result<Prepared> GemmKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1 || args.outputs[0].rank < 1) {
    return InvalidArgument("[cpu.gemm] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  TRT_ASSIGN_OR_RETURN(const MatrixRef a, ReadA(args.inputs[0]));
  const TensorView& out = args.outputs[0];
  if (out.dims[static_cast<size_t>(out.rank - 1)] != n_ || out.numel() != a.rows * n_) {
    return InvalidArgument("[cpu.gemm] output ", DimsText(out), " is not ", a.rows, " rows of ",
                           n_);
  }
  const TensorView& b = args.inputs[1];
  const int64_t b_bytes = b.numel() * static_cast<int64_t>(SizeOf(b.dtype));
  if (b_bytes != PackedBytes(b_dtype_, n_, 1, k_)) {
    return InvalidArgument("[cpu.gemm] packed weights have ", b_bytes, " bytes, expected ",
                           PackedBytes(b_dtype_, n_, 1, k_));
  }
  auto state = std::make_unique<GemmState>();
  TRT_ASSIGN_OR_RETURN(state->output, output_.Prepare("cpu.gemm", args.inputs, out, n_));
  state->direct_rows = MatrixRows::IsDirect(a.dtype, a.column_stride, b_dtype_);
  state->bias_bytes = output_.BiasScratch(args.inputs);
  ProductShape shape;
  shape.rows = a.rows;
  shape.columns = n_;
  shape.run = k_;
  shape.b_dtype = b_dtype_;
  shape.a_is_bf16 = state->direct_rows && a.dtype == DataType::kBFloat16;
  shape.in_place = state->output.in_place;
  shape.scratch_per_row = MatrixRows(a, state->direct_rows).ScratchPerRow();
  state->product = PlanProduct(shape, MaxThreads(), tuning_);
  const size_t scratch = state->bias_bytes + state->product.scratch_bytes();
  return Prepared{std::move(state), scratch};
}

Status GemmKernel::Run(const RunArgs& args) const {
  const auto& state = *static_cast<const GemmState*>(args.state);
  TRT_ASSIGN_OR_RETURN(const MatrixRef a, ReadA(args.inputs[0]));
  const MatrixRows rows(a, state.direct_rows);
  const TensorView& out = args.outputs[0];
  const OutputSink sink(state.output, output_.EpilogueInputs(args.inputs), out);
  ProductArgs product;
  product.a = &rows;
  product.b = args.inputs[1].data;
  product.bias = output_.Bias(args.inputs, args.scratch);
  if (state.output.in_place) product.c = OutputAt(state.output, out, 0, 0);
  product.c_stride = state.output.row_stride;
  product.sink = state.output.needs_sink ? &sink : nullptr;
  product.scratch = args.scratch + state.bias_bytes;
  RunProduct(state.product, product);
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateGemm(const Attributes& attributes) {
  return GemmKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels
