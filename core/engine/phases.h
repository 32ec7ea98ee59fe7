// Phases: which steps of a plan may run before the value of a size is known that a step computes.
//
// A symbol with a source (PlanSymbol) gets its value when the step has run that writes the source.
// A phase is a run of steps none of which needs a value that a step of the same phase computes: the
// sizes of a phase's tensors are all known when it starts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/engine/plan.h"

namespace torch_tensorrt::core::engine {

struct Phase {
  size_t first = 0;  // step
  size_t end = 0;    // step after the last
};

struct Phases {
  std::vector<Phase> phases;  // at least one; together all steps in order
  // From which phase on a symbol's value is known, and a tensor's dims and where it lies in its
  // storage: 0 when the inputs' dims are enough; phases.size() when no step needs it. Empty when
  // there is one phase.
  std::vector<size_t> of_symbol;
  std::vector<size_t> of_tensor;

  bool single() const { return of_symbol.empty(); }
  bool IsKnown(size_t tensor, size_t phase) const { return single() || of_tensor[tensor] <= phase; }
};

// DataLoss when a step needs a size before it is computed, or an input does. REQUIRES: indices are
// in range.
Result<Phases> FindPhases(const Plan& plan);

}  // namespace torch_tensorrt::core::engine
