// Binds core/conversion: ATen operators to layers.
#include <pybind11/stl.h>

#include "core/conversion/registry.h"
#include "py/torch_tensorrt/csrc/bindings.h"
#include "py/torch_tensorrt/csrc/errors.h"
#include "py/torch_tensorrt/csrc/types.h"

namespace torch_tensorrt::python {
namespace {

namespace py = pybind11;
namespace conversion = core::conversion;

py::list Convert(const NetworkPtr& network, const std::string& target, const py::dict& arguments,
                 const std::string& name, const std::string& source) {
  conversion::ArgMap args;
  for (const auto& [key, value] : arguments) {
    args[key.cast<std::string>()] = ToValue(value, network);
  }
  py::list out;
  for (const conversion::Value& value :
       Unwrap(conversion::Convert(network.get(), target, args, name, source))) {
    out.append(FromValue(value, network));
  }
  return out;
}

}  // namespace

void BindConversion(py::module_& module) {
  module.def("convert", &Convert, py::arg("network"), py::arg("target"), py::arg("arguments"),
             py::arg("name"), py::arg("source") = "",
             "Adds the layers of one operator, given its arguments by schema name with defaults "
             "filled. Returns one value for each schema return; None for a result that engines do "
             "not compute.");
  module.def("has_converter", [](const std::string& target) {
    return conversion::FindConverter(target) != nullptr;
  });
  module.def("converter_targets", [] {
    std::vector<std::string> out;
    for (const std::string_view target : conversion::ConverterTargets()) out.emplace_back(target);
    return out;
  });
}

}  // namespace torch_tensorrt::python
