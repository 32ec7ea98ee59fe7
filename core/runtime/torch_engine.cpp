#include "core/runtime/torch_engine.h"

#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/Allocator.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <iterator>

#include "core/engine/format.h"
#include "core/runtime/cuda_stream.h"
#include "core/util/checked.h"

namespace torch_tensorrt::core::runtime {
namespace {

constexpr int kCpuOrdinal = -1;

// Inputs of the plan's min, opt or max sizes, without data.
Result<std::vector<TensorView>> InputsAt(const engine::Plan& plan,
                                         int64_t engine::PlanSymbol::* at) {
  const SymbolLookup sizes = [&](std::string_view name) -> std::optional<int64_t> {
    for (const engine::PlanSymbol& symbol : plan.symbols) {
      if (symbol.name == name) return symbol.*at;
    }
    return std::nullopt;
  };
  std::vector<TensorView> views;
  for (const engine::Binding& input : plan.inputs) {
    const auto& tensor = plan.tensors[static_cast<size_t>(input.tensor)];
    Dims dims;
    std::optional<int64_t> numel = 1;
    for (const SymInt& dim : tensor.dims) {
      TRT_ASSIGN_OR_RETURN(const int64_t value, dim.Evaluate(sizes));
      numel = CheckedMul(*numel, value);
      if (!numel) return InvalidArgument("input ", input.name, " has no valid size");
      dims.push_back(value);
    }
    views.push_back(MakeView(nullptr, tensor.dtype, dims));
  }
  return views;
}

// Prepares a context for the plan's opt sizes, and for its smallest and largest: kernels for them
// may differ, and compiling one in the middle of serving would be felt.
Status PrepareSizes(const engine::Plan& plan, execution::ExecutionContext* context) {
  if (!plan.symbols.empty()) {
    for (auto at : {&engine::PlanSymbol::min, &engine::PlanSymbol::max}) {
      const auto inputs = InputsAt(plan, at);
      // Sizes without a real bound have no kernels; whatever is wrong will be said by a call.
      if (inputs.ok()) static_cast<void>(context->SetInputShapes(*inputs));
    }
  }
  TRT_ASSIGN_OR_RETURN(const auto inputs, InputsAt(plan, &engine::PlanSymbol::opt));
  return context->SetInputShapes(inputs);
}

// A switch of the process by its public definition, the one such state of this library.
std::atomic<bool>& GraphsMode() {
  static std::atomic<bool> mode = true;
  return mode;
}

Status CheckRank(const engine::Plan& plan, size_t input, const at::Tensor& tensor) {
  if (tensor.dim() <= kMaxRank) return Status::Ok();
  const std::string name = input < plan.inputs.size() ? plan.inputs[input].name : "?";
  return InvalidArgument("[", plan.name, "] input ", input, " '", name, "' has rank ", tensor.dim(),
                         ", at most ", kMaxRank, " is possible");
}

// Whether the elements are in memory that this process can read: not so for fake, functional and
// most wrapper tensors, and after the storage was resized.
bool HasMemory(const at::Tensor& tensor) {
  const c10::TensorImpl& impl = *tensor.unsafeGetTensorImpl();
  if (!impl.has_storage() || impl.has_symbolic_sizes_strides()) return false;
  if (impl.numel() == 0) return true;
  const c10::IntArrayRef sizes = impl.sizes();
  const c10::IntArrayRef strides = impl.strides();
  int64_t last = impl.storage_offset();
  for (size_t i = 0; i < sizes.size(); ++i) last += (sizes[i] - 1) * strides[i];
  // The storage may be one that throws when it is asked for its memory.
  c10::StorageImpl& storage = *impl.storage().unsafeGetStorageImpl();
  const size_t end = (static_cast<size_t>(last) + 1) * tensor.element_size();
  return storage._mutable_data_ptr_no_checks().get() != nullptr && end <= storage.nbytes();
}

Status CheckMemory(const engine::Plan& plan, size_t input, const at::Tensor& tensor) {
  if (HasMemory(tensor)) return Status::Ok();
  const std::string name = input < plan.inputs.size() ? plan.inputs[input].name : "?";
  return InvalidArgument(
      "[", plan.name, "] input ", input, " '", name,
      "' has no memory to read: it is a fake, functional or wrapper tensor that reached the engine "
      "itself, or its storage was freed or resized; pass a tensor that holds its data");
}

// REQUIRES: tensor.dim() <= kMaxRank; its elements are in memory.
TensorView ViewOf(const at::Tensor& tensor) {
  TensorView view;
  view.data = tensor.data_ptr();
  view.dtype = FromTorch(tensor.scalar_type());
  view.rank = static_cast<int>(tensor.dim());
  std::copy_n(tensor.sizes().begin(), view.rank, view.dims.begin());
  std::copy_n(tensor.strides().begin(), view.rank, view.strides.begin());
  return view;
}

// at::empty on the current GPU without its way through the dispatcher, by the allocator that
// PyTorch uses now, which may be one of the user's. REQUIRES: PyTorch has used the GPU.
at::Tensor EmptyOnGpu(const Dims& dims, at::ScalarType dtype) {
  c10::Allocator* allocator = at::detail::getCUDAHooks().getCUDADeviceAllocator();
  return at::detail::empty_generic(dims, allocator, c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                   dtype, std::nullopt);
}

}  // namespace

class TorchEngine::Lease {
 public:
  Lease(TorchEngine* owner, int ordinal) : owner_(owner), ordinal_(ordinal) {
    const std::lock_guard<std::mutex> lock(owner_->mutex_);
    OnDevice& device = owner_->DeviceLocked(ordinal);
    engine_ = device.engine;
    profiling_ = owner_->profiling_;
    device.leases.Take();
    if (!device.idle.empty()) {
      context_ = std::move(device.idle.back());
      device.idle.pop_back();
    } else {
      ++owner_->contexts_;
    }
  }
  ~Lease() {
    std::vector<ContextPtr> surplus;  // freed after the lock
    const std::lock_guard<std::mutex> lock(owner_->mutex_);
    OnDevice& device = owner_->devices_[ordinal_];
    device.leases.GiveBack();
    if (context_ == nullptr) {
      --owner_->contexts_;
      return;
    }
    owner_->last_memory_ = context_->memory();
    owner_->last_graphs_ = context_->graphs();
    (context_->recorded() ? device.recorded : device.idle).push_back(std::move(context_));
    if (ordinal_ == kCpuOrdinal) surplus = owner_->SurplusLocked(&device);
    if (!profiling_ || profile_.runs == 0) return;
    owner_->profile_.seconds.resize(profile_.seconds.size());
    for (size_t i = 0; i < profile_.seconds.size(); ++i) {
      owner_->profile_.seconds[i] += profile_.seconds[i];
    }
    owner_->profile_.runs += profile_.runs;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  execution::ExecutionContext& context() {
    if (context_ == nullptr) context_ = std::make_unique<execution::ExecutionContext>(engine_);
    return *context_;
  }
  execution::Profile* profile() { return profiling_ ? &profile_ : nullptr; }

 private:
  TorchEngine* owner_;
  int ordinal_;
  std::shared_ptr<const engine::Engine> engine_;
  std::unique_ptr<execution::ExecutionContext> context_;
  bool profiling_ = false;
  execution::Profile profile_;
};

TorchEngine::TorchEngine(std::shared_ptr<const engine::Engine> engine)
    : engine_(std::move(engine)) {
  if (plan().target == Target::kCpu) devices_[kCpuOrdinal].engine = engine_;
}

TorchEngine::OnDevice& TorchEngine::DeviceLocked(int ordinal) {
  OnDevice& device = devices_[ordinal];
  if (device.engine != nullptr) return device;
  auto gpu = device::cuda::Gpu::Open(ordinal);
  if (!gpu.ok()) ThrowStatus(gpu.status());
  auto engine = engine::Engine::Create(plan(), std::move(gpu).value());
  if (!engine.ok()) ThrowStatus(engine.status());
  device.engine = std::move(engine).value();
  return device;
}

// Only on the CPU: freeing GPU memory waits for the GPU, and is forbidden while a stream is
// captured.
std::vector<TorchEngine::ContextPtr> TorchEngine::SurplusLocked(OnDevice* device) {
  std::vector<ContextPtr>& idle = device->idle;
  const int64_t kept = device->leases.RecentPeak() - device->leases.in_use();
  const int64_t count = static_cast<int64_t>(idle.size()) - kept;
  if (count <= 0) return {};
  contexts_ -= count;
  const auto middle = idle.begin() + count;  // the last ones ran last
  std::vector<ContextPtr> surplus(std::make_move_iterator(idle.begin()),
                                  std::make_move_iterator(middle));
  idle.erase(idle.begin(), middle);
  return surplus;
}

void TorchEngine::PrepareOn(int ordinal) {
  const c10::OptionalDeviceGuard guard(c10::Device(c10::kCUDA, static_cast<int8_t>(ordinal)));
  Lease lease(this, ordinal);
  const Status status = PrepareSizes(plan(), &lease.context());
  if (!status.ok()) ThrowStatus(status);
}

std::string TorchEngine::CompileFor(const std::string& arch) const {
  const auto gpu = device::cuda::Gpu::CompileOnly(arch);
  auto engine = engine::Engine::Create(plan(), gpu);
  if (!engine.ok()) ThrowStatus(engine.status());
  execution::ExecutionContext context(std::move(engine).value());
  const Status status = PrepareSizes(plan(), &context);
  if (!status.ok()) ThrowStatus(status);
  const device::cuda::LoadStats stats = gpu->load_stats();
  return StrCat("{\"compiled\": ", stats.compiled, ", \"from_cache\": ", stats.from_cache,
                ", \"seconds\": ", stats.compile_seconds, "}");
}

int TorchEngine::OrdinalOf(const std::vector<at::Tensor>& inputs) const {
  const auto type = plan().target == Target::kCuda ? c10::kCUDA : c10::kCPU;
  int ordinal = kCpuOrdinal;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const at::Device device = inputs[i].device();
    if (type == c10::kCUDA && device.is_cpu() && inputs[i].dim() == 0) continue;
    TORCH_CHECK_VALUE(device.type() == type, "[", plan().name, "] input ", i, " is on ", device,
                      " but the engine was built for ", TargetName(plan().target),
                      "; move the tensor with .", TargetName(plan().target), "()");
    if (type == c10::kCPU) continue;
    TORCH_CHECK_VALUE(ordinal == kCpuOrdinal || ordinal == device.index(), "[", plan().name,
                      "] input ", i, " is on ", device, " but another input is on cuda:", ordinal,
                      "; move all inputs to one GPU");
    ordinal = device.index();
  }
  if (type == c10::kCPU || ordinal != kCpuOrdinal) return ordinal;
  return c10::impl::VirtualGuardImpl(c10::kCUDA).getDevice().index();
}

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

void TorchEngine::CheckWeights() const {
  const Status same = engine_->CheckConstants();
  if (!same.ok()) ThrowStatus(same);
}

at::Tensor TorchEngine::ToTensor() const {
  CheckWeights();
  const engine::PlanEncoder encoder(engine_->plan());
  at::Tensor out = at::empty({static_cast<int64_t>(encoder.size())}, at::kByte);
  encoder.WriteTo(static_cast<std::byte*>(out.mutable_data_ptr()));
  return out;
}

at::Tensor TorchEngine::EmptyOutput(size_t index, const Dims& dims, at::Device device,
                                    bool gpu_in_use) const {
  const auto& tensor = plan().tensors[static_cast<size_t>(plan().outputs[index].tensor)];
  const at::ScalarType dtype = ToTorch(tensor.dtype);
  if (device.is_cpu()) return output_pool_->Empty(dims, dtype);
  return gpu_in_use ? EmptyOnGpu(dims, dtype)
                    : at::empty(dims, at::TensorOptions(dtype).device(device));
}

std::vector<at::Tensor> TorchEngine::EmptyOutputs(const execution::ExecutionContext& context,
                                                  at::Device device, bool gpu_in_use) const {
  std::vector<at::Tensor> outputs(plan().outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!context.OutputDimsKnown(i)) continue;
    outputs[i] = EmptyOutput(i, context.OutputDims(i), device, gpu_in_use);
  }
  return outputs;
}

void TorchEngine::ExpectCall(const std::vector<at::Tensor>& outputs) const {
  size_t pooled = 0;
  for (const at::Tensor& output : outputs) {
    if (output.nbytes() >= OutputPool::kPooledBytes) pooled += output.nbytes();
  }
  output_pool_->ExpectCall(pooled);
}

std::vector<at::Tensor> TorchEngine::Execute(const std::vector<at::Tensor>& inputs) {
  const int ordinal = OrdinalOf(inputs);
  const bool on_gpu = ordinal != kCpuOrdinal;
  const at::Device device =
      on_gpu ? at::Device(at::kCUDA, static_cast<int8_t>(ordinal)) : at::Device(at::kCPU);
  c10::OptionalDeviceGuard guard;
  if (on_gpu) guard.reset_device(device);
  bool gpu_in_use = false;
  std::vector<at::Tensor> dense;  // keeps copies of non-contiguous inputs alive
  std::vector<TensorView> input_views;
  input_views.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor& input = inputs[i];
    gpu_in_use = gpu_in_use || input.is_cuda();
    const Status ranked = CheckRank(plan(), i, input);
    if (!ranked.ok()) ThrowStatus(ranked);
    const Status present = CheckMemory(plan(), i, input);
    if (!present.ok()) ThrowStatus(present);
    if (input.is_contiguous() && !input.is_neg() && !input.is_conj() && input.device() == device) {
      input_views.push_back(ViewOf(input));
    } else {
      dense.push_back(input.resolve_neg().resolve_conj().to(device).contiguous());
      input_views.push_back(ViewOf(dense.back()));
    }
  }
  Lease lease(this, ordinal);
  Status status = lease.context().SetInputShapes(input_views);
  if (!status.ok()) ThrowStatus(status);
  std::vector<at::Tensor> outputs = EmptyOutputs(lease.context(), device, gpu_in_use);
  std::vector<TensorView> output_views;
  output_views.reserve(outputs.size());
  for (const at::Tensor& output : outputs) {
    output_views.push_back(output.defined() ? ViewOf(output) : TensorView());
  }
  execution::OutputAllocator allocate;
  if (!engine_->phases().single()) {
    allocate = [&](size_t i, const Dims& dims) {
      outputs[i] = EmptyOutput(i, dims, device, gpu_in_use);
      return Result<TensorView>(ViewOf(outputs[i]));
    };
  }
  execution::RunOptions options;
  if (on_gpu) options = {CurrentCudaStream(ordinal), cuda_graphs_ && CudaGraphsMode()};
  options.allocate = &allocate;
  status = lease.context().Run(input_views, output_views, lease.profile(), options);
  if (!status.ok()) ThrowStatus(status);
  if (!on_gpu) ExpectCall(outputs);
  return outputs;
}

bool CudaGraphsMode() { return GraphsMode(); }
void SetCudaGraphsMode(bool on) { GraphsMode() = on; }

void TorchEngine::EnableProfiling(bool on) {
  const std::lock_guard<std::mutex> lock(mutex_);
  profiling_ = on;
  profile_ = {};
}

}  // namespace torch_tensorrt::core::runtime
