// Inference of convolutions, pools and resizing: kinds with spatial windows.
#include <algorithm>

#include "core/layers/infer_args.h"

namespace torch_tensorrt::core::layers {
namespace {

// Position of spatial dim 0 and of the channels in x.
struct Layout {
  size_t spatial;
  size_t channel;
  size_t count;  // spatial dims
};

Layout LayoutOf(const InferArgs& args) {
  const size_t rank = args.dims(0).size();
  return args.attrs.Bool("channels_last") ? Layout{1, rank - 1, rank - 2} : Layout{2, 1, rank - 2};
}

Status CheckInts(const InferArgs& args, std::string_view name, size_t count, int64_t lowest) {
  const Dims values = args.attrs.Ints(name);
  const bool valid =
      values.size() == count &&
      std::all_of(values.begin(), values.end(), [lowest](int64_t v) { return v >= lowest; });
  if (valid) return Status::Ok();
  return args.Error(name, " ", core::ToString(values), " must be ", count, " values of at least ",
                    lowest);
}

Status CheckWindow(const InferArgs& args, size_t count) {
  TRT_RETURN_IF_ERROR(CheckInts(args, "stride", count, 1));
  TRT_RETURN_IF_ERROR(CheckInts(args, "padding", 2 * count, 0));
  if (!args.attrs.Has("dilation")) return Status::Ok();
  return CheckInts(args, "dilation", count, 1);
}

Status CheckPositive(const InferArgs& args, const SymInt& size) {
  if (!size.is_constant() || size.constant() > 0) return Status::Ok();
  return args.Error("the window does not fit into ", ToString(args.in(0)));
}

Status CheckConvTypes(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 1));
  if (args.rank(0) < 3 || args.rank(0) > 5 || args.rank(1) != args.rank(0)) {
    return args.Error("x ", ToString(args.in(0)), " and w ", ToString(args.in(1)),
                      " need one rank of 3 to 5");
  }
  if (args.attrs.Int("groups") < 1) return args.Error("groups ", args.attrs.Int("groups"));
  return Status::Ok();
}

Status CheckConvBias(const InferArgs& args, const SymInt& channels) {
  if (!args.attrs.Bool("has_bias")) return Status::Ok();
  if (args.inputs.size() < 3) return args.Error("has_bias without a bias");
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 2));
  if (MayEqual(args.dims(2), SymDims{channels})) return Status::Ok();
  return args.Error("bias ", ToString(args.in(2)), " for ", channels, " channels");
}

// Outputs of a pool window along one dim; ceil_mode drops a window that would start in the end
// padding.
SymInt PoolSize(const SymInt& in, int64_t kernel, int64_t stride, int64_t begin, int64_t end,
                int64_t dilation, bool ceil_mode) {
  const SymInt room = in + begin + end - dilation * (kernel - 1) - 1;
  if (!ceil_mode) return FloorDiv(room, stride) + 1;
  return Min(CeilDiv(room, stride) + 1, CeilDiv(in + begin, stride));
}

}  // namespace

InferResult InferConvolution(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(CheckConvTypes(args));
  const Layout layout = LayoutOf(args);
  TRT_RETURN_IF_ERROR(CheckWindow(args, layout.count));
  const int64_t groups = args.attrs.Int("groups");
  const SymDims& x = args.dims(0);
  const SymDims& w = args.dims(1);
  const SymInt& out_channels = w[0];
  if (!MayEqual(x[layout.channel], w[layout.channel] * groups) ||
      (out_channels.is_constant() && out_channels.constant() % groups != 0)) {
    return args.Error("x ", ToString(args.in(0)), ", w ", ToString(args.in(1)), ", groups ", groups,
                      " do not fit");
  }
  const Dims stride = args.attrs.Ints("stride");
  const Dims padding = args.attrs.Ints("padding");
  const Dims dilation = args.attrs.Ints("dilation");
  SymDims dims = x;
  dims[layout.channel] = out_channels;
  for (size_t d = 0; d < layout.count; ++d) {
    SymInt& size = dims[layout.spatial + d];
    const SymInt extent = (w[layout.spatial + d] - 1) * dilation[d] + 1;
    size = FloorDiv(size + padding[d] + padding[d + layout.count] - extent, stride[d]) + 1;
    TRT_RETURN_IF_ERROR(CheckPositive(args, size));
  }
  TRT_RETURN_IF_ERROR(CheckConvBias(args, out_channels));
  const size_t used = args.attrs.Bool("has_bias") ? 3 : 2;
  TRT_ASSIGN_OR_RETURN(const DataType type, InferEpilogue(args, used, dims, args.in(0).dtype));
  return std::vector<TensorType>{{type, std::move(dims)}};
}

InferResult InferDeconvolution(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(CheckConvTypes(args));
  const Layout layout = LayoutOf(args);
  TRT_RETURN_IF_ERROR(CheckWindow(args, layout.count));
  TRT_RETURN_IF_ERROR(CheckInts(args, "output_padding", layout.count, 0));
  const int64_t groups = args.attrs.Int("groups");
  const SymDims& x = args.dims(0);
  const SymDims& w = args.dims(1);
  if (!MayEqual(x[layout.channel], w[0]) || (w[0].is_constant() && w[0].constant() % groups != 0)) {
    return args.Error("x ", ToString(args.in(0)), ", w ", ToString(args.in(1)), ", groups ", groups,
                      " do not fit");
  }
  const Dims stride = args.attrs.Ints("stride");
  const Dims padding = args.attrs.Ints("padding");
  const Dims dilation = args.attrs.Ints("dilation");
  const Dims output_padding = args.attrs.Ints("output_padding");
  SymDims dims = x;
  const SymInt out_channels = w[layout.channel] * groups;
  dims[layout.channel] = out_channels;
  for (size_t d = 0; d < layout.count; ++d) {
    SymInt& size = dims[layout.spatial + d];
    size = (size - 1) * stride[d] - padding[d] - padding[d + layout.count] +
           (w[layout.spatial + d] - 1) * dilation[d] + output_padding[d] + 1;
    TRT_RETURN_IF_ERROR(CheckPositive(args, size));
  }
  TRT_RETURN_IF_ERROR(CheckConvBias(args, out_channels));
  const size_t used = args.attrs.Bool("has_bias") ? 3 : 2;
  TRT_ASSIGN_OR_RETURN(const DataType type, InferEpilogue(args, used, dims, args.in(0).dtype));
  return std::vector<TensorType>{{type, std::move(dims)}};
}

InferResult InferPool(const InferArgs& args) {
  const std::string kind = args.attrs.Str("kind");
  const bool with_indices = args.attrs.Bool("with_indices");
  const Dims kernel = args.attrs.Ints("kernel");
  const size_t count = kernel.size();
  if (kind != "max" && kind != "avg") return args.Error("unknown kind ", kind);
  if (kind == "avg") TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  if (count < 1 || count > 3 || args.dims(0).size() != count + 2) {
    return args.Error("kernel ", core::ToString(kernel), " for x ", ToString(args.in(0)));
  }
  TRT_RETURN_IF_ERROR(CheckInts(args, "kernel", count, 1));
  TRT_RETURN_IF_ERROR(CheckWindow(args, count));
  if (with_indices && kind != "max") return args.Error("only max pooling gives indices");
  const Dims stride = args.attrs.Ints("stride");
  const Dims padding = args.attrs.Ints("padding");
  Dims dilation = args.attrs.Ints("dilation");
  if (dilation.empty()) dilation.assign(count, 1);
  SymDims dims = args.dims(0);
  for (size_t d = 0; d < count; ++d) {
    SymInt& size = dims[LayoutOf(args).spatial + d];
    size = PoolSize(size, kernel[d], stride[d], padding[d], padding[d + count], dilation[d],
                    args.attrs.Bool("ceil_mode"));
    TRT_RETURN_IF_ERROR(CheckPositive(args, size));
  }
  std::vector<TensorType> outputs{{args.in(0).dtype, dims}};
  if (with_indices) outputs.push_back({DataType::kInt64, std::move(dims)});
  return outputs;
}

InferResult InferAdaptivePool(const InferArgs& args) {
  const std::string kind = args.attrs.Str("kind");
  const Dims sizes = args.attrs.Ints("sizes");
  if (kind != "max" && kind != "avg") return args.Error("unknown kind ", kind);
  if (kind == "avg") TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  if (sizes.empty() || sizes.size() > 3 || args.dims(0).size() != sizes.size() + 2) {
    return args.Error("sizes ", core::ToString(sizes), " for x ", ToString(args.in(0)));
  }
  TRT_RETURN_IF_ERROR(CheckInts(args, "sizes", sizes.size(), 0));
  SymDims dims = args.dims(0);
  for (size_t d = 0; d < sizes.size(); ++d) {
    SymInt& size = dims[LayoutOf(args).spatial + d];
    if (size.Equals(0) && sizes[d] != 0) return args.Error("pools an empty dim");
    size = sizes[d];
  }
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

InferResult InferResize(const InferArgs& args) {
  const std::string mode = args.attrs.Str("mode");
  const SymDims sizes = args.attrs.Syms("sizes");
  const auto scales = args.attrs.Get<std::vector<double>>("scales", {});
  if (mode != "nearest" && mode != "nearest-exact" && mode != "linear" && mode != "cubic") {
    return args.Error("unknown mode ", mode);
  }
  if (mode == "linear" || mode == "cubic") TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  if (sizes.empty() || sizes.size() > 3 || args.dims(0).size() != sizes.size() + 2) {
    return args.Error("sizes ", core::ToString(sizes), " for x ", ToString(args.in(0)));
  }
  if (mode == "cubic" && sizes.size() != 2) return args.Error("cubic needs two spatial dims");
  if (!scales.empty() && scales.size() != sizes.size()) {
    return args.Error(scales.size(), " scales for ", sizes.size(), " spatial dims");
  }
  // Positions are divided by them and then become integers.
  constexpr double kMost = 1 << 24;
  for (const double scale : scales) {
    const bool usable = scale == 0 || (scale >= 1 / kMost && scale <= kMost);
    if (!usable) return args.Error("scale ", scale);
  }
  SymDims dims = args.dims(0);
  for (size_t d = 0; d < sizes.size(); ++d) {
    SymInt& size = dims[LayoutOf(args).spatial + d];
    if (sizes[d].is_constant() && (sizes[d].constant() <= 0 || size.Equals(0))) {
      return args.Error("resizes ", ToString(args.in(0)), " to ", core::ToString(sizes));
    }
    size = sizes[d];
  }
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

}  // namespace torch_tensorrt::core::layers
