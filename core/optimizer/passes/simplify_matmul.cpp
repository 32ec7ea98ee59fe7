// Transposes, reshapes and biases around MatrixMultiply and convolutions go into them.
#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// The Transpose that makes `id` by swapping just the last two dims.
const Layer* LastTwoSwapped(const Rewriter& rw, TensorId id) {
  const Layer* transpose = rw.Made(id, LayerKind::kTranspose);
  if (transpose == nullptr) return nullptr;
  Dims perm = transpose->attrs.Ints("perm");
  if (perm.size() < 2) return nullptr;
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return IsIdentityPerm(perm) ? transpose : nullptr;
}

Result<TensorId> TransposedOperand(Rewriter& rw, const Layer& layer) {
  // Rows times constant weights: the transpose stays visible, where layout assignment often cancels
  // it.
  const bool weights = rw.IsConstant(layer.inputs[1]) && rw.rank(layer.inputs[1]) == 2;
  const Layer* a = weights ? nullptr : LastTwoSwapped(rw, layer.inputs[0]);
  const Layer* b = LastTwoSwapped(rw, layer.inputs[1]);
  if (a == nullptr && b == nullptr) return kNone;
  std::vector<TensorId> inputs = layer.inputs;
  Attributes attrs = layer.attrs;
  if (a != nullptr) {
    inputs[0] = a->inputs[0];
    attrs.Set("transpose_a", !attrs.Bool("transpose_a"));
  }
  if (b != nullptr) {
    inputs[1] = b->inputs[0];
    attrs.Set("transpose_b", !attrs.Bool("transpose_b"));
  }
  return rw.Add(layer.kind, std::move(inputs), std::move(attrs), layer);
}

// A product with one matrix treats all leading dims of `a` alike: their reshape can happen before,
// where it often cancels.
Result<TensorId> ReshapedProduct(Rewriter& rw, const Layer& reshape) {
  const Layer* product = rw.OnlyMade(reshape.inputs[0], LayerKind::kMatrixMultiply);
  if (product == nullptr || product->attrs.Has("epilogue")) return kNone;
  if (product->attrs.Bool("transpose_a") || rw.rank(product->inputs[1]) != 2) return kNone;
  SymDims dims = rw.dims(reshape.outputs[0]);
  if (dims.size() < 2 || dims.back() != rw.dims(product->outputs[0]).back()) return kNone;
  dims.back() = rw.dims(product->inputs[0]).back();
  TRT_ASSIGN_OR_RETURN(const TensorId a, rw.Reshape(product->inputs[0], dims, reshape));
  std::vector<TensorId> inputs = product->inputs;
  inputs[0] = a;
  return rw.Add(product->kind, std::move(inputs), product->attrs, *product);
}

// `id` as a vector over the `count` channels at dim `channel` (counted from the end); kNone when it
// varies elsewhere.
Result<TensorId> AsBias(Rewriter& rw, TensorId id, const SymInt& count, size_t behind,
                        const Layer& like) {
  const SymDims dims = rw.dims(id);
  if (dims.size() < behind + 1) return kNone;
  for (size_t d = 0; d < dims.size(); ++d) {
    const bool is_channel = d == dims.size() - 1 - behind;
    if (is_channel ? dims[d] != count : !dims[d].Equals(1)) return kNone;
  }
  if (dims.size() == 1) return id;
  return rw.Reshape(id, {count}, like);
}

Result<TensorId> AddedBias(Rewriter& rw, const Layer& add) {
  if (add.attrs.Get<PointwiseOp>("op", PointwiseOp::kSub) != PointwiseOp::kAdd) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    const Layer* product = rw.OnlyMade(add.inputs[i], LayerKind::kMatrixMultiply);
    if (product == nullptr) product = rw.OnlyMade(add.inputs[i], LayerKind::kConvolution);
    if (product == nullptr) product = rw.OnlyMade(add.inputs[i], LayerKind::kDeconvolution);
    if (product == nullptr || product->attrs.Bool("has_bias") || product->attrs.Has("epilogue")) {
      continue;
    }
    const SymDims dims = rw.dims(product->outputs[0]);
    if (dims != rw.dims(add.outputs[0]) || !rw.IsConstant(add.inputs[1 - i])) continue;
    const bool first =
        product->kind != LayerKind::kMatrixMultiply && !product->attrs.Bool("channels_last");
    const size_t behind = first ? dims.size() - 2 : 0;
    TRT_ASSIGN_OR_RETURN(const TensorId bias, AsBias(rw, add.inputs[1 - i],
                                                     dims[dims.size() - 1 - behind], behind, add));
    if (bias == kNone) continue;
    Attributes attrs = product->attrs;
    attrs.Set("has_bias", true);
    return rw.Add(product->kind, {product->inputs[0], product->inputs[1], bias}, std::move(attrs),
                  *product);
  }
  return kNone;
}

constexpr Rule kRules[] = {
    {"transpose(a) @ b -> a' @ b", LayerKind::kMatrixMultiply, TransposedOperand},
    {"reshape(a @ w) -> reshape(a) @ w", LayerKind::kReshape, ReshapedProduct},
    {"a @ w + bias -> matmul with bias", LayerKind::kElementwise, AddedBias},
};

}  // namespace

Result<bool> SimplifyMatMul(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
