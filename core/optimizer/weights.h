// Constants computed by passes: reading and writing any float dtype as double, moving elements.
#pragma once

#include <functional>
#include <vector>

#include "core/ir/network.h"

namespace torch_tensorrt::core::optimizer {

// Element values of float weights.
std::vector<double> ToDoubles(const ir::Weights& weights);
// Rounds once to `dtype`. REQUIRES: a float dtype; values.size() == NumElements(dims).
ir::Weights FromDoubles(const std::vector<double>& values, DataType dtype, const Dims& dims);
// Each run of `run` elements times scale[channel_of(its index)], in double, rounded once: a copy
// and nothing beside it. REQUIRES: a float dtype; a multiple of `run` elements. In parallel.
ir::Weights ScaleRuns(const ir::Weights& weights, size_t run, const std::vector<double>& scale,
                      const std::function<size_t(size_t)>& channel_of);
// out = transpose(weights, perm), dense; shares the memory where no element moves.
ir::Weights TransposeWeights(const ir::Weights& weights, const Dims& perm);
// Joins along `axis`. REQUIRES: dims and dtypes agree otherwise.
ir::Weights ConcatWeights(const std::vector<ir::Weights>& parts, size_t axis);

}  // namespace torch_tensorrt::core::optimizer
