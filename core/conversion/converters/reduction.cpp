// Reductions over dims.
#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

// The dims to reduce: "dim" may be absent, None, a number or a list; an empty list means all.
core::Dims AxesOf(ConversionContext& ctx, const Args& args, TensorId x) {
  return ctx.Axes(args.Ints("dim"), ctx.Rank(x));
}

// Sums and products of integers and bool are i64 unless a dtype is given.
TensorId Accumulated(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const DataType own = ctx.Type(x);
  return ctx.Cast(x, args.Type("dtype").value_or(IsFloat(own) ? own : DataType::kInt64));
}

Values Sum(ConversionContext& ctx, const Args& args) {
  const TensorId x = Accumulated(ctx, args);
  return Out(ctx.Reduce("sum", x, AxesOf(ctx, args, x), args.Bool("keepdim")));
}

Values Prod(ConversionContext& ctx, const Args& args) {
  const TensorId x = Accumulated(ctx, args);
  return Out(ctx.Reduce("prod", x, AxesOf(ctx, args, x), args.Bool("keepdim")));
}

Values Mean(ConversionContext& ctx, const Args& args) {
  const TensorId self = args.Tensor("self");
  const TensorId x = ctx.Cast(self, args.Type("dtype").value_or(ctx.Type(self)));
  return Out(ctx.Reduce("mean", x, AxesOf(ctx, args, x), args.Bool("keepdim")));
}

TensorId Extremum(ConversionContext& ctx, const char* kind, TensorId x, const core::Dims& axes,
                  bool keepdim) {
  return ctx.Reduce(kind, x, axes, keepdim);
}

template <bool largest>
Values Extreme(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(Extremum(ctx, largest ? "max" : "min", x, AxesOf(ctx, args, x), args.Bool("keepdim")));
}

Values AMinMax(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const core::Dims axes = AxesOf(ctx, args, x);
  const bool keepdim = args.Bool("keepdim");
  return {Value::Tensor(Extremum(ctx, "min", x, axes, keepdim)),
          Value::Tensor(Extremum(ctx, "max", x, axes, keepdim))};
}

TensorId ArgOf(ConversionContext& ctx, TensorId x, const char* kind, int64_t axis, bool keepdim) {
  if (ctx.Type(x) == DataType::kBool) x = ctx.Cast(x, DataType::kUInt8);
  return ctx.Add(LayerKind::kArgReduce, {x},
                 {{"kind", std::string(kind)}, {"axis", axis}, {"keepdim", keepdim}});
}

// values and indices along one dim.
template <bool largest>
Values ExtremeWithIndex(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const char* arg = largest ? "argmax" : "argmin";
  if (ctx.Rank(x) == 0) {
    return {Value::Tensor(x), Value::Tensor(ctx.Scalar(SymInt(0), DataType::kInt64))};
  }
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  const bool keepdim = args.Bool("keepdim");
  return {Value::Tensor(Extremum(ctx, largest ? "max" : "min", x, {axis}, keepdim)),
          Value::Tensor(ArgOf(ctx, x, arg, axis, keepdim))};
}

template <bool largest>
Values ArgExtreme(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const char* kind = largest ? "argmax" : "argmin";
  const bool keepdim = args.Bool("keepdim");
  if (ctx.Rank(x) == 0) return Out(ctx.Scalar(SymInt(0), DataType::kInt64));
  if (args.Has("dim")) {
    return Out(ArgOf(ctx, x, kind, ctx.Axis(args.Int("dim"), ctx.Rank(x)), keepdim));
  }
  const TensorId flat = ctx.Reshape(x, {NumElements(ctx.Dims(x))});
  const TensorId index = ArgOf(ctx, flat, kind, 0, false);
  if (!keepdim) return Out(index);
  return Out(ctx.Reshape(index, SymDims(static_cast<size_t>(ctx.Rank(x)), SymInt(1))));
}

template <bool all>
Values Logical(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  // uint8 is the one type whose result is not bool.
  const bool bytes = ctx.Type(x) == DataType::kUInt8;
  core::Dims axes = AxesOf(ctx, args, x);
  const bool listed_none =
      args.Get("dim").get<Value::List>() != nullptr && args.List("dim").empty();
  if (listed_none) axes = {};
  const TensorId out = ctx.Reduce(all ? "all" : "any", x, axes, args.Bool("keepdim"));
  return Out(bytes ? ctx.Cast(out, DataType::kUInt8) : out);
}

// log(sum(exp(x))) around the largest element, so that nothing overflows.
Values LogSumExp(ConversionContext& ctx, const Args& args) {
  const TensorId self = AsFloat(ctx, args.Tensor("self"));
  const DataType compute = ComputeTypeOf(ctx.Type(self));
  const TensorId x = ctx.Cast(self, compute);
  const core::Dims axes = AxesOf(ctx, args, x);
  const TensorId top = ctx.Reduce("max", x, axes, true);
  const TensorId pivot = ctx.Select(ctx.Unary(Op::kIsInf, top), ctx.Scalar(0.0, compute), top);
  const TensorId sum =
      ctx.Reduce("sum", ctx.Unary(Op::kExp, ctx.Binary(Op::kSub, x, pivot)), axes, true);
  TensorId out = ctx.Binary(Op::kAdd, ctx.Unary(Op::kLog, sum), pivot);
  if (!args.Bool("keepdim")) {
    for (auto it = axes.rbegin(); it != axes.rend(); ++it) out = ctx.Squeeze(out, *it);
  }
  return Out(ctx.Cast(out, ctx.Type(self)));
}

constexpr ConverterEntry kTable[] = {
    {"aten.sum.default", &Sum},
    {"aten.sum.dim_IntList", &Sum},
    {"aten.prod.default", &Prod},
    {"aten.prod.dim_int", &Prod},
    {"aten.mean.default", &Mean},
    {"aten.mean.dim", &Mean},
    {"aten.amax.default", &Extreme<true>},
    {"aten.amin.default", &Extreme<false>},
    {"aten.aminmax.default", &AMinMax},
    {"aten.max.default", &Extreme<true>},
    {"aten.min.default", &Extreme<false>},
    {"aten.max.dim", &ExtremeWithIndex<true>},
    {"aten.min.dim", &ExtremeWithIndex<false>},
    {"aten.argmax.default", &ArgExtreme<true>},
    {"aten.argmin.default", &ArgExtreme<false>},
    {"aten.any.default", &Logical<false>},
    {"aten.any.dim", &Logical<false>},
    {"aten.any.dims", &Logical<false>},
    {"aten.all.default", &Logical<true>},
    {"aten.all.dim", &Logical<true>},
    {"aten.all.dims", &Logical<true>},
    {"aten.logsumexp.default", &LogSumExp},
};

}  // namespace

ConverterTable ReductionConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
