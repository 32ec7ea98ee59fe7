// Engine: a verified plan with its kernels created; what an ExecutionContext runs. Immutable and
// shared by any number of threads. An engine for GPUs holds its constants on one of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/device/cuda/gpu.h"
#include "core/engine/phases.h"
#include "core/engine/plan.h"
#include "core/kernels/kernel.h"
#include "core/util/lent_memory.h"

namespace torch_tensorrt::core::engine {

class Engine {
 public:
  // Verifies the plan and creates every step's kernel. DataLoss when the plan breaks a rule,
  // Unsupported when this build has no such kernel. A plan for GPUs without a `gpu` makes an engine
  // that can be looked at and saved, not run. The plan's constants are copied to the GPU here.
  static Result<std::shared_ptr<const Engine>> Create(
      Plan plan, std::shared_ptr<const device::cuda::Gpu> gpu = nullptr);

  const Plan& plan() const { return plan_; }
  // Null for the CPU.
  const std::shared_ptr<const device::cuda::Gpu>& gpu() const { return gpu_; }
  // Where steps read a constant: device memory when there is a GPU.
  const void* constant_data(size_t index) const {
    return device_constants_.empty() ? plan_.constants[index].data.get() : device_constants_[index];
  }
  // OK while constants that the engine does not own, large weights of a model, are what they were
  // when it was built; else the lender's DataLoss. To be asked before each use of the plan's own
  // copy: a run on the CPU, writing the plan to a file.
  Status CheckConstants() const;
  const std::vector<std::unique_ptr<const kernels::Kernel>>& kernels() const { return kernels_; }
  // Of each step's kernel.
  const std::vector<const kernels::KernelEntry*>& entries() const { return entries_; }
  // One, unless steps compute sizes of tensors.
  const Phases& phases() const { return phases_; }
  // For each tensor, the last step that reads its storage (views count for their base); -1 if none.
  // Beyond all steps for the sources of symbols.
  const std::vector<int32_t>& last_use() const { return last_use_; }
  // For each tensor, the step that writes it; -1 for inputs and constants; views: their base's.
  const std::vector<int32_t>& first_def() const { return first_def_; }

 private:
  Engine() = default;
  Status CreateKernels();
  void FindLifetimes();
  void FindLenders();
  Status UploadConstants();

  Plan plan_;
  std::vector<const Lender*> lenders_;  // of its constants, each once
  std::shared_ptr<const device::cuda::Gpu> gpu_;
  std::shared_ptr<void> device_memory_;        // of all constants
  std::vector<const void*> device_constants_;  // into it
  std::vector<std::unique_ptr<const kernels::Kernel>> kernels_;
  std::vector<const kernels::KernelEntry*> entries_;
  Phases phases_;
  std::vector<int32_t> last_use_;
  std::vector<int32_t> first_def_;
};

// Layers as JSON for people and tools: {"name", "inputs", "outputs", "computed_sizes": [{size,
// computed_by, needed_from}], "layers": [{name, kernel, inputs, outputs, source}], "metadata"}.
std::string InspectJson(const Engine& engine);

}  // namespace torch_tensorrt::core::engine
