// Engine: a verified plan with its kernels created; what an ExecutionContext runs. Immutable and
// shared by any number of threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/engine/plan.h"
#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::engine {

class Engine {
 public:
  // Verifies the plan and creates every step's kernel. DataLoss when the plan breaks a rule,
  // Unsupported when this build has no such kernel.
  static Result<std::shared_ptr<const Engine>> Create(Plan plan);

  const Plan& plan() const { return plan_; }
  const std::vector<std::unique_ptr<const kernels::Kernel>>& kernels() const { return kernels_; }
  // For each tensor, the last step that reads its storage (views count for their base); -1 if none.
  const std::vector<int32_t>& last_use() const { return last_use_; }
  // For each tensor, the step that writes it; -1 for inputs and constants; views: their base's.
  const std::vector<int32_t>& first_def() const { return first_def_; }

 private:
  Engine() = default;
  Plan plan_;
  std::vector<std::unique_ptr<const kernels::Kernel>> kernels_;
  std::vector<int32_t> last_use_;
  std::vector<int32_t> first_def_;
};

// Layers as JSON for people and tools: {"name", "inputs", "outputs", "layers": [{name, kernel,
// inputs, outputs, source}], "metadata"}.
std::string InspectJson(const Engine& engine);

}  // namespace torch_tensorrt::core::engine
