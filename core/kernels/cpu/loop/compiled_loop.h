// CompiledLoop: a loop::Program checked and parsed once for the CPU executor.
//
// Immutable, so any number of threads may prepare and run plans from one CompiledLoop; it must
// outlive them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/loop/program.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels {

struct CompiledLoop {
  loop::Program program;
  // For each instruction: whether a store can see its result. Others are never run.
  std::vector<bool> live;
  // For each instruction: 0 when it depends on no Reduce, else 1 + the largest number of Reduces on
  // a path to it. A Reduce of level n needs everything of level < n finished for its whole row.
  std::vector<int> level;
  int max_level = 0;
};

// InvalidArgument when the program breaks a structural rule; Unsupported (naming the instruction)
// for an operation that has no CPU code for its type.
Result<std::unique_ptr<const CompiledLoop>> CompileLoop(const loop::Program& program);

}  // namespace torch_tensorrt::core::kernels
