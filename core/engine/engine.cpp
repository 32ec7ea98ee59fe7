#include "core/engine/engine.h"

#include <algorithm>

#include "core/kernels/check_step.h"

namespace torch_tensorrt::core::engine {
namespace {

constexpr size_t kDeviceAlignment = 256;

}  // namespace

Result<std::shared_ptr<const Engine>> Engine::Create(Plan plan,
                                                     std::shared_ptr<const device::cuda::Gpu> gpu) {
  TRT_RETURN_IF_ERROR(VerifyPlan(plan));
  if (gpu != nullptr && plan.target != Target::kCuda) {
    return InvalidArgument("[engine] '", plan.name, "' was built for the ", TargetName(plan.target),
                           ", not for a GPU");
  }
  auto engine = std::shared_ptr<Engine>(new Engine());
  engine->plan_ = std::move(plan);
  engine->gpu_ = std::move(gpu);
  TRT_ASSIGN_OR_RETURN(engine->phases_, FindPhases(engine->plan_));
  TRT_RETURN_IF_ERROR(engine->CreateKernels());
  engine->FindLifetimes();
  engine->FindLenders();
  if (engine->gpu_ != nullptr) TRT_RETURN_IF_ERROR(engine->UploadConstants());
  return std::shared_ptr<const Engine>(std::move(engine));
}

Status Engine::CreateKernels() {
  for (const PlanStep& step : plan_.steps) {
    const kernels::KernelEntry* entry = kernels::FindKernel(step.kernel);
    if (entry == nullptr) {
      return Unsupported("[engine] this build has no kernel '", step.kernel, "' for layer '",
                         step.name, "'; rebuild the engine with this version");
    }
    const Status usable = kernels::CheckStepAttributes(*entry, step.attributes);
    auto kernel = usable.ok() ? entry->create(step.attributes) : usable;
    if (!kernel.ok()) {
      return Status(kernel.status().code(),
                    StrCat("[engine] layer '", step.name, "': ", kernel.status().message()));
    }
    kernels_.push_back(std::move(kernel).value());
    entries_.push_back(entry);
  }
  return Status::Ok();
}

void Engine::FindLifetimes() {
  last_use_.assign(plan_.tensors.size(), -1);
  first_def_.assign(plan_.tensors.size(), -1);
  auto storage = [&](int32_t t) {
    const PlanTensor& tensor = plan_.tensors[static_cast<size_t>(t)];
    return static_cast<size_t>(tensor.location == Location::kView ? tensor.index : t);
  };
  for (size_t s = 0; s < plan_.steps.size(); ++s) {
    const auto step = static_cast<int32_t>(s);
    for (int32_t t : plan_.steps[s].inputs) last_use_[storage(t)] = step;
    for (int32_t t : plan_.steps[s].outputs) {
      const auto i = static_cast<size_t>(t);
      first_def_[i] = step;
      last_use_[i] = std::max(last_use_[i], step);
    }
  }
  for (const PlanSymbol& symbol : plan_.symbols) {
    if (symbol.source < 0) continue;
    last_use_[static_cast<size_t>(symbol.source)] = static_cast<int32_t>(plan_.steps.size());
  }
}

void Engine::FindLenders() {
  for (const PlanConstant& constant : plan_.constants) {
    const Lender* lender = LenderOf(constant.data);
    if (lender == nullptr) continue;
    if (std::find(lenders_.begin(), lenders_.end(), lender) == lenders_.end()) {
      lenders_.push_back(lender);
    }
  }
}

Status Engine::CheckConstants() const {
  for (const Lender* lender : lenders_) TRT_RETURN_IF_ERROR(lender->Check());
  return Status::Ok();
}

Status Engine::UploadConstants() {
  TRT_RETURN_IF_ERROR(CheckConstants());
  std::vector<size_t> offsets;
  size_t bytes = 0;
  for (const PlanConstant& constant : plan_.constants) {
    offsets.push_back(bytes);
    bytes += (constant.bytes() + kDeviceAlignment - 1) / kDeviceAlignment * kDeviceAlignment;
  }
  TRT_ASSIGN_OR_RETURN(device_memory_, gpu_->Allocate(bytes));
  for (size_t i = 0; i < offsets.size(); ++i) {
    std::byte* to = static_cast<std::byte*>(device_memory_.get()) + offsets[i];
    const PlanConstant& constant = plan_.constants[i];
    TRT_RETURN_IF_ERROR(gpu_->CopyToDevice(to, constant.data.get(), constant.bytes()));
    device_constants_.push_back(to);
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::engine
