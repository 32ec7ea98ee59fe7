#include "py/torch_tensorrt/csrc/attributes.h"

#include <pybind11/stl.h>

#include "py/torch_tensorrt/csrc/errors.h"
#include "py/torch_tensorrt/csrc/types.h"

namespace torch_tensorrt::python {
namespace {

namespace py = pybind11;
using core::AttrValue;

// The type of attribute `name` in the table's schema; empty when there is none.
std::string_view TypeOf(std::string_view schema, std::string_view name) {
  while (!schema.empty()) {
    const size_t end = schema.find(' ');
    std::string_view field = schema.substr(0, end);
    schema = end == std::string_view::npos ? "" : schema.substr(end + 1);
    if (!field.empty() && field.back() == '?') field.remove_suffix(1);
    const size_t colon = field.find(':');
    if (field.substr(0, colon) == name) return field.substr(colon + 1);
  }
  return "";
}

core::PointwiseOp ToOp(const std::string& name) {
  const auto op = core::ParsePointwiseOp(name);
  if (!op) Check(core::InvalidArgument("no pointwise operation is called ", name));
  return *op;
}

AttrValue ToAttribute(std::string_view type, py::handle value) {
  if (type == "bool") return value.cast<bool>();
  if (type == "int") return value.cast<int64_t>();
  if (type == "f64") return value.cast<double>();
  if (type == "str") return value.cast<std::string>();
  if (type == "dtype") return value.cast<core::DataType>();
  if (type == "op") return ToOp(value.cast<std::string>());
  if (type == "sym") return ToSymInt(value);
  if (type == "ints") return value.cast<std::vector<int64_t>>();
  if (type == "syms") return ToSymDims(value);
  if (type == "floats") return value.cast<std::vector<double>>();
  return core::ProgramText{value.cast<std::string>()};
}

}  // namespace

core::Attributes ToAttributes(core::ir::LayerKind kind, const py::dict& values) {
  const core::ir::LayerKindInfo& info = core::ir::InfoOf(kind);
  core::Attributes attrs;
  for (const auto& [key, value] : values) {
    const auto name = key.cast<std::string>();
    if (value.is_none()) continue;
    const std::string_view type = TypeOf(info.attributes, name);
    if (type.empty()) Check(core::InvalidArgument("[", info.name, "] has no attribute ", name));
    attrs.Set(name, ToAttribute(type, value));
  }
  return attrs;
}

}  // namespace torch_tensorrt::python
