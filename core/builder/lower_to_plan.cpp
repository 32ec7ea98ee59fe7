#include "core/builder/lower_to_plan.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/kernels/kernel.h"
#include "core/loop/program.h"
#include "core/tactics/tactic.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::builder {
namespace {

using engine::Location;
using engine::Plan;
using engine::PlanTensor;
using ir::LayerKind;
using ir::TensorId;
using tactics::Layout;
using tactics::LayoutNeed;

// A network tensor inside the plan: its plan tensor and how that lies in memory.
struct Placed {
  int32_t tensor = -1;   // plan tensor (a view or storage)
  int32_t storage = -1;  // plan tensor that owns the memory
  Layout layout;
};

class Lowering {
 public:
  Lowering(ir::Network& network, const BuilderConfig& config, BuildReport* report)
      : network_(network), config_(config), report_(report), opt_(network.opt_values()) {}

  Result<Lowered> Run() {
    plan_.name = config_.name;
    plan_.target = config_.target;
    plan_.metadata = config_.metadata;
    for (const ir::Symbol& s : network_.symbols()) {
      plan_.symbols.push_back({s.name, s.min, s.opt, s.max});
    }
    AddBindings();
    TRT_ASSIGN_OR_RETURN(const std::vector<ir::LayerId> order, InPhases());
    for (ir::LayerId id : order) {
      TRT_RETURN_IF_ERROR(LowerLayer(*network_.layer(id)));
      ReleaseWeights(*network_.layer(id));
    }
    TRT_RETURN_IF_ERROR(WriteOutputs());
    NameSources();
    return Lowered{std::move(plan_), std::move(constants_)};
  }

 private:
  int32_t NewTensor(PlanTensor tensor) {
    plan_.tensors.push_back(std::move(tensor));
    return static_cast<int32_t>(plan_.tensors.size()) - 1;
  }

  // The layers in an order in which sizes that layers compute are read before they are needed, and
  // few times: all layers that need no such size come first, and so on.
  Result<std::vector<ir::LayerId>> InPhases() const {
    std::vector<ir::LayerId> order = network_.order();
    const auto sizes = network_.computed_sizes();
    if (sizes.empty()) return order;
    if (config_.target != Target::kCpu) {
      return Unsupported("[builder] layer '", network_.layer(sizes.begin()->second)->name,
                         "' computes a size, for which engines on GPUs do not wait");
    }
    std::map<ir::LayerId, size_t> phases;
    // A layer is met again when a size it needs turns out to be read in a later phase.
    for (bool changed = true; changed;) {
      changed = false;
      for (ir::LayerId id : order) {
        const ir::Layer& layer = *network_.layer(id);
        size_t phase = 0;
        for (TensorId input : layer.inputs) {
          const ir::Layer* producer = network_.producer(input);
          if (producer != nullptr) phase = std::max(phase, phases[producer->id]);
        }
        for (ir::LayerId size : network_.SizesNeededBy(layer, sizes)) {
          phase = std::max(phase, phases[size] + 1);
        }
        if (phase > sizes.size()) {
          return InvalidArgument("[builder] layer '", layer.name,
                                 "' needs a size that it computes");
        }
        changed = changed || phase != phases[id];
        phases[id] = phase;
      }
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](ir::LayerId a, ir::LayerId b) { return phases.at(a) < phases.at(b); });
    return order;
  }

  // Says of the symbols that layers read which tensors have their values.
  void NameSources() {
    for (const auto& [name, id] : network_.computed_sizes()) {
      for (engine::PlanSymbol& symbol : plan_.symbols) {
        if (symbol.name == name) symbol.source = Place(network_.layer(id)->outputs[0]).tensor;
      }
    }
  }

  // Drops weights that `layer` was the last to read: the plan has them, or a recipe that keeps what
  // it needs. Two copies of all of them would double the peak of a build.
  void ReleaseWeights(const ir::Layer& layer) {
    for (TensorId input : layer.inputs) {
      if (network_.weights(input) == nullptr) continue;
      if (++read_[input] < network_.use_count(input)) continue;
      network_.mutable_layer(network_.producer(input)->id)->weights = {};
    }
  }

  void AddBindings() {
    for (TensorId id : network_.inputs()) {
      const ir::Tensor& t = network_.tensor(id);
      const auto binding = static_cast<int32_t>(plan_.inputs.size());
      const int32_t p = NewTensor({t.name, t.dtype, t.dims, Location::kInput, binding, 0, {}});
      plan_.inputs.push_back({t.name, p});
      placed_[id] = {p, p, tactics::ContiguousLayout(t.dims)};
    }
    for (size_t i = 0; i < network_.outputs().size(); ++i) {
      const ir::Tensor& t = network_.tensor(network_.outputs()[i]);
      const std::string& name = network_.output_names()[i];
      const int32_t p =
          NewTensor({name, t.dtype, t.dims, Location::kOutput, static_cast<int32_t>(i), 0, {}});
      plan_.outputs.push_back({name, p});
    }
  }

  // Makes the plan constant of a Constant layer when something first reads it.
  Placed PlaceConstant(const ir::Layer& layer) {
    const ir::Tensor& t = network_.tensor(layer.outputs[0]);
    const int32_t index = constants_.Add(&plan_, *network_.weights(t.id));
    const int32_t p = NewTensor({t.name, t.dtype, t.dims, Location::kConstant, index, 0, {}});
    return placed_[t.id] = {p, p, tactics::ContiguousLayout(t.dims)};
  }

  Placed Place(TensorId id) {
    auto it = placed_.find(id);
    if (it != placed_.end()) return it->second;
    return PlaceConstant(*network_.producer(id));
  }

  std::optional<Layout> ViewOf(const ir::Layer& layer, const Layout& in) const {
    switch (layer.kind) {
      case LayerKind::kReshape:
        return tactics::ReshapeView(in, network_.tensor(layer.outputs[0]).dims);
      case LayerKind::kTranspose:
        return tactics::TransposeView(in, layer.attrs.Ints("perm"));
      case LayerKind::kSlice:
        return tactics::SliceView(in, layer.attrs.Syms("starts"), layer.attrs.Syms("sizes"),
                                  layer.attrs.Ints("steps"));
      case LayerKind::kExpand:
        return tactics::ExpandView(in, network_.tensor(layer.outputs[0]).dims);
      default:  // not a view kind
        return std::nullopt;
    }
  }

  Placed AddView(TensorId id, const Placed& base, Layout layout) {
    const ir::Tensor& t = network_.tensor(id);
    if (tactics::Satisfies(layout, LayoutNeed::kContiguous) && layout.offset.Equals(0) &&
        NumElements(layout.dims) ==
            NumElements(plan_.tensors[static_cast<size_t>(base.storage)].dims)) {
      layout.strides = tactics::ContiguousLayout(layout.dims).strides;
    }
    const int32_t p = NewTensor({t.name, t.dtype, layout.dims, Location::kView, base.storage,
                                 layout.offset, layout.strides});
    return {p, base.storage, std::move(layout)};
  }

  Status LowerLayer(const ir::Layer& layer) {
    if (layer.kind == LayerKind::kConstant) return Status::Ok();
    if (layer.kind == LayerKind::kReshape || layer.kind == LayerKind::kTranspose ||
        layer.kind == LayerKind::kSlice || layer.kind == LayerKind::kExpand) {
      Placed in = Place(layer.inputs[0]);
      auto layout = ViewOf(layer, in.layout);
      if (!layout.has_value()) {
        TRT_ASSIGN_OR_RETURN(in, Contiguous(layer.inputs[0]));
        layout = ViewOf(layer, in.layout);
        // Dims that cannot be matched symbolically: a dense tensor still reshapes by its element
        // order.
        if (!layout.has_value()) {
          layout = tactics::ContiguousLayout(network_.tensor(layer.outputs[0]).dims);
          layout->offset = in.layout.offset;
        }
      }
      placed_[layer.outputs[0]] = AddView(layer.outputs[0], in, std::move(*layout));
      return Status::Ok();
    }
    return LowerStep(layer);
  }

  // A contiguous version of `id`, copied at most once.
  Result<Placed> Contiguous(TensorId id) {
    Placed placed = Place(id);
    if (tactics::Satisfies(placed.layout, LayoutNeed::kContiguous)) return placed;
    auto it = contiguous_.find(id);
    if (it != contiguous_.end()) return it->second;
    const ir::Tensor& t = network_.tensor(id);
    const int32_t p = NewTensor({t.name + ".dense", t.dtype, t.dims, Location::kArena, -1, 0, {}});
    AddCopy(placed.tensor, p, t.name);
    return contiguous_[id] = {p, p, tactics::ContiguousLayout(t.dims)};
  }

  std::string CopyKernel() const {
    if (config_.target == Target::kCpu) return config_.reference_only ? "ref.Copy" : "cpu.copy";
    const bool fast = !config_.reference_only && kernels::FindKernel("cuda.copy") != nullptr;
    return fast ? "cuda.copy" : "cuda.ref.Copy";
  }

  void AddCopy(int32_t from, int32_t to, const std::string& name) {
    plan_.steps.push_back({CopyKernel(), "copy " + name, "", Attributes(), {from}, {to}});
  }

  bool Allowed(const tactics::Tactic& tactic) const {
    return tactics::IsReference(tactic) ||
           (!config_.reference_only &&
            config_.disabled_tactics.count(std::string(tactic.name)) == 0);
  }

  // A view as the step will see it at the optimisation point, without data.
  Result<TensorView> ViewAtOpt(TensorId id, LayoutNeed need) const {
    const ir::Tensor& t = network_.tensor(id);
    auto it = placed_.find(id);
    Layout layout = it == placed_.end() ? tactics::ContiguousLayout(t.dims) : it->second.layout;
    if (!tactics::Satisfies(layout, need)) layout = tactics::ContiguousLayout(t.dims);
    if (layout.dims.size() > static_cast<size_t>(kMaxRank)) {
      return Unsupported("rank ", layout.dims.size(), ", at most ", kMaxRank);
    }
    TensorView view;
    view.dtype = t.dtype;
    view.rank = t.rank();
    for (size_t d = 0; d < layout.dims.size(); ++d) {
      TRT_ASSIGN_OR_RETURN(view.dims[d], layout.dims[d].Evaluate(opt_));
      TRT_ASSIGN_OR_RETURN(view.strides[d], layout.strides[d].Evaluate(opt_));
    }
    return view;
  }

  // Whether the kernel exists and takes the layer at the optimisation point. What a kernel refuses
  // here would otherwise fail on the first call. Kernels with packed weights are taken at their
  // tactic's word.
  Status TryKernel(const ir::Layer& layer, const tactics::StepSpec& spec) const {
    const kernels::KernelEntry* entry = kernels::FindKernel(spec.kernel);
    if (entry == nullptr) return Unsupported("this build has no kernel ", spec.kernel);
    std::vector<TensorView> inputs;
    for (const tactics::Operand& operand : spec.operands) {
      if (operand.layer_input < 0) return Status::Ok();
      TRT_ASSIGN_OR_RETURN(
          const TensorView view,
          ViewAtOpt(layer.inputs[static_cast<size_t>(operand.layer_input)], operand.need));
      inputs.push_back(view);
    }
    std::vector<TensorView> outputs;
    for (TensorId id : layer.outputs) {
      TRT_ASSIGN_OR_RETURN(const TensorView view, ViewAtOpt(id, LayoutNeed::kContiguous));
      outputs.push_back(view);
    }
    TRT_ASSIGN_OR_RETURN(const Attributes attributes, spec.attributes.Resolve(opt_));
    TRT_ASSIGN_OR_RETURN(const auto kernel, entry->create(spec.attributes));
    const auto prepared = kernel->Prepare({attributes, inputs, outputs});
    return prepared.ok() ? Status::Ok() : prepared.status();
  }

  Result<tactics::StepSpec> Choose(const ir::Layer& layer) {
    TacticChoice choice{layer.name, std::string(InfoOf(layer.kind).name), "", {}};
    for (const tactics::Tactic& tactic : tactics::TacticsFor(layer.kind, config_.target)) {
      if (!Allowed(tactic)) continue;
      auto spec = tactic.describe({network_, layer});
      if (spec.ok()) {
        const Status tried = TryKernel(layer, *spec);
        if (!tried.ok()) spec = Unsupported(tried.message());
      }
      if (spec.ok()) {
        choice.tactic = tactic.name;
        report_->choices.push_back(std::move(choice));
        return spec;
      }
      if (spec.status().code() != StatusCode::kUnsupported) return spec.status();
      choice.refused.push_back(StrCat(tactic.name, ": ", spec.status().message()));
    }
    std::string reasons;
    for (const std::string& reason : choice.refused) reasons += "\n  " + reason;
    return Unsupported("[", InfoOf(layer.kind).name, "] layer '", layer.name,
                       "' has no tactic:", reasons);
  }

  Status LowerStep(const ir::Layer& layer) {
    TRT_ASSIGN_OR_RETURN(tactics::StepSpec spec, Choose(layer));
    engine::PlanStep step;
    step.kernel = spec.kernel;
    step.name = layer.name;
    step.source = layer.source;
    step.attributes = std::move(spec.attributes);
    for (tactics::Operand& operand : spec.operands) {
      TRT_ASSIGN_OR_RETURN(const int32_t input, LowerOperand(layer, operand));
      step.inputs.push_back(input);
    }
    for (TensorId id : layer.outputs) step.outputs.push_back(PlaceOutput(id));
    plan_.steps.push_back(std::move(step));
    return Status::Ok();
  }

  Result<int32_t> LowerOperand(const ir::Layer& layer, tactics::Operand& operand) {
    if (operand.layer_input < 0) return PackedConstant(operand);
    const TensorId id = layer.inputs[static_cast<size_t>(operand.layer_input)];
    Placed placed = Place(id);
    if (!tactics::Satisfies(placed.layout, operand.need)) {
      TRT_ASSIGN_OR_RETURN(placed, Contiguous(id));
    }
    return placed.tensor;
  }

  int32_t PackedConstant(const tactics::Operand& operand) {
    auto it = packed_.find(operand.pack_key);
    if (!operand.pack_key.empty() && it != packed_.end()) return it->second;
    const int32_t index = constants_.Add(&plan_, operand.packed);
    const int32_t p = NewTensor({operand.pack_key,
                                 operand.packed.dtype,
                                 ToSymbolic(operand.packed.dims),
                                 Location::kConstant,
                                 index,
                                 0,
                                 {}});
    if (!operand.pack_key.empty()) packed_[operand.pack_key] = p;
    return p;
  }

  // A step writes straight into the first output binding its tensor is marked as; otherwise into
  // the arena.
  int32_t PlaceOutput(TensorId id) {
    const ir::Tensor& t = network_.tensor(id);
    int32_t p = -1;
    for (size_t i = 0; i < network_.outputs().size() && p < 0; ++i) {
      if (network_.outputs()[i] == id) p = plan_.outputs[i].tensor;
    }
    if (p < 0) p = NewTensor({t.name, t.dtype, t.dims, Location::kArena, -1, 0, {}});
    placed_[id] = {p, p, tactics::ContiguousLayout(t.dims)};
    return p;
  }

  // Outputs that no step writes directly: inputs, constants, views, and repeated marks.
  Status WriteOutputs() {
    std::vector<size_t> left;
    for (size_t i = 0; i < network_.outputs().size(); ++i) {
      if (Place(network_.outputs()[i]).tensor != plan_.outputs[i].tensor) left.push_back(i);
    }
    while (!left.empty()) {
      std::vector<size_t> together;
      std::vector<size_t> others;
      for (const size_t i : left) {
        const bool joins = together.empty() || CopiesTogether(together, i);
        (joins ? together : others).push_back(i);
      }
      AddCopies(together);
      left = std::move(others);
    }
    return Status::Ok();
  }

  // Whether output i can be copied by the launch that copies `others`: on a GPU, rows of equal
  // dims. A launch takes longer than a small copy.
  bool CopiesTogether(const std::vector<size_t>& others, size_t i) const {
    constexpr size_t kMost = 12;  // pointers and values that a thread holds
    if (config_.target == Target::kCpu || config_.reference_only || others.size() >= kMost) {
      return false;
    }
    const ir::Tensor& t = network_.tensor(network_.outputs()[i]);
    const ir::Tensor& first = network_.tensor(network_.outputs()[others[0]]);
    return t.dtype == first.dtype && t.rank() > 0 && t.dims == first.dims && HasRows(t.id) &&
           HasRows(first.id);
  }

  bool HasRows(TensorId id) const {
    const auto placed = placed_.find(id);
    return placed != placed_.end() && placed->second.layout.strides.back().Equals(1);
  }

  void AddCopies(const std::vector<size_t>& outputs) {
    const engine::Binding& first = plan_.outputs[outputs[0]];
    if (outputs.size() == 1) {
      AddCopy(Place(network_.outputs()[outputs[0]]).tensor, first.tensor, first.name);
      return;
    }
    const ir::Tensor& t = network_.tensor(network_.outputs()[outputs[0]]);
    engine::PlanStep step;
    step.kernel = "cuda.ref.Fused";
    step.name = StrCat("copy ", first.name, " and ", outputs.size() - 1, " more");
    step.attributes.Set("domain", t.dims)
        .Set("program",
             ProgramText{loop::CopyProgram(t.rank(), t.dtype, outputs.size()).ToString()});
    for (const size_t i : outputs) {
      step.inputs.push_back(Place(network_.outputs()[i]).tensor);
      step.outputs.push_back(plan_.outputs[i].tensor);
    }
    plan_.steps.push_back(std::move(step));
  }

  ir::Network& network_;
  const BuilderConfig& config_;
  BuildReport* report_;
  SymbolLookup opt_;
  std::map<TensorId, int> read_;  // how often lowered layers have read a constant
  Plan plan_;
  PlanConstants constants_;
  std::map<TensorId, Placed> placed_;
  std::map<TensorId, Placed> contiguous_;
  std::map<std::string, int32_t> packed_;
};

}  // namespace

Result<Lowered> LowerToPlan(ir::Network network, const BuilderConfig& config, BuildReport* report) {
  return Lowering(network, config, report).Run();
}

}  // namespace torch_tensorrt::core::builder
