#include "core/execution/execution_context.h"

#include <algorithm>

#include "core/execution/cuda_run.h"
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

bool SameShape(const TensorView& a, const TensorView& b) {
  return a.rank == b.rank && a.dtype == b.dtype &&
         std::equal(a.dims.begin(), a.dims.begin() + a.rank, b.dims.begin());
}

}  // namespace

ExecutionContext::ExecutionContext(std::shared_ptr<const engine::Engine> engine,
                                   size_t shape_capacity)
    : engine_(std::move(engine)),
      shapes_(shape_capacity),
      arenas_(engine_->phases().phases.size()) {}

ExecutionContext::~ExecutionContext() = default;

Status ExecutionContext::SetInputShapes(std::span<const TensorView> inputs) {
  if (current_ != nullptr && std::equal(inputs.begin(), inputs.end(), last_inputs_.begin(),
                                        last_inputs_.end(), SameShape)) {
    return Status::Ok();
  }
  const std::string key = ShapeKey(inputs);
  if (auto* found = shapes_.Get(key)) {
    current_ = found->get();
    last_inputs_.assign(inputs.begin(), inputs.end());
    return Status::Ok();
  }
  TRT_ASSIGN_OR_RETURN(auto state, ResolveShapes(*engine_, inputs, shapes_.capacity()));
  current_ = shapes_.Put(key, std::move(state))->get();
  last_inputs_.assign(inputs.begin(), inputs.end());
  return Status::Ok();
}

bool ExecutionContext::OutputDimsKnown(size_t index) const {
  const engine::Binding& output = engine_->plan().outputs[index];
  return engine_->phases().IsKnown(static_cast<size_t>(output.tensor), 0);
}

const Dims& ExecutionContext::OutputDims(size_t index) const {
  return current_->output_dims[index];
}

MemoryStats ExecutionContext::memory() const {
  if (current_ == nullptr) return {};
  return {current_->arena_bytes + later_memory_.arena_bytes,
          current_->lower_bound + later_memory_.lower_bound};
}

GraphStats ExecutionContext::graphs() const {
  if (current_ == nullptr || current_->graphs == nullptr) return {};
  const GraphCache::Counters& counters = current_->graphs->counters();
  return {counters.direct, counters.recorded, counters.launched + counters.staged};
}

bool ExecutionContext::recorded() const { return cuda_ != nullptr && cuda_->recorded(); }

Status ExecutionContext::ReserveArena(const ShapeState& shapes) {
  Arena& arena = arenas_[shapes.phase];
  const size_t bytes = shapes.arena_bytes;
  if (bytes <= arena.bytes) return Status::Ok();
  arena = {};
  ++arenas_state_;
  if (engine_->gpu() != nullptr) {
    TRT_ASSIGN_OR_RETURN(arena.memory, engine_->gpu()->Allocate(bytes));
  } else {
    arena.memory = std::shared_ptr<void>(AllocateAligned(bytes), FreeAligned);
  }
  if (arena.memory == nullptr) {
    return ResourceExhausted("[", engine_->plan().name, "] cannot allocate ", bytes,
                             " bytes for activations");
  }
  arena.bytes = bytes;
  return Status::Ok();
}

void ExecutionContext::PatchOperands(ShapeState* shapes, std::span<const TensorView> inputs,
                                     std::span<const TensorView> outputs) const {
  if (shapes->patched_arenas != arenas_state_) {
    for (const Patch& patch : shapes->arena_patches) {
      auto* arena = static_cast<std::byte*>(arenas_[patch.index].memory.get());
      shapes->operands[patch.operand].data = arena + patch.byte_offset;
    }
    shapes->patched_arenas = arenas_state_;
  }
  for (const Patch& patch : shapes->binding_patches) {
    const auto& bindings = patch.source == engine::Location::kInput ? inputs : outputs;
    shapes->operands[patch.operand].data =
        static_cast<std::byte*>(bindings[patch.index].data) + patch.byte_offset;
  }
}

Status ExecutionContext::Run(std::span<const TensorView> inputs,
                             std::span<const TensorView> outputs, Profile* profile,
                             const RunOptions& options) {
  ShapeState* shapes = current_;
  if (shapes == nullptr) return InternalError("[execution] Run before SetInputShapes");
  TRT_RETURN_IF_ERROR(ReserveArena(*shapes));
  if (engine_->plan().target == Target::kCuda) return RunOnGpu(inputs, outputs, profile, options);
  TRT_RETURN_IF_ERROR(engine_->CheckConstants());
  if (shapes->continuation != nullptr) {
    TRT_RETURN_IF_ERROR(RunPhases(inputs, outputs, profile, options));
  } else {
    PatchOperands(shapes, inputs, outputs);
    TRT_RETURN_IF_ERROR(RunSteps(shapes, nullptr, profile));
  }
  if (profile != nullptr) ++profile->runs;
  return Status::Ok();
}

Status ExecutionContext::RunPhases(std::span<const TensorView> inputs,
                                   std::span<const TensorView> outputs, Profile* profile,
                                   const RunOptions& options) {
  std::vector<TensorView> bound(outputs.begin(), outputs.end());
  later_memory_ = {};
  ShapeState* shapes = current_;
  while (true) {
    PatchOperands(shapes, inputs, bound);
    TRT_RETURN_IF_ERROR(RunSteps(shapes, nullptr, profile));
    if (shapes->continuation == nullptr) return Status::Ok();
    TRT_ASSIGN_OR_RETURN(shapes, NextPhase(*shapes, bound));
    later_memory_.arena_bytes += shapes->arena_bytes;
    later_memory_.lower_bound += shapes->lower_bound;
    TRT_RETURN_IF_ERROR(ReserveArena(*shapes));
    TRT_RETURN_IF_ERROR(AllocateOutputs(*shapes, options.allocate, &bound));
  }
}

Result<ShapeState*> ExecutionContext::NextPhase(const ShapeState& done,
                                                std::span<const TensorView> outputs) const {
  Continuation& from = *done.continuation;
  const std::vector<size_t>& of_symbol = engine_->phases().of_symbol;
  std::vector<int64_t> values = from.values;
  for (size_t s = 0; s < values.size(); ++s) {
    if (of_symbol[s] != done.phase + 1) continue;
    values[s] = ReadComputed(done, s, outputs);
    TRT_RETURN_IF_ERROR(CheckComputed(*engine_, s, values[s]));
  }
  const std::string key(reinterpret_cast<const char*>(values.data()),
                        values.size() * sizeof(int64_t));
  if (auto* found = from.next.Get(key)) return found->get();
  TRT_ASSIGN_OR_RETURN(auto state, ResolveNext(*engine_, done, std::move(values)));
  return from.next.Put(key, std::move(state))->get();
}

int64_t ExecutionContext::ReadComputed(const ShapeState& done, size_t symbol,
                                       std::span<const TensorView> outputs) const {
  const auto source = static_cast<size_t>(engine_->plan().symbols[symbol].source);
  const ResolvedTensor& tensor = done.continuation->tensors[source];
  const void* data = nullptr;
  if (tensor.root == engine::Location::kOutput) {
    data = outputs[static_cast<size_t>(tensor.root_index)].data;
  } else {
    data = static_cast<const std::byte*>(arenas_[tensor.arena].memory.get()) + tensor.arena_offset;
  }
  return *static_cast<const int64_t*>(data);
}

Status ExecutionContext::AllocateOutputs(const ShapeState& shapes, const OutputAllocator* allocate,
                                         std::vector<TensorView>* outputs) const {
  const engine::Plan& plan = engine_->plan();
  for (size_t i = 0; i < outputs->size(); ++i) {
    const auto tensor = static_cast<size_t>(plan.outputs[i].tensor);
    if (engine_->phases().of_tensor[tensor] != shapes.phase) continue;
    if (allocate == nullptr) {
      return InvalidArgument("[", plan.name, "] the size of output '", plan.outputs[i].name,
                             "' is computed, and nothing says where its memory comes from");
    }
    TRT_ASSIGN_OR_RETURN((*outputs)[i], (*allocate)(i, shapes.output_dims[i]));
  }
  return Status::Ok();
}

Status ExecutionContext::RunOnGpu(std::span<const TensorView> inputs,
                                  std::span<const TensorView> outputs, Profile* profile,
                                  const RunOptions& options) {
  const auto& gpu = engine_->gpu();
  const std::string& name = engine_->plan().name;
  if (gpu == nullptr) return DeviceError("[", name, "] was built for a GPU and has none");
  if (cuda_ == nullptr) {
    TRT_ASSIGN_OR_RETURN(cuda_, CudaRun::Create(gpu));
  }
  const Status begun = cuda_->Begin(options.stream);
  if (!begun.ok()) return Status(begun.code(), StrCat("[", name, "] ", begun.message()));
  ShapeState* shapes = current_;
  if (profile != nullptr && !cuda_->capturing()) {
    PatchOperands(shapes, inputs, outputs);
    TRT_RETURN_IF_ERROR(ProfileOnGpu(shapes, options.stream, profile));
  } else if (cuda_->capturing() || !options.cuda_graphs) {
    PatchOperands(shapes, inputs, outputs);
    TRT_RETURN_IF_ERROR(RunSteps(shapes, options.stream, nullptr));
  } else {
    if (shapes->graphs == nullptr) shapes->graphs = std::make_unique<GraphCache>(gpu);
    auto submit = [&](std::span<const TensorView> in, std::span<const TensorView> out,
                      void* stream) {
      PatchOperands(shapes, in, out);
      return RunSteps(shapes, stream, nullptr);
    };
    TRT_RETURN_IF_ERROR(
        shapes->graphs->Run(inputs, outputs, arenas_[0].memory.get(), options.stream, submit));
  }
  return cuda_->End(options.stream);
}

// `index`: among the steps of the phase.
Status ExecutionContext::RunStep(ShapeState* shapes, size_t index, void* stream) const {
  const StepState& step = shapes->steps[index];
  const size_t number = engine_->phases().phases[shapes->phase].first + index;
  auto* arena = static_cast<std::byte*>(arenas_[shapes->phase].memory.get());
  const Status status = engine_->kernels()[number]->Run(
      {step.inputs, step.outputs, arena + step.scratch_offset, step.state.get(),
       engine_->gpu().get(), stream, cuda_ != nullptr ? cuda_->data_error() : nullptr});
  if (status.ok()) return status;
  const engine::PlanStep& plan = engine_->plan().steps[number];
  return Status(status.code(),
                StrCat("[", engine_->plan().name, "] layer '", plan.name, "': ", status.message(),
                       plan.source.empty() ? "" : "; from " + plan.source));
}

Status ExecutionContext::RunSteps(ShapeState* shapes, void* stream, Profile* profile) const {
  using Clock = std::chrono::steady_clock;
  const size_t first = engine_->phases().phases[shapes->phase].first;
  if (profile != nullptr) profile->seconds.resize(engine_->plan().steps.size());
  for (size_t s = 0; s < shapes->steps.size(); ++s) {
    const auto start = profile != nullptr ? Clock::now() : Clock::time_point();
    TRT_RETURN_IF_ERROR(RunStep(shapes, s, stream));
    if (profile != nullptr) {
      profile->seconds[first + s] += std::chrono::duration<double>(Clock::now() - start).count();
    }
  }
  return Status::Ok();
}

Status ExecutionContext::ProfileOnGpu(ShapeState* shapes, void* stream, Profile* profile) const {
  const device::cuda::Gpu& gpu = *engine_->gpu();
  profile->seconds.resize(shapes->steps.size());
  std::vector<std::shared_ptr<void>> events;
  for (size_t s = 0; s <= shapes->steps.size(); ++s) {
    TRT_ASSIGN_OR_RETURN(auto event, gpu.NewEvent(true));
    events.push_back(std::move(event));
  }
  TRT_RETURN_IF_ERROR(gpu.RecordEvent(events[0].get(), stream));
  for (size_t s = 0; s < shapes->steps.size(); ++s) {
    TRT_RETURN_IF_ERROR(RunStep(shapes, s, stream));
    TRT_RETURN_IF_ERROR(gpu.RecordEvent(events[s + 1].get(), stream));
  }
  TRT_RETURN_IF_ERROR(gpu.Synchronize(stream));
  for (size_t s = 0; s < shapes->steps.size(); ++s) {
    TRT_ASSIGN_OR_RETURN(const double seconds,
                         gpu.SecondsBetween(events[s].get(), events[s + 1].get()));
    profile->seconds[s] += seconds;
  }
  ++profile->runs;
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::execution
