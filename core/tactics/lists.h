// The ordered tactic lists, one function per family (internal to core/tactics).
#pragma once

#include "core/tactics/tactic.h"

namespace torch_tensorrt::core::tactics {

std::span<const Tactic> MatrixMultiplyTactics();
std::span<const Tactic> ConvolutionTactics();
std::span<const Tactic> TransposedConvolutionTactics();
// Unary, Elementwise, Select, Cast and Fused: the loop executor.
std::span<const Tactic> PointwiseTactics(ir::LayerKind kind);
// Kinds with one hand-written kernel beside the reference.
std::span<const Tactic> RowTactics(ir::LayerKind kind);
// Every kind on NVIDIA GPUs.
std::span<const Tactic> CudaTacticsFor(ir::LayerKind kind);
// Of these, convolutions, matrix products and attention.
std::span<const Tactic> CudaMatrixTactics(ir::LayerKind kind);
// Gathers, reductions and pooling.
std::span<const Tactic> CudaRowTactics(ir::LayerKind kind);
// Last entry of every list on NVIDIA GPUs.
Result<StepSpec> DescribeCudaReference(const TacticQuery& query);
// Last entry of every list: takes anything.
Result<StepSpec> DescribeReference(const TacticQuery& query);

}  // namespace torch_tensorrt::core::tactics
