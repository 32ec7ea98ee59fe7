// Upsampling and pixel shuffling.
#include <cmath>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

// floor(size * scale).
SymInt Scaled(ConversionContext& ctx, const SymInt& size, double scale) {
  if (size.is_constant()) {
    return static_cast<int64_t>(std::floor(static_cast<double>(size.constant()) * scale));
  }
  const double inverse = 1 / scale;
  if (scale == std::floor(scale)) return size * static_cast<int64_t>(scale);
  if (inverse == std::floor(inverse)) return FloorDiv(size, static_cast<int64_t>(inverse));
  ctx.Require(false, "scale ", scale, " of a size known at run time only");
  return size;
}

// Sizes from output_size, else from scale_factors (.vec) or the scales_* arguments.
Values Resize(ConversionContext& ctx, const Args& args, const char* mode, size_t spatial) {
  const TensorId x = args.Tensor(args.Has("input") ? "input" : "self");
  ctx.Require(ctx.Rank(x) == static_cast<int64_t>(spatial) + 2, "an input of rank ", ctx.Rank(x));
  if (!ctx.ok()) return {};
  std::vector<double> scales = args.Doubles("scale_factors");
  if (scales.empty()) {
    static constexpr const char* kNames[] = {"scales_d", "scales_h", "scales_w"};
    for (size_t d = 3 - spatial; d < 3; ++d) {
      const char* name = spatial == 1 ? "scales" : kNames[d];
      scales.push_back(args.Double(name, 0));
    }
  }
  SymDims sizes = args.Syms("output_size");
  if (sizes.empty()) {
    for (size_t d = 0; d < scales.size(); ++d) {
      sizes.push_back(Scaled(ctx, ctx.Dim(x, static_cast<int64_t>(d) + 2), scales[d]));
    }
  }
  ctx.Require(sizes.size() == spatial && scales.size() == spatial, "sizes for ", spatial,
              " spatial dims");
  return Out(ctx.Add(LayerKind::kResize, {x},
                     {{"mode", std::string(mode)},
                      {"sizes", sizes},
                      {"scales", scales},
                      {"align_corners", args.Bool("align_corners")}}));
}

template <size_t spatial>
Values Nearest(ConversionContext& ctx, const Args& args) {
  return Resize(ctx, args, "nearest", spatial);
}
template <size_t spatial>
Values NearestExact(ConversionContext& ctx, const Args& args) {
  return Resize(ctx, args, "nearest-exact", spatial);
}
template <size_t spatial>
Values Linear(ConversionContext& ctx, const Args& args) {
  return Resize(ctx, args, "linear", spatial);
}
Values Cubic(ConversionContext& ctx, const Args& args) { return Resize(ctx, args, "cubic", 2); }

// [..., C, H, W] split into blocks: dims from `lead` on become [.., a, b, c ..] and are permuted.
TensorId Regroup(ConversionContext& ctx, TensorId x, const SymDims& split, const core::Dims& order,
                 const SymDims& merged) {
  const int64_t lead = ctx.Rank(x) - 3;
  SymDims dims(ctx.Dims(x).begin(), ctx.Dims(x).begin() + lead);
  SymDims last = dims;
  core::Dims perm;
  for (int64_t d = 0; d < lead; ++d) perm.push_back(d);
  for (int64_t d : order) perm.push_back(lead + d);
  dims.insert(dims.end(), split.begin(), split.end());
  last.insert(last.end(), merged.begin(), merged.end());
  return ctx.Reshape(ctx.Transpose(ctx.Reshape(x, dims), perm), last);
}

Values PixelShuffle(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  ctx.Require(ctx.Rank(x) >= 3, "an input of rank ", ctx.Rank(x));
  if (!ctx.ok()) return {};
  const int64_t r = args.Int("upscale_factor");
  const SymInt c = FloorDiv(ctx.Dim(x, -3), r * r);
  const SymInt h = ctx.Dim(x, -2);
  const SymInt w = ctx.Dim(x, -1);
  return Out(Regroup(ctx, x, {c, r, r, h, w}, {0, 3, 1, 4, 2}, {c, h * r, w * r}));
}

Values PixelUnshuffle(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  ctx.Require(ctx.Rank(x) >= 3, "an input of rank ", ctx.Rank(x));
  if (!ctx.ok()) return {};
  const int64_t r = args.Int("downscale_factor");
  const SymInt c = ctx.Dim(x, -3);
  const SymInt h = FloorDiv(ctx.Dim(x, -2), r);
  const SymInt w = FloorDiv(ctx.Dim(x, -1), r);
  return Out(Regroup(ctx, x, {c, h, r, w, r}, {0, 2, 4, 1, 3}, {c * r * r, h, w}));
}

Values ChannelShuffle(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const int64_t groups = args.Int("groups");
  SymDims dims = ctx.Dims(x);
  ctx.Require(dims.size() >= 3 && groups > 0, "rank ", dims.size(), " and ", groups, " groups");
  if (!ctx.ok()) return {};
  const SymDims last = dims;
  dims[1] = FloorDiv(dims[1], groups);
  dims.insert(dims.begin() + 1, SymInt(groups));
  return Out(ctx.Reshape(ctx.SwapDims(ctx.Reshape(x, dims), 1, 2), last));
}

constexpr ConverterEntry kTable[] = {
    {"aten.upsample_nearest1d.vec", &Nearest<1>},
    {"aten.upsample_nearest2d.vec", &Nearest<2>},
    {"aten.upsample_nearest3d.vec", &Nearest<3>},
    {"aten.upsample_nearest1d.default", &Nearest<1>},
    {"aten.upsample_nearest2d.default", &Nearest<2>},
    {"aten.upsample_nearest3d.default", &Nearest<3>},
    {"aten._upsample_nearest_exact1d.vec", &NearestExact<1>},
    {"aten._upsample_nearest_exact2d.vec", &NearestExact<2>},
    {"aten._upsample_nearest_exact3d.vec", &NearestExact<3>},
    {"aten._upsample_nearest_exact1d.default", &NearestExact<1>},
    {"aten._upsample_nearest_exact2d.default", &NearestExact<2>},
    {"aten._upsample_nearest_exact3d.default", &NearestExact<3>},
    {"aten.upsample_linear1d.vec", &Linear<1>},
    {"aten.upsample_bilinear2d.vec", &Linear<2>},
    {"aten.upsample_trilinear3d.vec", &Linear<3>},
    {"aten.upsample_linear1d.default", &Linear<1>},
    {"aten.upsample_bilinear2d.default", &Linear<2>},
    {"aten.upsample_trilinear3d.default", &Linear<3>},
    {"aten.upsample_bicubic2d.vec", &Cubic},
    {"aten.upsample_bicubic2d.default", &Cubic},
    {"aten.pixel_shuffle.default", &PixelShuffle},
    {"aten.pixel_unshuffle.default", &PixelUnshuffle},
    {"aten.channel_shuffle.default", &ChannelShuffle},
};

}  // namespace

ConverterTable ResizeConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
