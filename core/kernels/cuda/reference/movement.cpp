// Data movement: Copy, Reshape, Transpose, Expand, Slice, Concat, Pad.
#include <algorithm>
#include <bit>
#include <cstring>

#include "core/kernels/cuda/reference/plans.h"
#include "core/kernels/reference/shapes.h"
#include "core/types/half.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

const char* ElementName(DataType type) {
  switch (SizeOf(type)) {
    case 1:
      return "-DELEMENT=u8";
    case 2:
      return "-DELEMENT=u16";
    case 4:
      return "-DELEMENT=u32";
    default:
      return "-DELEMENT=u64";
  }
}

// `value` as the bits of an element.
int64_t BitsOf(DataType type, double value) {
  switch (type) {
    case DataType::kFloat32:
      return std::bit_cast<int32_t>(static_cast<float>(value));
    case DataType::kFloat16:
      return FloatToFloat16(static_cast<float>(value));
    case DataType::kBFloat16:
      return FloatToBFloat16(static_cast<float>(value));
    case DataType::kFloat64:
      return std::bit_cast<int64_t>(value);
    case DataType::kBool:
      return value != 0 ? 1 : 0;
    default:
      return value >= -0x1p63 && value < 0x1p63 ? static_cast<int64_t>(value) : INT64_MIN;
  }
}

constexpr std::string_view kPadModes[] = {"constant", "reflect", "replicate", "circular"};

}  // namespace

Status PlanCopy(StepPlan& plan) {
  return AddCopy(plan, {plan.in(0), InputPlace(0)}, {plan.out(), OutputPlace(0)});
}

Status PlanReadSize(StepPlan& plan) { return PlanCopy(plan); }

// Elements in row-major order are the same on both sides.
Status PlanReshape(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  const TensorView& out = plan.out();
  const TensorView in_as_out = MakeView(nullptr, in.dtype, DimsOf(out));
  if (in.contiguous()) return AddCopy(plan, {in_as_out, InputPlace(0)}, {out, OutputPlace(0)});
  if (out.contiguous()) {
    const TensorView out_as_in = MakeView(nullptr, out.dtype, DimsOf(in));
    return AddCopy(plan, {in, InputPlace(0)}, {out_as_in, OutputPlace(0)});
  }
  ParamBlock params;
  params.View(InputPlace(0), in).View(OutputPlace(0), out);
  return plan.AddFile("ref_movement.cu", "reshape", {ElementName(in.dtype)},
                      ElementGrid(plan, out.numel()), params);
}

Status PlanTranspose(StepPlan& plan) {
  std::vector<int> order;
  for (const int64_t d : plan.attributes.Ints("perm")) order.push_back(static_cast<int>(d));
  return AddCopy(plan, {PermutedView(plan.in(0), order), InputPlace(0)},
                 {plan.out(), OutputPlace(0)});
}

Status PlanExpand(StepPlan& plan) {
  return AddCopy(plan, {BroadcastView(plan.in(0), plan.out()), InputPlace(0)},
                 {plan.out(), OutputPlace(0)});
}

Status PlanSlice(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  const TensorView& out = plan.out();
  const Dims starts = plan.attributes.Ints("starts");
  const Dims steps = plan.attributes.Ints("steps");
  TensorView view = out;
  int64_t offset = 0;
  for (int d = 0; d < in.rank; ++d) {
    const int64_t last = starts[At(d)] + (out.dims[At(d)] - 1) * steps[At(d)];
    const bool inside =
        starts[At(d)] >= 0 && starts[At(d)] < in.dims[At(d)] && last >= 0 && last < in.dims[At(d)];
    if (out.dims[At(d)] > 0 && !inside) {
      return InvalidArgument("[Slice] positions ", starts[At(d)], " to ", last, " of dim ", d,
                             " of size ", in.dims[At(d)]);
    }
    offset += starts[At(d)] * in.strides[At(d)];
    view.strides[At(d)] = in.strides[At(d)] * steps[At(d)];
  }
  if (out.numel() == 0) return Status::Ok();
  const int64_t bytes = offset * static_cast<int64_t>(SizeOf(in.dtype));
  return AddCopy(plan, {view, InputPlace(0, bytes)}, {out, OutputPlace(0)});
}

Status PlanConcat(StepPlan& plan) {
  const size_t axis = At(plan.attributes.Int("axis"));
  int64_t start = 0;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    TensorView part = plan.out();
    part.dims[axis] = plan.in(i).dims[axis];
    const int64_t bytes = start * part.strides[axis] * static_cast<int64_t>(SizeOf(part.dtype));
    TRT_RETURN_IF_ERROR(AddCopy(plan, {plan.in(i), InputPlace(i)}, {part, OutputPlace(0, bytes)}));
    start += part.dims[axis];
  }
  return Status::Ok();
}

Status PlanPad(StepPlan& plan) {
  const TensorView& in = plan.in(0);
  const TensorView& out = plan.out();
  const Dims pads = plan.attributes.Ints("pads");
  const std::string mode = plan.attributes.Str("mode");
  TRT_RETURN_IF_ERROR(reference::CheckPads(in, pads, mode));
  ParamBlock params;
  params.View(InputPlace(0), in).View(OutputPlace(0), out);
  for (int d = 0; d < kMaxRank; ++d) params.Int(d < in.rank ? pads[At(d)] : 0);
  params.Int(std::find(std::begin(kPadModes), std::end(kPadModes), mode) - std::begin(kPadModes));
  params.Int(BitsOf(in.dtype, plan.attributes.Double("value")));
  return plan.AddFile("ref_movement.cu", "pad", {ElementName(in.dtype)},
                      ElementGrid(plan, out.numel()), params);
}

}  // namespace torch_tensorrt::core::kernels::cuda
