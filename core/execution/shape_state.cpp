#include "core/execution/shape_state.h"

#include <algorithm>

#include "core/engine/memory_planner.h"
#include "core/kernels/check_step.h"
#include "core/types/limits.h"
#include "core/util/checked.h"

namespace torch_tensorrt::core::execution {
namespace {

using engine::Location;
using engine::Plan;
using engine::PlanTensor;

class Resolver {
 public:
  Resolver(const engine::Engine& engine, size_t phase)
      : engine_(engine), plan_(engine.plan()), phases_(engine.phases()), phase_(phase) {}

  Result<std::unique_ptr<ShapeState>> Run(std::vector<int64_t> values,
                                          std::vector<ResolvedTensor> known, size_t capacity) {
    values_ = std::move(values);
    tensors_ = std::move(known);
    TRT_RETURN_IF_ERROR(ResolveTensors());
    auto state = std::make_unique<ShapeState>();
    state->phase = phase_;
    TRT_RETURN_IF_ERROR(PrepareSteps(state.get()));
    TRT_RETURN_IF_ERROR(PlaceMemory(state.get()));
    for (const engine::Binding& output : plan_.outputs) {
      const auto t = static_cast<size_t>(output.tensor);
      state->output_dims.emplace_back();
      if (!phases_.IsKnown(t, phase_)) continue;
      const TensorView& view = tensors_[t].view;
      state->output_dims.back().assign(view.dims.begin(), view.dims.begin() + view.rank);
    }
    if (phase_ + 1 < phases_.phases.size()) {
      state->continuation.reset(
          new Continuation{std::move(values_), std::move(tensors_),
                           LruCache<std::string, std::unique_ptr<ShapeState>>(capacity)});
    }
    return state;
  }

 private:
  SymbolLookup Lookup() const {
    return [this](std::string_view name) -> std::optional<int64_t> {
      for (size_t i = 0; i < plan_.symbols.size(); ++i) {
        if (plan_.symbols[i].name != name) continue;
        const bool known = phases_.single() || phases_.of_symbol[i] <= phase_;
        return known ? std::optional<int64_t>(values_[i]) : std::nullopt;
      }
      return std::nullopt;
    };
  }

  Result<Dims> EvaluateDims(const PlanTensor& tensor) const {
    Dims dims;
    int64_t numel = 1;
    for (const SymInt& dim : tensor.dims) {
      TRT_ASSIGN_OR_RETURN(const int64_t value, dim.Evaluate(Lookup()));
      const auto product = CheckedMul(numel, std::max<int64_t>(value, 1));
      if (value < 0 || !product || *product > kMaxElements) {
        return InvalidArgument("[", plan_.name, "] tensor '", tensor.name, "' of dims ",
                               ToString(tensor.dims), " has no valid size for these inputs");
      }
      numel = *product;
      dims.push_back(value);
    }
    return dims;
  }

  // Whether the tensor's sizes are new in this phase.
  bool IsNew(size_t tensor) const {
    return phases_.single() || phases_.of_tensor[tensor] == phase_;
  }

  Status ResolveTensors() {
    tensors_.resize(plan_.tensors.size());
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      const PlanTensor& tensor = plan_.tensors[i];
      if (tensor.location == Location::kView || !IsNew(i)) continue;
      TRT_ASSIGN_OR_RETURN(const Dims dims, EvaluateDims(tensor));
      ResolvedTensor& out = tensors_[i];
      out.view = MakeView(nullptr, tensor.dtype, dims);
      out.root = tensor.location;
      out.root_index = tensor.location == Location::kArena ? static_cast<int32_t>(i) : tensor.index;
      out.bytes = static_cast<size_t>(NumElements(dims)) * SizeOf(tensor.dtype);
      if (tensor.location == Location::kConstant) {
        const void* data = engine_.constant_data(static_cast<size_t>(tensor.index));
        out.view.data = const_cast<void*>(data);  // kernels only read inputs
      }
    }
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      if (plan_.tensors[i].location == Location::kView && IsNew(i)) {
        TRT_RETURN_IF_ERROR(ResolveView(i));
      }
    }
    return Status::Ok();
  }

  Status ResolveView(size_t i) {
    const PlanTensor& tensor = plan_.tensors[i];
    const ResolvedTensor& base = tensors_[static_cast<size_t>(tensor.index)];
    TRT_ASSIGN_OR_RETURN(const Dims dims, EvaluateDims(tensor));
    TRT_ASSIGN_OR_RETURN(const int64_t offset, tensor.offset.Evaluate(Lookup()));
    ResolvedTensor& out = tensors_[i];
    out = base;
    out.view = MakeView(nullptr, tensor.dtype, dims);
    int64_t lowest = offset;
    int64_t highest = offset;
    bool empty = false;
    for (size_t d = 0; d < dims.size(); ++d) {
      TRT_ASSIGN_OR_RETURN(out.view.strides[d], tensor.strides[d].Evaluate(Lookup()));
      if (dims[d] == 0) empty = true;
      const auto reach = CheckedMul(out.view.strides[d], std::max<int64_t>(dims[d] - 1, 0));
      const auto sum = reach ? CheckedAdd(*reach < 0 ? lowest : highest, *reach) : std::nullopt;
      if (!sum) return DataLoss("[plan] view '", tensor.name, "' overflows");
      (*reach < 0 ? lowest : highest) = *sum;
    }
    const auto numel = static_cast<int64_t>(base.bytes / SizeOf(tensor.dtype));
    if (empty) {
      out.byte_offset = 0;
    } else if (lowest < 0 || highest >= numel) {
      return DataLoss("[plan] view '", tensor.name, "' of shape ", ToString(dims),
                      " reads outside its tensor '",
                      plan_.tensors[static_cast<size_t>(tensor.index)].name, "' of ", numel,
                      " elements");
    } else {
      out.byte_offset = static_cast<size_t>(offset) * SizeOf(tensor.dtype);
    }
    if (base.view.data != nullptr) {
      out.view.data = static_cast<std::byte*>(base.view.data) + out.byte_offset;
    }
    return Status::Ok();
  }

  Status PrepareSteps(ShapeState* state) {
    const engine::Phase& phase = phases_.phases[phase_];
    size_t count = 0;
    for (size_t s = phase.first; s < phase.end; ++s) {
      count += plan_.steps[s].inputs.size() + plan_.steps[s].outputs.size();
    }
    state->operands.reserve(count);  // spans below point into it
    for (size_t s = phase.first; s < phase.end; ++s) {
      const engine::PlanStep& step = plan_.steps[s];
      StepState out;
      out.inputs = AddOperands(step.inputs, state);
      out.outputs = AddOperands(step.outputs, state);
      TRT_ASSIGN_OR_RETURN(const Attributes attributes, step.attributes.Resolve(Lookup()));
      const kernels::PrepareArgs args{attributes, out.inputs, out.outputs, engine_.gpu().get()};
      const Status fits = kernels::CheckStep(*engine_.entries()[s], args);
      auto prepared = fits.ok() ? engine_.kernels()[s]->Prepare(args) : fits;
      if (!prepared.ok()) {
        return Status(prepared.status().code(),
                      StrCat("[", plan_.name, "] layer '", step.name, "' (", step.kernel,
                             "): ", prepared.status().message(),
                             step.source.empty() ? "" : "; from " + step.source));
      }
      out.state = std::move(prepared.value().state);
      scratch_.push_back(prepared.value().scratch_bytes);
      state->steps.push_back(std::move(out));
    }
    return Status::Ok();
  }

  std::span<const TensorView> AddOperands(const std::vector<int32_t>& ids, ShapeState* state) {
    const size_t first = state->operands.size();
    for (int32_t t : ids) {
      operand_tensors_.push_back(static_cast<size_t>(t));
      state->operands.push_back(tensors_[static_cast<size_t>(t)].view);
    }
    return std::span<const TensorView>(state->operands.data() + first, ids.size());
  }

  // Places the tensors that this phase writes. Those that later phases read stay to its end, and
  // the arena as it is then.
  Status PlaceMemory(ShapeState* state) {
    const engine::Phase& phase = phases_.phases[phase_];
    const auto first = static_cast<int32_t>(phase.first);
    const auto last = static_cast<int32_t>(phase.end) - 1;
    std::vector<engine::Block> blocks;
    std::vector<size_t> placed;
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      const int32_t def = engine_.first_def()[i];
      if (plan_.tensors[i].location != Location::kArena || def < first || def > last) continue;
      placed.push_back(i);
      blocks.push_back({tensors_[i].bytes, def, std::min(engine_.last_use()[i], last)});
    }
    for (size_t s = 0; s < scratch_.size(); ++s) {
      const auto step = first + static_cast<int32_t>(s);
      blocks.push_back({scratch_[s], step, step});
    }
    TRT_ASSIGN_OR_RETURN(const engine::Placement placement, engine::PlaceBlocks(blocks));
    state->arena_bytes = placement.arena_bytes;
    state->lower_bound = placement.lower_bound;
    for (size_t b = 0; b < placed.size(); ++b) {
      tensors_[placed[b]].arena = phase_;
      tensors_[placed[b]].arena_offset = placement.offsets[b];
    }
    for (size_t s = 0; s < scratch_.size(); ++s) {
      state->steps[s].scratch_offset = placement.offsets[placed.size() + s];
    }
    for (size_t o = 0; o < operand_tensors_.size(); ++o) AddPatch(o, state);
    return Status::Ok();
  }

  void AddPatch(size_t operand, ShapeState* state) {
    const ResolvedTensor& tensor = tensors_[operand_tensors_[operand]];
    if (tensor.root == Location::kConstant) return;
    const auto root = static_cast<size_t>(tensor.root_index);
    if (tensor.root == Location::kArena) {
      const ResolvedTensor& storage = tensors_[root];
      state->arena_patches.push_back(
          {operand, Location::kArena, storage.arena, storage.arena_offset + tensor.byte_offset});
    } else {
      state->binding_patches.push_back({operand, tensor.root, root, tensor.byte_offset});
    }
  }

  const engine::Engine& engine_;
  const Plan& plan_;
  const engine::Phases& phases_;
  const size_t phase_;
  std::vector<int64_t> values_;
  std::vector<ResolvedTensor> tensors_;
  std::vector<size_t> operand_tensors_;
  std::vector<size_t> scratch_;
};

}  // namespace

Result<std::unique_ptr<ShapeState>> ResolveShapes(const engine::Engine& engine,
                                                  std::span<const TensorView> inputs,
                                                  size_t capacity) {
  TRT_ASSIGN_OR_RETURN(std::vector<int64_t> values, BindSymbols(engine.plan(), inputs));
  return Resolver(engine, 0).Run(std::move(values), {}, capacity);
}

Result<std::unique_ptr<ShapeState>> ResolveNext(const engine::Engine& engine,
                                                const ShapeState& before,
                                                std::vector<int64_t> values) {
  const Continuation& from = *before.continuation;
  return Resolver(engine, before.phase + 1)
      .Run(std::move(values), from.tensors, from.next.capacity());
}

}  // namespace torch_tensorrt::core::execution
