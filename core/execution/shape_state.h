// ShapeState: one phase of an engine (core/engine/phases.h) specialised to one set of sizes
// (internal to core/execution). Most engines have one phase.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/engine/engine.h"
#include "core/execution/cuda_graph.h"
#include "core/types/tensor_view.h"
#include "core/util/lru_cache.h"

namespace torch_tensorrt::core::execution {

// Where an operand's pointer comes from at run time.
struct Patch {
  size_t operand = 0;
  engine::Location source = engine::Location::kArena;  // kInput, kOutput or kArena
  size_t index = 0;                                    // of the binding, or the arena's phase
  size_t byte_offset = 0;
};

struct StepState {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  std::unique_ptr<kernels::KernelState> state;
  size_t scratch_offset = 0;
};

// A tensor of the plan whose sizes are known.
struct ResolvedTensor {
  TensorView view;  // data set for constants only
  engine::Location root = engine::Location::kArena;
  int32_t root_index = -1;  // binding or constant of the storage; arena: the tensor itself
  size_t byte_offset = 0;   // of the view's first element in its storage
  size_t bytes = 0;         // storage of a non-view
  // Of a tensor in an arena, once its phase is resolved: whose arena, and where in it.
  size_t arena = 0;
  size_t arena_offset = 0;
};

struct ShapeState;

// What the phases after this one start from.
struct Continuation {
  std::vector<int64_t> values;  // of the plan's symbols, as far as known
  std::vector<ResolvedTensor> tensors;
  // The next phase, by the bytes of the values that this one computes.
  LruCache<std::string, std::unique_ptr<ShapeState>> next;
};

struct ShapeState {
  size_t phase = 0;
  std::vector<Dims> output_dims;     // of each output; empty for those that are not yet known
  std::vector<TensorView> operands;  // inputs then outputs of each step
  std::vector<StepState> steps;
  std::vector<Patch> binding_patches;  // rewritten on every run
  std::vector<Patch> arena_patches;    // rewritten when an arena moves
  uint64_t patched_arenas = 0;         // the state of the arenas they were written for
  std::unique_ptr<GraphCache> graphs;  // GPU engines, from the first run on
  size_t arena_bytes = 0;
  size_t lower_bound = 0;
  std::unique_ptr<Continuation> continuation;  // null for the last phase
};

// Binds symbols from the input dims, checks ranges and all dims, resolves every tensor of the first
// phase, places memory, prepares kernels. `capacity`: of the cache of later phases.
Result<std::unique_ptr<ShapeState>> ResolveShapes(const engine::Engine& engine,
                                                  std::span<const TensorView> inputs,
                                                  size_t capacity);

// The phase after `before`, under the symbols' `values`.
Result<std::unique_ptr<ShapeState>> ResolveNext(const engine::Engine& engine,
                                                const ShapeState& before,
                                                std::vector<int64_t> values);

// Values of the plan's symbols from input dims; checks ranges and that every input dim agrees.
// Computed symbols are 0.
Result<std::vector<int64_t>> BindSymbols(const engine::Plan& plan,
                                         std::span<const TensorView> inputs);

// Checks the computed value of a symbol. OutOfRange names the layer that computed it.
Status CheckComputed(const engine::Engine& engine, size_t symbol, int64_t value);

}  // namespace torch_tensorrt::core::execution
