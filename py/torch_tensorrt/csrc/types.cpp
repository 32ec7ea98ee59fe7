#include "py/torch_tensorrt/csrc/types.h"

#include <pybind11/operators.h>

#include "py/torch_tensorrt/csrc/bindings.h"
#include "py/torch_tensorrt/csrc/errors.h"

namespace torch_tensorrt::python {

namespace py = pybind11;
using core::DataType;
using core::SymDims;
using core::SymInt;
using core::conversion::TensorRef;
using core::conversion::Value;

const core::ir::Tensor& TensorHandle::get() const {
  if (id < 0 || id >= network->tensor_count()) {
    throw py::value_error("the network of this tensor was consumed by a build");
  }
  return network->tensor(id);
}

SymInt ToSymInt(py::handle value) {
  if (py::isinstance<py::str>(value)) return Unwrap(SymInt::Parse(value.cast<std::string>()));
  if (py::isinstance<SymInt>(value)) return value.cast<SymInt>();
  return SymInt(value.cast<int64_t>());
}

SymDims ToSymDims(py::handle sequence) {
  SymDims dims;
  for (const py::handle item : py::reinterpret_borrow<py::sequence>(sequence)) {
    dims.push_back(ToSymInt(item));
  }
  return dims;
}

py::object FromSymInt(const SymInt& value) {
  return value.is_constant() ? py::object(py::int_(value.constant())) : py::cast(value);
}

py::tuple FromSymDims(const SymDims& dims) {
  py::tuple out(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) out[i] = FromSymInt(dims[i]);
  return out;
}

Value ToValue(py::handle object, const NetworkPtr& network) {
  if (object.is_none()) return Value();
  if (py::isinstance<py::bool_>(object)) return Value(object.cast<bool>());
  if (py::isinstance<py::int_>(object)) return Value(SymInt(object.cast<int64_t>()));
  if (py::isinstance<py::float_>(object)) return Value(object.cast<double>());
  if (py::isinstance<SymInt>(object)) return Value(object.cast<SymInt>());
  if (py::isinstance<py::str>(object)) return Value(object.cast<std::string>());
  if (py::isinstance<DataType>(object)) return Value(object.cast<DataType>());
  if (py::isinstance<TensorHandle>(object)) {
    const auto& handle = object.cast<const TensorHandle&>();
    if (handle.network != network) throw py::value_error("a tensor of another network");
    handle.get();
    return Value::Tensor(handle.id);
  }
  if (py::isinstance<py::list>(object) || py::isinstance<py::tuple>(object)) {
    Value::List list;
    for (const py::handle item : py::reinterpret_borrow<py::sequence>(object)) {
      list.push_back(ToValue(item, network));
    }
    return Value(std::move(list));
  }
  throw py::type_error("a converter cannot take " +
                       py::str(py::type::handle_of(object)).cast<std::string>());
}

namespace {

struct ToPython {
  const NetworkPtr& network;

  py::object operator()(std::monostate) const { return py::none(); }
  py::object operator()(TensorRef ref) const { return py::cast(TensorHandle{network, ref.id}); }
  py::object operator()(const SymInt& value) const { return FromSymInt(value); }
  py::object operator()(double value) const { return py::float_(value); }
  py::object operator()(bool value) const { return py::bool_(value); }
  py::object operator()(const std::string& value) const { return py::str(value); }
  py::object operator()(DataType value) const { return py::cast(value); }
  py::object operator()(const Value::List& list) const {
    py::list out;
    for (const Value& item : list) out.append(FromValue(item, network));
    return out;
  }
};

void BindDataType(py::module_& module) {
  py::enum_<DataType> type(module, "DataType", "Element types, by their short names.");
  for (int i = 0; i < core::kDataTypeCount; ++i) {
    const auto value = static_cast<DataType>(i);
    type.value(std::string(core::DataTypeName(value)).c_str(), value);
  }
}

void BindSymInt(py::module_& module) {
  using Fn = SymInt (*)(const SymInt&, const SymInt&);
  const auto binary = [](Fn op) {
    return [op](const SymInt& a, py::handle b) { return FromSymInt(op(a, ToSymInt(b))); };
  };
  const auto reflected = [](Fn op) {
    return [op](const SymInt& a, py::handle b) { return FromSymInt(op(ToSymInt(b), a)); };
  };
  const Fn add = [](const SymInt& a, const SymInt& b) { return a + b; };
  const Fn sub = [](const SymInt& a, const SymInt& b) { return a - b; };
  const Fn mul = [](const SymInt& a, const SymInt& b) { return a * b; };
  const Fn div = [](const SymInt& a, const SymInt& b) { return FloorDiv(a, b); };
  const Fn mod = [](const SymInt& a, const SymInt& b) { return Mod(a, b); };
  py::class_<SymInt>(module, "SymInt", "An integer expression over the sizes of the inputs.")
      .def(py::init([](py::handle value) { return ToSymInt(value); }), py::arg("value"))
      .def("__str__", &SymInt::ToString)
      .def("__repr__", &SymInt::ToString)
      .def("__hash__", [](const SymInt& a) { return py::hash(py::str(a.ToString())); })
      .def("__eq__", [](const SymInt& a, const SymInt& b) { return a == b; })
      .def("__eq__", [](const SymInt& a, int64_t b) { return a.Equals(b); })
      .def("__add__", binary(add))
      .def("__radd__", reflected(add))
      .def("__sub__", binary(sub))
      .def("__rsub__", reflected(sub))
      .def("__mul__", binary(mul))
      .def("__rmul__", reflected(mul))
      .def("__floordiv__", binary(div))
      .def("__rfloordiv__", reflected(div))
      .def("__mod__", binary(mod))
      .def("__neg__", [](const SymInt& a) { return SymInt(0) - a; })
      .def_property_readonly("is_constant", &SymInt::is_constant)
      .def(
          "evaluate",
          [](const SymInt& self, const py::dict& values) {
            return Unwrap(self.Evaluate([&](std::string_view name) -> std::optional<int64_t> {
              const py::str key(name.data(), name.size());
              if (!values.contains(key)) return std::nullopt;
              return values[key].cast<int64_t>();
            }));
          },
          py::arg("values"), "The value for symbol values by name.");
}

}  // namespace

py::object FromValue(const Value& value, const NetworkPtr& network) {
  return std::visit(ToPython{network}, value.v);
}

void BindTypes(py::module_& module) {
  BindDataType(module);
  BindSymInt(module);
}

}  // namespace torch_tensorrt::python
