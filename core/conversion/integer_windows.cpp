#include "core/conversion/integer_windows.h"

#include <algorithm>
#include <numeric>

namespace torch_tensorrt::core::conversion {
namespace {

constexpr int64_t kFirst = 2;  // spatial dims of [N, C, spatial...]

int64_t Count(const IntegerWindow& window) { return static_cast<int64_t>(window.stride.size()); }

int64_t At(const core::Dims& values, int64_t d) { return values[static_cast<size_t>(d)]; }

// [a, b] with element (i, j) start + i * step + j * within.
TensorId Positions(ConversionContext& ctx, const SymInt& a, const SymInt& b, int64_t start,
                   int64_t step, int64_t within) {
  const TensorId first = ctx.Unsqueeze(ctx.Iota(a, start, step, DataType::kInt64), 1);
  return ctx.Binary(PointwiseOp::kAdd, first, ctx.Iota(b, 0, within, DataType::kInt64));
}

TensorId PadSpatial(ConversionContext& ctx, TensorId x, const core::Dims& begin,
                    const core::Dims& end) {
  const auto changes = [](int64_t pad) { return pad != 0; };
  if (std::none_of(begin.begin(), begin.end(), changes) &&
      std::none_of(end.begin(), end.end(), changes)) {
    return x;
  }
  SymDims pads{0, 0};
  pads.insert(pads.end(), begin.begin(), begin.end());
  pads.insert(pads.end(), {0, 0});
  pads.insert(pads.end(), end.begin(), end.end());
  return ctx.Add(LayerKind::kPad, {x},
                 {{"pads", pads}, {"mode", std::string("constant")}, {"value", 0.0}});
}

// x [N, C, spatial...], padded, as [N, C, out, kernel, out, kernel, ...].
TensorId Windows(ConversionContext& ctx, TensorId x, const SymDims& out, const SymDims& kernel,
                 const core::Dims& stride, const core::Dims& dilation) {
  for (size_t d = 0; d < out.size(); ++d) {
    const TensorId index = Positions(ctx, out[d], kernel[d], 0, stride[d], dilation[d]);
    const int64_t axis = kFirst + 2 * static_cast<int64_t>(d);
    x = ctx.Add(LayerKind::kGather, {x, index}, {{"axis", axis}});
  }
  return x;
}

SymInt Product(const SymDims& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), SymInt(1),
                         [](const SymInt& a, const SymInt& b) { return a * b; });
}

// The windows of a convolution as [N, groups, C / groups * kernel..., out...].
TensorId Columns(ConversionContext& ctx, TensorId windows, const SymDims& out,
                 const SymDims& kernel, int64_t groups) {
  core::Dims perm{0, 1};
  const auto spatial = static_cast<int64_t>(out.size());
  for (int64_t d = 0; d < spatial; ++d) perm.push_back(kFirst + 2 * d + 1);
  for (int64_t d = 0; d < spatial; ++d) perm.push_back(kFirst + 2 * d);
  const SymInt rows = FloorDiv(ctx.Dim(windows, 1), groups) * Product(kernel);
  const SymInt batch = ctx.Dim(windows, 0);
  return ctx.Reshape(ctx.Transpose(windows, perm), {batch, groups, rows, Product(out)});
}

// Zeros between the elements along every spatial dim, stride - 1 of them, and as many after the
// last.
TensorId Spread(ConversionContext& ctx, TensorId x, const core::Dims& stride) {
  for (size_t d = 0; d < stride.size(); ++d) {
    if (stride[d] == 1) continue;
    const int64_t axis = kFirst + static_cast<int64_t>(d);
    SymDims dims = ctx.Dims(x);
    const TensorId apart = ctx.Unsqueeze(x, axis + 1);
    SymDims pads(2 * static_cast<size_t>(ctx.Rank(apart)), SymInt(0));
    pads[pads.size() / 2 + static_cast<size_t>(axis) + 1] = stride[d] - 1;
    x = ctx.Add(LayerKind::kPad, {apart},
                {{"pads", pads}, {"mode", std::string("constant")}, {"value", 0.0}});
    dims[static_cast<size_t>(axis)] = dims[static_cast<size_t>(axis)] * stride[d];
    x = ctx.Reshape(x, dims);
  }
  return x;
}

// [C, O/groups, kernel...] of a transposed convolution as the weights [O, C/groups, kernel...] of
// the convolution that does the same.
TensorId Turned(ConversionContext& ctx, TensorId w, int64_t groups) {
  SymDims split = ctx.Dims(w);
  core::Dims perm{0, 2, 1};
  for (int64_t axis = kFirst; axis < ctx.Rank(w); ++axis) {
    const SymInt size = ctx.Dim(w, axis);
    w = ctx.Slice(w, axis, size - 1, size, -1);
    perm.push_back(axis + 1);
  }
  SymDims joined = split;
  joined[0] = split[1] * groups;
  joined[1] = FloorDiv(split[0], groups);
  split[0] = FloorDiv(split[0], groups);
  split.insert(split.begin(), SymInt(groups));
  return ctx.Reshape(ctx.Transpose(ctx.Reshape(w, split), perm), joined);
}

// How many of the kernel's places lie in [from, size + after), for each output along one dim.
TensorId PlacesInside(ConversionContext& ctx, const SymInt& out, const SymInt& size, size_t d,
                      const IntegerAverage& average) {
  const int64_t pad = average.padding[d];
  const TensorId places = Positions(ctx, out, average.kernel[d], -pad, average.stride[d], 1);
  const int64_t counted = average.count_padding ? pad : 0;
  const TensorId from = ctx.Scalar(SymInt(-counted), DataType::kInt64);
  const TensorId to = ctx.Scalar(size + counted, DataType::kInt64);
  const TensorId inside =
      ctx.Binary(PointwiseOp::kLogicalAnd, ctx.Binary(PointwiseOp::kGe, places, from),
                 ctx.Binary(PointwiseOp::kLt, places, to));
  return ctx.Reduce("sum", ctx.Cast(inside, DataType::kInt64), {1}, false);
}

// What each sum is divided by, broadcastable to the outputs. A window of padding alone sums to 0
// and may be divided by anything but 0.
TensorId Divisor(ConversionContext& ctx, TensorId x, const SymDims& out,
                 const IntegerAverage& average) {
  if (average.divisor != 0) return ctx.Scalar(SymInt(average.divisor), DataType::kInt64);
  TensorId product = ctx.Scalar(SymInt(1), DataType::kInt64);
  for (size_t d = 0; d < out.size(); ++d) {
    const SymInt size = ctx.Dim(x, kFirst + static_cast<int64_t>(d));
    SymDims along(out.size(), SymInt(1));
    along[d] = out[d];
    const TensorId count = ctx.Reshape(PlacesInside(ctx, out[d], size, d, average), along);
    product = ctx.Binary(PointwiseOp::kMul, product, count);
  }
  return ctx.Binary(PointwiseOp::kMaximum, product, ctx.Scalar(SymInt(1), DataType::kInt64));
}

}  // namespace

TensorId ConvolveIntegers(ConversionContext& ctx, std::span<const TensorId> x_w_bias,
                          const IntegerWindow& window, int64_t groups) {
  TensorId x = x_w_bias[0];
  const TensorId w = x_w_bias[1];
  const SymInt out_channels = ctx.Dim(w, 0);
  const SymInt in_channels = ctx.Dim(w, 1) * groups;
  ctx.Require(groups > 0 && ctx.MayEqual(ctx.Dim(x, 1), in_channels), "x of ", ctx.Dim(x, 1),
              " channels for ", in_channels);
  if (!ctx.ok()) return x;
  SymDims out;
  SymDims kernel;
  for (int64_t d = 0; d < Count(window); ++d) {
    kernel.push_back(ctx.Dim(w, kFirst + d));
    const SymInt room = ctx.Dim(x, kFirst + d) + At(window.begin, d) + At(window.end, d) - 1 -
                        (kernel.back() - 1) * At(window.dilation, d);
    out.push_back(FloorDiv(room, At(window.stride, d)) + 1);
  }
  x = PadSpatial(ctx, x, window.begin, window.end);
  const TensorId windows = Windows(ctx, x, out, kernel, window.stride, window.dilation);
  const TensorId columns = Columns(ctx, windows, out, kernel, groups);
  const TensorId rows =
      ctx.Reshape(w, {groups, FloorDiv(out_channels, groups), ctx.Dim(w, 1) * Product(kernel)});
  SymDims dims{ctx.Dim(x, 0), out_channels};
  dims.insert(dims.end(), out.begin(), out.end());
  const TensorId sums =
      ctx.Reshape(ctx.Add(LayerKind::kMatrixMultiply, {ctx.Unsqueeze(rows, 0), columns}), dims);
  if (x_w_bias[2] == ir::kNone) return sums;
  SymDims along(out.size() + 1, SymInt(1));
  along[0] = out_channels;
  return ctx.Binary(PointwiseOp::kAdd, sums, ctx.Reshape(x_w_bias[2], along));
}

TensorId DeconvolveIntegers(ConversionContext& ctx, std::span<const TensorId> x_w_bias,
                            const IntegerWindow& window, const core::Dims& output_padding,
                            int64_t groups) {
  const TensorId w = x_w_bias[1];
  ctx.Require(groups > 0 && ctx.MayEqual(ctx.Dim(x_w_bias[0], 1), ctx.Dim(w, 0)), "x of ",
              ctx.Dim(x_w_bias[0], 1), " channels for ", ctx.Dim(w, 0));
  IntegerWindow same = window;
  for (int64_t d = 0; d < Count(window); ++d) {
    const auto at = static_cast<size_t>(d);
    const SymInt kernel = ctx.Dim(w, kFirst + d);
    ctx.Require(kernel.is_constant(), "a kernel of unknown size");
    if (!ctx.ok()) return x_w_bias[0];
    const int64_t reach = (kernel.constant() - 1) * window.dilation[at];
    same.stride[at] = 1;
    same.begin[at] = reach - window.begin[at];
    same.end[at] = reach - window.end[at] + output_padding[at] - (window.stride[at] - 1);
  }
  const TensorId operands[] = {Spread(ctx, x_w_bias[0], window.stride), Turned(ctx, w, groups),
                               x_w_bias[2]};
  return ConvolveIntegers(ctx, operands, same, groups);
}

TensorId AverageIntegers(ConversionContext& ctx, TensorId x, const IntegerAverage& average) {
  ctx.Require(ctx.Type(x) == DataType::kInt64, "averages of ", ToString(ctx.Type(x)));
  if (!ctx.ok()) return x;
  SymDims out;
  SymDims kernel;
  core::Dims end = average.padding;
  core::Dims sums;
  for (size_t d = 0; d < average.kernel.size(); ++d) {
    const int64_t stride = average.stride[d];
    const SymInt padded = ctx.Dim(x, kFirst + static_cast<int64_t>(d)) + average.padding[d];
    const SymInt room = padded + average.padding[d] - average.kernel[d];
    // With ceil_mode a window may reach beyond the padding, but not start there.
    out.push_back(average.ceil_mode ? Min(CeilDiv(room, stride) + 1, CeilDiv(padded, stride))
                                    : FloorDiv(room, stride) + 1);
    kernel.emplace_back(average.kernel[d]);
    if (average.ceil_mode) end[d] += stride - 1;
    sums.push_back(kFirst + 2 * static_cast<int64_t>(d) + 1);
  }
  const TensorId wide = PadSpatial(ctx, x, average.padding, end);
  const core::Dims ones(out.size(), 1);
  const TensorId windows = Windows(ctx, wide, out, kernel, average.stride, ones);
  return ctx.Binary(PointwiseOp::kTruncDiv, ctx.Reduce("sum", windows, sums, false),
                    Divisor(ctx, x, out, average));
}

}  // namespace torch_tensorrt::core::conversion
