#include "core/kernels/check_step.h"

#include <algorithm>

#include "core/types/limits.h"
#include "core/util/checked.h"

namespace torch_tensorrt::core::kernels {
namespace {

using layers::LayerKind;
using layers::TensorType;

TensorType TypeOf(const TensorView& view) {
  return {view.dtype, SymDims(view.dims.begin(), view.dims.begin() + view.rank)};
}

// What tactics and the tuner add to a layer's attributes for the kernels that they choose.
constexpr std::string_view kKernelAttributes[] = {
    "algorithm", "allow_tf32",   "b_dtype", "block_rows", "column_tasks",   "in_channels",
    "k",         "out_channels", "n",       "kernel",     "padded_channels"};

Status CheckOwn(const std::string& name, const AttrValue& value) {
  const auto* end = std::end(kKernelAttributes);
  if (std::find(std::begin(kKernelAttributes), end, name) == end) {
    return InvalidArgument("[plan] no kernel has an attribute ", name);
  }
  const auto* number = std::get_if<int64_t>(&value);
  const auto* list = std::get_if<Dims>(&value);
  bool usable = !std::holds_alternative<SymInt>(value) && !std::holds_alternative<SymDims>(value);
  if (number != nullptr) usable = *number >= -kMaxElements && *number <= kMaxElements;
  if (list != nullptr) {
    usable =
        list->size() <= static_cast<size_t>(kMaxRank) &&
        std::all_of(list->begin(), list->end(), [](int64_t v) { return v > 0 && v < 1 << 24; });
  }
  if (usable) return Status::Ok();
  return InvalidArgument("[plan] attribute ", name, " is ", ToString(value));
}

// What a kernel reads past its view's checks: by address, in an order of its own.
Status CheckPacked(const PrepareArgs& args) {
  constexpr uintptr_t kAlignment = 64;
  const TensorView& packed = args.inputs[1];
  const bool aligned = reinterpret_cast<uintptr_t>(packed.data) % kAlignment == 0;
  if (packed.contiguous() && aligned && (packed.data != nullptr || args.gpu != nullptr)) {
    return Status::Ok();
  }
  return InvalidArgument("[plan] packed weights that are no dense constant");
}

// `size` times `factor`, -1 when no tensor is that large or one of them is negative.
int64_t TimesSize(int64_t size, int64_t factor) {
  if (size < 0 || factor < 0) return -1;
  const auto product = CheckedMul(size, factor);
  return product && *product <= kMaxElements ? *product : -1;
}

}  // namespace

Result<TensorType> UnpackedMatrix(const Attributes& attributes, const TensorView& packed) {
  const int64_t n = attributes.Int("n");
  const int64_t k = attributes.Int("k");
  if (TimesSize(TimesSize(1, n), k) < 0 || TimesSize(1, k) < 0)
    return InvalidArgument("weights of ", k, " by ", n);
  return TensorType{attributes.Get<DataType>("b_dtype", packed.dtype), {k, n}};
}

namespace {

// `rows` filters of `columns` values per tap; rows and columns are the channels on either side.
Result<TensorType> FilterOf(const Attributes& attributes, const TensorView& packed, int64_t rows,
                            int64_t columns) {
  const int64_t groups = attributes.Int("groups", 1);
  const Dims kernel = attributes.Ints("kernel");
  int64_t size = TimesSize(TimesSize(1, rows), columns);
  for (const int64_t taps : kernel) size = TimesSize(size, taps);
  if (size < 0 || groups < 1 || columns % groups != 0) {
    return InvalidArgument("a filter of ", ToString(kernel), " with ", rows, " and ", columns,
                           " channels in ", groups, " groups");
  }
  TensorType filter{attributes.Get<DataType>("b_dtype", packed.dtype), {rows}};
  filter.dims.insert(filter.dims.end(), kernel.begin(), kernel.end());
  filter.dims.emplace_back(columns / groups);
  return filter;
}

}  // namespace

Result<TensorType> UnpackedFilter(const Attributes& attributes, const TensorView& packed) {
  return FilterOf(attributes, packed, attributes.Int("out_channels"),
                  attributes.Int("in_channels"));
}

Result<TensorType> UnpackedTransposedFilter(const Attributes& attributes,
                                            const TensorView& packed) {
  return FilterOf(attributes, packed, attributes.Int("in_channels"),
                  attributes.Int("out_channels"));
}

Status CheckStepAttributes(const KernelEntry& entry, const Attributes& attributes) {
  TRT_ASSIGN_OR_RETURN(const Attributes known, layers::AttributesOfStep(entry.kind, attributes));
  for (const auto& [name, value] : attributes.map()) {
    if (!known.Has(name)) TRT_RETURN_IF_ERROR(CheckOwn(name, value));
  }
  return layers::CheckAttributes(entry.kind, known);
}

Status CheckStep(const KernelEntry& entry, const PrepareArgs& args) {
  if (entry.kind == LayerKind::kConstant) return InternalError("[plan] a step of no layer");
  TRT_ASSIGN_OR_RETURN(const Attributes attributes,
                       layers::AttributesOfStep(entry.kind, args.attributes));
  std::vector<TensorType> inputs;
  inputs.reserve(args.inputs.size());
  for (const TensorView& input : args.inputs) inputs.push_back(TypeOf(input));
  if (entry.unpacked != nullptr) {
    if (inputs.size() < 2) return InvalidArgument("[plan] a step without its weights");
    TRT_RETURN_IF_ERROR(CheckPacked(args));
    TRT_ASSIGN_OR_RETURN(inputs[1], entry.unpacked(args.attributes, args.inputs[1]));
  }
  TRT_ASSIGN_OR_RETURN(const std::vector<TensorType> outputs,
                       layers::InferOutputs(entry.kind, inputs, attributes));
  if (outputs.size() != args.outputs.size()) {
    return InvalidArgument("[plan] ", args.outputs.size(), " outputs, expected ", outputs.size());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorType actual = TypeOf(args.outputs[i]);
    if (outputs[i].dtype == actual.dtype && outputs[i].dims == actual.dims) continue;
    return InvalidArgument("[plan] output ", i, " is ", ToString(actual), ", expected ",
                           ToString(outputs[i]));
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels
