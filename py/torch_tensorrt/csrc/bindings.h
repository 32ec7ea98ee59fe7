// The parts of the module torch_tensorrt._C, one function a file.
#pragma once

#include <pybind11/pybind11.h>

namespace torch_tensorrt::python {

void BindErrors(pybind11::module_& module);
void BindTypes(pybind11::module_& module);
void BindNetwork(pybind11::module_& module);
void BindConversion(pybind11::module_& module);
void BindBuilder(pybind11::module_& module);
void BindEngineFile(pybind11::module_& module);
void BindWeightWatch(pybind11::module_& module);

}  // namespace torch_tensorrt::python
