// The `indices` argument of index and index_put: tensors with gaps.
#pragma once

#include <vector>

#include "core/conversion/args.h"

namespace torch_tensorrt::core::conversion {

// One of them: `dims` are the dims of the data that it indexes, several for a mask.
struct IndexItem {
  TensorId tensor = ir::kNone;
  bool mask = false;
  core::Dims dims;
};

struct IndexItems {
  std::vector<IndexItem> items;  // by ascending dims
  // Dims of data[indices] before and after those of the indices.
  int64_t before = 0;
  int64_t after = 0;

  bool HasMask() const;
};

// Refuses unknown index types, and more dims than the data has.
IndexItems ParseIndices(ConversionContext& ctx, const Args& args, TensorId data);

struct IndexList {
  core::Dims dims;  // ascending dims of the data that are indexed
  std::vector<TensorId> tensors;
};

// The items as index tensors: a mask as the indices of its `count` elements that are set.
IndexList ExpandMasks(ConversionContext& ctx, const IndexItems& items, const SymInt& count);

}  // namespace torch_tensorrt::core::conversion
