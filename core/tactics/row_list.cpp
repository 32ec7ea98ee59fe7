#include "core/tactics/lists.h"

namespace torch_tensorrt::core::tactics {
namespace {

using ir::LayerKind;

bool InputsAreFloat(const TacticQuery& query) {
  return query.network.tensor(query.layer.inputs[0]).dtype != DataType::kFloat64 &&
         IsFloat(query.network.tensor(query.layer.inputs[0]).dtype);
}

Status NeedFloat(const TacticQuery& query) {
  if (InputsAreFloat(query)) return Status::Ok();
  return Unsupported("dtype ", DataTypeName(query.network.tensor(query.layer.inputs[0]).dtype));
}

Result<StepSpec> DescribeSoftmax(const TacticQuery& query) {
  TRT_RETURN_IF_ERROR(NeedFloat(query));
  const ir::Tensor& x = query.network.tensor(query.layer.inputs[0]);
  if (query.layer.attrs.Int("axis") != x.rank() - 1) return Unsupported("axis is not the last");
  return PassThrough(query, "cpu.softmax", LayoutNeed::kRows);
}

Result<StepSpec> DescribeNormalization(const TacticQuery& query) {
  TRT_RETURN_IF_ERROR(NeedFloat(query));
  if (query.layer.attrs.Str("kind") == "batch")
    return Unsupported("batch norm is a pointwise loop");
  if (query.layer.attrs.Bool("silu")) return Unsupported("SiLU is a pointwise loop");
  return PassThrough(query, "cpu.normalization", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribeAttention(const TacticQuery& query) {
  TRT_RETURN_IF_ERROR(NeedFloat(query));
  StepSpec spec = PassThrough(query, "cpu.attention", LayoutNeed::kInnerUnit);
  if (spec.operands.size() > 3) spec.operands[3].need = LayoutNeed::kAny;
  return spec;
}

Result<StepSpec> DescribeRotary(const TacticQuery& query) {
  TRT_RETURN_IF_ERROR(NeedFloat(query));
  return PassThrough(query, "cpu.rotary", LayoutNeed::kInnerUnit);
}

Result<StepSpec> DescribeGather(const TacticQuery& query) {
  return PassThrough(query, "cpu.gather", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribeConcat(const TacticQuery& query) {
  return PassThrough(query, "cpu.concat", LayoutNeed::kAny);
}

Result<StepSpec> DescribeCopy(const TacticQuery& query) {
  return PassThrough(query, "cpu.copy", LayoutNeed::kAny);
}

Result<StepSpec> DescribeReduce(const TacticQuery& query) {
  TRT_RETURN_IF_ERROR(NeedFloat(query));
  return PassThrough(query, "cpu.reduce", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribePad(const TacticQuery& query) {
  return PassThrough(query, "cpu.pad", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribePool(const TacticQuery& query) {
  TRT_RETURN_IF_ERROR(NeedFloat(query));
  if (query.layer.attrs.Bool("with_indices")) return Unsupported("indices are wanted");
  return PassThrough(query, "cpu.pool", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribeResize(const TacticQuery& query) {
  TRT_RETURN_IF_ERROR(NeedFloat(query));
  const std::string mode = query.layer.attrs.Str("mode");
  if (mode == "cubic") return Unsupported("cubic interpolation");
  return PassThrough(query, "cpu.resize", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribeNonZero(const TacticQuery& query) {
  const DataType type = query.network.tensor(query.layer.inputs[0]).dtype;
  if (SizeOf(type) != 1) return Unsupported("elements of dtype ", DataTypeName(type));
  return PassThrough(query, "cpu.nonzero", LayoutNeed::kContiguous);
}

}  // namespace

std::span<const Tactic> RowTactics(LayerKind kind) {
  static constexpr Tactic kSoftmax[] = {{"cpu.softmax", DescribeSoftmax},
                                        {"ref", DescribeReference}};
  static constexpr Tactic kNormalization[] = {{"cpu.normalization", DescribeNormalization},
                                              {"ref", DescribeReference}};
  static constexpr Tactic kAttention[] = {{"cpu.attention", DescribeAttention},
                                          {"ref", DescribeReference}};
  static constexpr Tactic kRotary[] = {{"cpu.rotary", DescribeRotary}, {"ref", DescribeReference}};
  static constexpr Tactic kGather[] = {{"cpu.gather", DescribeGather}, {"ref", DescribeReference}};
  static constexpr Tactic kConcat[] = {{"cpu.concat", DescribeConcat}, {"ref", DescribeReference}};
  static constexpr Tactic kCopy[] = {{"cpu.copy", DescribeCopy}, {"ref", DescribeReference}};
  static constexpr Tactic kReduce[] = {{"cpu.reduce", DescribeReduce}, {"ref", DescribeReference}};
  static constexpr Tactic kPad[] = {{"cpu.pad", DescribePad}, {"ref", DescribeReference}};
  static constexpr Tactic kPool[] = {{"cpu.pool", DescribePool}, {"ref", DescribeReference}};
  static constexpr Tactic kResize[] = {{"cpu.resize", DescribeResize}, {"ref", DescribeReference}};
  static constexpr Tactic kNonZero[] = {{"cpu.nonzero", DescribeNonZero},
                                        {"ref", DescribeReference}};
  switch (kind) {
    case LayerKind::kSoftmax:
      return kSoftmax;
    case LayerKind::kNormalization:
      return kNormalization;
    case LayerKind::kAttention:
      return kAttention;
    case LayerKind::kRotaryEmbedding:
      return kRotary;
    case LayerKind::kGather:
      return kGather;
    case LayerKind::kConcat:
      return kConcat;
    case LayerKind::kCopy:
      return kCopy;
    case LayerKind::kReduce:
      return kReduce;
    case LayerKind::kPad:
      return kPad;
    case LayerKind::kPool:
      return kPool;
    case LayerKind::kResize:
      return kResize;
    case LayerKind::kNonZero:
      return kNonZero;
    default:  // kinds of other lists; AdaptivePool has only the reference kernel
      break;
  }
  static constexpr Tactic kReferenceOnly[] = {{"ref", DescribeReference}};
  return kReferenceOnly;
}

}  // namespace torch_tensorrt::core::tactics
