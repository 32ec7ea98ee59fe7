// Zero padding goes into the convolution behind it; pooling everything to one element is a
// reduction.
#include <array>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// First spatial dim of x [N, C, spatial...] or, channels last, [N, spatial..., C].
size_t FirstSpatial(const Layer& layer) { return layer.attrs.Bool("channels_last") ? 1 : 2; }

// The Pad's amounts on the spatial dims (begins, then ends) when it only adds zeros there.
std::optional<Dims> SpatialZeros(const Layer& pad, size_t rank, size_t first) {
  const SymDims pads = pad.attrs.Syms("pads");
  if (pad.attrs.Str("mode") != "constant" || pad.attrs.Double("value") != 0.0) return std::nullopt;
  if (!IsStatic(pads) || pads.size() != 2 * rank) return std::nullopt;
  Dims spatial;
  for (size_t i = 0; i < pads.size(); ++i) {
    const size_t dim = i % rank;
    const int64_t amount = pads[i].constant();
    if (dim >= first && dim < first + rank - 2) {
      if (amount < 0) return std::nullopt;
      spatial.push_back(amount);
    } else if (amount != 0) {
      return std::nullopt;
    }
  }
  return spatial;
}

Result<TensorId> PaddedConvolution(Rewriter& rw, const Layer& layer) {
  const Layer* pad = rw.Made(layer.inputs[0], LayerKind::kPad);
  if (pad == nullptr) return kNone;
  const auto extra =
      SpatialZeros(*pad, static_cast<size_t>(rw.rank(layer.inputs[0])), FirstSpatial(layer));
  Dims padding = layer.attrs.Ints("padding");
  if (!extra.has_value() || padding.size() != extra->size()) return kNone;
  for (size_t i = 0; i < padding.size(); ++i) padding[i] += (*extra)[i];
  std::vector<TensorId> inputs = layer.inputs;
  inputs[0] = pad->inputs[0];
  Attributes attrs = layer.attrs;
  attrs.Set("padding", padding);
  return rw.Add(layer.kind, std::move(inputs), std::move(attrs), layer);
}

Result<TensorId> GlobalPool(Rewriter& rw, const Layer& layer) {
  Dims axes;
  for (const int64_t size : layer.attrs.Ints("sizes")) {
    if (size != 1) return kNone;
    axes.push_back(static_cast<int64_t>(FirstSpatial(layer) + axes.size()));
  }
  Attributes attrs;
  attrs.Set("kind", layer.attrs.Str("kind") == "avg" ? std::string("mean") : std::string("max"))
      .Set("axes", axes)
      .Set("keepdim", true);
  return rw.Add(LayerKind::kReduce, layer.inputs, std::move(attrs), layer);
}

constexpr std::array kRules = {
    Rule{"conv(pad(x, 0)) -> conv(x, padding)", LayerKind::kConvolution, PaddedConvolution},
    Rule{"adaptive_pool(x, 1) -> reduce(x)", LayerKind::kAdaptivePool, GlobalPool},
};

}  // namespace

Result<bool> FoldPadding(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
