// Reduce, ArgReduce, Scan, Softmax.
#include <algorithm>

#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr int kReduceThreads = 256;  // kThreads of ref_reduce.cu
constexpr std::string_view kKinds[] = {"sum",  "mean", "max", "min",
                                       "prod", "any",  "all", "logsumexp"};

Result<std::string> DefineKind(std::string_view tag, const std::string& kind) {
  const auto* found = std::find(std::begin(kKinds), std::end(kKinds), kind);
  if (found == std::end(kKinds)) return InvalidArgument("[", tag, "] unknown kind '", kind, "'");
  return StrCat("-DKIND=", found - std::begin(kKinds));
}

device::cuda::LaunchConfig BlockPer(int64_t items, int threads) {
  return GridFor(items * threads, threads);
}

}  // namespace

Status PlanReduce(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  const std::string kind = plan.attributes.Str("kind");
  TRT_ASSIGN_OR_RETURN(const std::string define, DefineKind("Reduce", kind));
  const Dims axes = plan.attributes.Ints("axes");
  std::vector<int> kept;
  std::vector<int> reduced;
  int64_t count = 1;
  for (int d = 0; d < in.rank; ++d) {
    const bool is_reduced = axes.empty() || std::find(axes.begin(), axes.end(), d) != axes.end();
    (is_reduced ? reduced : kept).push_back(d);
    if (is_reduced) count *= in.dims[At(d)];
  }
  const int64_t outputs = plan.out().numel();
  if (count == 0 && outputs != 0 && (kind == "max" || kind == "min")) {
    return InvalidArgument("[Reduce] ", kind, " over no elements of a tensor with dims ",
                           ToString(DimsOf(in)));
  }
  std::vector<int> order = kept;
  order.insert(order.end(), reduced.begin(), reduced.end());
  ParamBlock params;
  params.View(InputPlace(0), PermutedView(in, order)).View(OutputPlace(0), plan.out()).Int(count);
  return plan.AddFile("ref_reduce.cu", "reduce",
                      {define, DefineType("IN", in.dtype), DefineType("OUT", plan.out().dtype)},
                      BlockPer(outputs, kReduceThreads), params);
}

Status PlanArgReduce(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  const int64_t axis = plan.attributes.Int("axis");
  const int64_t count = in.rank == 0 ? 1 : in.dims[At(axis)];
  const int64_t lines = plan.out().numel();
  if (count == 0 && lines != 0) return InvalidArgument("[ArgReduce] axis ", axis, " is empty");
  const bool max = plan.attributes.Str("kind") == "argmax";
  ParamBlock params;
  params.View(InputPlace(0), AxisLast(in, axis)).View(OutputPlace(0), plan.out()).Int(count);
  return plan.AddFile("ref_reduce.cu", "arg_reduce",
                      {max ? "-DKIND=2" : "-DKIND=3", DefineType("IN", in.dtype),
                       DefineType("OUT", plan.out().dtype)},
                      BlockPer(lines, kReduceThreads), params);
}

Status PlanScan(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  const std::string kind = plan.attributes.Str("kind");
  TRT_ASSIGN_OR_RETURN(const std::string define, DefineKind("Scan", kind));
  const bool extremum = kind == "max" || kind == "min";
  if (extremum && plan.outputs.size() < 2) {
    return InvalidArgument("[Scan] ", kind, " writes values and indices; got ", plan.outputs.size(),
                           " output");
  }
  const int64_t axis = plan.attributes.Int("axis");
  const int64_t count = in.rank == 0 ? 1 : in.dims[At(axis)];
  if (in.numel() == 0) return Status::Ok();
  const int64_t lines = in.numel() / count;
  const size_t second = extremum ? 1 : 0;
  ParamBlock params;
  params.View(InputPlace(0), AxisLast(in, axis))
      .View(OutputPlace(0), AxisLast(plan.out(), axis))
      .View(OutputPlace(second), AxisLast(plan.out(second), axis))
      .Int(lines)
      .Int(count);
  return plan.AddFile("ref_reduce.cu", "scan",
                      {define, DefineType("IN", in.dtype), DefineType("OUT", plan.out().dtype)},
                      GridFor(lines, 64), params);
}

// A row program on the tensor with its axis last.
Status PlanSoftmax(StepPlan& plan) {
  using enum PointwiseOp;
  const int64_t axis = plan.attributes.Int("axis");
  const TensorView in = AxisLast(plan.in(0), axis);
  const TensorView out = AxisLast(plan.out(), axis);
  if (in.rank == 0) return InvalidArgument("[Softmax] of a scalar");
  if (in.numel() == 0) return Status::Ok();
  const DataType type = ComputeType(in.dtype);
  ProgramBuilder builder(in.rank);
  const int x = builder.Load(in.dtype);
  const int shifted = builder.Op(kSub, type, {x, builder.Reduce(loop::ReduceOp::kMax, type, x)});
  const int powers = builder.Op(kExp, type, {shifted});
  const int sum = builder.Reduce(loop::ReduceOp::kSum, type, powers);
  const int result = plan.attributes.Bool("log")
                         ? builder.Op(kSub, type, {shifted, builder.Op(kLog, type, {sum})})
                         : builder.Op(kMul, type, {powers, builder.Op(kReciprocal, type, {sum})});
  builder.Store(builder.Cast(result, ComputeType(out.dtype)), out.dtype);
  return AddLoop(plan, builder.program(), DimsOf(in), {{in, InputPlace(0)}},
                 {{out, OutputPlace(0)}});
}

}  // namespace torch_tensorrt::core::kernels::cuda
