// Binds core/ir: networks and their tensors.
#include "core/ir/network.h"

#include <pybind11/stl.h>

#include "py/torch_tensorrt/csrc/attributes.h"
#include "py/torch_tensorrt/csrc/bindings.h"
#include "py/torch_tensorrt/csrc/errors.h"
#include "py/torch_tensorrt/csrc/types.h"

namespace torch_tensorrt::python {
namespace {

namespace py = pybind11;
using core::DataType;
using core::SymDims;
using core::SymInt;
using core::ir::Network;

// Keeps `owner` alive as long as the weights are; given up without the interpreter's lock.
std::shared_ptr<const void> Borrow(uintptr_t data, const py::object& owner) {
  PyObject* held = owner.ptr();
  Py_INCREF(held);
  return {reinterpret_cast<const void*>(data), [held](const void*) {
            if (Py_IsInitialized() == 0) return;
            const py::gil_scoped_acquire lock;
            Py_DECREF(held);
          }};
}

TensorHandle AddConstant(const NetworkPtr& self, uintptr_t data, DataType dtype,
                         const std::vector<int64_t>& dims, const py::object& owner,
                         const std::string& name, bool lent) {
  for (const int64_t dim : dims) {
    if (dim < 0) Check(core::InvalidArgument("[network] constant ", name, " has a negative dim"));
  }
  core::ir::Weights weights{dtype, dims, nullptr};
  if (data == 0 && weights.bytes() != 0) throw py::value_error("constant " + name + " has no data");
  if (data == 0) {
    // An empty tensor of torch has no address; weights always have one.
    weights.data = core::ir::AllocateWeights(dtype, {0}).weights.data;
  } else if (lent) {
    weights.data = core::Lend(LendTensor(owner, name), reinterpret_cast<const void*>(data));
  } else {
    weights.data = Borrow(data, owner);
  }
  return {self, self->AddConstant(std::move(weights), name)};
}

std::vector<TensorHandle> AddLayer(const NetworkPtr& self, const std::string& kind_name,
                                   const std::vector<TensorHandle>& inputs, const py::dict& attrs,
                                   const std::string& name, const std::string& source) {
  const auto kind = core::ir::ParseLayerKind(kind_name);
  if (!kind) Check(core::InvalidArgument("[network] no layer kind is called ", kind_name));
  std::vector<core::ir::TensorId> ids;
  for (const TensorHandle& input : inputs) {
    if (input.network != self) throw py::value_error("a tensor of another network");
    input.get();
    ids.push_back(input.id);
  }
  std::vector<TensorHandle> outputs;
  for (const core::ir::TensorId id : Unwrap(
           self->AddMultiLayer(*kind, std::move(ids), ToAttributes(*kind, attrs), name, source))) {
    outputs.push_back({self, id});
  }
  return outputs;
}

std::vector<TensorHandle> Handles(const NetworkPtr& self,
                                  const std::vector<core::ir::TensorId>& ids) {
  std::vector<TensorHandle> out;
  for (const core::ir::TensorId id : ids) out.push_back({self, id});
  return out;
}

// False when dims certainly differ: by form, or by value at the optimisation point.
bool Agrees(const TensorHandle& tensor, DataType dtype, const SymDims& dims) {
  const core::ir::Tensor& own = tensor.get();
  if (own.dtype != dtype || !core::ir::MayEqual(own.dims, dims)) return false;
  const core::SymbolLookup values = tensor.network->opt_values();
  for (size_t i = 0; i < dims.size(); ++i) {
    const core::Result<int64_t> difference = (own.dims[i] - dims[i]).Evaluate(values);
    if (difference.ok() && *difference != 0) return false;
  }
  return true;
}

std::string Describe(const TensorHandle& tensor) {
  const core::ir::Tensor& own = tensor.get();
  return core::ir::ToString(core::ir::TensorType{own.dtype, own.dims});
}

py::dict Symbols(const Network& self) {
  py::dict out;
  for (const core::ir::Symbol& symbol : self.symbols()) {
    out[py::str(symbol.name)] = py::make_tuple(symbol.min, symbol.opt, symbol.max);
  }
  return out;
}

void BindTensor(py::module_& module) {
  py::class_<TensorHandle>(module, "Tensor", "A tensor of a network.")
      .def_property_readonly("name", [](const TensorHandle& t) { return t.get().name; })
      .def_property_readonly("dtype", [](const TensorHandle& t) { return t.get().dtype; })
      .def_property_readonly(
          "shape", [](const TensorHandle& t) { return FromSymDims(t.get().dims); },
          "Sizes: an int, or a SymInt where it is known at run time only.")
      .def_property_readonly("rank", [](const TensorHandle& t) { return t.get().rank(); })
      .def_property_readonly("network", [](const TensorHandle& t) { return t.network; })
      .def("__repr__", &Describe)
      .def("__eq__", [](const TensorHandle& a,
                        const TensorHandle& b) { return a.network == b.network && a.id == b.id; })
      .def("__hash__", [](const TensorHandle& t) { return t.id; })
      .def(
          "agrees",
          [](const TensorHandle& t, DataType dtype, py::handle dims) {
            return Agrees(t, dtype, ToSymDims(dims));
          },
          py::arg("dtype"), py::arg("dims"),
          "False when the tensor certainly has another dtype or other dims.");
}

}  // namespace

void BindNetwork(py::module_& module) {
  BindTensor(module);
  py::class_<Network, NetworkPtr>(module, "Network", "A typed graph of layers.")
      .def(py::init<>())
      .def(
          "add_symbol",
          [](Network& self, const std::string& name, int64_t min, int64_t opt, int64_t max) {
            Check(self.AddSymbol({name, min, opt, max}));
          },
          py::arg("name"), py::arg("min"), py::arg("opt"), py::arg("max"))
      .def(
          "add_input",
          [](const NetworkPtr& self, const std::string& name, DataType dtype, py::handle dims) {
            return TensorHandle{self, self->AddInput(name, dtype, ToSymDims(dims))};
          },
          py::arg("name"), py::arg("dtype"), py::arg("dims"))
      .def("add_constant", &AddConstant, py::arg("data"), py::arg("dtype"), py::arg("dims"),
           py::arg("owner"), py::arg("name"), py::arg("lent") = false,
           "A constant that reads contiguous memory at the address `data`, which `owner` keeps. "
           "`lent`: others have the owner, a tensor, too, and may write to it or free it: engines "
           "copy such memory or notice.")
      .def("add_layer", &AddLayer, py::arg("kind"), py::arg("inputs"),
           py::arg("attributes") = py::dict(), py::arg("name") = "", py::arg("source") = "",
           "Adds a layer of the table; returns its outputs.")
      .def(
          "mark_output",
          [](const NetworkPtr& self, const TensorHandle& tensor, const std::string& name) {
            if (tensor.network != self) throw py::value_error("a tensor of another network");
            tensor.get();
            self->MarkOutput(tensor.id, name);
          },
          py::arg("tensor"), py::arg("name"))
      .def_property_readonly("inputs",
                             [](const NetworkPtr& self) { return Handles(self, self->inputs()); })
      .def_property_readonly("outputs",
                             [](const NetworkPtr& self) { return Handles(self, self->outputs()); })
      .def_property_readonly("output_names", &Network::output_names)
      .def_property_readonly("symbols", &Symbols, "Name to (min, opt, max).")
      .def_property_readonly("num_layers", [](const Network& self) { return self.order().size(); })
      .def("remove_dead", &Network::RemoveDead, "Removes unused layers; returns how many.")
      .def("verify", [](const Network& self) { Check(self.Verify()); })
      .def("to_string", &Network::ToString, py::arg("inline_elements") = 16,
           py::call_guard<py::gil_scoped_release>())
      .def("__str__", [](const Network& self) { return self.ToString(); })
      .def_static(
          "parse",
          [](const std::string& text) {
            return std::make_shared<Network>(Unwrap(Network::Parse(text)));
          },
          py::arg("text"));
  module.def("layer_kinds", [] {
    std::vector<std::string> names;
    for (int i = 0; i < core::ir::kLayerKindCount; ++i) {
      names.emplace_back(core::ir::InfoOf(static_cast<core::ir::LayerKind>(i)).name);
    }
    return names;
  });
}

}  // namespace torch_tensorrt::python
