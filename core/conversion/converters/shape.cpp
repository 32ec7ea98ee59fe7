// Views: the same elements under other dims.
#include <algorithm>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

// `dims` with -1 replaced by what is left of the elements of `from`.
SymDims ResolveSize(ConversionContext& ctx, const SymDims& from, SymDims dims) {
  auto open = std::find(dims.begin(), dims.end(), SymInt(-1));
  if (open == dims.end()) return dims;
  SymInt known = 1;
  SymInt total = 1;
  SymDims left = from;
  for (auto it = dims.begin(); it != dims.end(); ++it) {
    if (it == open) continue;
    // Dims that appear on both sides cancel, also when they may be 0 at run time.
    auto same = it->is_constant() ? left.end() : std::find(left.begin(), left.end(), *it);
    if (same != left.end()) {
      left.erase(same);
    } else {
      known = known * *it;
    }
  }
  for (const SymInt& dim : left) total = total * dim;
  if (known.Equals(0)) {
    ctx.Fail(InvalidArgument("-1 is ambiguous in ", core::ToString(dims)));
    return dims;
  }
  *open = FloorDiv(total, known);
  return dims;
}

Values View(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const SymDims size = args.Has("shape") ? args.Syms("shape") : args.Syms("size");
  return Out(ctx.Reshape(x, ResolveSize(ctx, ctx.Dims(x), size)));
}

Values ViewAs(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Reshape(args.Tensor("self"), ctx.Dims(args.Tensor("other"))));
}

Values Permute(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  core::Dims perm = args.Ints("dims");
  for (int64_t& d : perm) d = ctx.Axis(d, ctx.Rank(x));
  return Out(ctx.Transpose(x, perm));
}

Values Transpose(ConversionContext& ctx, const Args& args) {
  return Out(ctx.SwapDims(args.Tensor("self"), args.Int("dim0"), args.Int("dim1")));
}

Values T(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(ctx.Rank(x) < 2 ? x : ctx.SwapDims(x, 0, 1));
}

Values Movedim(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t rank = ctx.Rank(x);
  const core::Dims source = args.Ints("source");
  const core::Dims target = args.Ints("destination");
  ctx.Require(source.size() == target.size(), "source and destination differ in length");
  if (!ctx.ok()) return {};
  core::Dims perm(static_cast<size_t>(rank), -1);
  std::vector<bool> used(static_cast<size_t>(rank), false);
  for (size_t i = 0; i < source.size(); ++i) {
    const int64_t from = ctx.Axis(source[i], rank);
    perm[static_cast<size_t>(ctx.Axis(target[i], rank))] = from;
    used[static_cast<size_t>(from)] = true;
  }
  size_t next = 0;
  for (int64_t& d : perm) {
    if (d >= 0) continue;
    while (next < used.size() && used[next]) ++next;
    d = static_cast<int64_t>(next++);
  }
  return Out(ctx.Transpose(x, perm));
}

Values Unsqueeze(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unsqueeze(args.Tensor("self"), args.Int("dim")));
}

// Only dims known to be 1 go: a symbolic size is not 1 (capture specialises 1).
Values Squeeze(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t rank = ctx.Rank(x);
  const core::Dims axes = args.Has("dim") ? ctx.Axes(args.Ints("dim"), rank) : ctx.Axes({}, rank);
  SymDims dims;
  for (int64_t d = 0; d < rank; ++d) {
    const bool listed =
        std::find(axes.begin(), axes.end(), d) != axes.end() &&
        !(args.Get("dim").get<Value::List>() != nullptr && args.List("dim").empty());
    if (!listed || !ctx.Dim(x, d).Equals(1)) dims.push_back(ctx.Dim(x, d));
  }
  return Out(ctx.Reshape(x, dims));
}

TensorId ExpandTo(ConversionContext& ctx, TensorId x, SymDims dims) {
  const auto rank = static_cast<size_t>(ctx.Rank(x));
  ctx.Require(dims.size() >= rank, "expanding to fewer dims");
  if (!ctx.ok()) return x;
  for (size_t i = 0; i < rank; ++i) {
    SymInt& dim = dims[dims.size() - rank + i];
    if (dim.Equals(-1)) dim = ctx.Dims(x)[i];
  }
  return ctx.Expand(x, dims);
}

Values Expand(ConversionContext& ctx, const Args& args) {
  return Out(ExpandTo(ctx, args.Tensor("self"), args.Syms("size")));
}

Values ExpandAs(ConversionContext& ctx, const Args& args) {
  return Out(ExpandTo(ctx, args.Tensor("self"), ctx.Dims(args.Tensor("other"))));
}

Values BroadcastInDim(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("a");
  const SymDims shape = args.Syms("shape");
  const core::Dims places = args.Ints("broadcast_dimensions");
  SymDims dims(shape.size(), SymInt(1));
  for (size_t i = 0; i < places.size(); ++i) {
    dims[static_cast<size_t>(ctx.Axis(places[i], static_cast<int64_t>(shape.size())))] =
        ctx.Dim(x, static_cast<int64_t>(i));
  }
  return Out(ctx.Expand(ctx.Reshape(x, dims), shape));
}

Values Flatten(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t rank = ctx.Rank(x);
  const int64_t first = ctx.Axis(args.Int("start_dim", 0), rank);
  const int64_t last = ctx.Axis(args.Int("end_dim", -1), rank);
  if (rank == 0) return Out(ctx.Reshape(x, {SymInt(1)}));
  ctx.Require(first <= last, "start_dim ", first, " after end_dim ", last);
  SymDims dims;
  SymInt merged = 1;
  for (int64_t d = 0; d < rank; ++d) {
    if (d < first || d > last) dims.push_back(ctx.Dim(x, d));
    if (d >= first && d <= last) merged = merged * ctx.Dim(x, d);
    if (d == last) dims.push_back(merged);
  }
  return Out(ctx.Reshape(x, dims));
}

Values Unflatten(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  const SymDims parts = ResolveSize(ctx, {ctx.Dim(x, axis)}, args.Syms("sizes"));
  SymDims dims = ctx.Dims(x);
  if (!ctx.ok() || dims.empty()) return ctx.Refuse("unflatten of a scalar");
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, parts.begin(), parts.end());
  return Out(ctx.Reshape(x, dims));
}

constexpr ConverterEntry kTable[] = {
    {"aten.view.default", &View},
    {"aten.view_copy.default", &View},
    {"aten._unsafe_view.default", &View},
    {"aten.reshape.default", &View},
    {"aten._reshape_copy.default", &View},
    {"aten._reshape_alias.default", &View},
    {"aten.view_as.default", &ViewAs},
    {"aten.reshape_as.default", &ViewAs},
    {"aten.permute.default", &Permute},
    {"aten.permute_copy.default", &Permute},
    {"aten.transpose.int", &Transpose},
    {"aten.transpose_copy.int", &Transpose},
    {"aten.t.default", &T},
    {"aten.movedim.intlist", &Movedim},
    {"aten.movedim.int", &Movedim},
    {"aten.unsqueeze.default", &Unsqueeze},
    {"aten.unsqueeze_copy.default", &Unsqueeze},
    {"aten.squeeze.default", &Squeeze},
    {"aten.squeeze.dim", &Squeeze},
    {"aten.squeeze.dims", &Squeeze},
    {"aten.squeeze_copy.dim", &Squeeze},
    {"aten.squeeze_copy.dims", &Squeeze},
    {"aten.expand.default", &Expand},
    {"aten.expand_copy.default", &Expand},
    {"aten.broadcast_to.default", &Expand},
    {"aten.expand_as.default", &ExpandAs},
    {"prims.broadcast_in_dim.default", &BroadcastInDim},
    {"aten.flatten.using_ints", &Flatten},
    {"aten.unflatten.int", &Unflatten},
};

}  // namespace

ConverterTable ShapeConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
