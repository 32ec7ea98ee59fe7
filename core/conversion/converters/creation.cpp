// Tensors made from sizes and numbers.
#include <cmath>

#include "core/conversion/bounds.h"
#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

Value Zero() { return Value(SymInt(0)); }
Value One() { return Value(SymInt(1)); }

// The dtype torch gives to a number.
DataType TypeOfNumber(const Value& value) {
  if (value.get<bool>() != nullptr) return DataType::kBool;
  return value.get<SymInt>() != nullptr ? DataType::kInt64 : DataType::kFloat32;
}

Values Full(ConversionContext& ctx, const Args& args) {
  const Value& number = args.Get("fill_value");
  return Out(
      ctx.Fill(args.Syms("size"), args.Type("dtype").value_or(TypeOfNumber(number)), number));
}

Values ScalarTensor(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Number(args.Get("s"), args.Type("dtype").value_or(DataType::kFloat32)));
}

// zeros, ones, empty of a size.
template <bool ones>
Values OfSize(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Fill(args.Syms("size"), args.Type("dtype").value_or(DataType::kFloat32),
                      ones ? One() : Zero()));
}

Values FillLike(ConversionContext& ctx, const Args& args, const Value& number) {
  const TensorId x = args.Tensor("self");
  return Out(ctx.Fill(ctx.Dims(x), args.Type("dtype").value_or(ctx.Type(x)), number));
}

Values FullLike(ConversionContext& ctx, const Args& args) {
  return FillLike(ctx, args, args.Get("fill_value"));
}
Values ZerosLike(ConversionContext& ctx, const Args& args) { return FillLike(ctx, args, Zero()); }
Values OnesLike(ConversionContext& ctx, const Args& args) { return FillLike(ctx, args, One()); }

// new_full, new_zeros, new_ones, new_empty: the type of self, other dims.
Values NewFill(ConversionContext& ctx, const Args& args, const Value& number) {
  const DataType own = ctx.Type(args.Tensor("self"));
  return Out(ctx.Fill(args.Syms("size"), args.Type("dtype").value_or(own), number));
}
Values NewFull(ConversionContext& ctx, const Args& args) {
  return NewFill(ctx, args, args.Get("fill_value"));
}
Values NewZeros(ConversionContext& ctx, const Args& args) { return NewFill(ctx, args, Zero()); }
Values NewOnes(ConversionContext& ctx, const Args& args) { return NewFill(ctx, args, One()); }

Values FillWith(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(ctx.Expand(AsTensor(ctx, args.Get("value"), ctx.Type(x)), ctx.Dims(x)));
}

double NumberOf(ConversionContext& ctx, const Value& value) {
  if (const auto* d = value.get<double>()) return *d;
  const auto* i = value.get<SymInt>();
  ctx.Require(i != nullptr && i->is_constant(), "a range of floats needs known bounds");
  return i != nullptr && i->is_constant() ? static_cast<double>(i->constant()) : 0;
}

TensorId FloatRange(ConversionContext& ctx, const Value& start, const Value& end, const Value& step,
                    DataType type) {
  const double first = NumberOf(ctx, start);
  const double stride = NumberOf(ctx, step);
  ctx.Require(stride != 0, "step 0");
  const double count = std::ceil((NumberOf(ctx, end) - first) / stride);
  ctx.Require(count >= 0 && count < 9e15, "a range of ", count, " elements");
  if (!ctx.ok()) return ir::kNone;
  if (!IsFloat(type)) {
    // Every element is truncated on its own.
    return ctx.Cast(FloatRange(ctx, start, end, step, DataType::kFloat64), type);
  }
  return ctx.Add(LayerKind::kIota, {},
                 {{"length", SymInt(static_cast<int64_t>(count))},
                  {"dtype", type},
                  {"fstart", first},
                  {"fstep", stride}});
}

Values Arange(ConversionContext& ctx, const Args& args) {
  const Value start = args.Has("start") ? args.Get("start") : Zero();
  const Value step = args.Has("step") ? args.Get("step") : One();
  const Value& end = args.Get("end");
  const bool integers = start.get<SymInt>() != nullptr && step.get<SymInt>() != nullptr &&
                        end.get<SymInt>() != nullptr;
  const DataType type =
      args.Type("dtype").value_or(integers ? DataType::kInt64 : DataType::kFloat32);
  if (!integers) return Out(FloatRange(ctx, start, end, step, type));
  const SymInt first = *start.get<SymInt>();
  const SymInt& stride = *step.get<SymInt>();
  ctx.Require(stride.is_constant() && !stride.Equals(0), "step ", stride);
  if (!ctx.ok()) return {};
  const int64_t by = stride.constant();
  const SymInt span = by > 0 ? *end.get<SymInt>() - first : first - *end.get<SymInt>();
  const SymInt length = TightMax(ctx, CeilDiv(span, std::abs(by)), 0);
  return Out(ctx.Cast(ctx.Iota(length, first, by, DataType::kInt64), type));
}

Values Linspace(ConversionContext& ctx, const Args& args) {
  const double start = args.Double("start");
  const double end = args.Double("end");
  const int64_t steps = args.Int("steps");
  const DataType type = args.Type("dtype").value_or(DataType::kFloat32);
  ctx.Require(IsFloat(type) && steps >= 0, "linspace of ", DataTypeName(type));
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0;
  const TensorId range = ctx.Add(LayerKind::kIota, {},
                                 {{"length", SymInt(steps)},
                                  {"dtype", DataType::kFloat64},
                                  {"fstart", start},
                                  {"fstep", step}});
  return Out(ctx.Cast(range, type));
}

// column - row of a matrix with these dims, as i64 [rows, columns].
TensorId Offsets(ConversionContext& ctx, const SymInt& rows, const SymInt& columns) {
  const TensorId row = ctx.Unsqueeze(ctx.Iota(rows, 0, 1, DataType::kInt64), 1);
  return ctx.Binary(Op::kSub, ctx.Iota(columns, 0, 1, DataType::kInt64), row);
}

template <Op keep>
Values Triangle(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  ctx.Require(ctx.Rank(x) >= 2, "rank ", ctx.Rank(x));
  if (!ctx.ok()) return {};
  const TensorId kept = ctx.Binary(keep, Offsets(ctx, ctx.Dim(x, -2), ctx.Dim(x, -1)),
                                   ctx.Scalar(args.Sym("diagonal", 0), DataType::kInt64));
  return Out(ctx.Select(kept, x, ctx.Scalar(0.0, ctx.Type(x))));
}

Values Eye(ConversionContext& ctx, const Args& args) {
  const SymInt n = args.Sym("n");
  const TensorId diagonal = ctx.Binary(Op::kEq, Offsets(ctx, n, args.Sym("m", n)),
                                       ctx.Scalar(SymInt(0), DataType::kInt64));
  return Out(ctx.Cast(diagonal, args.Type("dtype").value_or(DataType::kFloat32)));
}

constexpr ConverterEntry kTable[] = {
    {"aten.full.default", &Full},
    {"aten.full_like.default", &FullLike},
    {"aten.zeros.default", &OfSize<false>},
    {"aten.zeros_like.default", &ZerosLike},
    {"aten.ones.default", &OfSize<true>},
    {"aten.ones_like.default", &OnesLike},
    {"aten.empty.memory_format", &OfSize<false>},
    {"aten.empty_like.default", &ZerosLike},
    {"aten.empty_strided.default", &OfSize<false>},
    {"aten.empty_permuted.default", &OfSize<false>},
    {"aten.new_full.default", &NewFull},
    {"aten.new_zeros.default", &NewZeros},
    {"aten.new_ones.default", &NewOnes},
    {"aten.new_empty_strided.default", &NewZeros},
    {"aten.new_empty.default", &NewZeros},
    {"aten.fill.Scalar", &FillWith},
    {"aten.fill.Tensor", &FillWith},
    {"aten.scalar_tensor.default", &ScalarTensor},
    {"aten.arange.default", &Arange},
    {"aten.arange.start", &Arange},
    {"aten.arange.start_step", &Arange},
    {"aten.linspace.default", &Linspace},
    {"aten.eye.default", &Eye},
    {"aten.eye.m", &Eye},
    {"aten.tril.default", &Triangle<Op::kLe>},
    {"aten.triu.default", &Triangle<Op::kGe>},
};

}  // namespace

ConverterTable CreationConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
