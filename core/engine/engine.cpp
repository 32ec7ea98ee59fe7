#include "core/engine/engine.h"

#include <algorithm>

namespace torch_tensorrt::core::engine {

Result<std::shared_ptr<const Engine>> Engine::Create(Plan plan) {
  TRT_RETURN_IF_ERROR(VerifyPlan(plan));
  auto engine = std::shared_ptr<Engine>(new Engine());
  for (const PlanStep& step : plan.steps) {
    const kernels::KernelEntry* entry = kernels::FindKernel(step.kernel);
    if (entry == nullptr) {
      return Unsupported("[engine] this build has no kernel '", step.kernel, "' for layer '",
                         step.name, "'; rebuild the engine with this version");
    }
    auto kernel = entry->create(step.attributes);
    if (!kernel.ok()) {
      return Status(kernel.status().code(),
                    StrCat("[engine] layer '", step.name, "': ", kernel.status().message()));
    }
    engine->kernels_.push_back(std::move(kernel).value());
  }
  engine->last_use_.assign(plan.tensors.size(), -1);
  engine->first_def_.assign(plan.tensors.size(), -1);
  auto storage = [&](int32_t t) {
    const PlanTensor& tensor = plan.tensors[static_cast<size_t>(t)];
    return static_cast<size_t>(tensor.location == Location::kView ? tensor.index : t);
  };
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const auto step = static_cast<int32_t>(s);
    for (int32_t t : plan.steps[s].inputs) engine->last_use_[storage(t)] = step;
    for (int32_t t : plan.steps[s].outputs) {
      engine->first_def_[static_cast<size_t>(t)] = step;
      engine->last_use_[static_cast<size_t>(t)] =
          std::max(engine->last_use_[static_cast<size_t>(t)], step);
    }
  }
  engine->plan_ = std::move(plan);
  return std::shared_ptr<const Engine>(std::move(engine));
}

}  // namespace torch_tensorrt::core::engine
