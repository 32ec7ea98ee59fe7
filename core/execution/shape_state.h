// ShapeState: an engine specialised to one set of input shapes (internal to core/execution).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/engine/engine.h"
#include "core/execution/cuda_graph.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::execution {

// Where an operand's pointer comes from at run time.
struct Patch {
  size_t operand = 0;
  engine::Location source = engine::Location::kArena;  // kInput, kOutput or kArena
  int32_t binding = -1;
  size_t byte_offset = 0;
};

struct StepState {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  std::unique_ptr<kernels::KernelState> state;
  size_t scratch_offset = 0;
};

struct ShapeState {
  std::vector<Dims> output_dims;
  std::vector<TensorView> operands;  // inputs then outputs of each step
  std::vector<StepState> steps;
  std::vector<Patch> binding_patches;  // rewritten on every run
  std::vector<Patch> arena_patches;    // rewritten when the arena moves
  const std::byte* patched_arena = nullptr;
  std::unique_ptr<GraphCache> graphs;  // GPU engines, from the first run on
  size_t arena_bytes = 0;
  size_t lower_bound = 0;
};

// Binds symbols from the input dims, checks ranges and all dims, resolves every tensor, places
// memory, prepares kernels.
Result<std::unique_ptr<ShapeState>> ResolveShapes(const engine::Engine& engine,
                                                  std::span<const TensorView> inputs);

// Values of the plan's symbols from input dims; checks ranges and that every input dim agrees.
Result<std::vector<int64_t>> BindSymbols(const engine::Plan& plan,
                                         std::span<const TensorView> inputs);

}  // namespace torch_tensorrt::core::execution
