// Kernels for common shapes of memory-bound layers: "cuda.gather" (rows by index), "cuda.reduce"
// (along one dim or neighbouring ones), "cuda.pool" (NHWC). Layers of other shapes have the kernels
// of reference/; softmax, normalisation, rotary embedding and copies are loop programs there.
#include <algorithm>
#include <optional>

#include "core/kernels/cuda/cuda_kernels.h"
#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels {
namespace cuda {
namespace {

constexpr int64_t kWordBytes = 16;
constexpr int64_t kMaxUnits = int64_t{1} << 30;  // what 32-bit index arithmetic takes

Status NeedDense(const StepPlan& plan, std::string_view tag) {
  for (const TensorView& view : plan.inputs) {
    if (!view.contiguous()) return Unsupported("[", tag, "] a strided input");
  }
  for (const TensorView& view : plan.outputs) {
    if (!view.contiguous()) return Unsupported("[", tag, "] a strided output");
  }
  return Status::Ok();
}

int VectorOf(DataType type) { return type == DataType::kFloat32 ? 4 : 8; }

std::string DefineVector(int vector) { return StrCat("-DkVector=", vector); }

// Inputs: data [outer..., size, row...], indices. Attributes: axis, allow_negative.
Status PlanGatherRows(StepPlan& plan) {
  TRT_RETURN_IF_ERROR(NeedDense(plan, "cuda.gather"));
  const TensorView& data = plan.in(0);
  const int64_t axis = plan.attributes.Int("axis");
  int64_t row = static_cast<int64_t>(SizeOf(data.dtype));
  for (int d = static_cast<int>(axis) + 1; d < data.rank; ++d) row *= data.dims[At(d)];
  const int64_t bytes = plan.out().numel() * static_cast<int64_t>(SizeOf(data.dtype));
  if (row % kWordBytes != 0 || bytes / kWordBytes > kMaxUnits) return PlanGather(plan);
  const int64_t indices = plan.in(1).numel();
  if (bytes == 0) return Status::Ok();
  const int64_t units = bytes / kWordBytes;
  ParamBlock params;
  params.Pointer(InputPlace(0)).Pointer(InputPlace(1)).Pointer(OutputPlace(0)).Int(units);
  params.Divide(row / kWordBytes).Divide(indices).Int(data.dims[At(axis)]);
  params.Int(plan.attributes.Bool("allow_negative") ? 1 : 0).Pointer(DataErrorPlace());
  params.AlignedBits({{InputPlace(0), 16}, {OutputPlace(0), 16}});
  return plan.AddFile("row_gather.cu", "gather_rows", {DefineType("INDEX", plan.in(1).dtype)},
                      Overlapping(GridFor(units, 256)), params);
}

// Dims around the reduced ones: [outer, n, inner].
struct ReduceShape {
  int64_t outer = 1;
  int64_t n = 1;
  int64_t inner = 1;
};

// Empty when the reduced axes are not neighbours (dims of size 1 aside).
std::optional<ReduceShape> ShapeOf(const TensorView& in, const Dims& axes) {
  ReduceShape shape;
  bool begun = false;
  bool ended = false;
  for (int d = 0; d < in.rank; ++d) {
    const int64_t size = in.dims[At(d)];
    if (size == 1) continue;
    if (axes.empty() || std::find(axes.begin(), axes.end(), d) != axes.end()) {
      if (ended) return std::nullopt;
      begun = true;
      shape.n *= size;
    } else {
      ended = begun;
      (begun ? shape.inner : shape.outer) *= size;
    }
  }
  return shape;
}

constexpr std::string_view kKinds[] = {"sum", "mean", "max", "min"};

// One launch over columns: `shape.n` rows from `from` to one at `to`.
struct ColumnPass {
  Place from, to;
  DataType in, out;
  ReduceShape shape;
  int64_t kind;   // of kKinds
  int64_t count;  // what a mean is divided by
};

Status AddColumnPass(StepPlan& plan, const ColumnPass& pass) {
  const ReduceShape& shape = pass.shape;
  int vector = VectorOf(pass.in);
  // Few columns: narrower vectors fill more lanes.
  while (vector > 1 && shape.inner < 32 * vector) vector /= 2;
  const int64_t column_blocks = CeilDiv(shape.inner, 32 * vector);
  const auto alignment = [&](DataType type) {
    if (shape.inner % vector != 0) return 0U;
    return std::min(16U, static_cast<uint32_t>(SizeOf(type)) * static_cast<uint32_t>(vector));
  };
  ParamBlock params;
  params.Pointer(pass.from).Pointer(pass.to).Int(shape.n).Int(shape.inner);
  params.Float(static_cast<double>(pass.count));
  params.Divide(column_blocks);
  params.AlignedBits({{pass.from, alignment(pass.in)}, {pass.to, alignment(pass.out)}});
  return plan.AddFile("row_columns.cu", "reduce_columns",
                      {DefineType("IN", pass.in), DefineType("OUT", pass.out),
                       StrCat("-DKIND=", pass.kind), DefineVector(vector)},
                      Overlapping(GridFor(shape.outer * column_blocks * 256, 256)), params);
}

// Slices of the rows that blocks of their own reduce first: few columns of many rows would leave
// most of the GPU idle. A divisor of the rows; it does not depend on the GPU, as scratch does not.
int64_t SlicesOf(const ReduceShape& shape) {
  constexpr int64_t kEnoughBlocks = 256;
  constexpr int64_t kLeastRows = 64;  // 8 for each warp
  const int64_t blocks = shape.outer * CeilDiv(shape.inner, 128);
  int64_t best = 1;
  for (int64_t slices = 2; slices * blocks <= kEnoughBlocks; ++slices) {
    if (shape.n % slices == 0 && shape.n / slices >= kLeastRows) best = slices;
  }
  return best;
}

Status AddColumns(StepPlan& plan, const ReduceShape& shape, int64_t kind) {
  const DataType in = plan.in(0).dtype;
  const DataType out = plan.out().dtype;
  const int64_t slices = SlicesOf(shape);
  ColumnPass pass{InputPlace(0), OutputPlace(0), in, out, shape, kind, shape.n};
  if (slices == 1) return AddColumnPass(plan, pass);
  const int64_t sums = shape.outer * slices * shape.inner;
  ColumnPass first = pass;
  first.to = plan.BookScratch(sums * static_cast<int64_t>(sizeof(float)));
  first.out = DataType::kFloat32;
  first.shape.outer *= slices;
  first.shape.n /= slices;
  first.count = 1;  // the second pass divides
  TRT_RETURN_IF_ERROR(AddColumnPass(plan, first));
  pass.from = first.to;
  pass.in = DataType::kFloat32;
  pass.shape.n = slices;
  return AddColumnPass(plan, pass);
}

// A loop program whose row is what is reduced.
Status AddRows(StepPlan& plan, const ReduceShape& shape, int64_t kind) {
  static constexpr loop::ReduceOp kOps[] = {loop::ReduceOp::kSum, loop::ReduceOp::kMean,
                                            loop::ReduceOp::kMax, loop::ReduceOp::kMin};
  const DataType in = plan.in(0).dtype;
  const DataType out = plan.out().dtype;
  ProgramBuilder builder(2);
  const int x = builder.Cast(builder.Load(in), ComputeType(out));
  builder.Store(builder.Reduce(kOps[kind], ComputeType(out), x), out, true);
  const Dims domain = {shape.outer, shape.n};
  return AddLoop(plan, builder.program(), domain, {{MakeView(nullptr, in, domain), InputPlace(0)}},
                 {{MakeView(nullptr, out, {shape.outer}), OutputPlace(0)}});
}

Status AddReduce(StepPlan& plan, const Dims& axes, const std::string& kind,
                 Status (*fallback)(StepPlan&)) {
  const auto* found = std::find(std::begin(kKinds), std::end(kKinds), kind);
  const std::optional<ReduceShape> shape = ShapeOf(plan.in(0), axes);
  const bool floats = IsFloat(plan.in(0).dtype) && IsFloat(plan.out().dtype) &&
                      plan.in(0).dtype != DataType::kFloat64 &&
                      plan.out().dtype != DataType::kFloat64;
  if (found == std::end(kKinds) || !shape || !floats || plan.in(0).numel() == 0 ||
      plan.in(0).numel() > kMaxUnits) {
    return fallback(plan);
  }
  const auto index = found - std::begin(kKinds);
  // One very long row, or few columns of many rows: the block per output of the reference kernel
  // is no worse than these.
  if (shape->inner == 1) return AddRows(plan, *shape, index);
  return AddColumns(plan, *shape, index);
}

Status PlanDenseReduce(StepPlan& plan) {
  TRT_RETURN_IF_ERROR(NeedDense(plan, "cuda.reduce"));
  return AddReduce(plan, plan.attributes.Ints("axes"), plan.attributes.Str("kind"), &PlanReduce);
}

// Pooling to one value per channel is a reduction.
Status PlanGlobalPool(StepPlan& plan) {
  TRT_RETURN_IF_ERROR(NeedDense(plan, "cuda.adaptive_pool"));
  const Dims sizes = plan.attributes.Ints("sizes");
  const bool global = std::all_of(sizes.begin(), sizes.end(), [](int64_t s) { return s == 1; });
  const bool max = plan.attributes.Str("kind") == "max";
  const auto spatial = static_cast<int>(sizes.size());
  const int first = plan.in(0).rank - spatial - (plan.attributes.Bool("channels_last") ? 1 : 0);
  if (!global || first < 0) return PlanAdaptivePool(plan);
  Dims axes;
  for (int d = 0; d < spatial; ++d) axes.push_back(first + d);
  return AddReduce(plan, axes, max ? "max" : "mean", &PlanAdaptivePool);
}

Status PlanPoolNhwc(StepPlan& plan) {
  TRT_RETURN_IF_ERROR(NeedDense(plan, "cuda.pool"));
  const TensorView& in = plan.in(0);
  const TensorView& out = plan.out();
  const Attributes& attributes = plan.attributes;
  const Dims kernel = attributes.Ints("kernel");
  const Dims padding = attributes.Ints("padding");
  const int64_t vector = VectorOf(in.dtype);
  const bool floats = IsFloat(in.dtype) && in.dtype != DataType::kFloat64;
  if (in.rank != 4 || kernel.size() != 2 || padding.size() != 4 || !floats ||
      !attributes.Bool("channels_last") || attributes.Bool("with_indices") ||
      in.dims[3] % vector != 0 || in.numel() > kMaxUnits || out.numel() > kMaxUnits) {
    return PlanPool(plan);
  }
  if (out.numel() == 0) return Status::Ok();
  const Dims stride = attributes.Ints("stride").empty() ? kernel : attributes.Ints("stride");
  const Dims dilation =
      attributes.Ints("dilation").empty() ? Dims{1, 1} : attributes.Ints("dilation");
  const int64_t units = out.numel() / vector;
  ParamBlock params;
  params.Pointer(InputPlace(0)).Pointer(OutputPlace(0)).Int(units);
  params.Divide(in.dims[3] / vector).Divide(out.dims[2]).Divide(out.dims[1]);
  params.Int(in.dims[3]).Int(in.dims[1]).Int(in.dims[2]);
  for (const Dims& pair :
       {kernel, stride, Dims{padding[0], padding[1]}, Dims{padding[2], padding[3]}, dilation}) {
    params.Int(pair[0]).Int(pair[1]);
  }
  params.Int(attributes.Int("divisor"));
  params.Int(attributes.Bool("count_include_pad", true) ? 1 : 0);
  params.AlignedBits({{InputPlace(0), 16}, {OutputPlace(0), 16}});
  const bool max = attributes.Str("kind") == "max";
  return plan.AddFile("row_pool.cu", "pool_nhwc",
                      {DefineType("IN", in.dtype), max ? "-DMAX=1" : "-DMAX=0",
                       DefineVector(static_cast<int>(vector))},
                      Overlapping(GridFor(units, 128)), params);
}

constexpr KernelEntry kEntries[] = {
    {"cuda.gather", &CreatePlanned<&PlanGatherRows, 2, 1>, layers::LayerKind::kGather, nullptr},
    {"cuda.reduce", &CreatePlanned<&PlanDenseReduce, 1, 1>, layers::LayerKind::kReduce, nullptr},
    {"cuda.adaptive_pool", &CreatePlanned<&PlanGlobalPool, 1, 1>, layers::LayerKind::kAdaptivePool,
     nullptr},
    {"cuda.pool", &CreatePlanned<&PlanPoolNhwc, 1, 1>, layers::LayerKind::kPool, nullptr},
};

}  // namespace
}  // namespace cuda

std::span<const KernelEntry> CudaRowKernels() { return cuda::kEntries; }

}  // namespace torch_tensorrt::core::kernels
