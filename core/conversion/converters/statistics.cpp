// Variance, standard deviation and norms.
#include <algorithm>
#include <limits>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

TensorId DropDims(ConversionContext& ctx, TensorId x, const core::Dims& axes) {
  for (auto it = axes.rbegin(); it != axes.rend(); ++it) x = ctx.Squeeze(x, *it);
  return x;
}

struct Moments {
  TensorId variance;
  TensorId mean;
};

double CorrectionOf(const Args& args) {
  if (args.Has("unbiased")) return args.Bool("unbiased") ? 1 : 0;
  return args.Double("correction", 1);
}

// x with all of `axes` (sorted) as one last dim, which loops fold.
TensorId AsRows(ConversionContext& ctx, TensorId x, const core::Dims& axes, const SymInt& count) {
  core::Dims order;
  SymDims dims;
  for (int64_t d = 0; d < ctx.Rank(x); ++d) {
    if (std::find(axes.begin(), axes.end(), d) != axes.end()) continue;
    order.push_back(d);
    dims.push_back(ctx.Dim(x, d));
  }
  dims.push_back(count);
  if (ctx.Rank(x) > 0) {
    order.insert(order.end(), axes.begin(), axes.end());
    x = ctx.Transpose(x, order);
  }
  return ctx.Reshape(x, dims);
}

// Two passes: the mean first, then the squares around it. In f64, as PyTorch does on the CPU: a
// mean far from 0 costs no digits, and the squares of no f32 overflow.
Moments MomentsOf(ConversionContext& ctx, const Args& args) {
  const TensorId self = args.Tensor("self");
  const DataType type = ctx.Type(self);
  ctx.Require(IsFloat(type), "statistics of ", DataTypeName(type));
  const core::Dims axes = ctx.Axes(args.Ints("dim"), ctx.Rank(self));
  if (!ctx.ok()) return {};
  SymInt count = 1;
  SymDims kept = ctx.Dims(self);
  for (const int64_t axis : axes) {
    if (kept.empty()) break;
    count = count * ctx.Dim(self, axis);
    kept[static_cast<size_t>(axis)] = 1;
  }
  constexpr DataType kCompute = DataType::kFloat64;
  const TensorId x = ctx.Cast(AsRows(ctx, self, axes, count), kCompute);
  if (!ctx.ok()) return {};
  const core::Dims last{ctx.Rank(x) - 1};
  const TensorId mean = ctx.Reduce("mean", x, last, true);
  const TensorId apart = ctx.Binary(Op::kSub, x, mean);
  const TensorId squares = ctx.Reduce("sum", ctx.Binary(Op::kMul, apart, apart), last, true);
  const TensorId freedom = ctx.Unary(
      Op::kClamp,
      ctx.Binary(Op::kSub, ctx.Scalar(count, kCompute), ctx.Scalar(CorrectionOf(args), kCompute)),
      0, std::numeric_limits<double>::infinity());
  const Moments found{ctx.Reshape(ctx.Binary(Op::kDiv, squares, freedom), kept),
                      ctx.Reshape(ctx.Cast(mean, type), kept)};
  if (args.Bool("keepdim") || kept.empty()) return found;
  return {DropDims(ctx, found.variance, axes), DropDims(ctx, found.mean, axes)};
}

Values Var(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Cast(MomentsOf(ctx, args).variance, ctx.Type(args.Tensor("self"))));
}

Values Std(ConversionContext& ctx, const Args& args) {
  const TensorId variance = MomentsOf(ctx, args).variance;
  return Out(ctx.Cast(ctx.Unary(Op::kSqrt, variance), ctx.Type(args.Tensor("self"))));
}

template <bool root>
Values WithMean(ConversionContext& ctx, const Args& args) {
  const Moments moments = MomentsOf(ctx, args);
  const TensorId spread = root ? ctx.Unary(Op::kSqrt, moments.variance) : moments.variance;
  return {Value::Tensor(ctx.Cast(spread, ctx.Type(args.Tensor("self")))),
          Value::Tensor(moments.mean)};
}

// (sum |x|^p)^(1/p), with the limits for 0 and infinity.
TensorId NormOf(ConversionContext& ctx, TensorId x, double p, const core::Dims& axes,
                bool keepdim) {
  const TensorId size = ctx.Unary(Op::kAbs, x);
  const DataType type = ctx.Type(x);
  if (p == std::numeric_limits<double>::infinity()) return ctx.Reduce("max", size, axes, keepdim);
  if (p == -std::numeric_limits<double>::infinity()) return ctx.Reduce("min", size, axes, keepdim);
  if (p == 0) {
    const TensorId used = ctx.Cast(ctx.Binary(Op::kNe, x, ctx.Scalar(0.0, type)), type);
    return ctx.Reduce("sum", used, axes, keepdim);
  }
  if (p == 1) return ctx.Reduce("sum", size, axes, keepdim);
  if (p == 2)
    return ctx.Unary(Op::kSqrt, ctx.Reduce("sum", ctx.Binary(Op::kMul, x, x), axes, keepdim));
  const TensorId powers = ctx.Binary(Op::kPow, size, ctx.Scalar(p, type));
  return ctx.Binary(Op::kPow, ctx.Reduce("sum", powers, axes, keepdim), ctx.Scalar(1 / p, type));
}

Values Norm(ConversionContext& ctx, const Args& args, const char* order) {
  const TensorId self = args.Tensor("self");
  const DataType type = args.Type("dtype").value_or(ctx.Type(self));
  ctx.Require(IsFloat(type), "a norm of ", DataTypeName(type));
  const TensorId x = ctx.Cast(self, ComputeTypeOf(type));
  const core::Dims axes = ctx.Axes(args.Ints("dim"), ctx.Rank(x));
  return Out(ctx.Cast(NormOf(ctx, x, args.Double(order, 2), axes, args.Bool("keepdim")), type));
}

Values VectorNorm(ConversionContext& ctx, const Args& args) { return Norm(ctx, args, "ord"); }
Values PNorm(ConversionContext& ctx, const Args& args) { return Norm(ctx, args, "p"); }

// Distances of every row of x1 to every row of x2, over the last dim.
Values Distances(ConversionContext& ctx, const Args& args) {
  const TensorId x1 = args.Tensor("x1");
  const TensorId x2 = args.Tensor("x2");
  ctx.Require(ctx.Rank(x1) >= 2 && ctx.Rank(x2) >= 2, "operands of rank below 2");
  const DataType type = ctx.Type(x1);
  const DataType compute = ComputeTypeOf(type);
  const TensorId a = ctx.Unsqueeze(ctx.Cast(x1, compute), -2);
  const TensorId b = ctx.Unsqueeze(ctx.Cast(x2, compute), -3);
  const TensorId apart = ctx.Binary(Op::kSub, a, b);
  if (!ctx.ok()) return {};
  return Out(ctx.Cast(NormOf(ctx, apart, args.Double("p"), {ctx.Rank(apart) - 1}, false), type));
}

// Batch normalisation by the batch's own statistics; mean and inverse deviation are results too.
Values BatchStatisticsNorm(ConversionContext& ctx, const Args& args) {
  ctx.Require(args.Bool("training"), "no running statistics outside training");
  const TensorId input = args.Tensor("input");
  const DataType type = ctx.Type(input);
  const DataType compute = ComputeTypeOf(type);
  const TensorId x = ctx.Cast(input, compute);
  ctx.Require(IsFloat(type) && ctx.Rank(x) >= 2, "an input of rank ", ctx.Rank(x));
  core::Dims axes{0};
  SymDims channels{SymInt(1), ctx.Dim(x, 1)};
  for (int64_t d = 2; d < ctx.Rank(x); ++d) {
    axes.push_back(d);
    channels.emplace_back(1);
  }
  const TensorId mean = ctx.Reduce("mean", x, axes, true);
  const TensorId apart = ctx.Binary(Op::kSub, x, mean);
  const TensorId variance = ctx.Reduce("mean", ctx.Binary(Op::kMul, apart, apart), axes, true);
  const TensorId padded = ctx.Binary(Op::kAdd, variance, ctx.Scalar(args.Double("eps"), compute));
  const TensorId inverse = ctx.Unary(Op::kRsqrt, padded);
  TensorId out = ctx.Binary(Op::kMul, apart, inverse);
  const TensorId weight = args.OptTensor("weight");
  const TensorId bias = args.OptTensor("bias");
  if (weight != ir::kNone) {
    out = ctx.Binary(Op::kMul, out, ctx.Reshape(ctx.Cast(weight, compute), channels));
  }
  if (bias != ir::kNone) {
    out = ctx.Binary(Op::kAdd, out, ctx.Reshape(ctx.Cast(bias, compute), channels));
  }
  const SymDims flat{ctx.Dim(x, 1)};
  return {Value::Tensor(ctx.Cast(out, type)), Value::Tensor(ctx.Reshape(mean, flat)),
          Value::Tensor(ctx.Reshape(inverse, flat))};
}

constexpr ConverterEntry kTable[] = {
    {"aten._cdist_forward.default", &Distances},
    {"aten._native_batch_norm_legit.no_stats", &BatchStatisticsNorm},
    {"aten.var.default", &Var},
    {"aten.var.dim", &Var},
    {"aten.var.correction", &Var},
    {"aten.std.default", &Std},
    {"aten.std.dim", &Std},
    {"aten.std.correction", &Std},
    {"aten.var_mean.default", &WithMean<false>},
    {"aten.var_mean.dim", &WithMean<false>},
    {"aten.var_mean.correction", &WithMean<false>},
    {"aten.std_mean.default", &WithMean<true>},
    {"aten.std_mean.dim", &WithMean<true>},
    {"aten.std_mean.correction", &WithMean<true>},
    {"aten.linalg_vector_norm.default", &VectorNorm},
    {"aten.norm.Scalar", &PNorm},
    {"aten.norm.ScalarOpt_dim", &PNorm},
    {"aten.norm.ScalarOpt_dim_dtype", &PNorm},
};

}  // namespace

ConverterTable StatisticsConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
