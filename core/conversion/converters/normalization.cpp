// Layer, RMS, group, batch and instance normalisation, and softmax. Statistics are not outputs of
// the layers: where they are results, they are computed beside them, and dropped if nobody reads.
#include <limits>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

// Machine epsilon of the type that PyTorch computes in.
double Epsilon(DataType type) {
  return type == DataType::kFloat64 ? 2.220446049250313e-16 : 1.1920928955078125e-7;
}

// A layer takes parameters in x's type or f32.
TensorId Parameter(ConversionContext& ctx, TensorId parameter, DataType type) {
  const DataType own = ctx.Type(parameter);
  return own == type || own == DataType::kFloat32 ? parameter : ctx.Cast(parameter, type);
}

TensorId Normalize(ConversionContext& ctx, TensorId x, const std::vector<TensorId>& statistics,
                   TensorId weight, TensorId bias, Attributes attrs) {
  const DataType type = ctx.Type(x);
  std::vector<TensorId> inputs{x};
  for (TensorId statistic : statistics) inputs.push_back(Parameter(ctx, statistic, type));
  if (weight != ir::kNone) inputs.push_back(Parameter(ctx, weight, type));
  if (bias != ir::kNone) inputs.push_back(Parameter(ctx, bias, type));
  attrs.Set("has_weight", weight != ir::kNone).Set("has_bias", bias != ir::kNone);
  return ctx.Add(LayerKind::kNormalization, inputs, std::move(attrs));
}

TensorId OverLastDims(ConversionContext& ctx, const Args& args, const char* kind, double eps) {
  const auto norm_rank = static_cast<int64_t>(args.Syms("normalized_shape").size());
  return Normalize(ctx, args.Tensor("input"), {}, args.OptTensor("weight"), args.OptTensor("bias"),
                   {{"kind", std::string(kind)}, {"eps", eps}, {"norm_rank", norm_rank}});
}

Values LayerNorm(ConversionContext& ctx, const Args& args) {
  return Out(OverLastDims(ctx, args, "layer", args.Double("eps", 1e-5)));
}

struct Statistics {
  TensorId mean;
  TensorId inverse;  // 1 / sqrt(variance + eps)
};

// Over `axes`, which stay as dims of 1; computed in f32 for half types.
Statistics StatisticsOf(ConversionContext& ctx, TensorId input, const core::Dims& axes,
                        double eps) {
  const DataType type = ctx.Type(input);
  const DataType compute = ComputeTypeOf(type);
  const TensorId x = ctx.Cast(input, compute);
  const TensorId mean = ctx.Reduce("mean", x, axes, true);
  const TensorId apart = ctx.Binary(PointwiseOp::kSub, x, mean);
  const TensorId variance =
      ctx.Reduce("mean", ctx.Binary(PointwiseOp::kMul, apart, apart), axes, true);
  const TensorId padded = ctx.Binary(PointwiseOp::kAdd, variance, ctx.Scalar(eps, compute));
  return {ctx.Cast(mean, type), ctx.Cast(ctx.Unary(PointwiseOp::kRsqrt, padded), type)};
}

Values NativeLayerNorm(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("input");
  const double eps = args.Double("eps");
  const TensorId out = OverLastDims(ctx, args, "layer", eps);
  core::Dims axes;
  const auto normalized = static_cast<int64_t>(args.Syms("normalized_shape").size());
  for (int64_t d = ctx.Rank(x) - normalized; d < ctx.Rank(x); ++d) axes.push_back(d);
  if (!ctx.ok()) return {};
  const Statistics found = StatisticsOf(ctx, x, axes, eps);
  return {Value::Tensor(out), Value::Tensor(found.mean), Value::Tensor(found.inverse)};
}

TensorId Rms(ConversionContext& ctx, const Args& args) {
  return OverLastDims(ctx, args, "rms",
                      args.Double("eps", Epsilon(ctx.Type(args.Tensor("input")))));
}

Values RmsNorm(ConversionContext& ctx, const Args& args) { return Out(Rms(ctx, args)); }

Values FusedRmsNorm(ConversionContext& ctx, const Args& args) {
  return {Value::Tensor(Rms(ctx, args)), Value()};
}

TensorId Group(ConversionContext& ctx, const Args& args, const char* groups) {
  return Normalize(ctx, args.Tensor("input"), {}, args.OptTensor("weight"), args.OptTensor("bias"),
                   {{"kind", std::string("group")},
                    {"eps", args.Double("eps", 1e-5)},
                    {"groups", args.Int(groups)}});
}

Values GroupNorm(ConversionContext& ctx, const Args& args) {
  return Out(Group(ctx, args, "num_groups"));
}

Values NativeGroupNorm(ConversionContext& ctx, const Args& args) {
  const TensorId out = Group(ctx, args, "group");
  const SymInt groups = args.Int("group");
  const SymInt batch = args.Sym("N");
  const SymInt width = args.Sym("C") * args.Sym("HxW");
  if (!ctx.ok()) return {};
  const TensorId x = ctx.Reshape(args.Tensor("input"), {batch, groups, FloorDiv(width, groups)});
  const Statistics found = StatisticsOf(ctx, x, {2}, args.Double("eps"));
  return {Value::Tensor(out), Value::Tensor(ctx.Squeeze(found.mean, 2)),
          Value::Tensor(ctx.Squeeze(found.inverse, 2))};
}

TensorId Batch(ConversionContext& ctx, const Args& args) {
  ctx.Require(!args.Bool("training"), "batch normalisation in training mode");
  return Normalize(ctx, args.Tensor("input"),
                   {args.Tensor("running_mean"), args.Tensor("running_var")},
                   args.OptTensor("weight"), args.OptTensor("bias"),
                   {{"kind", std::string("batch")}, {"eps", args.Double("eps")}});
}

Values BatchNorm(ConversionContext& ctx, const Args& args) { return Out(Batch(ctx, args)); }

Values NativeBatchNorm(ConversionContext& ctx, const Args& args) {
  return {Value::Tensor(Batch(ctx, args)), Value(), Value()};
}

// Statistics over each [n, c]: group normalisation with a group a channel.
Values InstanceNorm(ConversionContext& ctx, const Args& args) {
  ctx.Require(args.Bool("use_input_stats"), "instance normalisation with running statistics");
  const SymInt channels = ctx.Dim(args.Tensor("input"), 1);
  ctx.Require(channels.is_constant(), "channels of unknown count ", channels);
  if (!ctx.ok()) return {};
  return Out(Normalize(ctx, args.Tensor("input"), {}, args.OptTensor("weight"),
                       args.OptTensor("bias"),
                       {{"kind", std::string("group")},
                        {"eps", args.Double("eps", 1e-5)},
                        {"groups", channels.constant()}}));
}

TensorId SoftmaxOf(ConversionContext& ctx, TensorId x, int64_t dim, bool log) {
  const SymDims dims = ctx.Dims(x);
  const int64_t axis = ctx.Axis(dim, ctx.Rank(x));
  const TensorId out =
      ctx.Add(LayerKind::kSoftmax, {ctx.AtLeast1d(x)}, {{"axis", axis}, {"log", log}});
  return ctx.Reshape(out, dims);
}

template <bool log>
Values Softmax(ConversionContext& ctx, const Args& args) {
  TensorId x = args.Tensor("self");
  if (args.Bool("half_to_float")) x = ctx.Cast(x, DataType::kFloat32);
  x = ctx.Cast(x, args.Type("dtype").value_or(ctx.Type(x)));
  return Out(SoftmaxOf(ctx, x, args.Int("dim"), log));
}

// A row that is all -inf gives zeros, not NaN.
Values SafeSoftmax(ConversionContext& ctx, const Args& args) {
  TensorId x = args.Tensor("self");
  x = ctx.Cast(x, args.Type("dtype").value_or(ctx.Type(x)));
  const int64_t axis = ctx.Axis(args.Int("dim"), ctx.Rank(x));
  ctx.Require(ctx.Rank(x) > 0, "a scalar");
  const TensorId lowest = ctx.Scalar(-std::numeric_limits<double>::infinity(), ctx.Type(x));
  const TensorId masked = ctx.Reduce("all", ctx.Binary(PointwiseOp::kEq, x, lowest), {axis}, true);
  return Out(ctx.Select(masked, ctx.Scalar(0.0, ctx.Type(x)), SoftmaxOf(ctx, x, axis, false)));
}

constexpr ConverterEntry kTable[] = {
    {"aten.layer_norm.default", &LayerNorm},
    {"aten.native_layer_norm.default", &NativeLayerNorm},
    {"aten.rms_norm.default", &RmsNorm},
    {"aten._fused_rms_norm.default", &FusedRmsNorm},
    {"aten.group_norm.default", &GroupNorm},
    {"aten.native_group_norm.default", &NativeGroupNorm},
    {"aten.batch_norm.default", &BatchNorm},
    {"aten.native_batch_norm.default", &NativeBatchNorm},
    {"aten._native_batch_norm_legit_no_training.default", &NativeBatchNorm},
    {"aten.instance_norm.default", &InstanceNorm},
    {"aten._softmax.default", &Softmax<false>},
    {"aten.softmax.int", &Softmax<false>},
    {"aten._log_softmax.default", &Softmax<true>},
    {"aten.log_softmax.int", &Softmax<true>},
    {"aten._safe_softmax.default", &SafeSoftmax},
};

}  // namespace

ConverterTable NormalizationConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
