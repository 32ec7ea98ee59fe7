// Activations and clamping.
#include <limits>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;
constexpr double kInf = std::numeric_limits<double>::infinity();

template <Op op>
Values Float(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(op, args.Tensor("self")));
}

Values Relu(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(Op::kRelu, args.Tensor("self")));
}

Values Gelu(ConversionContext& ctx, const Args& args) {
  const std::string approximate = args.Str("approximate", "none");
  ctx.Require(approximate == "none" || approximate == "tanh", "approximate ", approximate);
  return Out(ctx.Unary(approximate == "tanh" ? Op::kGeluTanh : Op::kGeluErf, args.Tensor("self")));
}

// min(max(x, low), high); a missing bound is infinite.
TensorId ClampNumbers(ConversionContext& ctx, TensorId x, const Value& low, const Value& high) {
  const Value self = Value::Tensor(x);
  const DataType type = ResultType(ctx, {&self, &low, &high});
  x = ctx.Cast(x, type);
  const auto symbolic = [](const Value& v) {
    return v.get<SymInt>() != nullptr && !v.get<SymInt>()->is_constant();
  };
  if (!IsFloat(type) || symbolic(low) || symbolic(high)) {
    if (!low.is_none()) x = ctx.Binary(Op::kMaximum, x, ctx.Number(low, type));
    if (!high.is_none()) x = ctx.Binary(Op::kMinimum, x, ctx.Number(high, type));
    return x;
  }
  const auto number = [](const Value& v, double missing) {
    if (const auto* d = v.get<double>()) return *d;
    if (const auto* i = v.get<SymInt>()) return static_cast<double>(i->constant());
    return missing;
  };
  return ctx.Unary(Op::kClamp, x, number(low, -kInf), number(high, kInf));
}

Values Clamp(ConversionContext& ctx, const Args& args) {
  return Out(ClampNumbers(ctx, args.Tensor("self"), args.Get("min"), args.Get("max")));
}

Values ClampTensor(ConversionContext& ctx, const Args& args) {
  const Value& low = args.Get("min");
  const Value& high = args.Get("max");
  const DataType type = ResultType(ctx, {&args.Get("self"), &low, &high});
  TensorId x = AsTensor(ctx, args.Get("self"), type);
  if (!low.is_none()) x = ctx.Binary(Op::kMaximum, x, AsTensor(ctx, low, type));
  if (!high.is_none()) x = ctx.Binary(Op::kMinimum, x, AsTensor(ctx, high, type));
  return Out(x);
}

Values Hardtanh(ConversionContext& ctx, const Args& args) {
  const Value low = args.Has("min_val") ? args.Get("min_val") : Value(-1.0);
  const Value high = args.Has("max_val") ? args.Get("max_val") : Value(1.0);
  const TensorId x = args.Tensor("self");
  ctx.Require(IsFloat(ctx.Type(x)), "hardtanh of integers");
  return Out(ClampNumbers(ctx, x, low, high));
}

Values Relu6(ConversionContext& ctx, const Args& args) {
  return Out(ClampNumbers(ctx, args.Tensor("self"), Value(SymInt(0)), Value(SymInt(6))));
}

Values LeakyRelu(ConversionContext& ctx, const Args& args) {
  return Out(
      ctx.Unary(Op::kLeakyRelu, args.Tensor("self"), args.Double("negative_slope", 0.01), 0));
}

// scale * (x > 0 ? x : alpha * (exp(x * input_scale) - 1))
TensorId ScaledElu(ConversionContext& ctx, TensorId x, double alpha, double scale,
                   double input_scale) {
  if (input_scale == 1) return ctx.Unary(Op::kElu, x, alpha * scale, scale);
  const DataType compute = ComputeTypeOf(ctx.Type(x));
  const TensorId wide = ctx.Cast(x, compute);
  const TensorId grown =
      ctx.Unary(Op::kExpm1, ctx.Binary(Op::kMul, wide, ctx.Scalar(input_scale, compute)));
  const TensorId low = ctx.Binary(Op::kMul, grown, ctx.Scalar(alpha * scale, compute));
  const TensorId high = ctx.Binary(Op::kMul, wide, ctx.Scalar(scale, compute));
  const TensorId positive = ctx.Binary(Op::kGt, wide, ctx.Scalar(0.0, compute));
  return ctx.Cast(ctx.Select(positive, high, low), ctx.Type(x));
}

Values Elu(ConversionContext& ctx, const Args& args) {
  return Out(ScaledElu(ctx, args.Tensor("self"), args.Double("alpha", 1), args.Double("scale", 1),
                       args.Double("input_scale", 1)));
}

Values Selu(ConversionContext& ctx, const Args& args) {
  return Out(ScaledElu(ctx, args.Tensor("self"), 1.6732632423543772848170429916717,
                       1.0507009873554804934193349852946, 1));
}

Values Celu(ConversionContext& ctx, const Args& args) {
  const double alpha = args.Double("alpha", 1);
  return Out(ScaledElu(ctx, args.Tensor("self"), alpha, 1, 1 / alpha));
}

Values Softplus(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Unary(Op::kSoftplus, args.Tensor("self"), args.Double("beta", 1),
                       args.Double("threshold", 20)));
}

Values Mish(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId wide = ctx.Cast(x, ComputeTypeOf(ctx.Type(x)));
  const TensorId gate = ctx.Unary(Op::kTanh, ctx.Unary(Op::kSoftplus, wide, 1, 20));
  return Out(ctx.Cast(ctx.Binary(Op::kMul, wide, gate), ctx.Type(x)));
}

TensorId LogSigmoidOf(ConversionContext& ctx, TensorId x) {
  const TensorId wide = ctx.Cast(x, ComputeTypeOf(ctx.Type(x)));
  // -log(1 + exp(-x)) written so that neither side overflows or loses the small term.
  const TensorId low = ctx.Binary(Op::kMinimum, wide, ctx.Scalar(0.0, ctx.Type(wide)));
  const TensorId small =
      ctx.Unary(Op::kLog1p, ctx.Unary(Op::kExp, ctx.Unary(Op::kNeg, ctx.Unary(Op::kAbs, wide))));
  return ctx.Cast(ctx.Binary(Op::kSub, low, small), ctx.Type(x));
}

Values LogSigmoid(ConversionContext& ctx, const Args& args) {
  return Out(LogSigmoidOf(ctx, args.Tensor("self")));
}

// The second result is a buffer for the backward pass.
Values LogSigmoidForward(ConversionContext& ctx, const Args& args) {
  return {Value::Tensor(LogSigmoidOf(ctx, args.Tensor("self"))), Value()};
}

Values Glu(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t axis = ctx.Axis(args.Int("dim", -1), ctx.Rank(x));
  const SymInt half = FloorDiv(ctx.Dim(x, axis), 2);
  const TensorId gate = ctx.Unary(Op::kSigmoid, ctx.Slice(x, axis, half, half));
  return Out(ctx.Binary(Op::kMul, ctx.Slice(x, axis, 0, half), gate));
}

Values Prelu(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  TensorId weight = args.Tensor("weight");
  if (ctx.Rank(weight) == 1 && ctx.Rank(x) > 1) {
    SymDims dims(static_cast<size_t>(ctx.Rank(x)), SymInt(1));
    dims[1] = ctx.Dim(weight, 0);
    weight = ctx.Reshape(weight, dims);
  }
  const TensorId positive = ctx.Binary(Op::kGt, x, ctx.Scalar(0.0, ctx.Type(x)));
  return Out(ctx.Select(positive, x, ctx.Binary(Op::kMul, weight, x)));
}

Values Threshold(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId small = ctx.Binary(Op::kLe, x, ctx.Number(args.Get("threshold"), ctx.Type(x)));
  return Out(ctx.Select(small, ctx.Number(args.Get("value"), ctx.Type(x)), x));
}

// 0 inside [-lambd, lambd]; `soft` also moves the rest towards 0.
template <bool soft>
Values Shrink(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const DataType compute = ComputeTypeOf(ctx.Type(x));
  const TensorId wide = ctx.Cast(x, compute);
  const TensorId limit = ctx.Scalar(args.Double("lambd", 0.5), compute);
  const TensorId inside = ctx.Binary(Op::kLe, ctx.Unary(Op::kAbs, wide), limit);
  TensorId outside = wide;
  if (soft) {
    outside = ctx.Binary(Op::kSub, wide, ctx.Binary(Op::kMul, ctx.Unary(Op::kSign, wide), limit));
  }
  return Out(ctx.Cast(ctx.Select(inside, ctx.Scalar(0.0, compute), outside), ctx.Type(x)));
}

constexpr ConverterEntry kTable[] = {
    {"aten.relu.default", &Relu},
    {"aten.relu6.default", &Relu6},
    {"aten.gelu.default", &Gelu},
    {"aten.silu.default", &Float<Op::kSilu>},
    {"aten.hardswish.default", &Float<Op::kHardSwish>},
    {"aten.hardsigmoid.default", &Float<Op::kHardSigmoid>},
    {"aten.hardtanh.default", &Hardtanh},
    {"aten.leaky_relu.default", &LeakyRelu},
    {"aten.elu.default", &Elu},
    {"aten.selu.default", &Selu},
    {"aten.celu.default", &Celu},
    {"aten.softplus.default", &Softplus},
    {"aten.mish.default", &Mish},
    {"aten.log_sigmoid.default", &LogSigmoid},
    {"aten.log_sigmoid_forward.default", &LogSigmoidForward},
    {"aten.glu.default", &Glu},
    {"aten._prelu_kernel.default", &Prelu},
    {"aten.prelu.default", &Prelu},
    {"aten.threshold.default", &Threshold},
    {"aten.hardshrink.default", &Shrink<false>},
    {"aten.softshrink.default", &Shrink<true>},
    {"aten.clamp.default", &Clamp},
    {"aten.clamp.Tensor", &ClampTensor},
    {"aten.clip.default", &Clamp},
    {"aten.clip.Tensor", &ClampTensor},
    {"aten.clamp_min.default", &Clamp},
    {"aten.clamp_min.Tensor", &ClampTensor},
    {"aten.clamp_max.default", &Clamp},
    {"aten.clamp_max.Tensor", &ClampTensor},
};

}  // namespace

ConverterTable ActivationConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
