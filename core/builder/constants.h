// Constants of a plan while it is built.
//
// Large packed ones exist while a step that reads them is timed, and for good only at the end, when
// timing has given its memory back: together they would double the peak of a build. Not
// thread-safe: one per build.
#pragma once

#include <map>

#include "core/engine/plan.h"
#include "core/ir/network.h"

namespace torch_tensorrt::core::builder {

class PlanConstants {
 public:
  // Appends a constant to the plan; its index. A large deferred one has no data until it is made.
  int32_t Add(engine::Plan* plan, const ir::Weights& weights);
  // Gives the deferred constants that `step` reads their data, and takes it away again.
  void Make(engine::Plan* plan, const engine::PlanStep& step) const;
  void Drop(engine::Plan* plan, const engine::PlanStep& step) const;
  // Makes what is deferred, the largest first, and copies weights of the model that the plan reads
  // as they are: an engine must not be part old and part new after a write to the model. Large ones
  // are shared, and their lender tells of writes. Returns the bytes allocated for constants.
  size_t Finish(engine::Plan* plan);

 private:
  template <typename Visit>
  void ForEachDeferred(engine::Plan* plan, const engine::PlanStep& step, const Visit& visit) const;

  std::map<size_t, ir::Weights> deferred_;  // by index in the plan's constants
  size_t allocated_ = 0;
};

}  // namespace torch_tensorrt::core::builder
