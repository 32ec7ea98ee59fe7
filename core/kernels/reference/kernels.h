// The run functions of the reference kernels, one per layer kind, and the class that makes kernels
// of them (internal).
#pragma once

#include "core/kernels/kernel.h"
#include "core/kernels/reference/values.h"
#include "core/loop/program.h"

namespace torch_tensorrt::core::kernels::reference {

// What a run function sees: resolved attributes and the step's tensors. Dims always come from the
// views.
struct RefArgs {
  const Attributes& attributes;
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;

  const TensorView& in(size_t i) const { return inputs[i]; }
  const TensorView& out(size_t i = 0) const { return outputs[i]; }
};

using RefFunction = Status (*)(const RefArgs& args);

Status RunCast(const RefArgs& args);
Status RunUnary(const RefArgs& args);
Status RunElementwise(const RefArgs& args);
Status RunSelect(const RefArgs& args);
Status RunFill(const RefArgs& args);
Status RunIota(const RefArgs& args);
Status RunReduce(const RefArgs& args);
Status RunArgReduce(const RefArgs& args);
Status RunSoftmax(const RefArgs& args);
Status RunMatrixMultiply(const RefArgs& args);
Status RunConvolution(const RefArgs& args);
Status RunDeconvolution(const RefArgs& args);
Status RunNormalization(const RefArgs& args);
Status RunAttention(const RefArgs& args);
Status RunRotaryEmbedding(const RefArgs& args);
Status RunReshape(const RefArgs& args);
Status RunTranspose(const RefArgs& args);
Status RunExpand(const RefArgs& args);
Status RunSlice(const RefArgs& args);
Status RunConcat(const RefArgs& args);
Status RunGather(const RefArgs& args);
Status RunGatherElements(const RefArgs& args);
Status RunScatterElements(const RefArgs& args);
Status RunIndex(const RefArgs& args);
Status RunIndexPut(const RefArgs& args);
Status RunPad(const RefArgs& args);
Status RunPool(const RefArgs& args);
Status RunAdaptivePool(const RefArgs& args);
Status RunResize(const RefArgs& args);
Status RunTopK(const RefArgs& args);
Status RunSort(const RefArgs& args);
Status RunScan(const RefArgs& args);
Status RunCopy(const RefArgs& args);
Status RunFused(const RefArgs& args);
Status RunNonZero(const RefArgs& args);
Status RunReadSize(const RefArgs& args);

// Runs `program` over `domain`. InvalidArgument when a view does not fit the program.
Status RunProgram(const loop::Program& program, const Dims& domain,
                  std::span<const TensorView> inputs, std::span<const TensorView> outputs);

// Writes `values`, the dense accumulators of a MatrixMultiply or Convolution, to the output: as
// they are, or through the `epilogue` attribute, whose further inputs are the layer's inputs from
// `first_extra` on.
Status StoreWithEpilogue(const RefArgs& args, const std::vector<double>& values,
                         size_t first_extra);

}  // namespace torch_tensorrt::core::kernels::reference
