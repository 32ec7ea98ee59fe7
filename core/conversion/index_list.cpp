#include "core/conversion/index_list.h"

#include <algorithm>

#include "core/conversion/masks.h"

namespace torch_tensorrt::core::conversion {
namespace {

// The dims of the indices stand where the first one was, if all are neighbours, else in front.
void FindPlace(IndexItems* items, int64_t rank) {
  int64_t covered = 0;
  for (const IndexItem& item : items->items) covered += static_cast<int64_t>(item.dims.size());
  int64_t first = -1;
  int64_t end = -1;
  bool adjacent = true;
  for (const IndexItem& item : items->items) {
    if (item.dims.empty()) continue;
    adjacent = adjacent && (end < 0 || item.dims.front() == end);
    if (first < 0) first = item.dims.front();
    end = item.dims.back() + 1;
  }
  items->before = adjacent && first > 0 ? first : 0;
  items->after = rank - covered - items->before;
}

}  // namespace

bool IndexItems::HasMask() const {
  return std::any_of(items.begin(), items.end(), [](const IndexItem& item) { return item.mask; });
}

IndexItems ParseIndices(ConversionContext& ctx, const Args& args, TensorId data) {
  IndexItems out;
  int64_t dim = 0;
  for (const Value& index : args.List("indices")) {
    if (index.is_none()) {
      ++dim;
      continue;
    }
    const auto* ref = index.get<TensorRef>();
    if (ref == nullptr) {
      ctx.Fail(Unsupported("an index is no tensor"));
      break;
    }
    const DataType type = ctx.Type(ref->id);
    IndexItem item{ref->id, IsMaskType(type), {}};
    ctx.Require(item.mask || type == DataType::kInt64 || type == DataType::kInt32,
                "an index of dtype ", DataTypeName(type));
    const int64_t covered = item.mask ? ctx.Rank(item.tensor) : 1;
    ctx.Require(covered > 0 || dim == 0, "a mask without dims beside other indices");
    for (int64_t d = 0; d < covered; ++d, ++dim) {
      item.dims.push_back(dim);
      ctx.Require(!item.mask || ctx.MayEqual(ctx.Dim(item.tensor, d), ctx.Dim(data, dim)),
                  "a mask ", ToString(ctx.Dims(item.tensor)), " for ", ToString(ctx.Dims(data)),
                  " from dim ", item.dims.front(), " on");
    }
    out.items.push_back(std::move(item));
  }
  ctx.Require(dim <= ctx.Rank(data), "more indices than dims");
  FindPlace(&out, ctx.Rank(data));
  return out;
}

IndexList ExpandMasks(ConversionContext& ctx, const IndexItems& items, const SymInt& count) {
  IndexList list;
  for (const IndexItem& item : items.items) {
    list.dims.insert(list.dims.end(), item.dims.begin(), item.dims.end());
    if (!item.mask) {
      // All index tensors of one layer share a type.
      list.tensors.push_back(ctx.Cast(item.tensor, DataType::kInt64));
      continue;
    }
    ctx.Require(!item.dims.empty(), "a mask without dims beside other indices");
    const TensorId places = NonZero(ctx, item.tensor, count);
    for (size_t d = 0; d < item.dims.size(); ++d) {
      const TensorId column = ctx.Slice(places, 1, static_cast<int64_t>(d), 1);
      list.tensors.push_back(ctx.Reshape(column, {count}));
    }
  }
  return list;
}

}  // namespace torch_tensorrt::core::conversion
