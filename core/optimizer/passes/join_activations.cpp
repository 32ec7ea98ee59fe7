// An activation that follows a norm of groups becomes part of it, on GPUs: their kernel has the
// values in registers, where a loop of its own would read and write them again.
#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

Result<TensorId> SiluIntoNorm(Rewriter& rw, const Layer& layer) {
  if (rw.MadeBy(layer.outputs[0], PointwiseOp::kSilu) == nullptr) return kNone;
  const Layer* norm = rw.OnlyMade(layer.inputs[0], LayerKind::kNormalization);
  if (norm == nullptr || norm->attrs.Str("kind") != "group" || norm->attrs.Bool("silu")) {
    return kNone;
  }
  Attributes attrs = norm->attrs;
  attrs.Set("silu", true);
  const std::vector<TensorId> inputs = norm->inputs;
  return rw.Add(LayerKind::kNormalization, inputs, std::move(attrs), *norm);
}

constexpr Rule kRules[] = {
    {"silu(group_norm(x)) -> group_norm(x) with silu", LayerKind::kUnary, SiluIntoNorm},
};

}  // namespace

Result<bool> JoinActivations(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
