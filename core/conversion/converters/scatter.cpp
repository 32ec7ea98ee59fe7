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

// A mask over the leading dims with a single value: a selection. kNone for other indices.
TensorId PutByMask(ConversionContext& ctx, const Args& args, TensorId x, TensorId values) {
  const Value::List& indices = args.List("indices");
  if (indices.size() != 1 || !indices[0].is_tensor()) return ir::kNone;
  TensorId mask = indices[0].get<TensorRef>()->id;
  const bool single =
      ctx.Rank(values) == 0 || (ctx.Rank(values) == 1 && ctx.Dim(values, 0).Equals(1));
  if (ctx.Type(mask) != DataType::kBool || !single || args.Bool("accumulate")) return ir::kNone;
  while (ctx.ok() && ctx.Rank(mask) < ctx.Rank(x)) mask = ctx.Unsqueeze(mask, -1);
  return ctx.Select(mask, ctx.Reshape(values, {}), x);
}

Values IndexPut(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId values = ctx.Cast(args.Tensor("values"), ctx.Type(x));
  const TensorId masked = PutByMask(ctx, args, x, values);
  if (masked != ir::kNone) return Out(masked);
  const IndexList list = ParseIndices(ctx, args, x);
  ctx.Require(!list.tensors.empty(), "no indices");
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
