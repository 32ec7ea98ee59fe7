// Gather, GatherElements, ScatterElements, Index, IndexPut, NonZero.
#include <algorithm>

#include "core/kernels/cuda/reference/plans.h"
#include "core/kernels/reference/shapes.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr size_t kMaxIndices = 5;     // of ref_indexing.cu
constexpr int kNonZeroThreads = 256;  // of ref_indexing.cu
constexpr std::string_view kReduces[] = {"none", "sum", "prod", "mean", "amax", "amin"};

Status AddGather(StepPlan& plan, const std::string& entry, bool wrap) {
  ParamBlock params;
  params.View(InputPlace(0), plan.in(0)).View(InputPlace(1), plan.in(1));
  params.View(OutputPlace(0), plan.out()).Int(plan.attributes.Int("axis"));
  params.Int(wrap ? 1 : 0).Pointer(DataErrorPlace());
  return plan.AddFile("ref_indexing.cu", entry,
                      {DefineType("DATA", plan.in(0).dtype), DefineType("INDEX", plan.in(1).dtype)},
                      ElementGrid(plan, plan.out().numel()), params);
}

// How aten.index addresses a tensor: index tensors at `positions`, broadcast together; their dims
// stand at the first position when positions are adjacent, else in front.
struct IndexLayout {
  std::vector<TensorView> indices;  // broadcast to the joint dims
  Dims positions;
  Dims joint;
  Dims free_dims;
  Dims result;
  int64_t lead = 0;
  int64_t free_numel = 1;
};

Result<IndexLayout> LayoutOf(const StepPlan& plan, size_t first_index) {
  const TensorView& data = plan.in(0);
  const auto indices = plan.inputs.subspan(first_index);
  IndexLayout layout;
  layout.positions = plan.attributes.Ints("dims");
  if (layout.positions.size() != indices.size() || indices.empty()) {
    return InvalidArgument("[Index] ", indices.size(), " index tensors for ",
                           layout.positions.size(), " dims");
  }
  if (indices.size() > kMaxIndices) {
    return Unsupported("[Index] ", indices.size(), " index tensors; at most ", kMaxIndices);
  }
  TRT_ASSIGN_OR_RETURN(layout.joint, reference::JointDims(indices));
  const TensorView shape = MakeView(nullptr, DataType::kInt64, layout.joint);
  for (const TensorView& v : indices) layout.indices.push_back(BroadcastView(v, shape));
  const Dims& p = layout.positions;
  const bool adjacent = p.back() - p.front() + 1 == static_cast<int64_t>(p.size());
  layout.lead = adjacent ? p.front() : 0;
  for (int64_t d = 0; d < data.rank; ++d) {
    if (std::find(p.begin(), p.end(), d) == p.end()) {
      layout.free_dims.push_back(d);
      layout.result.push_back(data.dims[At(d)]);
      layout.free_numel *= data.dims[At(d)];
    }
  }
  layout.result.insert(layout.result.begin() + static_cast<std::ptrdiff_t>(layout.lead),
                       layout.joint.begin(), layout.joint.end());
  return layout;
}

Status AddIndex(StepPlan& plan, const IndexLayout& layout, const std::string& entry,
                size_t first_index, size_t values, int64_t threads) {
  const TensorView result = MakeView(nullptr, plan.out().dtype, layout.result);
  ParamBlock params;
  params.View(InputPlace(0), plan.in(0)).View(OutputPlace(0), plan.out());
  params.View(InputPlace(values), BroadcastView(plan.in(values), result));
  for (size_t k = 0; k < kMaxIndices; ++k) {
    const size_t used = std::min(k, layout.indices.size() - 1);
    params.View(InputPlace(first_index + used), layout.indices[used]);
  }
  for (size_t k = 0; k < kMaxIndices; ++k) {
    params.Int(k < layout.positions.size() ? layout.positions[k] : 0);
  }
  for (size_t k = 0; k < At(kMaxRank); ++k) {
    params.Int(k < layout.free_dims.size() ? layout.free_dims[k] : 0);
  }
  params.Int(static_cast<int64_t>(layout.indices.size()));
  params.Int(static_cast<int64_t>(layout.free_dims.size())).Int(layout.lead);
  params.Int(static_cast<int64_t>(layout.joint.size())).Int(NumElements(layout.joint));
  params.Int(layout.free_numel).Pointer(DataErrorPlace());
  std::vector<std::string> options = {DefineType("DATA", plan.out().dtype),
                                      DefineType("INDEX", plan.in(first_index).dtype)};
  for (size_t i = first_index; i < plan.inputs.size(); ++i) {
    if (plan.in(i).dtype != plan.in(first_index).dtype) {
      return Unsupported("[Index] index tensors of different types");
    }
  }
  if (plan.attributes.Bool("accumulate")) options.emplace_back("-DACCUMULATE");
  return plan.AddFile("ref_indexing.cu", entry, std::move(options), ElementGrid(plan, threads),
                      params);
}

}  // namespace

Status PlanGather(StepPlan& plan) {
  return AddGather(plan, "gather", plan.attributes.Bool("allow_negative"));
}

Status PlanGatherElements(StepPlan& plan) { return AddGather(plan, "gather_elements", true); }

Status PlanScatterElements(StepPlan& plan) {
  const std::string reduce = plan.attributes.Str("reduce", "none");
  const auto* found = std::find(std::begin(kReduces), std::end(kReduces), reduce);
  if (found == std::end(kReduces)) {
    return InvalidArgument("[ScatterElements] unknown reduce '", reduce, "'");
  }
  const TensorView& out = plan.out();
  const TensorView& index = plan.in(1);
  const int64_t elements = out.numel();
  const bool folds = reduce != "none";
  ParamBlock params;
  params.View(InputPlace(0), plan.in(0)).View(InputPlace(1), index).View(InputPlace(2), plan.in(2));
  params.View(OutputPlace(0), out).Int(plan.attributes.Int("axis"));
  params.Int(plan.attributes.Bool("include_self", true) ? 1 : 0);
  params.Pointer(plan.BookScratch(folds ? elements * 8 : 0));
  params.Pointer(plan.BookScratch(folds ? elements * 8 : 0)).Pointer(DataErrorPlace());
  const std::vector<std::string> options = {DefineType("DATA", out.dtype),
                                            DefineType("INDEX", index.dtype),
                                            StrCat("-DREDUCE=", found - std::begin(kReduces))};
  const auto add = [&](const char* entry, int64_t threads) {
    return plan.AddFile("ref_indexing.cu", entry, options, ElementGrid(plan, threads), params);
  };
  if (folds) {
    TRT_RETURN_IF_ERROR(add("scatter_start", elements));
  } else {
    TRT_RETURN_IF_ERROR(AddCopy(plan, {plan.in(0), InputPlace(0)}, {out, OutputPlace(0)}));
  }
  const int64_t count = index.rank == 0 ? 1 : index.dims[At(plan.attributes.Int("axis"))];
  TRT_RETURN_IF_ERROR(add("scatter", index.numel() == 0 ? 0 : index.numel() / count));
  return folds ? add("scatter_finish", elements) : Status::Ok();
}

Status PlanIndex(StepPlan& plan) {
  TRT_ASSIGN_OR_RETURN(const IndexLayout layout, LayoutOf(plan, 1));
  return AddIndex(plan, layout, "index_elements", 1, 0, plan.out().numel());
}

Status PlanIndexPut(StepPlan& plan) {
  TRT_ASSIGN_OR_RETURN(const IndexLayout layout, LayoutOf(plan, 2));
  TRT_RETURN_IF_ERROR(AddCopy(plan, {plan.in(0), InputPlace(0)}, {plan.out(), OutputPlace(0)}));
  return AddIndex(plan, layout, "index_put", 2, 1,
                  NumElements(layout.joint) == 0 ? 0 : layout.free_numel);
}

Status PlanNonZero(StepPlan& plan) {
  const TensorView& x = plan.in(0);
  if (x.numel() == 0) return reference::CheckFound(0, plan.out().dims[0]);
  ParamBlock params;
  params.View(InputPlace(0), x).View(OutputPlace(0), plan.out()).Pointer(DataErrorPlace());
  return plan.AddFile("ref_indexing.cu", "non_zero",
                      {DefineType("DATA", x.dtype), DefineType("INDEX", DataType::kInt64)},
                      GridFor(kNonZeroThreads, kNonZeroThreads), params);
}

}  // namespace torch_tensorrt::core::kernels::cuda
