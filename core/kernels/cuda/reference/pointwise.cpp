// Cast, Unary, Elementwise, Select, Fill, Iota: loop programs of one operation.
#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

Status AddOp(StepPlan& plan, PointwiseOp op, size_t arity) {
  const TensorView& out = plan.out();
  ProgramBuilder builder(out.rank);
  std::vector<int> args;
  std::vector<Placed> inputs;
  for (size_t i = 0; i < arity; ++i) {
    args.push_back(builder.LoadAligned(plan.in(i).dtype, plan.in(i).rank));
    inputs.push_back({plan.in(i), InputPlace(i)});
  }
  // As the reference: computed in the type of the operands, stored as the output's.
  const DataType type =
      op == PointwiseOp::kCast ? ComputeType(out.dtype) : builder.TypeOf(args.back());
  int result =
      builder.Op(op, type, args, plan.attributes.Double("p0"), plan.attributes.Double("p1"));
  result = builder.Cast(result, ComputeType(out.dtype));
  builder.Store(result, out.dtype);
  const Status valid = builder.program().Verify();
  if (!valid.ok()) return InvalidArgument(valid.message());
  return AddLoop(plan, builder.program(), DimsOf(out), inputs, PlacedOutputs(plan));
}

Result<PointwiseOp> OpOf(const StepPlan& plan, int arity) {
  const PointwiseOp op = plan.attributes.Get("op", PointwiseOp::kCast);
  if (!plan.attributes.Has("op") || InfoOf(op).arity != arity) {
    return InvalidArgument("[pointwise] operation ", InfoOf(op).name, " does not take ", arity,
                           " operands");
  }
  return op;
}

}  // namespace

Status PlanCast(StepPlan& plan) { return AddOp(plan, PointwiseOp::kCast, 1); }

Status PlanUnary(StepPlan& plan) {
  TRT_ASSIGN_OR_RETURN(const PointwiseOp op, OpOf(plan, 1));
  return AddOp(plan, op, 1);
}

Status PlanElementwise(StepPlan& plan) {
  TRT_ASSIGN_OR_RETURN(const PointwiseOp op, OpOf(plan, 2));
  return AddOp(plan, op, 2);
}

Status PlanSelect(StepPlan& plan) { return AddOp(plan, PointwiseOp::kSelect, 3); }

Status PlanFill(StepPlan& plan) {
  const TensorView& out = plan.out();
  ProgramBuilder builder(out.rank);
  const int value = IsFloat(out.dtype)
                        ? builder.Const(ComputeType(out.dtype), plan.attributes.Double("value"))
                        : builder.Cast(builder.Int(plan.attributes.Int("ivalue")), out.dtype);
  builder.Store(value, out.dtype);
  return AddLoop(plan, builder.program(), DimsOf(out), {}, PlacedOutputs(plan));
}

Status PlanIota(StepPlan& plan) {
  using enum PointwiseOp;
  const TensorView& out = plan.out();
  const Attributes& attributes = plan.attributes;
  ProgramBuilder builder(1);
  int value = builder.Iota(0);
  if (IsFloat(out.dtype)) {
    constexpr DataType kWide = DataType::kFloat64;
    value = builder.Cast(value, kWide);
    value = builder.Op(kMul, kWide, {value, builder.Const(kWide, attributes.Double("fstep", 1))});
    value = builder.Op(kAdd, kWide, {value, builder.Const(kWide, attributes.Double("fstart"))});
  } else {
    constexpr DataType kWide = DataType::kInt64;
    value = builder.Op(kMul, kWide, {value, builder.Int(attributes.Int("step", 1))});
    value = builder.Op(kAdd, kWide, {value, builder.Int(attributes.Int("start"))});
  }
  builder.Store(builder.Cast(value, ComputeType(out.dtype)), out.dtype);
  return AddLoop(plan, builder.program(), DimsOf(out), {}, PlacedOutputs(plan));
}

}  // namespace torch_tensorrt::core::kernels::cuda
