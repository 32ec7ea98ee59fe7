// Pool, AdaptivePool, Resize, TopK, Sort.
#include <algorithm>

#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr int kSortThreads = 256;     // kThreads of ref_sort.cu
constexpr int kSelectThreads = 1024;  // likewise

// A tensor with `spatial` trailing dims as [N, C, d, h, w]; dims before them are joined into one or
// two by the kernel's view, so they must be joinable: at most two of them.
Result<TensorView> SpatialView(const TensorView& view, int spatial, bool last) {
  TensorView out = view;
  out.rank = 5;
  const int lead = view.rank - spatial - (last ? 1 : 0);
  if (spatial < 1 || spatial > 3 || lead < 0 || lead > (last ? 1 : 2)) {
    return Unsupported("[pooling] ", spatial, " spatial dims of a tensor of rank ", view.rank);
  }
  const auto set = [&](int to, int from) {
    out.dims[At(to)] = from < 0 ? 1 : view.dims[At(from)];
    out.strides[At(to)] = from < 0 ? 0 : view.strides[At(from)];
  };
  set(0, lead > 0 && (last || lead == 2) ? 0 : -1);
  set(1, last ? view.rank - 1 : (lead > 0 ? lead - 1 : -1));
  for (int d = 0; d < 3; ++d) {
    const int from = d - (3 - spatial);
    set(2 + d, from < 0 ? -1 : lead + from);
  }
  return out;
}

struct PoolShape {
  int spatial = 0;
  bool adaptive = false;
};

Status AddPool(StepPlan& plan, const PoolShape& shape) {
  const Attributes& attributes = plan.attributes;
  const bool last = attributes.Bool("channels_last");
  const bool max = attributes.Str("kind") == "max";
  const bool indices = max && attributes.Bool("with_indices") && plan.outputs.size() > 1;
  const size_t n = At(shape.spatial);
  TRT_ASSIGN_OR_RETURN(const TensorView in, SpatialView(plan.in(0), shape.spatial, last));
  TRT_ASSIGN_OR_RETURN(const TensorView out, SpatialView(plan.out(), shape.spatial, last));
  const size_t second = indices ? 1 : 0;
  TRT_ASSIGN_OR_RETURN(const TensorView at, SpatialView(plan.out(second), shape.spatial, last));
  const Dims kernel = attributes.Ints("kernel");
  const Dims stride = attributes.Ints("stride").empty() ? kernel : attributes.Ints("stride");
  const Dims padding = attributes.Ints("padding");
  ParamBlock params;
  params.View(InputPlace(0), in).View(OutputPlace(0), out).View(OutputPlace(second), at);
  params.Int(indices ? 1 : 0).Int(shape.adaptive ? 1 : 0);
  for (const int64_t v : Aligned3(kernel, 0, n, 1)) params.Int(v);
  for (const int64_t v : Aligned3(stride, 0, n, 1)) params.Int(v);
  for (const int64_t v : Aligned3(padding, 0, n, 0)) params.Int(v);
  for (const int64_t v : Aligned3(padding, n, n, 0)) params.Int(v);
  for (const int64_t v : Aligned3(attributes.Ints("dilation"), 0, n, 1)) params.Int(v);
  params.Int(attributes.Int("divisor")).Int(attributes.Bool("count_include_pad", true) ? 1 : 0);
  return plan.AddFile("ref_pool.cu", "pool",
                      {DefineType("IN", plan.in(0).dtype), max ? "-DMAX=1" : "-DMAX=0"},
                      ElementGrid(plan, plan.out().numel()), params);
}

Status AddSort(StepPlan& plan, int64_t axis, bool descending, int64_t kept) {
  const TensorView& in = plan.in(0);
  const int64_t count = in.rank == 0 ? 1 : in.dims[At(axis)];
  if (in.numel() == 0 || kept == 0) return Status::Ok();
  const int64_t blocks = CeilDiv(count, kSortThreads);
  const int64_t lines = in.numel() / count;
  ParamBlock params;
  params.View(InputPlace(0), AxisLast(in, axis)).View(OutputPlace(0), AxisLast(plan.out(0), axis));
  params.View(OutputPlace(1), AxisLast(plan.out(1), axis)).Int(count).Int(kept);
  params.Int(descending ? 1 : 0).Int(blocks);
  // Every element is compared with all others, or once with each that is kept.
  if (in.rank > 0 && count > kSelectThreads && kept <= count / 64) {
    return plan.AddFile("ref_sort.cu", "select_few", {DefineType("DATA", in.dtype)},
                        GridFor(lines * kSelectThreads, kSelectThreads), params);
  }
  return plan.AddFile("ref_sort.cu", "sort", {DefineType("DATA", in.dtype)},
                      GridFor(lines * blocks * kSortThreads, kSortThreads), params);
}

constexpr std::string_view kResizeModes[] = {"nearest", "nearest-exact", "linear", "cubic"};

// Channels that a thread resizes at once, up to 16 bytes of them; 0: not channels last and dense.
int64_t ChannelVector(const StepPlan& plan, bool last) {
  const TensorView& in = plan.in(0);
  if (!last || !in.contiguous() || !plan.out().contiguous() || plan.out().numel() > INT32_MAX) {
    return 0;
  }
  int64_t vector = 16 / static_cast<int64_t>(SizeOf(in.dtype));
  while (in.dims[At(in.rank - 1)] % vector != 0) vector /= 2;
  return vector;
}

}  // namespace

Status PlanPool(StepPlan& plan) {
  const size_t spatial = plan.attributes.Ints("kernel").size();
  if (plan.attributes.Ints("padding").size() != 2 * spatial) {
    return InvalidArgument("[Pool] kernel ", ToString(plan.attributes.Ints("kernel")), ", padding ",
                           ToString(plan.attributes.Ints("padding")));
  }
  return AddPool(plan, {static_cast<int>(spatial), false});
}

Status PlanAdaptivePool(StepPlan& plan) {
  return AddPool(plan, {static_cast<int>(plan.attributes.Ints("sizes").size()), true});
}

Status PlanResize(StepPlan& plan) {
  const Attributes& attributes = plan.attributes;
  const std::string mode = attributes.Str("mode");
  const auto* found = std::find(std::begin(kResizeModes), std::end(kResizeModes), mode);
  if (found == std::end(kResizeModes)) return InvalidArgument("[Resize] unknown mode '", mode, "'");
  const bool last = attributes.Bool("channels_last");
  const auto spatial = static_cast<int>(attributes.Ints("sizes").size());
  TRT_ASSIGN_OR_RETURN(const TensorView in, SpatialView(plan.in(0), spatial, last));
  TRT_ASSIGN_OR_RETURN(const TensorView out, SpatialView(plan.out(), spatial, last));
  for (size_t d = 2; d < 5; ++d) {
    if (in.dims[d] == 0 && plan.out().numel() != 0) {
      return InvalidArgument("[Resize] an empty input dim");
    }
  }
  const auto scales = attributes.Get("scales", std::vector<double>{});
  ParamBlock params;
  params.View(InputPlace(0), in).View(OutputPlace(0), out);
  for (int d = 0; d < 3; ++d) {
    const int from = d - (3 - spatial);
    params.Float(from >= 0 && At(from) < scales.size() ? scales[At(from)] : 0);
  }
  for (int d = 0; d < 3; ++d) params.Int(d - (3 - spatial) >= 0 ? 1 : 0);
  params.Int(attributes.Bool("align_corners") ? 1 : 0);
  const int64_t vector = ChannelVector(plan, last);
  const auto bytes =
      static_cast<uint32_t>(vector) * static_cast<uint32_t>(SizeOf(plan.in(0).dtype));
  params.AlignedBits({{InputPlace(0), bytes}, {OutputPlace(0), bytes}});
  const bool in_double = plan.in(0).dtype == DataType::kFloat64;
  std::vector<std::string> options = {DefineType("IN", plan.in(0).dtype), "-DMAX=0",
                                      StrCat("-DMODE=", found - std::begin(kResizeModes)),
                                      in_double ? "-DPOSITION=double" : "-DPOSITION=float",
                                      StrCat("-DkVector=", std::max<int64_t>(vector, 1))};
  // Threads of an output pixel.
  int64_t lanes = 1;
  while (vector > 0 && lanes < 16 && lanes * 2 * vector <= out.dims[1]) lanes *= 2;
  options.push_back(StrCat("-DPIXEL_LANES=", lanes));
  const int64_t threads = vector > 0
                              ? plan.out().numel() / std::max<int64_t>(out.dims[1], 1) * lanes
                              : plan.out().numel();
  return plan.AddFile("ref_pool.cu", vector > 0 ? "resize_channels" : "resize", std::move(options),
                      ElementGrid(plan, threads), params);
}

Status PlanTopK(StepPlan& plan) {
  const int64_t axis = plan.attributes.Int("axis");
  const TensorView& in = plan.in(0);
  const int64_t size = in.rank == 0 ? 1 : in.dims[At(axis)];
  const int64_t k = plan.out().rank == 0 ? 1 : plan.out().dims[At(axis)];
  if (k > size) return InvalidArgument("[TopK] k ", k, " of ", size, " elements");
  return AddSort(plan, axis, plan.attributes.Bool("largest", true), k);
}

Status PlanSort(StepPlan& plan) {
  const int64_t axis = plan.attributes.Int("axis");
  const int64_t size = plan.in(0).rank == 0 ? 1 : plan.in(0).dims[At(axis)];
  return AddSort(plan, axis, plan.attributes.Bool("descending"), size);
}

}  // namespace torch_tensorrt::core::kernels::cuda
