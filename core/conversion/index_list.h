// The `indices` argument of index and index_put: tensors with gaps.
#pragma once

#include <vector>

#include "core/conversion/args.h"

namespace torch_tensorrt::core::conversion {

struct IndexList {
  core::Dims dims;  // ascending dims of the data that are indexed
  std::vector<TensorId> tensors;
};

// Refuses bool masks (their result has a size that depends on data) and unknown index types.
IndexList ParseIndices(ConversionContext& ctx, const Args& args, TensorId data);

}  // namespace torch_tensorrt::core::conversion
