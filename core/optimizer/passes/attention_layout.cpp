// Attention can write [B, S, H, D], the order that the projection behind it reads.
#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

Result<TensorId> TransposedAttention(Rewriter& rw, const Layer& transpose) {
  const Layer* attention = rw.OnlyMade(transpose.inputs[0], LayerKind::kAttention);
  if (attention == nullptr || transpose.attrs.Ints("perm") != Dims{0, 2, 1, 3}) return kNone;
  Attributes attrs = attention->attrs;
  attrs.Set("out_bshd", !attrs.Bool("out_bshd"));
  return rw.Add(attention->kind, attention->inputs, std::move(attrs), *attention);
}

constexpr Rule kRules[] = {
    {"transpose(attention) -> attention in [B, S, H, D]", LayerKind::kTranspose,
     TransposedAttention},
};

}  // namespace

Result<bool> AttentionLayout(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
