#include "py/torch_tensorrt/csrc/bindings.h"

PYBIND11_MODULE(_C, module) {
  module.doc() = "Networks, conversion and the builder, as torch_tensorrt uses them.";
  torch_tensorrt::python::BindErrors(module);
  torch_tensorrt::python::BindTypes(module);
  torch_tensorrt::python::BindNetwork(module);
  torch_tensorrt::python::BindConversion(module);
  torch_tensorrt::python::BindBuilder(module);
  torch_tensorrt::python::BindEngineFile(module);
  torch_tensorrt::python::BindWeightWatch(module);
}
