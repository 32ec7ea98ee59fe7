// Norms spelled out in primitive operations become Normalization, whose statistics are computed in
// f32.
#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

bool IsOp(const Layer& layer, PointwiseOp op) {
  return layer.attrs.Get<PointwiseOp>("op", PointwiseOp::kBitNot) == op;
}

// The operand of a mean over the last dim that keeps it.
TensorId RowMeanOf(const Rewriter& rw, TensorId id) {
  const Layer* mean = rw.Made(id, LayerKind::kReduce);
  if (mean == nullptr || mean->attrs.Str("kind") != "mean" || !mean->attrs.Bool("keepdim")) {
    return kNone;
  }
  const int rank = rw.rank(mean->inputs[0]);
  return mean->attrs.Ints("axes") == Dims{rank - 1} ? mean->inputs[0] : kNone;
}

TensorId SquareOf(const Rewriter& rw, TensorId id) {
  const Layer* mul = rw.MadeBy(id, PointwiseOp::kMul);
  return mul != nullptr && mul->inputs[0] == mul->inputs[1] ? mul->inputs[0] : kNone;
}

// rsqrt(mean(square(x)) + eps): x and eps.
struct InverseRms {
  TensorId x = kNone;
  double eps = 0;
};

InverseRms MatchInverseRms(const Rewriter& rw, TensorId id) {
  const Layer* rsqrt = rw.MadeBy(id, PointwiseOp::kRsqrt);
  const Layer* add = rsqrt == nullptr ? nullptr : rw.MadeBy(rsqrt->inputs[0], PointwiseOp::kAdd);
  if (add == nullptr) return {};
  for (size_t i = 0; i < 2; ++i) {
    const auto eps = rw.Uniform(add->inputs[1 - i]);
    const TensorId squared = RowMeanOf(rw, add->inputs[i]);
    if (eps && squared != kNone) return {SquareOf(rw, squared), *eps};
  }
  return {};
}

Result<TensorId> RmsNorm(Rewriter& rw, const Layer& layer) {
  if (!IsOp(layer, PointwiseOp::kMul)) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    const TensorId x = layer.inputs[i];
    const InverseRms inverse = MatchInverseRms(rw, layer.inputs[1 - i]);
    if (inverse.x == kNone || inverse.x != x) continue;
    return rw.Add(LayerKind::kNormalization, {x},
                  {{"kind", std::string("rms")}, {"eps", inverse.eps}, {"norm_rank", int64_t{1}}},
                  layer);
  }
  return kNone;
}

// (x - mean(x)) * rsqrt(mean((x - mean(x))^2) + eps)
Result<TensorId> LayerNorm(Rewriter& rw, const Layer& layer) {
  if (layer.attrs.Str("kind") != "rms") return kNone;
  const Layer* centred = rw.MadeBy(layer.inputs[0], PointwiseOp::kSub);
  if (centred == nullptr || RowMeanOf(rw, centred->inputs[1]) != centred->inputs[0]) return kNone;
  if (layer.attrs.Int("norm_rank", 1) != 1) return kNone;
  Attributes attrs = layer.attrs;
  attrs.Set("kind", std::string("layer"));
  std::vector<TensorId> inputs = layer.inputs;
  inputs[0] = centred->inputs[0];
  return rw.Add(layer.kind, std::move(inputs), std::move(attrs), layer);
}

// The norm computes halves in f32 itself: norm(cast(x, f32)) cast back is norm(x).
Result<TensorId> NormBetweenCasts(Rewriter& rw, const Layer& cast) {
  const Layer* norm = rw.OnlyMade(cast.inputs[0], LayerKind::kNormalization);
  const Layer* before = norm == nullptr ? nullptr : rw.Made(norm->inputs[0], LayerKind::kCast);
  if (before == nullptr || rw.dtype(norm->outputs[0]) != DataType::kFloat32) return kNone;
  const TensorId x = before->inputs[0];
  if (!core::IsHalf(rw.dtype(x)) || rw.dtype(x) != rw.dtype(cast.outputs[0])) return kNone;
  std::vector<TensorId> inputs = norm->inputs;
  inputs[0] = x;
  return rw.Add(norm->kind, std::move(inputs), norm->attrs, *norm);
}

// Is `id` a vector over the last dim of a norm of norm_rank 1, of a type it takes?
bool IsRowVector(const Rewriter& rw, TensorId id, const Layer& norm) {
  const SymInt& width = rw.dims(norm.inputs[0]).back();
  const DataType type = rw.dtype(id);
  return rw.dims(id) == SymDims{width} &&
         (type == rw.dtype(norm.inputs[0]) || type == DataType::kFloat32);
}

bool TakesVectors(const Layer& norm) {
  const std::string kind = norm.attrs.Str("kind");
  return (kind == "rms" || kind == "layer") && norm.attrs.Int("norm_rank", 1) == 1;
}

Result<TensorId> ScaledNorm(Rewriter& rw, const Layer& layer) {
  const bool scale = IsOp(layer, PointwiseOp::kMul);
  const bool shift = IsOp(layer, PointwiseOp::kAdd);
  if (!scale && !shift) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    const Layer* norm = rw.OnlyMade(layer.inputs[i], LayerKind::kNormalization);
    const TensorId vector = layer.inputs[1 - i];
    if (norm == nullptr || !TakesVectors(*norm) || !IsRowVector(rw, vector, *norm)) continue;
    if (norm->attrs.Bool("has_bias") || (scale && norm->attrs.Bool("has_weight"))) continue;
    std::vector<TensorId> inputs = norm->inputs;
    inputs.push_back(vector);
    Attributes attrs = norm->attrs;
    attrs.Set(scale ? "has_weight" : "has_bias", true);
    return rw.Add(norm->kind, std::move(inputs), std::move(attrs), *norm);
  }
  return kNone;
}

constexpr Rule kRules[] = {
    {"x*rsqrt(mean(x*x) + eps) -> rms_norm(x)", LayerKind::kElementwise, RmsNorm},
    {"rms_norm(x - mean(x)) -> layer_norm(x)", LayerKind::kNormalization, LayerNorm},
    {"half(norm(f32(x))) -> norm(x)", LayerKind::kCast, NormBetweenCasts},
    {"norm(x)*w -> norm(x, w); norm(x, w) + b -> norm(x, w, b)", LayerKind::kElementwise,
     ScaledNorm},
};

}  // namespace

Result<bool> RecogniseNorms(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
