#include <set>

#include "core/tactics/lists.h"
#include "core/tactics/tactic.h"

namespace torch_tensorrt::core::tactics {

StepSpec PassThrough(const TacticQuery& query, std::string kernel, LayoutNeed need) {
  StepSpec spec{std::move(kernel), query.layer.attrs, {}};
  for (size_t i = 0; i < query.layer.inputs.size(); ++i) {
    spec.operands.push_back({static_cast<int>(i), need});
  }
  return spec;
}

Result<StepSpec> DescribeReference(const TacticQuery& query) {
  return PassThrough(query, StrCat("ref.", ir::InfoOf(query.layer.kind).name), LayoutNeed::kAny);
}

namespace {

std::span<const Tactic> CpuTacticsFor(ir::LayerKind kind) {
  static constexpr Tactic kReferenceOnly[] = {{"ref", DescribeReference}};
  using ir::LayerKind;
  switch (kind) {
    case LayerKind::kConstant:
      return {};
    case LayerKind::kMatrixMultiply:
      return MatrixMultiplyTactics();
    case LayerKind::kConvolution:
      return ConvolutionTactics();
    case LayerKind::kDeconvolution:
      return TransposedConvolutionTactics();
    case LayerKind::kFused:
    case LayerKind::kUnary:
    case LayerKind::kElementwise:
    case LayerKind::kSelect:
    case LayerKind::kCast:
      return PointwiseTactics(kind);
    case LayerKind::kSoftmax:
    case LayerKind::kNormalization:
    case LayerKind::kAttention:
    case LayerKind::kRotaryEmbedding:
    case LayerKind::kGather:
    case LayerKind::kConcat:
    case LayerKind::kCopy:
    case LayerKind::kReduce:
    case LayerKind::kPad:
    case LayerKind::kPool:
    case LayerKind::kAdaptivePool:
    case LayerKind::kResize:
    case LayerKind::kNonZero:
      return RowTactics(kind);
    case LayerKind::kFill:
    case LayerKind::kIota:
    case LayerKind::kArgReduce:
    case LayerKind::kReshape:
    case LayerKind::kTranspose:
    case LayerKind::kExpand:
    case LayerKind::kSlice:
    case LayerKind::kGatherElements:
    case LayerKind::kScatterElements:
    case LayerKind::kIndex:
    case LayerKind::kIndexPut:
    case LayerKind::kTopK:
    case LayerKind::kSort:
    case LayerKind::kScan:
    case LayerKind::kReadSize:
      return kReferenceOnly;
  }
  return {};
}

}  // namespace

std::span<const Tactic> TacticsFor(ir::LayerKind kind, Target target) {
  return target == Target::kCuda ? CudaTacticsFor(kind) : CpuTacticsFor(kind);
}

std::vector<std::string_view> ListTactics() {
  std::set<std::string_view> names;
  for (const Target target : {Target::kCpu, Target::kCuda}) {
    for (int kind = 0; kind < ir::kLayerKindCount; ++kind) {
      for (const Tactic& tactic : TacticsFor(static_cast<ir::LayerKind>(kind), target)) {
        if (!IsReference(tactic)) names.insert(tactic.name);
      }
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace torch_tensorrt::core::tactics
