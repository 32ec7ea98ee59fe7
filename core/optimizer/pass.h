// A pass: one named rewrite of the whole network. Passes keep no state between calls.
#pragma once

#include <string_view>

#include "core/ir/network.h"

namespace torch_tensorrt::core::optimizer {

// Returns whether anything changed. On return the network is in topological order.
using PassFn = Result<bool> (*)(ir::Network* network);

struct Pass {
  std::string_view name;  // permanent: users disable passes by it
  std::string_view doc;
  PassFn run;
  bool gpu_only = false;
};

// passes/<name>.cpp
Result<bool> Canonicalise(ir::Network* network);
Result<bool> FoldConstants(ir::Network* network);
Result<bool> EliminateCommon(ir::Network* network);
Result<bool> EliminateDead(ir::Network* network);
Result<bool> RecogniseActivations(ir::Network* network);
Result<bool> RecogniseNorms(ir::Network* network);
Result<bool> RecogniseRotary(ir::Network* network);
Result<bool> RecogniseAttention(ir::Network* network);
Result<bool> CausalMasks(ir::Network* network);
Result<bool> FoldBatchNorm(ir::Network* network);
Result<bool> FoldPadding(ir::Network* network);
Result<bool> SimplifyMatMul(ir::Network* network);
Result<bool> MergeSiblingMatMuls(ir::Network* network);
Result<bool> AttentionLayout(ir::Network* network);
Result<bool> AssignLayout(ir::Network* network);
Result<bool> JoinActivations(ir::Network* network);
Result<bool> FusePointwise(ir::Network* network);
Result<bool> FuseEpilogues(ir::Network* network);

}  // namespace torch_tensorrt::core::optimizer
