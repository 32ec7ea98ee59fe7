// Control flow between engines: the branches of an `if`, the body of a loop, each an engine of its
// own. PyTorch's operators (`cond`, `while_loop`, `scan`, `map`) do the same with Python calls.
#pragma once

#include <vector>

#include "core/runtime/torch_engine.h"

namespace torch_tensorrt::core::runtime {

using EnginePtr = c10::intrusive_ptr<TorchEngine>;
using TensorList = std::vector<at::Tensor>;

// The outputs of `then_engine` when `predicate`, one boolean, is true, else those of `else_engine`.
TensorList RunCond(const at::Tensor& predicate, const TensorList& then_inputs,
                   const EnginePtr& then_engine, const TensorList& else_inputs,
                   const EnginePtr& else_engine);

// Replaces `carried` by the outputs of `body` for (carried, body_constants) as long as `condition`
// gives true for (carried, condition_constants). Returns new tensors, also when it never does.
TensorList RunWhile(const TensorList& carried, const TensorList& condition_constants,
                    const TensorList& body_constants, const EnginePtr& condition,
                    const EnginePtr& body);

// Runs `body` for (carried, i-th rows of xs, constants), i = 0, 1, ...: its first outputs are the
// next carried tensors, the others the i-th rows of the results that are returned after the last
// carried tensors. Throws ValueError without rows, since the body is never run to tell the sizes.
TensorList RunScan(const TensorList& carried, const TensorList& xs, const TensorList& constants,
                   const EnginePtr& body);

}  // namespace torch_tensorrt::core::runtime
