// The CPU executor of the Loop IR: tile by tile in L1, vector code per instruction, no compiler at
// run time.
//
// CompileLoop (compiled_loop.h) once per program, PrepareLoop once per set of shapes, RunLoop per
// call.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/kernels/cpu/loop/compiled_loop.h"
#include "core/types/sym_int.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels {

// Strides, tile shape and the chosen code for one set of shapes. Immutable and self-contained.
class LoopPlan {
 public:
  virtual ~LoopPlan() = default;
  // 64-byte aligned scratch that RunLoop wants; the same scratch must not serve two calls at once.
  virtual size_t scratch_bytes() const = 0;

 private:
  friend void RunLoop(const LoopPlan& plan, std::span<const TensorView> inputs,
                      std::span<const TensorView> outputs, std::byte* scratch);
  virtual void Run(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                   std::byte* scratch) const = 0;
};

// `domain` are the program's domain dims; inputs and outputs the views it will run on (data may be
// null). InvalidArgument when a view's dtype or dims do not fit the program and domain.
Result<std::unique_ptr<const LoopPlan>> PrepareLoop(const CompiledLoop& compiled,
                                                    const Dims& domain,
                                                    std::span<const TensorView> inputs,
                                                    std::span<const TensorView> outputs);

// Runs on the caller's threads (ParallelFor). The views are those of PrepareLoop with their data.
// REQUIRES: outputs overlap neither inputs nor each other.
inline void RunLoop(const LoopPlan& plan, std::span<const TensorView> inputs,
                    std::span<const TensorView> outputs, std::byte* scratch) {
  plan.Run(inputs, outputs, scratch);
}

}  // namespace torch_tensorrt::core::kernels
