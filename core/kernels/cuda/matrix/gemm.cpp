#include <memory>
#include <utility>

#include "core/kernels/cuda/matrix/gemv.h"
#include "core/kernels/cuda/matrix/kernels.h"
#include "core/kernels/cuda/matrix/library.h"
#include "core/kernels/cuda/matrix/product.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

size_t At(int64_t i) { return static_cast<size_t>(i); }

// Elements from one row to the next when all dims but the last are evenly spaced rows of adjacent
// values, else -1.
int64_t RowStride(const TensorView& a) {
  if (a.rank < 1 || (a.dims[At(a.rank - 1)] > 1 && a.strides[At(a.rank - 1)] != 1)) return -1;
  int64_t stride = -1;
  int64_t next = 0;  // what the stride of the next outer dim must be
  for (int d = a.rank - 2; d >= 0; --d) {
    if (a.dims[At(d)] == 1) continue;
    if (stride < 0) {
      stride = a.strides[At(d)];
    } else if (a.strides[At(d)] != next) {
      return -1;
    }
    next = a.strides[At(d)] * a.dims[At(d)];
  }
  return stride < 0 ? a.dims[At(a.rank - 1)] : stride;
}

// "cuda.gemm": a [..., K] times constant weights, stored as [N, K] with each row padded by zeros to
// a multiple of 16 bytes.
class GemmKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override {
    return static_cast<MatrixState*>(args.state)
        ->Run(args, result_, args.inputs[0].data, args.inputs[1].data);
  }

 private:
  int64_t n_ = 0;
  int64_t k_ = 0;
  bool allow_tf32_ = false;
  ResultStage result_;
};

Result<std::unique_ptr<const Kernel>> GemmKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<GemmKernel>();
  kernel->n_ = attributes.Int("n", -1);
  kernel->k_ = attributes.Int("k", -1);
  kernel->allow_tf32_ = attributes.Bool("allow_tf32");
  if (kernel->n_ < 0 || kernel->k_ < 0) {
    return InvalidArgument("[cuda.gemm] n ", kernel->n_, ", k ", kernel->k_);
  }
  TRT_ASSIGN_OR_RETURN(kernel->result_, ResultStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

Result<Prepared> GemmKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1 || args.outputs[0].rank < 1) {
    return InvalidArgument("[cuda.gemm] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& a = args.inputs[0];
  const TensorView& b = args.inputs[1];
  const TensorView& out = args.outputs[0];
  const int64_t row = RowStride(a);
  if (!IsTensorCoreType(a.dtype) || a.dtype != b.dtype || row < 0) {
    return Unsupported("[cuda.gemm] a ", DimsText(a), " of type ", DataTypeName(a.dtype),
                       ", weights of type ", DataTypeName(b.dtype),
                       "; one float type and evenly spaced rows are supported");
  }
  if (a.dims[At(a.rank - 1)] != k_ || b.rank != 2 || b.dims[0] != n_ || b.dims[1] < k_ ||
      !b.contiguous() || out.dims[At(out.rank - 1)] != n_ || out.numel() * k_ != a.numel() * n_) {
    return InvalidArgument("[cuda.gemm] a ", DimsText(a), " times weights ", DimsText(b), " of ",
                           n_, " x ", k_, " does not give ", DimsText(out));
  }
  Product p;
  p.dtype = a.dtype;
  p.m = n_ == 0 ? 0 : out.numel() / n_;
  p.n = n_;
  p.k = k_;
  p.a.row = row;
  p.b.row = b.dims[1];
  p.b_constant = true;
  p.allow_tf32 = allow_tf32_;
  p.out_row = n_;
  TRT_ASSIGN_OR_RETURN(ResultPlan result, result_.Prepare("cuda.gemm", args.inputs, out, n_));
  std::unique_ptr<MatrixState> state;
  if (GemvState::Takes(p)) {
    TRT_ASSIGN_OR_RETURN(state, GemvState::Create("cuda.gemm", args.gpu, p, std::move(result)));
  } else {
    TRT_ASSIGN_OR_RETURN(state, CreateFastest("cuda.gemm", args, p, result_, result));
  }
  return Prepared{std::move(state), 0};
}

// "cuda.batched_gemm": a [..., M, K] times b [..., K, N] with any strides.
class BatchedGemmKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes);
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override {
    return static_cast<MatrixState*>(args.state)
        ->Run(args, result_, args.inputs[0].data, args.inputs[1].data);
  }

 private:
  bool transpose_a_ = false;
  bool transpose_b_ = false;
  bool allow_tf32_ = false;
  ResultStage result_;
};

Result<std::unique_ptr<const Kernel>> BatchedGemmKernel::Create(const Attributes& attributes) {
  auto kernel = std::make_unique<BatchedGemmKernel>();
  kernel->transpose_a_ = attributes.Bool("transpose_a");
  kernel->transpose_b_ = attributes.Bool("transpose_b");
  kernel->allow_tf32_ = attributes.Bool("allow_tf32");
  TRT_ASSIGN_OR_RETURN(kernel->result_, ResultStage::Create(attributes, 2));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

// Batch dims of the output joined where both operands allow.
struct BatchDims {
  Dims sizes;
  Dims a, b;
};

// The operand's stride along batch dim d of the output.
Result<int64_t> BatchStride(const TensorView& view, const TensorView& out, int64_t d) {
  const int64_t own = d - (out.rank - view.rank);
  if (own < 0 || view.dims[At(own)] == 1) return int64_t{0};
  if (view.dims[At(own)] != out.dims[At(d)]) {
    return InvalidArgument("[cuda.batched_gemm] operand ", DimsText(view),
                           " does not broadcast to ", DimsText(out));
  }
  return view.strides[At(own)];
}

Result<BatchDims> JoinBatchDims(const TensorView& a, const TensorView& b, const TensorView& out) {
  BatchDims joined;
  for (int64_t d = 0; d + 2 < out.rank; ++d) {
    const int64_t size = out.dims[At(d)];
    TRT_ASSIGN_OR_RETURN(const int64_t a_stride, BatchStride(a, out, d));
    TRT_ASSIGN_OR_RETURN(const int64_t b_stride, BatchStride(b, out, d));
    if (size == 1) continue;
    if (!joined.sizes.empty() && joined.a.back() == a_stride * size &&
        joined.b.back() == b_stride * size) {
      joined.sizes.back() *= size;
      joined.a.back() = a_stride;
      joined.b.back() = b_stride;
    } else {
      joined.sizes.push_back(size);
      joined.a.push_back(a_stride);
      joined.b.push_back(b_stride);
    }
  }
  if (joined.sizes.size() > 3) {
    return Unsupported("[cuda.batched_gemm] ", joined.sizes.size(), " independent batch dims");
  }
  return joined;
}

Result<Prepared> BatchedGemmKernel::Prepare(const PrepareArgs& args) const {
  if (args.inputs.size() < 2 || args.outputs.size() != 1 || args.outputs[0].rank < 2 ||
      args.inputs[0].rank < 2 || args.inputs[1].rank < 2 ||
      args.inputs[0].rank > args.outputs[0].rank || args.inputs[1].rank > args.outputs[0].rank) {
    return InvalidArgument("[cuda.batched_gemm] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs, or ranks that are no matrices");
  }
  const TensorView& a = args.inputs[0];
  const TensorView& b = args.inputs[1];
  const TensorView& out = args.outputs[0];
  if (!IsTensorCoreType(a.dtype) || a.dtype != b.dtype) {
    return Unsupported("[cuda.batched_gemm] ", DataTypeName(a.dtype), " times ",
                       DataTypeName(b.dtype), "; one float type is supported");
  }
  const int64_t a_row = a.rank - (transpose_a_ ? 1 : 2), a_column = a.rank - (transpose_a_ ? 2 : 1);
  const int64_t b_row = b.rank - (transpose_b_ ? 2 : 1), b_column = b.rank - (transpose_b_ ? 1 : 2);
  Product p;
  p.dtype = a.dtype;
  p.m = out.dims[At(out.rank - 2)];
  p.n = out.dims[At(out.rank - 1)];
  p.k = a.dims[At(a_column)];
  if (a.dims[At(a_row)] != p.m || b.dims[At(b_row)] != p.n || b.dims[At(b_column)] != p.k) {
    return InvalidArgument("[cuda.batched_gemm] a ", DimsText(a), " times b ", DimsText(b),
                           " does not give ", DimsText(out));
  }
  TRT_ASSIGN_OR_RETURN(const BatchDims batch, JoinBatchDims(a, b, out));
  p.a = {a.strides[At(a_row)], p.k == 1 ? 1 : a.strides[At(a_column)]};
  p.b = {b.strides[At(b_row)], p.k == 1 ? 1 : b.strides[At(b_column)]};
  for (size_t d = 0; d < batch.sizes.size(); ++d) {
    const size_t to = 3 - batch.sizes.size() + d;
    p.batches[to] = batch.sizes[d];
    p.a.batch[to] = batch.a[d];
    p.b.batch[to] = batch.b[d];
  }
  p.allow_tf32 = allow_tf32_;
  p.out_batch_rows = p.m;
  p.out_row = p.n;
  TRT_ASSIGN_OR_RETURN(ResultPlan result,
                       result_.Prepare("cuda.batched_gemm", args.inputs, out, p.n));
  TRT_ASSIGN_OR_RETURN(auto state,
                       ProductState::Create("cuda.batched_gemm", args.gpu, p, std::move(result)));
  return Prepared{std::move(state), 0};
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateGemm(const Attributes& attributes) {
  return GemmKernel::Create(attributes);
}

Result<std::unique_ptr<const Kernel>> CreateBatchedGemm(const Attributes& attributes) {
  return BatchedGemmKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels::cuda
