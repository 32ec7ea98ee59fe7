#include "py/torch_tensorrt/csrc/errors.h"

#include <array>

#include "py/torch_tensorrt/csrc/bindings.h"

namespace torch_tensorrt::python {
namespace {

namespace py = pybind11;
using core::StatusCode;

constexpr std::array kCodes = {StatusCode::kInvalidArgument, StatusCode::kUnsupported,
                               StatusCode::kOutOfRange,      StatusCode::kResourceExhausted,
                               StatusCode::kDataLoss,        StatusCode::kDeviceError,
                               StatusCode::kInternal};

// "UnsupportedError"; "DeviceError" has its suffix already.
std::string ClassName(StatusCode code) {
  std::string name(core::StatusCodeName(code));
  const bool suffixed = name.size() > 5 && name.substr(name.size() - 5) == "Error";
  return suffixed ? name : name + "Error";
}

PyObject* NewClass(py::module_& module, const std::string& name, py::handle base,
                   const std::string& code) {
  py::dict members;
  members["code"] = code;
  members["__module__"] = "torch_tensorrt._C";
  py::object made = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(&PyType_Type))(
      name, py::make_tuple(py::reinterpret_borrow<py::object>(base)), members);
  module.attr(name.c_str()) = made;
  return made.ptr();
}

void Translate(std::exception_ptr pointer) {
  try {
    if (pointer) std::rethrow_exception(pointer);
  } catch (const StatusException& error) {
    const py::module_ module = py::module_::import("torch_tensorrt._C");
    const py::object kind = module.attr(ClassName(error.status().code()).c_str());
    PyErr_SetString(kind.ptr(), error.what());
  }
}

}  // namespace

void BindErrors(py::module_& module) {
  PyObject* base = NewClass(module, "StatusError", PyExc_RuntimeError, "");
  for (const StatusCode code : kCodes) {
    NewClass(module, ClassName(code), base, std::string(core::StatusCodeName(code)));
  }
  py::register_local_exception_translator(&Translate);
}

}  // namespace torch_tensorrt::python
