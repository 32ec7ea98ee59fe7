// Constants computed by passes: reading and writing any float dtype as double, moving elements.
#pragma once

#include <vector>

#include "core/ir/network.h"

namespace torch_tensorrt::core::optimizer {

// Element values of float weights.
std::vector<double> ToDoubles(const ir::Weights& weights);
// Rounds once to `dtype`. REQUIRES: a float dtype; values.size() == NumElements(dims).
ir::Weights FromDoubles(const std::vector<double>& values, DataType dtype, const Dims& dims);
// out = transpose(weights, perm), dense; shares the memory where no element moves.
ir::Weights TransposeWeights(const ir::Weights& weights, const Dims& perm);
// Joins along `axis`. REQUIRES: dims and dtypes agree otherwise.
ir::Weights ConcatWeights(const std::vector<ir::Weights>& parts, size_t axis);

}  // namespace torch_tensorrt::core::optimizer
