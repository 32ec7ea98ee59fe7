// Values that cross the border: dims, symbolic integers, tensors and converter arguments.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "core/conversion/value.h"
#include "core/ir/network.h"
#include "core/util/lent_memory.h"

namespace torch_tensorrt::python {

using NetworkPtr = std::shared_ptr<core::ir::Network>;

// A tensor of a network, as Python holds it. Keeps the network alive.
struct TensorHandle {
  NetworkPtr network;
  core::ir::TensorId id = core::ir::kNone;

  // Throws when the network was consumed by a build.
  const core::ir::Tensor& get() const;
};

// From an int, a SymInt or the text form.
core::SymInt ToSymInt(pybind11::handle value);
core::SymDims ToSymDims(pybind11::handle sequence);
// An int when known, else a SymInt.
pybind11::object FromSymInt(const core::SymInt& value);
pybind11::tuple FromSymDims(const core::SymDims& dims);

// TypeError for objects that no converter takes; ValueError for a tensor of another network.
core::conversion::Value ToValue(pybind11::handle object, const NetworkPtr& network);
pybind11::object FromValue(const core::conversion::Value& value, const NetworkPtr& network);

// The lender of a CPU tensor's memory, which it keeps. `name` is for its error. TypeError for what
// is no tensor.
std::shared_ptr<const core::Lender> LendTensor(pybind11::handle tensor, std::string name);

}  // namespace torch_tensorrt::python
