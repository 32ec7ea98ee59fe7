#include "core/layers/layer_table.h"

#include <algorithm>
#include <array>

#include "core/layers/infer_args.h"
#include "core/types/limits.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::layers {
namespace {

constexpr std::array<LayerKindInfo, kLayerKindCount> kInfo = {{
#define TRT_ROW(name, min_inputs, max_inputs, outputs, attributes) \
  {#name, min_inputs, max_inputs, outputs, attributes},
    TRT_LAYER_KINDS(TRT_ROW)
#undef TRT_ROW
}};

using InferFn = InferResult (*)(const InferArgs&);

constexpr std::array<InferFn, kLayerKindCount> kInfer = {{
#define TRT_ROW(name, min_inputs, max_inputs, outputs, attributes) &Infer##name,
    TRT_LAYER_KINDS(TRT_ROW)
#undef TRT_ROW
}};

// Whether a value may be stored under a schema type. Integers serve as symbolic ones.
bool HasType(const AttrValue& value, std::string_view type) {
  if (type == "bool") return std::holds_alternative<bool>(value);
  if (type == "int") return std::holds_alternative<int64_t>(value);
  if (type == "f64") return std::holds_alternative<double>(value);
  if (type == "str") return std::holds_alternative<std::string>(value);
  if (type == "dtype") return std::holds_alternative<DataType>(value);
  if (type == "op") return std::holds_alternative<PointwiseOp>(value);
  if (type == "sym") return std::holds_alternative<SymInt>(value);
  if (type == "ints") return std::holds_alternative<Dims>(value);
  if (type == "syms") {
    return std::holds_alternative<SymDims>(value) || std::holds_alternative<Dims>(value);
  }
  if (type == "floats") return std::holds_alternative<std::vector<double>>(value);
  return type == "prog" && std::holds_alternative<ProgramText>(value);
}

struct SchemaField {
  std::string_view name;
  std::string_view type;
  bool optional;
};

// Takes the first field off `schema`. REQUIRES: schema is not empty.
SchemaField NextField(std::string_view* schema) {
  const size_t end = std::min(schema->find(' '), schema->size());
  std::string_view field = schema->substr(0, end);
  schema->remove_prefix(std::min(end + 1, schema->size()));
  const bool optional = field.back() == '?';
  if (optional) field.remove_suffix(1);
  const size_t colon = field.find(':');
  return {field.substr(0, colon), field.substr(colon + 1), optional};
}

// Sizes of windows, strides and the like, times a dim of a tensor, fit an int64. The values of Fill
// and Iota are no sizes.
bool HasUsableSizes(const SchemaField& field, const AttrValue& value) {
  constexpr int64_t kMostInWindow = int64_t{1} << 24;
  constexpr int64_t kMostInTensor = kMaxElements;
  const auto* list = std::get_if<Dims>(&value);
  if (list == nullptr) return true;
  if (list->size() > 2 * kMaxRank) return false;
  const int64_t most = field.type == "ints" ? kMostInWindow : kMostInTensor;
  return std::all_of(list->begin(), list->end(),
                     [most](int64_t v) { return v >= -most && v <= most; });
}

}  // namespace

const LayerKindInfo& InfoOf(LayerKind kind) { return kInfo[static_cast<size_t>(kind)]; }

std::optional<LayerKind> ParseLayerKind(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<LayerKind>(i);
  }
  return std::nullopt;
}

Status CheckAttributes(LayerKind kind, const Attributes& attrs) {
  std::string_view schema = InfoOf(kind).attributes;
  size_t found = 0;
  while (!schema.empty()) {
    const SchemaField field = NextField(&schema);
    auto it = attrs.map().find(field.name);
    if (it == attrs.map().end()) {
      if (field.optional) continue;
      return InvalidArgument("[", InfoOf(kind).name, "] attribute ", field.name, " is missing");
    }
    ++found;
    if (!HasType(it->second, field.type)) {
      return InvalidArgument("[", InfoOf(kind).name, "] attribute ", field.name,
                             " must be of type ", field.type, ", is ", ToString(it->second));
    }
  }
  if (found == attrs.map().size()) return Status::Ok();
  for (const auto& [name, value] : attrs.map()) {
    std::string_view rest = InfoOf(kind).attributes;
    bool known = false;
    while (!rest.empty()) known = NextField(&rest).name == name || known;
    if (!known) return InvalidArgument("[", InfoOf(kind).name, "] has no attribute ", name);
  }
  return Status::Ok();
}

InferResult InferOutputs(LayerKind kind, const std::vector<TensorType>& inputs,
                         const Attributes& attrs) {
  const LayerKindInfo& info = InfoOf(kind);
  const auto count = static_cast<int>(inputs.size());
  if (count < info.min_inputs || (info.max_inputs >= 0 && count > info.max_inputs)) {
    return InvalidArgument("[", info.name, "] takes ", info.min_inputs, " to ", info.max_inputs,
                           " inputs, got ", count);
  }
  TRT_RETURN_IF_ERROR(CheckAttributes(kind, attrs));
  for (const TensorType& input : inputs) {
    if (static_cast<int>(input.dims.size()) > kMaxRank) {
      return Unsupported("[", info.name, "] rank ", input.dims.size(), " is above ", kMaxRank);
    }
  }
  return kInfer[static_cast<size_t>(kind)]({kind, inputs, attrs});
}

Result<Attributes> AttributesOfStep(LayerKind kind, const Attributes& step) {
  std::string_view schema = InfoOf(kind).attributes;
  Attributes out;
  while (!schema.empty()) {
    const SchemaField field = NextField(&schema);
    const auto it = step.map().find(field.name);
    if (it == step.map().end()) continue;
    if (!HasUsableSizes(field, it->second)) {
      return InvalidArgument("[", InfoOf(kind).name, "] attribute ", field.name, " is ",
                             ToString(it->second), ", which no tensor needs");
    }
    const auto* resolved = std::get_if<int64_t>(&it->second);
    const bool symbolic = field.type == "sym" && resolved != nullptr;
    out.Set(std::string(field.name), symbolic ? AttrValue(SymInt(*resolved)) : it->second);
  }
  return out;
}

}  // namespace torch_tensorrt::core::layers
