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

struct Resolved {
  TensorView view;  // data set for constants only
  Location root = Location::kArena;
  int32_t root_index = -1;  // binding or constant of the storage; arena: the tensor itself
  size_t byte_offset = 0;   // of the view's first element in its storage
  size_t bytes = 0;         // storage of a non-view
};

class Resolver {
 public:
  explicit Resolver(const engine::Engine& engine) : engine_(engine), plan_(engine.plan()) {}

  Result<std::unique_ptr<ShapeState>> Run(std::span<const TensorView> inputs) {
    TRT_ASSIGN_OR_RETURN(values_, BindSymbols(plan_, inputs));
    TRT_RETURN_IF_ERROR(ResolveTensors());
    auto state = std::make_unique<ShapeState>();
    TRT_RETURN_IF_ERROR(PrepareSteps(state.get()));
    TRT_RETURN_IF_ERROR(PlaceMemory(state.get()));
    for (const engine::Binding& output : plan_.outputs) {
      const TensorView& view = tensors_[static_cast<size_t>(output.tensor)].view;
      state->output_dims.emplace_back(view.dims.begin(), view.dims.begin() + view.rank);
    }
    return state;
  }

 private:
  SymbolLookup Lookup() const {
    return [this](std::string_view name) -> std::optional<int64_t> {
      for (size_t i = 0; i < plan_.symbols.size(); ++i) {
        if (plan_.symbols[i].name == name) return values_[i];
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

  Status ResolveTensors() {
    tensors_.resize(plan_.tensors.size());
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      const PlanTensor& tensor = plan_.tensors[i];
      if (tensor.location == Location::kView) continue;
      TRT_ASSIGN_OR_RETURN(const Dims dims, EvaluateDims(tensor));
      Resolved& out = tensors_[i];
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
      if (plan_.tensors[i].location == Location::kView) TRT_RETURN_IF_ERROR(ResolveView(i));
    }
    return Status::Ok();
  }

  Status ResolveView(size_t i) {
    const PlanTensor& tensor = plan_.tensors[i];
    const Resolved& base = tensors_[static_cast<size_t>(tensor.index)];
    TRT_ASSIGN_OR_RETURN(const Dims dims, EvaluateDims(tensor));
    TRT_ASSIGN_OR_RETURN(const int64_t offset, tensor.offset.Evaluate(Lookup()));
    Resolved& out = tensors_[i];
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
    size_t count = 0;
    for (const auto& step : plan_.steps) count += step.inputs.size() + step.outputs.size();
    state->operands.reserve(count);  // spans below point into it
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
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

  Status PlaceMemory(ShapeState* state) {
    std::vector<engine::Block> blocks;
    std::vector<size_t> block_of(plan_.tensors.size(), SIZE_MAX);
    for (size_t i = 0; i < plan_.tensors.size(); ++i) {
      if (plan_.tensors[i].location != Location::kArena || engine_.first_def()[i] < 0) continue;
      block_of[i] = blocks.size();
      blocks.push_back({tensors_[i].bytes, engine_.first_def()[i], engine_.last_use()[i]});
    }
    const size_t first_scratch = blocks.size();
    for (size_t s = 0; s < scratch_.size(); ++s) {
      blocks.push_back({scratch_[s], static_cast<int32_t>(s), static_cast<int32_t>(s)});
    }
    TRT_ASSIGN_OR_RETURN(const engine::Placement placement, engine::PlaceBlocks(blocks));
    state->arena_bytes = placement.arena_bytes;
    state->lower_bound = placement.lower_bound;
    for (size_t s = 0; s < scratch_.size(); ++s) {
      state->steps[s].scratch_offset = placement.offsets[first_scratch + s];
    }
    for (size_t o = 0; o < operand_tensors_.size(); ++o) {
      const Resolved& tensor = tensors_[operand_tensors_[o]];
      if (tensor.root == Location::kConstant) continue;
      Patch patch{o, tensor.root, tensor.root_index, tensor.byte_offset};
      if (tensor.root == Location::kArena) {
        patch.byte_offset += placement.offsets[block_of[static_cast<size_t>(tensor.root_index)]];
        state->arena_patches.push_back(patch);
      } else {
        state->binding_patches.push_back(patch);
      }
    }
    return Status::Ok();
  }

  const engine::Engine& engine_;
  const Plan& plan_;
  std::vector<int64_t> values_;
  std::vector<Resolved> tensors_;
  std::vector<size_t> operand_tensors_;
  std::vector<size_t> scratch_;
};

}  // namespace

Result<std::unique_ptr<ShapeState>> ResolveShapes(const engine::Engine& engine,
                                                  std::span<const TensorView> inputs) {
  return Resolver(engine).Run(inputs);
}

}  // namespace torch_tensorrt::core::execution
