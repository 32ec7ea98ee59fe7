// The torch custom class `tensorrt.Engine`: an engine as PyTorch sees it. Immutable; `Execute` may
// be called from any number of threads at once: each call takes an execution context from a pool
// and gives it back. On the CPU the pool shrinks to what recent calls used at once, and the memory
// of large outputs is used again once the caller has let go of them. An engine for
// GPUs runs on whichever GPU its inputs are on, and keeps its constants there from the first call
// on.
#pragma once

#include <torch/custom_class.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "core/engine/engine.h"
#include "core/execution/execution_context.h"
#include "core/runtime/lease_count.h"
#include "core/runtime/output_pool.h"

namespace torch_tensorrt::core::runtime {

class TorchEngine : public torch::CustomClassHolder {
 public:
  explicit TorchEngine(std::shared_ptr<const engine::Engine> engine);

  // From the bytes of a plan file (1-d uint8 CPU tensor, not copied). Throws c10::Error with the
  // typed message on a bad plan.
  static c10::intrusive_ptr<TorchEngine> FromTensor(const at::Tensor& plan);
  // The plan file as a 1-d uint8 tensor.
  at::Tensor ToTensor() const;

  // Throws when a weight that the engine shares with a model has changed.
  void CheckWeights() const;
  // Runs the engine, on a GPU by submitting to PyTorch's current stream. Inputs: as declared, on
  // the engine's kind of device, made contiguous if they are not; CPU scalars may go to a GPU
  // engine. Throws ValueError on a wrong dtype, device, rank or dim, and on a data error; the
  // engine works on the next call.
  std::vector<at::Tensor> Execute(const std::vector<at::Tensor>& inputs);

  // Does beforehand what first calls would do: compiles kernels, for the plan's opt, min and max
  // sizes, and copies constants to that GPU. REQUIRES: a plan for GPUs.
  void PrepareOn(int ordinal);
  // Compiles the engine's kernels for an architecture ("sm_90a") without a GPU, into the cubin
  // cache. Returns {"compiled", "from_cache", "seconds"} as JSON.
  std::string CompileFor(const std::string& arch) const;
  // Whether calls may be CUDA graph launches; on by default.
  void SetCudaGraphs(bool on) { cuda_graphs_ = on; }
  bool cuda_graphs() const { return cuda_graphs_; }

  const engine::Plan& plan() const { return engine_->plan(); }
  std::string LayerInfoJson() const { return engine::InspectJson(*engine_); }
  // Names, dtypes and symbolic dims of inputs and outputs and the symbols' ranges, as JSON; enough
  // to infer output shapes.
  std::string IoSpecJson() const;
  // {"arena_bytes", "arena_lower_bound", "constant_bytes", "contexts", "steps"} for the last run's
  // shapes, and {"graphs_recorded", "graph_launches", "direct_runs"} of its context.
  std::string StatsJson() const;
  void EnableProfiling(bool on);
  // [{"name", "kernel", "calls", "microseconds"}] since profiling was enabled.
  std::string ProfileJson() const;

 private:
  // A context borrowed for one call.
  class Lease;
  using ContextPtr = std::unique_ptr<execution::ExecutionContext>;
  // The engine on one device, and its contexts.
  struct OnDevice {
    std::shared_ptr<const engine::Engine> engine;
    std::vector<ContextPtr> idle;
    LeaseCount leases;
    // Those whose runs are part of somebody's CUDA graph: kept for their memory.
    std::vector<ContextPtr> recorded;
  };

  // Where a call runs: -1 for the CPU, else a GPU. Throws when inputs are elsewhere.
  int OrdinalOf(const std::vector<at::Tensor>& inputs) const;
  // REQUIRES: mutex_ is held.
  OnDevice& DeviceLocked(int ordinal);
  // Takes out of the pool what recent calls had no use for. REQUIRES: mutex_ is held.
  std::vector<ContextPtr> SurplusLocked(OnDevice* device);
  // An uninitialised output `index` of these dims. `gpu_in_use`: an input is on the GPU.
  at::Tensor EmptyOutput(size_t index, const Dims& dims, at::Device device, bool gpu_in_use) const;
  // Uninitialised outputs of the selected shapes; undefined tensors for those that are not known.
  std::vector<at::Tensor> EmptyOutputs(const execution::ExecutionContext& context,
                                       at::Device device, bool gpu_in_use) const;
  // Lets the pool keep as much memory as the outputs of such a call take.
  void ExpectCall(const std::vector<at::Tensor>& outputs) const;

  std::shared_ptr<const engine::Engine> engine_;  // of the plan, without a GPU
  const std::shared_ptr<OutputPool> output_pool_ = std::make_shared<OutputPool>();
  std::atomic<bool> cuda_graphs_ = true;
  mutable std::mutex mutex_;         // guards everything below
  std::map<int, OnDevice> devices_;  // by ordinal
  int64_t contexts_ = 0;
  execution::MemoryStats last_memory_;
  execution::GraphStats last_graphs_;
  bool profiling_ = false;
  execution::Profile profile_;
};

// Whether engines of this process may use CUDA graphs at all; on at the start. Thread-safe.
bool CudaGraphsMode();
void SetCudaGraphsMode(bool on);

// torch dtype of a core dtype and back; throws for types engines do not know.
at::ScalarType ToTorch(DataType type);
DataType FromTorch(at::ScalarType type);
// Throws the exception that torch users expect for this status: ValueError for arguments,
// IndexError for ranges, NotImplementedError for Unsupported, RuntimeError otherwise. REQUIRES:
// !status.ok().
[[noreturn]] void ThrowStatus(const Status& status);

}  // namespace torch_tensorrt::core::runtime
