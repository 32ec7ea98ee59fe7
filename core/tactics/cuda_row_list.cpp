// Tactics of gathers, reductions and pooling on NVIDIA GPUs.
#include "core/tactics/lists.h"

namespace torch_tensorrt::core::tactics {
namespace {

using ir::LayerKind;

Result<StepSpec> DescribeGather(const TacticQuery& query) {
  return PassThrough(query, "cuda.gather", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribeReduce(const TacticQuery& query) {
  return PassThrough(query, "cuda.reduce", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribeAdaptivePool(const TacticQuery& query) {
  return PassThrough(query, "cuda.adaptive_pool", LayoutNeed::kContiguous);
}

Result<StepSpec> DescribePool(const TacticQuery& query) {
  if (!query.layer.attrs.Bool("channels_last")) return Unsupported("channels come first");
  if (query.layer.attrs.Bool("with_indices")) return Unsupported("indices are wanted");
  return PassThrough(query, "cuda.pool", LayoutNeed::kContiguous);
}

}  // namespace

std::span<const Tactic> CudaRowTactics(LayerKind kind) {
  static constexpr Tactic kGather[] = {{"cuda.gather", DescribeGather},
                                       {"cuda.ref", DescribeCudaReference}};
  static constexpr Tactic kReduce[] = {{"cuda.reduce", DescribeReduce},
                                       {"cuda.ref", DescribeCudaReference}};
  static constexpr Tactic kAdaptivePool[] = {{"cuda.adaptive_pool", DescribeAdaptivePool},
                                             {"cuda.ref", DescribeCudaReference}};
  static constexpr Tactic kPool[] = {{"cuda.pool", DescribePool},
                                     {"cuda.ref", DescribeCudaReference}};
  static constexpr Tactic kReferenceOnly[] = {{"cuda.ref", DescribeCudaReference}};
  switch (kind) {
    case LayerKind::kGather:
      return kGather;
    case LayerKind::kReduce:
      return kReduce;
    case LayerKind::kAdaptivePool:
      return kAdaptivePool;
    case LayerKind::kPool:
      return kPool;
    default:
      return kReferenceOnly;
  }
}

}  // namespace torch_tensorrt::core::tactics
