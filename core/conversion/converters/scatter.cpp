// Writing through index tensors, without changing the operand.
#include "core/conversion/families.h"
#include "core/conversion/index_list.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

TensorId ScatterInto(ConversionContext& ctx, const Args& args, TensorId src,
                     const std::string& reduce, bool include_self) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  const TensorId out =
      ctx.Add(LayerKind::kScatterElements,
              {ctx.AtLeast1d(x), ctx.AtLeast1d(args.Tensor("index")), ctx.AtLeast1d(src)},
              {{"axis", axis}, {"reduce", reduce}, {"include_self", include_self}});
  return ctx.Reshape(out, ctx.Dims(x));
}

Values ScatterSrc(ConversionContext& ctx, const Args& args) {
  const TensorId src = ctx.Cast(args.Tensor("src"), ctx.Type(args.Tensor("self")));
  return Out(ScatterInto(ctx, args, src, "none", true));
}

Values ScatterValue(ConversionContext& ctx, const Args& args) {
  const TensorId value = ctx.Number(args.Get("value"), ctx.Type(args.Tensor("self")));
  const TensorId src = ctx.Expand(value, ctx.Dims(args.Tensor("index")));
  return Out(ScatterInto(ctx, args, src, "none", true));
}

Values ScatterAdd(ConversionContext& ctx, const Args& args) {
  return Out(ScatterInto(ctx, args, args.Tensor("src"), "sum", true));
}

Values ScatterReduce(ConversionContext& ctx, const Args& args) {
  return Out(ScatterInto(ctx, args, args.Tensor("src"), args.Str("reduce", "sum"),
                         args.Bool("include_self", true)));
}

// The only index, when it is a mask; kNone otherwise. `first`: the dim of the data it begins at.
TensorId OnlyMask(ConversionContext& ctx, const Args& args, int64_t* first) {
  TensorId mask = ir::kNone;
  const Value::List& indices = args.List("indices");
  for (size_t d = 0; d < indices.size(); ++d) {
    if (indices[d].is_none()) continue;
    if (mask != ir::kNone || !indices[d].is_tensor()) return ir::kNone;
    mask = indices[d].get<TensorRef>()->id;
    *first = static_cast<int64_t>(d);
  }
  return mask != ir::kNone && ctx.Type(mask) == DataType::kBool ? mask : ir::kNone;
}

// A mask and values that are the same for everything under it: a selection. kNone for others.
TensorId PutByMask(ConversionContext& ctx, const Args& args, TensorId x, TensorId values) {
  int64_t first = 0;
  TensorId mask = OnlyMask(ctx, args, &first);
  const bool accumulate = args.Bool("accumulate");
  if (mask == ir::kNone) return ir::kNone;
  // The dims under the mask are one dim of the values, and so is what comes after.
  const int64_t covered = ctx.Rank(mask);
  const int64_t after = ctx.Rank(x) - first - covered;
  const int64_t before = ctx.Rank(values) - after - 1;
  if (after < 0 || before > first) return ir::kNone;
  SymDims dims = ctx.Dims(values);
  if (before >= 0) {
    if (!dims[static_cast<size_t>(before)].Equals(1)) return ir::kNone;
    dims.erase(dims.begin() + before);
    dims.insert(dims.begin() + before, static_cast<size_t>(covered), SymInt(1));
  }
  for (size_t d = 1; d <= dims.size(); ++d) {
    const SymInt& size = ctx.Dim(x, -static_cast<int64_t>(d));
    ctx.Require(dims[dims.size() - d].Equals(1) || ctx.MayEqual(dims[dims.size() - d], size),
                "values ", ToString(ctx.Dims(values)), " for ", ToString(ctx.Dims(x)));
  }
  for (int64_t d = 0; ctx.ok() && d < after; ++d) mask = ctx.Unsqueeze(mask, -1);
  const TensorId spread = ctx.Reshape(values, dims);
  if (!accumulate) return ctx.Select(mask, spread, x);
  const bool flags = ctx.Type(x) == DataType::kBool;
  const TensorId sum = ctx.Binary(flags ? PointwiseOp::kLogicalOr : PointwiseOp::kAdd, x, spread);
  return ctx.Select(mask, sum, x);
}

Values IndexPut(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId values = ctx.Cast(args.Tensor("values"), ctx.Type(x));
  const TensorId masked = PutByMask(ctx, args, x, values);
  if (masked != ir::kNone) return Out(masked);
  const IndexItems items = ParseIndices(ctx, args, x);
  ctx.Require(!items.items.empty(), "no indices");
  const SymInt count = ctx.Dim(values, -1 - items.after);
  ctx.Require(!items.HasMask() || (ctx.Rank(values) > items.after && !count.Equals(1)), "values ",
              ToString(ctx.Dims(values)), " do not say how many elements the mask selects");
  if (!ctx.ok()) return {};
  const IndexList list = ExpandMasks(ctx, items, count);
  std::vector<TensorId> inputs{x, values};
  inputs.insert(inputs.end(), list.tensors.begin(), list.tensors.end());
  return Out(ctx.Add(LayerKind::kIndexPut, inputs,
                     {{"dims", list.dims}, {"accumulate", args.Bool("accumulate")}}));
}

// Refuses rows that do not fit x, for which PyTorch raises an error; a scalar fits everywhere.
void RequireRows(ConversionContext& ctx, TensorId x, TensorId rows, int64_t axis,
                 const SymInt& count) {
  if (!ctx.ok() || ctx.Rank(rows) == 0) return;
  bool fits = ctx.Rank(rows) == ctx.Rank(x);
  for (int64_t d = 0; fits && d < ctx.Rank(x); ++d) {
    fits = ctx.MayEqual(ctx.Dim(rows, d), d == axis ? count : ctx.Dim(x, d));
  }
  ctx.Require(fits, "rows ", ToString(ctx.Dims(rows)), " at ", count, " places of ",
              ToString(ctx.Dims(x)));
}

// Rows of `axis` written at a 1-d index. With one indexed dim the rows keep their place.
TensorId PutRows(ConversionContext& ctx, const Args& args, TensorId rows, bool accumulate) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  ctx.Require(ctx.Rank(x) > 0, "a scalar");
  const TensorId index = ctx.AtLeast1d(args.Tensor("index"));
  RequireRows(ctx, x, rows, axis, ctx.Dim(index, 0));
  return ctx.Add(LayerKind::kIndexPut, {x, ctx.Cast(rows, ctx.Type(x)), index},
                 {{"dims", core::Dims{axis}}, {"accumulate", accumulate}});
}

Values IndexCopy(ConversionContext& ctx, const Args& args) {
  return Out(PutRows(ctx, args, args.Tensor("source"), false));
}

Values IndexAdd(ConversionContext& ctx, const Args& args) {
  TensorId source = args.Tensor("source");
  if (args.Has("alpha") && !IsNumber(args.Get("alpha"), 1)) {
    source = ctx.Binary(PointwiseOp::kMul, source, ctx.Number(args.Get("alpha"), ctx.Type(source)));
  }
  return Out(PutRows(ctx, args, source, true));
}

Values IndexFill(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(PutRows(ctx, args, AsTensor(ctx, args.Get("value"), ctx.Type(x)), false));
}

constexpr ConverterEntry kTable[] = {
    {"aten.scatter.src", &ScatterSrc},          {"aten.scatter.value", &ScatterValue},
    {"aten.scatter_add.default", &ScatterAdd},  {"aten.scatter_reduce.two", &ScatterReduce},
    {"aten.index_put.default", &IndexPut},      {"aten._unsafe_index_put.default", &IndexPut},
    {"aten.index_copy.default", &IndexCopy},    {"aten.index_add.default", &IndexAdd},
    {"aten.index_fill.int_Scalar", &IndexFill}, {"aten.index_fill.int_Tensor", &IndexFill},
};

}  // namespace

ConverterTable ScatterConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
