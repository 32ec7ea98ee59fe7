#include "core/execution/execution_context.h"

#include "core/execution/shape_state.h"
#include "core/util/aligned_memory.h"

namespace torch_tensorrt::core::execution {
namespace {

std::string ShapeKey(std::span<const TensorView> inputs) {
  std::string key;
  for (const TensorView& input : inputs) {
    key.push_back(static_cast<char>(input.rank));
    key.push_back(static_cast<char>(input.dtype));
    key.append(reinterpret_cast<const char*>(input.dims.data()),
               static_cast<size_t>(input.rank) * sizeof(int64_t));
  }
  return key;
}

}  // namespace

void ExecutionContext::AlignedFree::operator()(std::byte* p) const { FreeAligned(p); }

ExecutionContext::ExecutionContext(std::shared_ptr<const engine::Engine> engine,
                                   size_t shape_capacity)
    : engine_(std::move(engine)), shapes_(shape_capacity) {}

ExecutionContext::~ExecutionContext() = default;

Status ExecutionContext::SetInputShapes(std::span<const TensorView> inputs) {
  const std::string key = ShapeKey(inputs);
  if (auto* found = shapes_.Get(key)) {
    current_ = found->get();
    return Status::Ok();
  }
  TRT_ASSIGN_OR_RETURN(auto state, ResolveShapes(*engine_, inputs));
  current_ = shapes_.Put(key, std::move(state))->get();
  return Status::Ok();
}

const Dims& ExecutionContext::OutputDims(size_t index) const {
  return current_->output_dims[index];
}

MemoryStats ExecutionContext::memory() const {
  if (current_ == nullptr) return {};
  return {current_->arena_bytes, current_->lower_bound};
}

Status ExecutionContext::ReserveArena(size_t bytes) {
  if (bytes <= arena_bytes_) return Status::Ok();
  arena_.reset();
  arena_bytes_ = 0;
  auto* memory = static_cast<std::byte*>(AllocateAligned(bytes));
  if (memory == nullptr) {
    return ResourceExhausted("[", engine_->plan().name, "] cannot allocate ", bytes,
                             " bytes for activations");
  }
  arena_.reset(memory);
  arena_bytes_ = bytes;
  return Status::Ok();
}

Status ExecutionContext::Run(std::span<const TensorView> inputs,
                             std::span<const TensorView> outputs, Profile* profile) {
  ShapeState* shapes = current_;
  if (shapes == nullptr) return InternalError("[execution] Run before SetInputShapes");
  TRT_RETURN_IF_ERROR(ReserveArena(shapes->arena_bytes));
  if (shapes->patched_arena != arena_.get()) {
    for (const Patch& patch : shapes->arena_patches) {
      shapes->operands[patch.operand].data = arena_.get() + patch.byte_offset;
    }
    shapes->patched_arena = arena_.get();
  }
  for (const Patch& patch : shapes->binding_patches) {
    const auto& bindings = patch.source == engine::Location::kInput ? inputs : outputs;
    shapes->operands[patch.operand].data =
        static_cast<std::byte*>(bindings[static_cast<size_t>(patch.binding)].data) +
        patch.byte_offset;
  }
  return RunSteps(shapes, profile);
}

Status ExecutionContext::RunSteps(ShapeState* shapes, Profile* profile) const {
  using Clock = std::chrono::steady_clock;
  if (profile != nullptr) profile->seconds.resize(shapes->steps.size());
  for (size_t s = 0; s < shapes->steps.size(); ++s) {
    const StepState& step = shapes->steps[s];
    const auto start = profile != nullptr ? Clock::now() : Clock::time_point();
    Status status = engine_->kernels()[s]->Run(
        {step.inputs, step.outputs, arena_.get() + step.scratch_offset, step.state.get()});
    if (!status.ok()) {
      const engine::PlanStep& plan = engine_->plan().steps[s];
      return Status(status.code(), StrCat("[", engine_->plan().name, "] layer '", plan.name,
                                          "': ", status.message(),
                                          plan.source.empty() ? "" : "; from " + plan.source));
    }
    if (profile != nullptr) {
      profile->seconds[s] += std::chrono::duration<double>(Clock::now() - start).count();
    }
  }
  if (profile != nullptr) ++profile->runs;
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::execution
