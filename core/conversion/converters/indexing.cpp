// Reading through index tensors.
#include <algorithm>

#include "core/conversion/families.h"
#include "core/conversion/index_list.h"
#include "core/conversion/masks.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

TensorId Gather(ConversionContext& ctx, TensorId data, TensorId indices, int64_t axis,
                bool allow_negative) {
  return ctx.Add(LayerKind::kGather, {data, indices},
                 {{"axis", axis}, {"allow_negative", allow_negative}});
}

Values Embedding(ConversionContext& ctx, const Args& args) {
  return Out(Gather(ctx, args.Tensor("weight"), args.Tensor("indices"), 0, false));
}

Values IndexSelect(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  const TensorId index = ctx.AtLeast1d(args.Tensor("index"));
  const TensorId out = Gather(ctx, ctx.AtLeast1d(x), index, axis, false);
  return Out(ctx.Rank(x) == 0 ? ctx.Reshape(out, {}) : out);
}

Values GatherElements(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  TensorId index = args.Tensor("index");
  if (ctx.Type(index) == DataType::kUInt8) index = ctx.Cast(index, DataType::kInt64);
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  const TensorId out = ctx.Add(LayerKind::kGatherElements, {ctx.AtLeast1d(x), ctx.AtLeast1d(index)},
                               {{"axis", axis}});
  return Out(ctx.Reshape(out, ctx.Dims(index)));
}

// Elements under a mask that is the only index: the dims it covers are one.
Values IndexByMask(ConversionContext& ctx, TensorId x, const IndexItems& items,
                   const SymInt& count) {
  const TensorId mask = items.items[0].tensor;
  const SymDims& dims = ctx.Dims(x);
  SymDims joined(dims.begin(), dims.begin() + items.before);
  joined.push_back(NumElements(ctx.Dims(mask)));
  joined.insert(joined.end(), dims.end() - items.after, dims.end());
  return Out(
      Gather(ctx, ctx.Reshape(x, joined), FlatNonZero(ctx, mask, count), items.before, false));
}

Values Index(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const IndexItems items = ParseIndices(ctx, args, x);
  SymInt count = 0;
  if (items.HasMask()) {
    const SymDims result = args.Syms("result");
    const auto place = static_cast<int64_t>(result.size()) - 1 - items.after;
    ctx.Require(place >= 0, "nothing names the size of its result, which depends on values");
    if (ctx.ok()) count = result[static_cast<size_t>(place)];
    if (ctx.ok() && items.items.size() == 1) return IndexByMask(ctx, x, items, count);
  }
  if (!ctx.ok()) return {};
  const IndexList list = ExpandMasks(ctx, items, count);
  if (!ctx.ok() || list.tensors.empty()) return Out(x);
  if (list.tensors.size() == 1) {
    return Out(Gather(ctx, x, list.tensors[0], list.dims[0], true));
  }
  std::vector<TensorId> inputs{x};
  inputs.insert(inputs.end(), list.tensors.begin(), list.tensors.end());
  return Out(ctx.Add(LayerKind::kIndex, inputs, {{"dims", list.dims}}));
}

Values Take(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(
      Gather(ctx, ctx.Reshape(x, {NumElements(ctx.Dims(x))}), args.Tensor("index"), 0, true));
}

// The diagonal of the two dims, as the last dim: both are indexed by one range.
Values Diagonal(ConversionContext& ctx, const Args& args) {
  TensorId x = args.Tensor("self");
  const int64_t rank = ctx.Rank(x);
  const int64_t offset = args.Int("offset", 0);
  const int64_t d1 = ctx.Axis(args.Int("dim1", 0), rank);
  const int64_t d2 = ctx.Axis(args.Int("dim2", 1), rank);
  ctx.Require(rank >= 2 && d1 != d2, "dims ", d1, " and ", d2, " of rank ", rank);
  if (!ctx.ok()) return {};
  core::Dims perm;
  for (int64_t d = 0; d < rank; ++d) {
    if (d != d1 && d != d2) perm.push_back(d);
  }
  perm.push_back(d1);
  perm.push_back(d2);
  x = ctx.Transpose(x, perm);
  const int64_t down = std::max<int64_t>(-offset, 0);
  const int64_t right = std::max<int64_t>(offset, 0);
  const SymInt length = Max(Min(ctx.Dim(x, -2) - down, ctx.Dim(x, -1) - right), 0);
  const TensorId rows = ctx.Iota(length, down, 1, DataType::kInt64);
  const TensorId columns = ctx.Iota(length, right, 1, DataType::kInt64);
  return Out(
      ctx.Add(LayerKind::kIndex, {x, rows, columns}, {{"dims", core::Dims{rank - 2, rank - 1}}}));
}

// Windows of `size` along a dim, `step` apart; the places within a window become the last dim.
Values Unfold(ConversionContext& ctx, const Args& args) {
  const TensorId self = args.Tensor("self");
  const TensorId x = ctx.AtLeast1d(self);
  const int64_t rank = ctx.Rank(x);
  const int64_t axis = ctx.Axis(args.Int("dimension"), rank);
  const int64_t size = args.Int("size");
  const int64_t step = args.Int("step");
  ctx.Require(size >= 0 && step > 0, "windows of ", size, " by steps of ", step);
  if (!ctx.ok()) return {};
  const SymInt count = FloorDiv(ctx.Dim(x, axis) - size, step) + 1;
  const TensorId starts = ctx.Unsqueeze(ctx.Iota(count, 0, step, DataType::kInt64), 1);
  const TensorId places = ctx.Iota(size, 0, 1, DataType::kInt64);
  const TensorId index = ctx.Binary(PointwiseOp::kAdd, starts, places);
  const TensorId windows = Gather(ctx, x, index, axis, false);
  core::Dims perm;
  for (int64_t d = 0; d <= rank; ++d) {
    if (d != axis + 1) perm.push_back(d);
  }
  perm.push_back(axis + 1);
  const TensorId out = ctx.Transpose(windows, perm);
  return Out(ctx.Rank(self) == 0 ? ctx.Reshape(out, {SymInt(size)}) : out);
}

Values OneHot(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t classes = args.Int("num_classes", -1);
  ctx.Require(classes > 0, "the number of classes must be given");
  const TensorId range = ctx.Iota(classes, 0, 1, DataType::kInt64);
  // The gather changes no value; it is what refuses a class out of range, as PyTorch does.
  const TensorId checked = Gather(ctx, range, ctx.Cast(x, DataType::kInt64), 0, false);
  const TensorId wide = ctx.Unsqueeze(checked, -1);
  return Out(ctx.Cast(ctx.Binary(PointwiseOp::kEq, wide, range), DataType::kInt64));
}

constexpr ConverterEntry kTable[] = {
    {"aten.embedding.default", &Embedding},   {"aten.index_select.default", &IndexSelect},
    {"aten.gather.default", &GatherElements}, {"aten.index.Tensor", &Index},
    {"aten._unsafe_index.Tensor", &Index},    {"aten.take.default", &Take},
    {"aten.diagonal.default", &Diagonal},     {"aten.diagonal_copy.default", &Diagonal},
    {"aten.one_hot.default", &OneHot},        {"aten.unfold.default", &Unfold},
    {"aten.unfold_copy.default", &Unfold},
};

}  // namespace

ConverterTable IndexingConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
