#include "core/runtime/torch_engine.h"

#include <ATen/ATen.h>

#include "core/engine/format.h"

namespace torch_tensorrt::core::runtime {
namespace {

TensorView ViewOf(const at::Tensor& tensor) {
  TensorView view;
  view.data = tensor.data_ptr();
  view.dtype = FromTorch(tensor.scalar_type());
  view.rank = static_cast<int>(tensor.dim());
  for (int i = 0; i < view.rank; ++i) {
    const auto k = static_cast<size_t>(i);
    view.dims[k] = tensor.size(i);
    view.strides[k] = tensor.stride(i);
  }
  return view;
}

}  // namespace

class TorchEngine::Lease {
 public:
  explicit Lease(TorchEngine* engine) : engine_(engine) {
    const std::lock_guard<std::mutex> lock(engine_->mutex_);
    profiling_ = engine_->profiling_;
    if (!engine_->idle_.empty()) {
      context_ = std::move(engine_->idle_.back());
      engine_->idle_.pop_back();
    } else {
      ++engine_->contexts_;
    }
  }
  ~Lease() {
    const std::lock_guard<std::mutex> lock(engine_->mutex_);
    if (context_ == nullptr) return;
    engine_->last_memory_ = context_->memory();
    engine_->idle_.push_back(std::move(context_));
    if (!profiling_ || profile_.runs == 0) return;
    engine_->profile_.seconds.resize(profile_.seconds.size());
    for (size_t i = 0; i < profile_.seconds.size(); ++i) {
      engine_->profile_.seconds[i] += profile_.seconds[i];
    }
    engine_->profile_.runs += profile_.runs;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  execution::ExecutionContext& context() {
    if (context_ == nullptr) {
      context_ = std::make_unique<execution::ExecutionContext>(engine_->engine_);
    }
    return *context_;
  }
  execution::Profile* profile() { return profiling_ ? &profile_ : nullptr; }

 private:
  TorchEngine* engine_;
  std::unique_ptr<execution::ExecutionContext> context_;
  bool profiling_ = false;
  execution::Profile profile_;
};

TorchEngine::TorchEngine(std::shared_ptr<const engine::Engine> engine)
    : engine_(std::move(engine)) {}

c10::intrusive_ptr<TorchEngine> TorchEngine::FromTensor(const at::Tensor& plan) {
  TORCH_CHECK_VALUE(
      plan.device().is_cpu() && plan.scalar_type() == at::kByte && plan.is_contiguous(),
      "[tensorrt] a plan is a contiguous uint8 CPU tensor");
  auto owner = std::make_shared<at::Tensor>(plan);
  const auto* data = static_cast<const std::byte*>(plan.const_data_ptr());
  auto decoded = engine::DecodePlan({data, static_cast<size_t>(plan.numel())},
                                    std::shared_ptr<const void>(owner, data));
  if (!decoded.ok()) ThrowStatus(decoded.status());
  auto created = engine::Engine::Create(std::move(decoded).value());
  if (!created.ok()) ThrowStatus(created.status());
  return c10::make_intrusive<TorchEngine>(std::move(created).value());
}

at::Tensor TorchEngine::ToTensor() const {
  const engine::PlanEncoder encoder(engine_->plan());
  at::Tensor out = at::empty({static_cast<int64_t>(encoder.size())}, at::kByte);
  encoder.WriteTo(static_cast<std::byte*>(out.mutable_data_ptr()));
  return out;
}

std::vector<at::Tensor> TorchEngine::Execute(const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> dense;  // keeps copies of non-contiguous inputs alive
  std::vector<TensorView> input_views;
  input_views.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor& input = inputs[i];
    TORCH_CHECK_VALUE(input.device().is_cpu(), "[", plan().name, "] input ", i, " is on ",
                      input.device(),
                      " but the engine was built for cpu; move the tensor with .cpu()");
    if (input.is_contiguous() && !input.is_neg() && !input.is_conj()) {
      input_views.push_back(ViewOf(input));
    } else {
      dense.push_back(input.resolve_neg().resolve_conj().contiguous());
      input_views.push_back(ViewOf(dense.back()));
    }
  }
  Lease lease(this);
  Status status = lease.context().SetInputShapes(input_views);
  if (!status.ok()) ThrowStatus(status);
  std::vector<at::Tensor> outputs;
  std::vector<TensorView> output_views;
  outputs.reserve(plan().outputs.size());
  for (size_t i = 0; i < plan().outputs.size(); ++i) {
    const auto& tensor = plan().tensors[static_cast<size_t>(plan().outputs[i].tensor)];
    outputs.push_back(at::empty(lease.context().OutputDims(i), ToTorch(tensor.dtype)));
    output_views.push_back(ViewOf(outputs.back()));
  }
  status = lease.context().Run(input_views, output_views, lease.profile());
  if (!status.ok()) ThrowStatus(status);
  return outputs;
}

void TorchEngine::EnableProfiling(bool on) {
  const std::lock_guard<std::mutex> lock(mutex_);
  profiling_ = on;
  profile_ = {};
}

}  // namespace torch_tensorrt::core::runtime
