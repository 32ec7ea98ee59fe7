#include <algorithm>
#include <chrono>

#include "core/optimizer/optimizer.h"
#include "core/optimizer/pass.h"

namespace torch_tensorrt::core::optimizer {
namespace {

constexpr Pass kCanonicalise = {"canonicalise", "identities, double transposes and casts",
                                Canonicalise};
constexpr Pass kFold = {"fold_constants", "layers of constants run now", FoldConstants};
constexpr Pass kCommon = {"eliminate_common", "equal layers become one", EliminateCommon};
constexpr Pass kDead = {"eliminate_dead", "unused layers go", EliminateDead};

// In the order they run. A pass that opens work for an earlier one is followed by that one again.
constexpr Pass kPipeline[] = {
    kDead,
    kCanonicalise,
    kFold,
    kCanonicalise,
    kCommon,
    {"recognise_activations", "spelled-out gelu, silu ... become one op", RecogniseActivations},
    {"recognise_norms", "spelled-out layer and RMS norms become Normalization", RecogniseNorms},
    {"recognise_rotary", "rotate-half formulas become RotaryEmbedding", RecogniseRotary},
    {"recognise_attention", "matmul-softmax-matmul becomes Attention", RecogniseAttention},
    {"causal_masks", "constant masks that hide later keys become causal attention", CausalMasks},
    {"fold_batch_norm", "batch norm goes into convolution weights, or scale and shift",
     FoldBatchNorm},
    {"fold_padding", "zero padding goes into convolutions, global pools become reductions",
     FoldPadding},
    {"simplify_matmul", "transposes and biases go into MatrixMultiply", SimplifyMatMul},
    {"merge_sibling_matmuls", "products of one tensor with constants become one",
     MergeSiblingMatMuls},
    {"attention_layout", "attention writes the order its reader wants", AttentionLayout},
    {"assign_layout", "convolutions run channels-last", AssignLayout},
    kCanonicalise,
    kFold,
    kCommon,
    {"join_activations", "on GPUs, activations become part of the norms before them",
     JoinActivations, true},
    {"fuse_pointwise", "pointwise and row-reduction groups become loops", FusePointwise},
    {"fuse_epilogues", "loops after a product run in its epilogue", FuseEpilogues},
    kDead,
};

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

Status CheckNames(const std::set<std::string>& disabled) {
  for (const std::string& name : disabled) {
    const bool known = std::any_of(std::begin(kPipeline), std::end(kPipeline),
                                   [&](const Pass& pass) { return pass.name == name; });
    if (!known) return InvalidArgument("[optimizer] there is no pass '", name, "' to disable");
  }
  return Status::Ok();
}

}  // namespace

std::vector<PassInfo> ListPasses() {
  std::vector<PassInfo> out;
  for (const Pass& pass : kPipeline) {
    const bool known =
        std::any_of(out.begin(), out.end(), [&](const PassInfo& p) { return p.name == pass.name; });
    if (!known) out.push_back({pass.name, pass.doc});
  }
  return out;
}

Result<OptimizeReport> Optimize(ir::Network* network, const OptimizeOptions& options) {
  TRT_RETURN_IF_ERROR(CheckNames(options.disabled));
  OptimizeReport report;
  for (const Pass& pass : kPipeline) {
    const std::string name(pass.name);
    if (options.disabled.count(name) != 0) continue;
    if (pass.gpu_only && options.target != Target::kCuda) continue;
    const auto start = std::chrono::steady_clock::now();
    auto changed = pass.run(network);
    if (!changed.ok()) {
      return Status(changed.status().code(), StrCat("[", name, "] ", changed.status().message()));
    }
    if (options.verify && *changed) {
      const Status valid = network->Verify();
      if (!valid.ok()) return InternalError("[", name, "] ", valid.message());
    }
    report.passes.push_back({name, Seconds(start), *changed});
    if (options.dump) options.dump(name, network->ToString());
  }
  return report;
}

}  // namespace torch_tensorrt::core::optimizer
