// Convolution and transposed convolution in one to three spatial dims.
#include "core/conversion/families.h"
#include "core/conversion/integer_windows.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

// A list of one value for every spatial dim stands for all of them.
core::Dims PerDim(ConversionContext& ctx, core::Dims values, size_t count, int64_t fallback) {
  if (values.empty()) values.assign(count, fallback);
  if (values.size() == 1) values.assign(count, values[0]);
  ctx.Require(values.size() == count, core::ToString(values), " for ", count, " spatial dims");
  return values;
}

struct Window {
  core::Dims stride;
  core::Dims padding;  // begins, then ends
  core::Dims dilation;
};

core::Dims BothSides(const core::Dims& padding) {
  core::Dims out = padding;
  out.insert(out.end(), padding.begin(), padding.end());
  return out;
}

// 'same' puts the odd element at the end; 'valid' pads nothing.
core::Dims NamedPadding(ConversionContext& ctx, const std::string& name, TensorId weight,
                        const core::Dims& dilation) {
  const size_t count = dilation.size();
  core::Dims out(2 * count, 0);
  ctx.Require(name == "same" || name == "valid", "padding ", name);
  if (name != "same") return out;
  for (size_t d = 0; d < count; ++d) {
    const SymInt kernel = ctx.Dim(weight, static_cast<int64_t>(d) + 2);
    ctx.Require(kernel.is_constant(), "a kernel of unknown size");
    if (!ctx.ok()) return out;
    const int64_t total = dilation[d] * (kernel.constant() - 1);
    out[d] = total / 2;
    out[d + count] = total - total / 2;
  }
  return out;
}

// As Apply, with a batch dim.
TensorId ApplyToIntegers(ConversionContext& ctx, const Args& args, TensorId x, const Window& window,
                         bool transposed) {
  const size_t count = window.stride.size();
  const auto half = window.padding.begin() + static_cast<int64_t>(count);
  const IntegerWindow whole{
      window.stride, {window.padding.begin(), half}, {half, window.padding.end()}, window.dilation};
  const TensorId operands[] = {x, args.Tensor("weight"), args.OptTensor("bias")};
  for (const TensorId operand : {operands[1], operands[2]}) {
    ctx.Require(operand == ir::kNone || ctx.Type(operand) == ctx.Type(x), "operands of two dtypes");
  }
  const int64_t groups = args.Int("groups", 1);
  if (!transposed) return ConvolveIntegers(ctx, operands, whole, groups);
  const core::Dims output_padding = PerDim(ctx, args.Ints("output_padding"), count, 0);
  return ctx.ok() ? DeconvolveIntegers(ctx, operands, whole, output_padding, groups) : x;
}

TensorId Apply(ConversionContext& ctx, const Args& args, TensorId x, const Window& window,
               bool transposed) {
  const TensorId weight = args.Tensor("weight");
  const TensorId bias = args.OptTensor("bias");
  const bool batched = ctx.Rank(x) == ctx.Rank(weight);
  if (IsInteger(ctx.Type(x))) {
    const TensorId out =
        ApplyToIntegers(ctx, args, batched ? x : ctx.Unsqueeze(x, 0), window, transposed);
    return batched ? out : ctx.Squeeze(out, 0);
  }
  std::vector<TensorId> inputs{batched ? x : ctx.Unsqueeze(x, 0), weight};
  if (bias != ir::kNone) inputs.push_back(bias);
  Attributes attrs{{"stride", window.stride},
                   {"padding", window.padding},
                   {"dilation", window.dilation},
                   {"groups", args.Int("groups", 1)},
                   {"has_bias", bias != ir::kNone}};
  if (transposed) {
    attrs.Set("output_padding", PerDim(ctx, args.Ints("output_padding"), window.stride.size(), 0));
  }
  const TensorId out =
      ctx.Add(transposed ? LayerKind::kDeconvolution : LayerKind::kConvolution, inputs, attrs);
  return batched ? out : ctx.Squeeze(out, 0);
}

Values Convolve(ConversionContext& ctx, const Args& args, bool transposed) {
  const char* input = args.Has("input") ? "input" : "self";
  const TensorId x = args.Tensor(input);
  const int64_t rank = ctx.Rank(args.Tensor("weight"));
  ctx.Require(rank >= 3 && rank <= 5, "a weight of rank ", rank);
  ctx.Require(ctx.Rank(x) == rank || ctx.Rank(x) == rank - 1, "an input of rank ", ctx.Rank(x));
  if (!ctx.ok()) return {};
  const auto count = static_cast<size_t>(rank - 2);
  Window window;
  window.stride = PerDim(ctx, args.Ints("stride"), count, 1);
  window.dilation = PerDim(ctx, args.Ints("dilation"), count, 1);
  if (const auto* name = args.Get("padding").get<std::string>()) {
    window.padding = NamedPadding(ctx, *name, args.Tensor("weight"), window.dilation);
  } else {
    window.padding = BothSides(PerDim(ctx, args.Ints("padding"), count, 0));
  }
  if (!ctx.ok()) return {};
  return Out(Apply(ctx, args, x, window, transposed));
}

Values Convolution(ConversionContext& ctx, const Args& args) {
  return Convolve(ctx, args, args.Bool("transposed"));
}

Values Forward(ConversionContext& ctx, const Args& args) { return Convolve(ctx, args, false); }

Values Transposed(ConversionContext& ctx, const Args& args) { return Convolve(ctx, args, true); }

constexpr ConverterEntry kTable[] = {
    {"aten.convolution.default", &Convolution},
    {"aten.conv1d.default", &Forward},
    {"aten.conv2d.default", &Forward},
    {"aten.conv3d.default", &Forward},
    {"aten.conv1d.padding", &Forward},
    {"aten.conv2d.padding", &Forward},
    {"aten.conv3d.padding", &Forward},
    {"aten.conv_transpose1d.default", &Transposed},
    {"aten.conv_transpose2d.input", &Transposed},
    {"aten.conv_transpose3d.input", &Transposed},
};

}  // namespace

ConverterTable ConvolutionConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
