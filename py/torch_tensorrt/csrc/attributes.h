// Layer attributes from keyword arguments, by the schema of the layer table.
#pragma once

#include <pybind11/pybind11.h>

#include "core/layers/layer_table.h"
#include "core/types/attributes.h"

namespace torch_tensorrt::python {

// None values are left out. Raises for names and types the kind does not have.
core::Attributes ToAttributes(core::layers::LayerKind kind, const pybind11::dict& values);

}  // namespace torch_tensorrt::python
