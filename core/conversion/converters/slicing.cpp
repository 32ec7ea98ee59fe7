// Cutting tensors apart and putting them together.
#include <algorithm>

#include "core/conversion/bounds.h"
#include "core/conversion/families.h"
#include "core/conversion/operands.h"
#include "core/conversion/promote.h"

namespace torch_tensorrt::core::conversion {
namespace {

Values Slice(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  ctx.Require(ctx.Rank(x) > 0, "slice of a scalar");
  const int64_t axis = ctx.Axis(args.Int("dim", 0), ctx.Rank(x));
  return Out(SliceBounds(ctx, x, axis, args.Sym("start", 0), args.Sym("end", INT64_MAX),
                         args.Int("step", 1)));
}

TensorId SelectAt(ConversionContext& ctx, TensorId x, int64_t axis, const SymInt& index) {
  const SymInt at = WrapIndex(ctx, index, ctx.Dim(x, axis));
  return ctx.Squeeze(ctx.Slice(x, axis, at, 1), axis);
}

Values Select(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  ctx.Require(ctx.Rank(x) > 0, "select of a scalar");
  return Out(SelectAt(ctx, x, ctx.Axis(args.Int("dim"), ctx.Rank(x)), args.Sym("index")));
}

Values Narrow(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  ctx.Require(ctx.Rank(x) > 0, "narrow of a scalar");
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  const SymInt start = ClampBound(ctx, args.Sym("start"), ctx.Dim(x, axis));
  return Out(ctx.Slice(x, axis, start, args.Sym("length")));
}

Values Cat(ConversionContext& ctx, const Args& args) {
  std::vector<TensorId> inputs = args.Tensors("tensors");
  ctx.Require(!inputs.empty(), "no tensors");
  if (!ctx.ok()) return {};
  ResultTypeState state;
  for (TensorId x : inputs) state.AddTensor(ctx.Type(x), true);
  const DataType type = state.Get();
  // A 1-d empty tensor is ignored whatever the rank of the others.
  const auto legacy = [&](TensorId x) { return ctx.Rank(x) == 1 && ctx.Dim(x, 0).Equals(0); };
  const TensorId first = inputs[0];
  inputs.erase(std::remove_if(inputs.begin(), inputs.end(), legacy), inputs.end());
  if (inputs.empty()) return Out(ctx.Cast(first, type));
  for (TensorId& x : inputs) x = ctx.Cast(x, type);
  return Out(ctx.Concat(inputs, ctx.Axis(args.Int("dim", 0), ctx.Rank(inputs[0]))));
}

Values Stack(ConversionContext& ctx, const Args& args) {
  std::vector<TensorId> inputs = args.Tensors("tensors");
  ctx.Require(!inputs.empty(), "no tensors");
  if (!ctx.ok()) return {};
  ResultTypeState state;
  for (TensorId x : inputs) state.AddTensor(ctx.Type(x), true);
  const int64_t axis = ctx.Axis(args.Int("dim", 0), ctx.Rank(inputs[0]) + 1);
  for (TensorId& x : inputs) x = ctx.Unsqueeze(ctx.Cast(x, state.Get()), axis);
  return Out(ctx.Concat(inputs, axis));
}

Values Pieces(ConversionContext& ctx, TensorId x, int64_t axis, const SymDims& sizes) {
  Value::List pieces;
  SymInt start = 0;
  for (const SymInt& size : sizes) {
    pieces.push_back(Value::Tensor(ctx.Slice(x, axis, start, size)));
    start = start + size;
  }
  return {Value(std::move(pieces))};
}

Values SplitWithSizes(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const SymDims sizes =
      args.Has("split_sizes") ? args.Syms("split_sizes") : args.Syms("split_size");
  return Pieces(ctx, x, ctx.Axis(args.Int("dim", 0), ctx.Rank(x)), sizes);
}

// How many pieces there are must be known.
int64_t KnownSize(ConversionContext& ctx, TensorId x, int64_t axis) {
  const SymInt size = ctx.Dim(x, axis);
  ctx.Require(size.is_constant(), "the number of pieces of a dim of size ", size);
  return ctx.ok() ? size.constant() : 0;
}

Values Every(ConversionContext& ctx, TensorId x, int64_t axis, int64_t step) {
  const int64_t size = KnownSize(ctx, x, axis);
  ctx.Require(step > 0 || size == 0, "pieces of size ", step);
  if (!ctx.ok()) return {};
  SymDims sizes;
  for (int64_t at = 0; at < size; at += step) sizes.emplace_back(std::min(step, size - at));
  if (size == 0) sizes.emplace_back(0);
  return Pieces(ctx, x, axis, sizes);
}

Values Split(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Every(ctx, x, ctx.Axis(args.Int("dim", 0), ctx.Rank(x)), args.Int("split_size"));
}

Values Chunk(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim", 0), ctx.Rank(x));
  const int64_t chunks = args.Int("chunks");
  ctx.Require(chunks > 0, chunks, " chunks");
  const int64_t size = KnownSize(ctx, x, axis);
  ctx.Require(size > 0, "chunks of an empty dim");
  if (!ctx.ok()) return {};
  return Every(ctx, x, axis, (size + chunks - 1) / chunks);
}

Values Unbind(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim", 0), ctx.Rank(x));
  Value::List pieces;
  for (int64_t i = 0; i < KnownSize(ctx, x, axis); ++i) {
    pieces.push_back(Value::Tensor(SelectAt(ctx, x, axis, i)));
  }
  return {Value(std::move(pieces))};
}

Values Flip(ConversionContext& ctx, const Args& args) {
  TensorId x = args.Tensor("self");
  const core::Dims listed = args.Ints("dims");
  if (listed.empty() || ctx.Rank(x) == 0) return Out(x);
  for (int64_t axis : ctx.Axes(listed, ctx.Rank(x))) {
    const SymInt size = ctx.Dim(x, axis);
    if (size.Equals(0)) continue;
    x = ctx.Slice(x, axis, size - 1, size, -1);
  }
  return Out(x);
}

TensorId RollAxis(ConversionContext& ctx, TensorId x, int64_t axis, const SymInt& shift) {
  const SymInt size = ctx.Dim(x, axis);
  if (size.Equals(0)) return x;
  const SymInt start = Mod(SymInt(0) - shift, size);
  if (start.Equals(0)) return x;
  return ctx.Concat({ctx.Slice(x, axis, start, size - start), ctx.Slice(x, axis, 0, start)}, axis);
}

Values Roll(ConversionContext& ctx, const Args& args) {
  TensorId x = args.Tensor("self");
  const SymDims shifts = args.Syms("shifts");
  const core::Dims axes = args.Ints("dims");
  if (axes.empty()) {
    ctx.Require(shifts.size() == 1, "shifts without dims");
    if (!ctx.ok()) return {};
    const TensorId flat = ctx.Reshape(x, {NumElements(ctx.Dims(x))});
    return Out(ctx.Reshape(RollAxis(ctx, flat, 0, shifts[0]), ctx.Dims(x)));
  }
  ctx.Require(shifts.size() == axes.size() && ctx.Rank(x) > 0, "shifts and dims differ in length");
  for (size_t i = 0; ctx.ok() && i < axes.size(); ++i) {
    x = RollAxis(ctx, x, ctx.Axis(axes[i], ctx.Rank(x)), shifts[i]);
  }
  return Out(x);
}

// [d0, d1] repeated [r0, r1] times is [r0, d0, r1, d1] expanded and merged.
TensorId RepeatDims(ConversionContext& ctx, TensorId x, SymDims repeats) {
  SymDims dims = ctx.Dims(x);
  if (dims.size() < repeats.size()) dims.insert(dims.begin(), repeats.size() - dims.size(), 1);
  if (repeats.size() < dims.size()) {
    repeats.insert(repeats.begin(), dims.size() - repeats.size(), 1);
  }
  SymDims apart;
  SymDims spread;
  SymDims merged;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (!repeats[d].Equals(1)) {
      apart.emplace_back(1);
      spread.push_back(repeats[d]);
    }
    apart.push_back(dims[d]);
    spread.push_back(dims[d]);
    merged.push_back(dims[d] * repeats[d]);
  }
  return ctx.Reshape(ctx.Expand(ctx.Reshape(x, apart), spread), merged);
}

Values Repeat(ConversionContext& ctx, const Args& args) {
  const SymDims repeats = args.Syms("repeats");
  ctx.Require(static_cast<int64_t>(repeats.size()) >= ctx.Rank(args.Tensor("self")),
              "fewer repeats than dims");
  return Out(RepeatDims(ctx, args.Tensor("self"), repeats));
}

Values Tile(ConversionContext& ctx, const Args& args) {
  return Out(RepeatDims(ctx, args.Tensor("self"), args.Syms("dims")));
}

// Each element (or row of dim) `repeats` times in a row.
Values RepeatInterleave(ConversionContext& ctx, const Args& args) {
  TensorId x = args.Tensor("self");
  if (!args.Has("dim")) x = ctx.Reshape(x, {NumElements(ctx.Dims(x))});
  ctx.Require(ctx.Rank(x) > 0, "a scalar");
  const int64_t axis = ctx.Axis(args.Int("dim", 0), ctx.Rank(x));
  const SymInt repeats = args.Sym("repeats");
  if (!ctx.ok()) return {};
  SymDims merged = ctx.Dims(x);
  const TensorId apart = ctx.Unsqueeze(x, axis + 1);
  SymDims spread = ctx.Dims(apart);
  spread[static_cast<size_t>(axis) + 1] = repeats;
  merged[static_cast<size_t>(axis)] = merged[static_cast<size_t>(axis)] * repeats;
  return Out(ctx.Reshape(ctx.Expand(apart, spread), merged));
}

// self with self[start:end] along axis replaced.
TensorId Replace(ConversionContext& ctx, TensorId x, TensorId src, int64_t axis, const SymInt& from,
                 const SymInt& to) {
  SymDims dims = ctx.Dims(x);
  if (!ctx.ok() || dims.empty()) return x;
  const SymInt size = dims[static_cast<size_t>(axis)];
  dims[static_cast<size_t>(axis)] = to - from;
  const TensorId middle = ctx.Expand(ctx.Cast(src, ctx.Type(x)), dims);
  std::vector<TensorId> parts;
  if (!from.Equals(0)) parts.push_back(ctx.Slice(x, axis, 0, from));
  parts.push_back(middle);
  if (!(size - to).Equals(0)) parts.push_back(ctx.Slice(x, axis, to, size - to));
  return ctx.Concat(parts, axis);
}

Values SliceScatter(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim", 0), ctx.Rank(x));
  const int64_t step = args.Int("step", 1);
  const SymInt size = ctx.Dim(x, axis);
  const SymInt from = ClampBound(ctx, args.Sym("start", 0), size);
  const SymInt end = args.Sym("end", INT64_MAX);
  const bool whole = end.is_constant() && end.constant() == INT64_MAX;
  const SymInt to = whole ? size : ClampBound(ctx, end, size);
  const SymInt last = TightMax(ctx, to, from);
  if (step == 1) return Out(Replace(ctx, x, args.Tensor("src"), axis, from, last));
  ctx.Require(step > 0, "step ", step);
  if (!ctx.ok()) return {};
  // Every step-th place, written by index.
  const TensorId places = ctx.Iota(CeilDiv(last - from, step), from, step, DataType::kInt64);
  SymDims dims = ctx.Dims(x);
  dims[static_cast<size_t>(axis)] = CeilDiv(last - from, step);
  const TensorId src = ctx.Expand(ctx.Cast(args.Tensor("src"), ctx.Type(x)), dims);
  return Out(ctx.Add(LayerKind::kIndexPut, {x, src, places},
                     {{"dims", core::Dims{axis}}, {"accumulate", false}}));
}

Values SelectScatter(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  const SymInt at = WrapIndex(ctx, args.Sym("index"), ctx.Dim(x, axis));
  const TensorId src = ctx.Unsqueeze(args.Tensor("src"), axis);
  return Out(Replace(ctx, x, src, axis, at, at + 1));
}

constexpr ConverterEntry kTable[] = {
    {"aten.slice.Tensor", &Slice},
    {"aten.slice_copy.Tensor", &Slice},
    {"aten.select.int", &Select},
    {"aten.select_copy.int", &Select},
    {"aten.narrow.default", &Narrow},
    {"aten.narrow_copy.default", &Narrow},
    {"aten.cat.default", &Cat},
    {"aten.concat.default", &Cat},
    {"aten.stack.default", &Stack},
    {"aten.split_with_sizes.default", &SplitWithSizes},
    {"aten.split_with_sizes_copy.default", &SplitWithSizes},
    {"aten.split.sizes", &SplitWithSizes},
    {"aten.split.Tensor", &Split},
    {"aten.split_copy.Tensor", &Split},
    {"aten.chunk.default", &Chunk},
    {"aten.unbind.int", &Unbind},
    {"aten.unbind_copy.int", &Unbind},
    {"aten.flip.default", &Flip},
    {"aten.roll.default", &Roll},
    {"aten.repeat.default", &Repeat},
    {"aten.tile.default", &Tile},
    {"aten.repeat_interleave.self_int", &RepeatInterleave},
    {"aten.slice_scatter.default", &SliceScatter},
    {"aten.select_scatter.default", &SelectScatter},
};

}  // namespace

ConverterTable SlicingConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
