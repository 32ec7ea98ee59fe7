// ExecutionContext: all mutable state of running an engine: resolved shapes, kernel states, the
// activation arena.
//
// One context is used by one thread at a time; any number of contexts may share one engine. For
// every distinct set of input shapes it evaluates the symbolic dims, places memory and prepares
// kernels once, and keeps the result in a bounded LRU: a new shape inside the declared range costs
// about a millisecond, never a rebuild.
//
// An engine that computes sizes of tensors (core/engine/phases.h) runs in phases. Each has states
// and an arena of its own, so that what later phases read stays where it is; the outputs whose
// sizes a phase computes are asked for when it has run.
//
// On a GPU a run is submitted to a stream and returns; calls with addresses that come back are one
// CUDA graph launch (GraphCache).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/engine/engine.h"
#include "core/types/tensor_view.h"
#include "core/util/lru_cache.h"

namespace torch_tensorrt::core::execution {

// Everything that depends on the input shapes.
struct ShapeState;
class CudaRun;

// Contiguous memory for output `index`, now that its dims are known.
using OutputAllocator = std::function<Result<TensorView>(size_t index, const Dims& dims)>;

struct RunOptions {
  // GPU engines: a CUstream of the engine's device; null is the legacy default stream.
  void* stream = nullptr;
  bool cuda_graphs = true;
  // For outputs whose dims are not known before the run; called on the thread that runs. May be
  // null when there are none.
  const OutputAllocator* allocate = nullptr;
};

// Time spent per step, summed over runs.
struct Profile {
  std::vector<double> seconds;  // per step
  int64_t runs = 0;
};

struct MemoryStats {
  size_t arena_bytes = 0;  // of the last run shapes
  size_t lower_bound = 0;  // most bytes alive at once for these shapes
};

// What CUDA graphs did for the selected shapes.
struct GraphStats {
  int64_t direct = 0;    // calls that ran step by step
  int64_t recorded = 0;  // graphs made
  int64_t launched = 0;  // calls that were a graph launch, with or without copies around it
};

class ExecutionContext {
 public:
  explicit ExecutionContext(std::shared_ptr<const engine::Engine> engine,
                            size_t shape_capacity = 16);
  ~ExecutionContext();
  ExecutionContext(const ExecutionContext&) = delete;
  ExecutionContext& operator=(const ExecutionContext&) = delete;

  // Checks count, dtypes, ranks and dims of the inputs and selects the shapes of the next Run.
  // InvalidArgument names the input and what was expected; OutOfRange when a dim leaves its
  // declared range. On error the context is as before and may be used again.
  Status SetInputShapes(std::span<const TensorView> inputs);
  // Whether the dims of output `index` depend on the inputs' dims alone.
  bool OutputDimsKnown(size_t index) const;
  // Dims of output `index` under the selected shapes. REQUIRES: SetInputShapes succeeded and
  // OutputDimsKnown(index).
  const Dims& OutputDims(size_t index) const;
  // Runs all steps. REQUIRES: SetInputShapes succeeded for these inputs; inputs and outputs are
  // contiguous, outputs have OutputDims and do not overlap inputs. Outputs of other dims are taken
  // from options.allocate, whatever stands in their place. OutOfRange when a computed size is not
  // in its range; on an error the outputs hold anything and the context may be used again. With a
  // profile on a GPU, waits for the end.
  Status Run(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
             Profile* profile = nullptr, const RunOptions& options = {});

  // Whether somebody recorded a run into a CUDA graph of theirs, which uses this context's memory
  // whenever it is launched: keep the context, do not run it again.
  bool recorded() const;
  MemoryStats memory() const;
  GraphStats graphs() const;
  const engine::Engine& engine() const { return *engine_; }

 private:
  // Memory of the tensors that a phase writes.
  struct Arena {
    std::shared_ptr<void> memory;
    size_t bytes = 0;
  };

  Status ReserveArena(const ShapeState& shapes);
  void PatchOperands(ShapeState* shapes, std::span<const TensorView> inputs,
                     std::span<const TensorView> outputs) const;
  Status RunOnGpu(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                  Profile* profile, const RunOptions& options);
  Status RunPhases(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                   Profile* profile, const RunOptions& options);
  // The state of the phase after `done`, which has run.
  Result<ShapeState*> NextPhase(const ShapeState& done, std::span<const TensorView> outputs) const;
  int64_t ReadComputed(const ShapeState& done, size_t symbol,
                       std::span<const TensorView> outputs) const;
  Status AllocateOutputs(const ShapeState& shapes, const OutputAllocator* allocate,
                         std::vector<TensorView>* outputs) const;
  Status RunSteps(ShapeState* shapes, void* stream, Profile* profile) const;
  Status ProfileOnGpu(ShapeState* shapes, void* stream, Profile* profile) const;
  Status RunStep(ShapeState* shapes, size_t index, void* stream) const;

  std::shared_ptr<const engine::Engine> engine_;
  LruCache<std::string, std::unique_ptr<ShapeState>> shapes_;  // key: bytes of all input dims
  ShapeState* current_ = nullptr;
  std::vector<TensorView> last_inputs_;  // whose shapes are current; only shapes are read
  std::vector<Arena> arenas_;            // of each phase
  uint64_t arenas_state_ = 1;            // another number whenever one of them moves
  MemoryStats later_memory_;             // of the later phases of the last run
  std::unique_ptr<CudaRun> cuda_;        // GPU engines, from the first run on
};

}  // namespace torch_tensorrt::core::execution
