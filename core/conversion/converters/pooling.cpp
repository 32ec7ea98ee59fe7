// Pooling over windows and to given sizes.
#include <algorithm>

#include "core/conversion/families.h"
#include "core/conversion/integer_windows.h"
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
  const bool count_padding = args.Bool("count_include_pad", true);
  const int64_t divisor = args.Int("divisor_override", 0);
  TensorId out = x;
  if (IsInteger(ctx.Type(x))) {
    const core::Dims kernel = PerDim(ctx, args.Ints("kernel_size"), core::Dims(spatial, 1));
    const IntegerAverage average{kernel,
                                 PerDim(ctx, args.Ints("stride"), kernel),
                                 PerDim(ctx, args.Ints("padding"), core::Dims(spatial, 0)),
                                 args.Bool("ceil_mode"),
                                 count_padding,
                                 divisor};
    if (!ctx.ok()) return {};
    out = AverageIntegers(ctx, x, average);
  } else {
    Attributes attrs = WindowAttributes(ctx, args, spatial, "avg");
    attrs.Set("count_include_pad", count_padding).Set("divisor", divisor);
    out = ctx.Add(LayerKind::kPool, {x}, attrs);
  }
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

// The places of one axis that each output looks at, [out, longest window]. A shorter window
// repeats its last place, which can't be the first maximum.
struct Windows {
  std::vector<int64_t> places;
  int64_t length = 0;
};

Windows AdaptiveWindows(int64_t size, int64_t out) {
  Windows windows;
  const auto begin = [&](int64_t i) { return i * size / out; };
  const auto end = [&](int64_t i) { return ((i + 1) * size + out - 1) / out; };
  for (int64_t i = 0; i < out; ++i) windows.length = std::max(windows.length, end(i) - begin(i));
  for (int64_t i = 0; i < out; ++i) {
    for (int64_t k = 0; k < windows.length; ++k) {
      windows.places.push_back(std::min(begin(i) + k, end(i) - 1));
    }
  }
  return windows;
}

// Places of the maxima within the spatial dims taken as one. x: [n, c, spatial...].
TensorId AdaptiveMaxIndices(ConversionContext& ctx, TensorId x, const core::Dims& out) {
  const auto spatial = static_cast<int64_t>(out.size());
  core::Dims perm{0, 1};
  SymDims sizes{ctx.Dim(x, 0), ctx.Dim(x, 1)};
  int64_t window = 1;
  TensorId patches = x;
  std::vector<Windows> axes;
  for (int64_t a = 0; a < spatial; ++a) {
    axes.push_back(AdaptiveWindows(ctx.Dim(x, a + 2).constant(), out[static_cast<size_t>(a)]));
    const TensorId index = ctx.Reshape(ctx.IntConstant(axes.back().places),
                                       {out[static_cast<size_t>(a)], axes.back().length});
    patches = ctx.Add(LayerKind::kGather, {patches, index}, {{"axis", 2 + 2 * a}});
    window *= axes.back().length;
    perm.push_back(2 + 2 * a);
    sizes.push_back(out[static_cast<size_t>(a)]);
  }
  for (int64_t a = 0; a < spatial; ++a) perm.push_back(3 + 2 * a);
  sizes.emplace_back(window);
  patches = ctx.Reshape(ctx.Transpose(patches, perm), sizes);
  // The place of element k of a window, for every window.
  int64_t count = 1;
  for (int64_t n : out) count *= n;
  std::vector<int64_t> places(static_cast<size_t>(count * window), 0);
  for (int64_t at = 0; at < count * window; ++at) {
    int64_t which = at / window;
    int64_t within = at % window;
    int64_t weight = 1;
    for (int64_t a = spatial - 1; a >= 0; --a) {
      const Windows& axis = axes[static_cast<size_t>(a)];
      const int64_t n = out[static_cast<size_t>(a)];
      const int64_t row = (which % n) * axis.length + within % axis.length;
      places[static_cast<size_t>(at)] += axis.places[static_cast<size_t>(row)] * weight;
      weight *= ctx.Dim(x, a + 2).constant();
      which /= n;
      within /= axis.length;
    }
  }
  const TensorId best = ctx.Add(LayerKind::kArgReduce, {patches},
                                {{"kind", std::string("argmax")}, {"axis", 2 + spatial}});
  sizes.pop_back();
  const TensorId first = ctx.Reshape(ctx.Iota(SymInt(count), 0, window, DataType::kInt64),
                                     SymDims(out.begin(), out.end()));
  return ctx.Add(LayerKind::kGather,
                 {ctx.IntConstant(places), ctx.Binary(PointwiseOp::kAdd, best, first)},
                 {{"axis", int64_t{0}}});
}

// The indices need known sizes; else they are None, and only the values can be read.
template <size_t spatial>
Values AdaptiveMaxPool(ConversionContext& ctx, const Args& args) {
  const TensorId values = AdaptivePool(ctx, args, spatial, "max");
  bool batched = true;
  const TensorId x = WithBatch(ctx, args.Tensor("self"), spatial, &batched);
  const core::Dims out = PerDim(ctx, args.Ints("output_size"), core::Dims(spatial, 1));
  if (!ctx.ok()) return {};
  bool known = true;
  for (size_t d = 0; d < spatial; ++d) {
    const SymInt size = ctx.Dim(x, static_cast<int64_t>(d) + 2);
    known = known && size.is_constant() && size.constant() > 0 && out[d] > 0;
  }
  if (!known) return {Value::Tensor(values), Value()};
  const TensorId indices = AdaptiveMaxIndices(ctx, x, out);
  return {Value::Tensor(values), Value::Tensor(batched ? indices : ctx.Squeeze(indices, 0))};
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
