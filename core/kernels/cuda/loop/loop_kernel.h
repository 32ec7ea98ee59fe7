// Kernel "cuda.loop" and the way other kernels of cuda/ run a program as a launch.
#pragma once

#include "core/kernels/cuda/launch.h"
#include "core/loop/program.h"

namespace torch_tensorrt::core::kernels::cuda {

// Tensors of a launch with the places their addresses come from.
struct Placed {
  TensorView view;
  Place place;
};

// Adds the launch that runs `program` over `domain` on these tensors.
Status AddLoop(StepPlan& plan, const loop::Program& program, const Dims& domain,
               const std::vector<Placed>& inputs, const std::vector<Placed>& outputs);

// The same on all inputs and outputs of the step, as they are.
Status AddLoop(StepPlan& plan, const loop::Program& program, const Dims& domain);

// The inputs and outputs of the step.
std::vector<Placed> PlacedInputs(const StepPlan& plan);
std::vector<Placed> PlacedOutputs(const StepPlan& plan);

// Adds the launch that copies `from` to `to` element by element: bits, not values.
// REQUIRES: equal dims and element sizes.
Status AddCopy(StepPlan& plan, const Placed& from, const Placed& to);

}  // namespace torch_tensorrt::core::kernels::cuda
