// Tactics on NVIDIA GPUs. Sorted by kind.
#include "core/tactics/lists.h"

namespace torch_tensorrt::core::tactics {

Result<StepSpec> DescribeCudaReference(const TacticQuery& query) {
  return PassThrough(query, StrCat("cuda.ref.", ir::InfoOf(query.layer.kind).name),
                     LayoutNeed::kAny);
}

std::span<const Tactic> CudaTacticsFor(ir::LayerKind kind) {
  static constexpr Tactic kReferenceOnly[] = {{"cuda.ref", DescribeCudaReference}};
  using ir::LayerKind;
  switch (kind) {
    case LayerKind::kConstant:
      return {};
    case LayerKind::kAttention:
    case LayerKind::kConvolution:
    case LayerKind::kMatrixMultiply:
      return CudaMatrixTactics(kind);
    case LayerKind::kAdaptivePool:
    case LayerKind::kGather:
    case LayerKind::kPool:
    case LayerKind::kReduce:
      return CudaRowTactics(kind);
    case LayerKind::kArgReduce:
    case LayerKind::kCast:
    case LayerKind::kConcat:
    case LayerKind::kCopy:
    case LayerKind::kDeconvolution:
    case LayerKind::kElementwise:
    case LayerKind::kExpand:
    case LayerKind::kFill:
    case LayerKind::kFused:
    case LayerKind::kGatherElements:
    case LayerKind::kIndex:
    case LayerKind::kIndexPut:
    case LayerKind::kIota:
    case LayerKind::kNonZero:
    case LayerKind::kNormalization:
    case LayerKind::kPad:
    case LayerKind::kReadSize:
    case LayerKind::kReshape:
    case LayerKind::kResize:
    case LayerKind::kRotaryEmbedding:
    case LayerKind::kScan:
    case LayerKind::kScatterElements:
    case LayerKind::kSelect:
    case LayerKind::kSlice:
    case LayerKind::kSoftmax:
    case LayerKind::kSort:
    case LayerKind::kTopK:
    case LayerKind::kTranspose:
    case LayerKind::kUnary:
      return kReferenceOnly;
  }
  return {};
}

}  // namespace torch_tensorrt::core::tactics
