// WeightWatch: tells on every call of a compiled graph whether the tensors that its engine holds as
// constants are still what they were.
#include <torch/csrc/autograd/python_variable.h>

#include <vector>

#include "py/torch_tensorrt/csrc/bindings.h"
#include "py/torch_tensorrt/csrc/tensor_state.h"

namespace torch_tensorrt::python {
namespace {

namespace py = pybind11;

// Each question is asked of all tensors before the next one: after the engine has run, everything
// here is out of cache, and short loops wait for many cache lines at once.
class WeightWatch {
 public:
  explicit WeightWatch(const py::list& tensors) {
    for (const py::handle value : tensors) {
      if (!THPVariable_Check(value.ptr())) throw py::type_error("WeightWatch takes tensors");
      const at::Tensor& tensor = THPVariable_Unpack(value.ptr());
      states_.push_back(StateOf(tensor));
      impls_.push_back(tensor.unsafeGetTensorImpl());
      counted_.push_back(!tensor.is_inference());
      owners_.push_back(py::reinterpret_borrow<py::object>(value));
    }
  }

  bool SameObjects(const py::list& tensors) const {
    if (tensors.size() != owners_.size()) return false;
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (PyList_GET_ITEM(tensors.ptr(), static_cast<Py_ssize_t>(i)) != owners_[i].ptr()) {
        return false;
      }
    }
    return true;
  }

  bool Unchanged(const py::list& tensors) const {
    if (!SameObjects(tensors)) return false;
    Prefetch();
    return SameVersions() && SameAddresses() && SameShapes() && SameSamples();
  }

 private:
  void Prefetch() const {
    for (size_t i = 0; i < impls_.size(); ++i) {
      const auto* impl = reinterpret_cast<const char*>(impls_[i]);
      for (size_t at = 0; at < sizeof(c10::TensorImpl); at += 64) __builtin_prefetch(impl + at);
      const TensorState& state = states_[i];
      if (state.readable == 0) continue;
      __builtin_prefetch(state.address + state.readable / 2);
      __builtin_prefetch(state.address + state.readable - 1);
    }
  }
  bool SameVersions() const {
    int64_t difference = 0;
    for (size_t i = 0; i < impls_.size(); ++i) {
      if (!counted_[i]) continue;
      difference |= impls_[i]->version_counter().current_version() ^ states_[i].version;
    }
    return difference == 0;
  }
  bool SameAddresses() const {
    bool same = true;
    for (size_t i = 0; i < impls_.size(); ++i) {
      if (impls_[i]->has_storage()) same &= AddressOf(*impls_[i]) == states_[i].address;
    }
    return same;
  }
  bool SameShapes() const {
    for (size_t i = 0; i < impls_.size(); ++i) {
      if (!impls_[i]->has_storage()) continue;
      if (!impls_[i]->sizes().equals(states_[i].sizes)) return false;
      if (!impls_[i]->strides().equals(states_[i].strides)) return false;
    }
    return true;
  }
  // REQUIRES: the addresses and shapes are the same, so that the memory is still there.
  bool SameSamples() const {
    bool same = true;
    for (const TensorState& state : states_) {
      if (state.readable > 0) same &= ReadSample(state.address, state.readable) == state.sample;
    }
    return same;
  }

  std::vector<TensorState> states_;
  std::vector<const c10::TensorImpl*> impls_;
  std::vector<char> counted_;
  std::vector<py::object> owners_;  // keep the tensors, and so impls_, alive
};

}  // namespace

void BindWeightWatch(py::module_& module) {
  py::class_<WeightWatch>(module, "WeightWatch", "Notices when tensors change.")
      .def(py::init<const py::list&>(), py::arg("tensors"))
      .def("same_objects", &WeightWatch::SameObjects, py::arg("tensors"),
           "Whether these are the same tensors, whatever their contents.")
      .def("unchanged", &WeightWatch::Unchanged, py::arg("tensors"),
           "Whether these are the same tensors with, as far as is looked, the same contents.");
}

}  // namespace torch_tensorrt::python
