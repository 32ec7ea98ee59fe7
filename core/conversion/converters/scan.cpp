// Running reductions, sorting and the largest k.
#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

TensorId ScanOf(ConversionContext& ctx, TensorId x, const char* kind, int64_t dim) {
  const int64_t axis = ctx.Axis(dim, ctx.Rank(x));
  if (ctx.Rank(x) == 0) return x;
  return ctx.Add(LayerKind::kScan, {x}, {{"kind", std::string(kind)}, {"axis", axis}});
}

// Integers and bool are i64 unless a dtype is given.
TensorId Accumulated(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const DataType own = ctx.Type(x);
  return ctx.Cast(x, args.Type("dtype").value_or(IsFloat(own) ? own : DataType::kInt64));
}

Values Cumsum(ConversionContext& ctx, const Args& args) {
  return Out(ScanOf(ctx, Accumulated(ctx, args), "sum", args.Int("dim")));
}

Values Cumprod(ConversionContext& ctx, const Args& args) {
  return Out(ScanOf(ctx, Accumulated(ctx, args), "prod", args.Int("dim")));
}

Values Logcumsumexp(ConversionContext& ctx, const Args& args) {
  return Out(ScanOf(ctx, args.Tensor("self"), "logsumexp", args.Int("dim")));
}

Values Pair(const std::vector<TensorId>& outputs) {
  return {Value::Tensor(outputs[0]), Value::Tensor(outputs[1])};
}

// A scalar with its index 0.
Values ScalarPair(ConversionContext& ctx, TensorId x) {
  return {Value::Tensor(x), Value::Tensor(ctx.Scalar(SymInt(0), DataType::kInt64))};
}

template <bool largest>
Values CumulativeExtreme(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  if (ctx.Rank(x) == 0) return ScalarPair(ctx, x);
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  return Pair(ctx.AddMulti(LayerKind::kScan, {x},
                           {{"kind", std::string(largest ? "max" : "min")}, {"axis", axis}}));
}

Values TopK(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim", -1), ctx.Rank(x));
  if (ctx.Rank(x) == 0) {
    ctx.Require(args.Sym("k").Equals(1), "the ", args.Sym("k"), " largest of a scalar");
    return ScalarPair(ctx, x);
  }
  return Pair(ctx.AddMulti(LayerKind::kTopK, {x},
                           {{"k", args.Sym("k")},
                            {"axis", axis},
                            {"largest", args.Bool("largest", true)},
                            {"sorted", args.Bool("sorted", true)}}));
}

std::vector<TensorId> SortOf(ConversionContext& ctx, const Args& args, TensorId x) {
  const int64_t axis = ctx.Axis(args.Int("dim", -1), ctx.Rank(x));
  return ctx.AddMulti(
      LayerKind::kSort, {x},
      {{"axis", axis}, {"descending", args.Bool("descending")}, {"stable", args.Bool("stable")}});
}

Values Sort(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return ctx.Rank(x) == 0 ? ScalarPair(ctx, x) : Pair(SortOf(ctx, args, x));
}

Values Argsort(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  if (ctx.Rank(x) == 0) return Out(ctx.Scalar(SymInt(0), DataType::kInt64));
  return Out(SortOf(ctx, args, x)[1]);
}

constexpr ConverterEntry kTable[] = {
    {"aten.cumsum.default", &Cumsum},
    {"aten.cumprod.default", &Cumprod},
    {"aten.logcumsumexp.default", &Logcumsumexp},
    {"aten.cummax.default", &CumulativeExtreme<true>},
    {"aten.cummin.default", &CumulativeExtreme<false>},
    {"aten.topk.default", &TopK},
    {"aten.sort.default", &Sort},
    {"aten.sort.stable", &Sort},
    {"aten.argsort.default", &Argsort},
    {"aten.argsort.stable", &Argsort},
};

}  // namespace

ConverterTable ScanConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
