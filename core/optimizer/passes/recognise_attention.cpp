// Attention spelled out as matmul, scale, mask, softmax, matmul becomes one Attention; keys and
// values repeated for grouped queries are read where they are.
#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// x [B, Hk, T, D] when `id` is x with each head repeated: reshape(expand(x[:, :, None])).
TensorId RepeatedFrom(const Rewriter& rw, TensorId id) {
  const Layer* merge = rw.Made(id, LayerKind::kReshape);
  const Layer* expand = merge == nullptr ? nullptr : rw.Made(merge->inputs[0], LayerKind::kExpand);
  const Layer* split =
      expand == nullptr ? nullptr : rw.Made(expand->inputs[0], LayerKind::kReshape);
  if (split == nullptr) return kNone;
  const TensorId x = split->inputs[0];
  const SymDims& from = rw.dims(x);
  const SymDims& unit = rw.dims(split->outputs[0]);
  const SymDims& wide = rw.dims(expand->outputs[0]);
  const SymDims& out = rw.dims(id);
  if (from.size() != 4 || unit.size() != 5 || wide.size() != 5 || out.size() != 4) return kNone;
  const bool fits = unit == SymDims{from[0], from[1], 1, from[2], from[3]} &&
                    wide == SymDims{from[0], from[1], wide[2], from[2], from[3]} &&
                    out == SymDims{from[0], from[1] * wide[2], from[2], from[3]};
  return fits ? x : kNone;
}

Result<TensorId> GroupedAttention(Rewriter& rw, const Layer& layer) {
  const TensorId k = RepeatedFrom(rw, layer.inputs[1]);
  const TensorId v = RepeatedFrom(rw, layer.inputs[2]);
  if (k == kNone || v == kNone || rw.dims(k)[1] != rw.dims(v)[1]) return kNone;
  std::vector<TensorId> inputs = layer.inputs;
  inputs[1] = k;
  inputs[2] = v;
  return rw.Add(layer.kind, std::move(inputs), layer.attrs, layer);
}

// The scores' parts: scale * (q @ k^T) + mask.
struct Scores {
  TensorId q = kNone;
  TensorId k = kNone;
  TensorId mask = kNone;
  double scale = 1;
};

TensorId SkipCast(const Rewriter& rw, TensorId id) {
  const Layer* cast = rw.OnlyMade(id, LayerKind::kCast);
  const bool widens = cast != nullptr && core::IsHalf(rw.dtype(cast->inputs[0])) &&
                      rw.dtype(id) == DataType::kFloat32;
  return widens ? cast->inputs[0] : id;
}

// Takes q and k from their product.
bool MatchProduct(const Rewriter& rw, TensorId id, Scores* scores) {
  const Layer* product = rw.OnlyMade(id, LayerKind::kMatrixMultiply);
  if (product == nullptr || product->inputs.size() != 2 || product->attrs.Bool("transpose_a")) {
    return false;
  }
  scores->q = product->inputs[0];
  scores->k = product->inputs[1];
  if (product->attrs.Bool("transpose_b")) return true;
  const Layer* transpose = rw.Made(scores->k, LayerKind::kTranspose);
  if (transpose == nullptr || transpose->attrs.Ints("perm") != Dims{0, 1, 3, 2}) return false;
  scores->k = transpose->inputs[0];
  return true;
}

bool MatchScaled(const Rewriter& rw, TensorId id, Scores* scores) {
  const Layer* layer = rw.OnlyMade(id, LayerKind::kElementwise);
  if (layer == nullptr) return MatchProduct(rw, id, scores);
  const auto op = layer->attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd);
  for (size_t i = 0; i < 2; ++i) {
    const auto factor = rw.Uniform(layer->inputs[1 - i]);
    if (!factor || rw.dims(layer->inputs[i]) != rw.dims(id)) continue;
    if (op == PointwiseOp::kMul) scores->scale = *factor;
    if (op == PointwiseOp::kDiv && i == 0) scores->scale = 1 / *factor;
    if (op != PointwiseOp::kMul && (op != PointwiseOp::kDiv || i != 0)) continue;
    return MatchProduct(rw, layer->inputs[i], scores);
  }
  return false;
}

bool MatchScores(const Rewriter& rw, TensorId id, Scores* scores) {
  const Layer* add = rw.OnlyMade(id, LayerKind::kElementwise);
  if (add == nullptr || add->attrs.Get<PointwiseOp>("op", PointwiseOp::kSub) != PointwiseOp::kAdd) {
    return MatchScaled(rw, id, scores);
  }
  for (size_t i = 0; i < 2; ++i) {
    *scores = {};
    if (rw.dims(add->inputs[i]) != rw.dims(id)) continue;
    scores->mask = add->inputs[1 - i];
    if (MatchScaled(rw, add->inputs[i], scores)) return true;
  }
  return false;
}

bool FitsAttention(const Rewriter& rw, const Scores& scores, TensorId v, TensorId probabilities) {
  const SymDims& q = rw.dims(scores.q);
  const SymDims& k = rw.dims(scores.k);
  const SymDims& values = rw.dims(v);
  if (q.size() != 4 || k.size() != 4 || values.size() != 4) return false;
  const bool same_type = rw.dtype(scores.q) == rw.dtype(v) && rw.dtype(scores.k) == rw.dtype(v);
  const bool mask_fits = scores.mask == kNone || rw.dtype(scores.mask) == rw.dtype(v) ||
                         rw.dtype(scores.mask) == DataType::kFloat32;
  return same_type && mask_fits && q[0] == k[0] && q[1] == k[1] && k[0] == values[0] &&
         k[1] == values[1] && k[2] == values[2] &&
         rw.dims(probabilities) == SymDims{q[0], q[1], q[2], k[2]};
}

Result<TensorId> SpelledOut(Rewriter& rw, const Layer& layer) {
  if (layer.inputs.size() != 2 || layer.attrs.Bool("transpose_a") ||
      layer.attrs.Bool("transpose_b") || rw.rank(layer.outputs[0]) != 4) {
    return kNone;
  }
  TensorId probabilities = layer.inputs[0];
  if (const Layer* cast = rw.OnlyMade(probabilities, LayerKind::kCast)) {
    if (rw.dtype(cast->inputs[0]) == DataType::kFloat32) probabilities = cast->inputs[0];
  }
  const Layer* softmax = rw.OnlyMade(probabilities, LayerKind::kSoftmax);
  if (softmax == nullptr || softmax->attrs.Int("axis") != 3 || softmax->attrs.Bool("log")) {
    return kNone;
  }
  Scores scores;
  const TensorId v = layer.inputs[1];
  if (!MatchScores(rw, SkipCast(rw, softmax->inputs[0]), &scores)) return kNone;
  if (!FitsAttention(rw, scores, v, probabilities)) return kNone;
  std::vector<TensorId> inputs{scores.q, scores.k, v};
  if (scores.mask != kNone) inputs.push_back(scores.mask);
  return rw.Add(LayerKind::kAttention, std::move(inputs),
                {{"scale", scores.scale}, {"hidden_nan", true}}, layer);
}

constexpr Rule kRules[] = {
    {"softmax(scale*q@k' + mask) @ v -> attention", LayerKind::kMatrixMultiply, SpelledOut},
    {"attention(q, repeat(k), repeat(v)) -> attention(q, k, v)", LayerKind::kAttention,
     GroupedAttention},
};

}  // namespace

Result<bool> RecogniseAttention(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
