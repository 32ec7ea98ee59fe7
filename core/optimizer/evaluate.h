// Runs layers on known values through the reference kernels: constant folding, and the optimiser's
// tests.
#pragma once

#include <vector>

#include "core/ir/network.h"

namespace torch_tensorrt::core::optimizer {

// Outputs of a layer whose inputs, attributes and output dims are `inputs`, static and `outputs`.
// Unsupported when there is no reference kernel of the kind.
Result<std::vector<ir::Weights>> Evaluate(ir::LayerKind kind, const Attributes& attrs,
                                          const std::vector<ir::Weights>& inputs,
                                          const std::vector<ir::TensorType>& outputs);

// Values of the network's outputs for these inputs (in the order of network.inputs()), symbols
// bound by `lookup`.
Result<std::vector<ir::Weights>> EvaluateNetwork(const ir::Network& network,
                                                 const std::vector<ir::Weights>& inputs,
                                                 const SymbolLookup& lookup);

}  // namespace torch_tensorrt::core::optimizer
