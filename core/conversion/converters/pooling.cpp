// Pooling over windows and to given sizes.
#include <algorithm>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

core::Dims PerDim(ConversionContext& ctx, core::Dims values, const core::Dims& fallback) {
  if (values.empty()) return fallback;
  if (values.size() == 1) values.assign(fallback.size(), values[0]);
  ctx.Require(values.size() == fallback.size(), core::ToString(values), " for ", fallback.size(),
              " spatial dims");
  return values;
}

// x with a batch dim; `batched` says whether it had one.
TensorId WithBatch(ConversionContext& ctx, TensorId x, size_t spatial, bool* batched) {
  const auto rank = static_cast<size_t>(ctx.Rank(x));
  ctx.Require(rank == spatial + 1 || rank == spatial + 2, "an input of rank ", rank);
  *batched = rank == spatial + 2;
  return *batched || !ctx.ok() ? x : ctx.Unsqueeze(x, 0);
}

Attributes WindowAttributes(ConversionContext& ctx, const Args& args, size_t spatial,
                            const char* kind) {
  const core::Dims kernel = PerDim(ctx, args.Ints("kernel_size"), core::Dims(spatial, 1));
  core::Dims padding = PerDim(ctx, args.Ints("padding"), core::Dims(spatial, 0));
  padding.insert(padding.end(), padding.begin(), padding.begin() + static_cast<int64_t>(spatial));
  return {{"kind", std::string(kind)},
          {"kernel", kernel},
          {"stride", PerDim(ctx, args.Ints("stride"), kernel)},
          {"padding", padding},
          {"ceil_mode", args.Bool("ceil_mode")}};
}

template <size_t spatial, bool with_indices>
Values MaxPool(ConversionContext& ctx, const Args& args) {
  bool batched = true;
  const TensorId x = WithBatch(ctx, args.Tensor("self"), spatial, &batched);
  Attributes attrs = WindowAttributes(ctx, args, spatial, "max");
  attrs.Set("dilation", PerDim(ctx, args.Ints("dilation"), core::Dims(spatial, 1)))
      .Set("with_indices", with_indices);
  const std::vector<TensorId> pooled = ctx.AddMulti(LayerKind::kPool, {x}, attrs);
  Values out;
  for (size_t i = 0; i < (with_indices ? 2 : 1); ++i) {
    out.push_back(Value::Tensor(batched ? pooled[i] : ctx.Squeeze(pooled[i], 0)));
  }
  return out;
}

template <size_t spatial>
Values AvgPool(ConversionContext& ctx, const Args& args) {
  bool batched = true;
  const TensorId x = WithBatch(ctx, args.Tensor("self"), spatial, &batched);
  Attributes attrs = WindowAttributes(ctx, args, spatial, "avg");
  attrs.Set("count_include_pad", args.Bool("count_include_pad", true))
      .Set("divisor", args.Int("divisor_override", 0));
  const TensorId out = ctx.Add(LayerKind::kPool, {x}, attrs);
  return Out(batched ? out : ctx.Squeeze(out, 0));
}

TensorId AdaptivePool(ConversionContext& ctx, const Args& args, size_t spatial, const char* kind) {
  bool batched = true;
  const TensorId x = WithBatch(ctx, args.Tensor("self"), spatial, &batched);
  const core::Dims sizes = PerDim(ctx, args.Ints("output_size"), core::Dims(spatial, 1));
  const TensorId out =
      ctx.Add(LayerKind::kAdaptivePool, {x}, {{"kind", std::string(kind)}, {"sizes", sizes}});
  return batched ? out : ctx.Squeeze(out, 0);
}

template <size_t spatial>
Values AdaptiveAvgPool(ConversionContext& ctx, const Args& args) {
  return Out(AdaptivePool(ctx, args, spatial, "avg"));
}

// The indices are None: only the values can be read.
template <size_t spatial>
Values AdaptiveMaxPool(ConversionContext& ctx, const Args& args) {
  return {Value::Tensor(AdaptivePool(ctx, args, spatial, "max")), Value()};
}

constexpr ConverterEntry kTable[] = {
    {"aten.max_pool1d.default", &MaxPool<1, false>},
    {"aten.max_pool2d.default", &MaxPool<2, false>},
    {"aten.max_pool3d.default", &MaxPool<3, false>},
    {"aten.max_pool1d_with_indices.default", &MaxPool<1, true>},
    {"aten.max_pool2d_with_indices.default", &MaxPool<2, true>},
    {"aten.max_pool3d_with_indices.default", &MaxPool<3, true>},
    {"aten.avg_pool1d.default", &AvgPool<1>},
    {"aten.avg_pool2d.default", &AvgPool<2>},
    {"aten.avg_pool3d.default", &AvgPool<3>},
    {"aten.adaptive_avg_pool1d.default", &AdaptiveAvgPool<1>},
    {"aten.adaptive_avg_pool2d.default", &AdaptiveAvgPool<2>},
    {"aten.adaptive_avg_pool3d.default", &AdaptiveAvgPool<3>},
    {"aten._adaptive_avg_pool2d.default", &AdaptiveAvgPool<2>},
    {"aten._adaptive_avg_pool3d.default", &AdaptiveAvgPool<3>},
    {"aten.adaptive_max_pool1d.default", &AdaptiveMaxPool<1>},
    {"aten.adaptive_max_pool2d.default", &AdaptiveMaxPool<2>},
    {"aten.adaptive_max_pool3d.default", &AdaptiveMaxPool<3>},
};

}  // namespace

ConverterTable PoolingConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
