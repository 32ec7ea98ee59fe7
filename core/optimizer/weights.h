// Constants computed by passes: reading and writing any float dtype as double, moving elements.
#pragma once

#include <functional>
#include <vector>

#include "core/ir/network.h"

namespace torch_tensorrt::core::optimizer {

// Weights that `make` gives when they are needed; small ones are made at once. REQUIRES: `make`
// gives this dtype and these dims, the same each time, and refers to no layer.
ir::Weights Defer(DataType dtype, const Dims& dims, std::function<ir::Weights()> make);

// Element values of float weights.
std::vector<double> ToDoubles(const ir::Weights& weights);
// Rounds once to `dtype`. REQUIRES: a float dtype; values.size() == NumElements(dims).
ir::Weights FromDoubles(const std::vector<double>& values, DataType dtype, const Dims& dims);
// Each run of `run` elements times scale[channel_of(its index)], in double, rounded once: a copy
// and nothing beside it. REQUIRES: not deferred; a float dtype; a multiple of `run` elements. In
// parallel.
ir::Weights ScaleRuns(const ir::Weights& weights, size_t run, const std::vector<double>& scale,
                      const std::function<size_t(size_t)>& channel_of);
// out = transpose(weights, perm), dense and deferred; shares the memory where no element moves.
ir::Weights TransposeWeights(const ir::Weights& weights, const Dims& perm);
// Joins along `axis`; deferred. REQUIRES: dims and dtypes agree otherwise.
ir::Weights ConcatWeights(const std::vector<ir::Weights>& parts, size_t axis);

}  // namespace torch_tensorrt::core::optimizer
