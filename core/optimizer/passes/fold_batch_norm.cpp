// Inference batch norm is a scale and a shift per channel. After a convolution they go into its
// weights; elsewhere they become a multiplication and an addition, which fuse with their
// neighbours.
#include <cmath>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"
#include "core/optimizer/weights.h"

namespace torch_tensorrt::core::optimizer {
namespace {

struct ScaleShift {
  std::vector<double> scale;
  std::vector<double> shift;
};

// x * scale + shift == batch_norm(x); nullopt unless all parameters are constants.
std::optional<ScaleShift> FoldParameters(const Network& network, const Layer& norm) {
  std::vector<std::vector<double>> values;
  for (size_t i = 1; i < norm.inputs.size(); ++i) {
    const ir::Weights* weights = network.constant(norm.inputs[i]);
    if (weights == nullptr) return std::nullopt;
    values.push_back(ToDoubles(*weights));
  }
  const size_t channels = values[0].size();
  size_t next = 2;
  const std::vector<double> weight =
      norm.attrs.Bool("has_weight") ? values[next++] : std::vector<double>(channels, 1);
  const std::vector<double> bias =
      norm.attrs.Bool("has_bias") ? values[next] : std::vector<double>(channels, 0);
  ScaleShift out;
  for (size_t c = 0; c < channels; ++c) {
    out.scale.push_back(weight[c] / std::sqrt(values[1][c] + norm.attrs.Double("eps")));
    out.shift.push_back(bias[c] - values[0][c] * out.scale[c]);
  }
  return out;
}

bool IsBatchNorm(const Layer& layer) { return layer.attrs.Str("kind") == "batch"; }

// The convolution that the norm can go into.
const Layer* ConvolutionBefore(const Rewriter& rw, const Network& network, const Layer& norm) {
  const Layer* conv = rw.OnlyMade(norm.inputs[0], LayerKind::kConvolution);
  if (conv == nullptr) conv = rw.OnlyMade(norm.inputs[0], LayerKind::kDeconvolution);
  if (conv == nullptr || conv->attrs.Has("epilogue")) return nullptr;
  const bool last = conv->attrs.Bool("channels_last");
  if (norm.attrs.Bool("channels_last") != last) return nullptr;
  if (last && conv->kind == LayerKind::kDeconvolution) return nullptr;
  for (size_t i = 1; i < conv->inputs.size(); ++i) {
    if (network.weights(conv->inputs[i]) == nullptr) return nullptr;
  }
  return conv;
}

// The convolution's weights with each output channel scaled.
ir::Weights ScaleChannels(LayerKind kind, size_t groups, const ir::Weights& weights,
                          const std::vector<double>& scale) {
  const auto size = [&](size_t d) { return static_cast<size_t>(weights.dims[d]); };
  size_t spatial = 1;
  for (size_t d = 2; d < weights.dims.size(); ++d) spatial *= size(d);
  if (kind == LayerKind::kConvolution) {
    return ScaleRuns(weights, spatial * size(1), scale, [](size_t run) { return run; });
  }
  // [I, O/g, spatial...]
  return ScaleRuns(weights, spatial, scale, [&](size_t run) {
    const size_t group = run / size(1) / (size(0) / groups);
    return group * size(1) + run % size(1);
  });
}

Result<TensorId> IntoConvolution(Rewriter& rw, const Layer& norm) {
  if (!IsBatchNorm(norm)) return kNone;
  Network& network = rw.network();
  const Layer* conv = ConvolutionBefore(rw, network, norm);
  const auto fold = conv == nullptr ? std::nullopt : FoldParameters(network, norm);
  if (!fold) return kNone;
  const ir::Weights old = *network.weights(conv->inputs[1]);
  std::vector<double> bias = fold->shift;
  if (conv->attrs.Bool("has_bias")) {
    const std::vector<double> before = ToDoubles(*network.constant(conv->inputs[2]));
    for (size_t c = 0; c < bias.size(); ++c) bias[c] += before[c] * fold->scale[c];
  }
  const DataType dtype = old.dtype;
  const auto groups = static_cast<size_t>(conv->attrs.Int("groups", 1));
  const auto scaled = [kind = conv->kind, groups, old, scale = fold->scale] {
    return ScaleChannels(kind, groups, old.Made(), scale);
  };
  const TensorId w = network.AddConstant(Defer(dtype, old.dims, scaled), conv->name + ".weight");
  const TensorId b = network.AddConstant(
      FromDoubles(bias, dtype, {static_cast<int64_t>(bias.size())}), conv->name + ".bias");
  Attributes attrs = conv->attrs;
  attrs.Set("has_bias", true);
  return rw.Add(conv->kind, {conv->inputs[0], w, b}, std::move(attrs), *conv);
}

Result<TensorId> ToScaleShift(Rewriter& rw, const Layer& norm) {
  if (!IsBatchNorm(norm)) return kNone;
  Network& network = rw.network();
  const auto fold = FoldParameters(network, norm);
  if (!fold) return kNone;
  TensorId x = norm.inputs[0];
  const DataType dtype = rw.dtype(x);
  const auto rank = static_cast<size_t>(rw.rank(x));
  // Channels along dim 1 need ones behind them to broadcast.
  Dims dims{static_cast<int64_t>(fold->scale.size())};
  if (!norm.attrs.Bool("channels_last")) dims.insert(dims.end(), rank - 2, 1);
  const DataType compute = IsHalf(dtype) ? DataType::kFloat32 : dtype;
  if (compute != dtype) {
    TRT_ASSIGN_OR_RETURN(x, rw.Add(LayerKind::kCast, {x}, {{"to", compute}}, norm));
  }
  const TensorId scale =
      network.AddConstant(FromDoubles(fold->scale, compute, dims), norm.name + ".scale");
  const TensorId shift =
      network.AddConstant(FromDoubles(fold->shift, compute, dims), norm.name + ".shift");
  TRT_ASSIGN_OR_RETURN(const TensorId scaled, rw.Binary(PointwiseOp::kMul, x, scale, norm));
  TRT_ASSIGN_OR_RETURN(const TensorId out, rw.Binary(PointwiseOp::kAdd, scaled, shift, norm));
  if (compute == dtype) return out;
  return rw.Add(LayerKind::kCast, {out}, {{"to", dtype}}, norm);
}

constexpr Rule kRules[] = {
    {"batch_norm(conv(x)) -> conv(x)", LayerKind::kNormalization, IntoConvolution},
    {"batch_norm(x) -> x * scale + shift", LayerKind::kNormalization, ToScaleShift},
};

}  // namespace

Result<bool> FoldBatchNorm(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
