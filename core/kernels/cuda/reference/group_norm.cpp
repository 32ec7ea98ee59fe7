// Group normalisation of dense channels-last tensors.
#include <algorithm>

#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr int64_t kThreads = 512;       // as in group_norm.cu
constexpr int64_t kMaxGroups = 256;     // as there
constexpr int64_t kMaxSlices = 128;     // each block reads the sums of all slices of its image
constexpr int64_t kWholeBlocks = 2;     // rounds of pixels that pay for a block
constexpr int64_t kEnoughBlocks = 528;  // for a large GPU; scratch must not depend on the GPU

// Channels that a thread keeps: neighbours of one group.
int64_t VectorFor(int64_t per_group, DataType type) {
  int64_t vector = type == DataType::kFloat32 ? 4 : 8;
  while (per_group % vector != 0) vector /= 2;
  return vector;
}

}  // namespace

bool TakesGroupChannelsLast(const StepPlan& plan, int channel_dim, int64_t groups) {
  const TensorView& in = plan.in(0);
  const int64_t channels = in.dims[At(channel_dim)];
  const auto floats = [](DataType type) { return ComputeType(type) == DataType::kFloat32; };
  if (channel_dim != in.rank - 1 || !in.contiguous() || !plan.out().contiguous()) return false;
  if (plan.out().dtype != in.dtype || groups > kMaxGroups) return false;
  for (const TensorView& view : plan.inputs) {
    if (!floats(view.dtype) || !view.contiguous()) return false;
  }
  return channels / VectorFor(channels / groups, in.dtype) <= kThreads;
}

Status PlanGroupChannelsLast(StepPlan& plan, int64_t groups) {
  const TensorView& in = plan.in(0);
  const int64_t channels = in.dims[At(in.rank - 1)];
  const int64_t images = in.dims[0];
  const int64_t pixels = in.numel() / (images * channels);
  const int64_t vector = VectorFor(channels / groups, in.dtype);
  const int64_t rows = kThreads / (channels / vector);
  // Many images are blocks enough, and every slice costs each block of its image.
  const int64_t enough = std::max<int64_t>(kEnoughBlocks / images, 1);
  const int64_t wanted =
      std::clamp<int64_t>(CeilDiv(pixels, rows * kWholeBlocks), 1, std::min(kMaxSlices, enough));
  const int64_t per_slice = CeilDiv(pixels, wanted);
  const int64_t slices = CeilDiv(pixels, per_slice);
  const bool has_weight = plan.attributes.Bool("has_weight");
  const bool has_bias = plan.attributes.Bool("has_bias");
  const size_t weight = has_weight ? 1 : 0;
  const size_t bias = has_bias ? weight + 1 : 0;
  const Place sums = plan.BookScratch(images * slices * groups * 8);
  const auto bytes = static_cast<uint32_t>(vector) * static_cast<uint32_t>(SizeOf(in.dtype));
  const std::vector<std::string> options = {
      DefineType("DATA", in.dtype), DefineType("WEIGHT", plan.in(weight).dtype),
      DefineType("BIAS", plan.in(bias).dtype), StrCat("-DkVector=", vector),
      plan.attributes.Bool("silu") ? "-DSILU=1" : "-DSILU=0"};
  for (const char* entry : {"group_sums", "group_apply"}) {
    ParamBlock params;
    params.Pointer(InputPlace(0)).Pointer(OutputPlace(0));
    params.Pointer(InputPlace(weight)).Pointer(InputPlace(bias)).Pointer(sums);
    params.Int(pixels).Int(channels).Int(groups).Int(channels / groups).Divide(slices);
    params.Int(per_slice);
    params.Int(has_weight ? 1 : 0).Int(has_bias ? 1 : 0);
    params.Float(1 / static_cast<double>(pixels * (channels / groups)));
    params.Float(plan.attributes.Double("eps"));
    params.AlignedBits({{InputPlace(0), bytes}, {OutputPlace(0), bytes}});
    TRT_RETURN_IF_ERROR(plan.AddFile("group_norm.cu", entry, options,
                                     Overlapping(GridFor(images * slices * kThreads, kThreads)),
                                     params));
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::cuda
