#include "core/engine/phases.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace torch_tensorrt::core::engine {
namespace {

void Collect(const SymDims& dims, std::set<std::string>* names) {
  for (const SymInt& dim : dims) dim.CollectSymbols(names);
}

class Finder {
 public:
  explicit Finder(const Plan& plan) : plan_(plan) {
    for (size_t i = 0; i < plan.symbols.size(); ++i) {
      const PlanSymbol& symbol = plan.symbols[i];
      if (symbol.source < 0) continue;
      computed_[symbol.name] = i;
      sources_[symbol.source].push_back(i);
    }
  }

  Result<Phases> Run() {
    out_.of_symbol.assign(plan_.symbols.size(), 0);
    for (const auto& [name, i] : computed_) out_.of_symbol[i] = kUnknown;
    FindTensorSymbols();
    for (const Binding& input : plan_.inputs) {
      if (PhaseOf(tensors_[At(input.tensor)]) == 0) continue;
      return DataLoss("[plan] input '", input.name, "' has a size that a step computes");
    }
    Phase phase;
    for (; phase.end < plan_.steps.size(); ++phase.end) {
      const size_t needed = PhaseOfStep(plan_.steps[phase.end]);
      if (needed == kUnknown) {
        return DataLoss("[plan] step ", phase.end, " '", plan_.steps[phase.end].name,
                        "' needs a size before it is computed");
      }
      if (needed > out_.phases.size()) {
        out_.phases.push_back(phase);
        phase.first = phase.end;
      }
      for (const int32_t output : plan_.steps[phase.end].outputs) Write(output);
    }
    out_.phases.push_back(phase);
    for (const std::set<size_t>& symbols : tensors_) {
      out_.of_tensor.push_back(std::min(PhaseOf(symbols), out_.phases.size()));
    }
    return std::move(out_);
  }

 private:
  static constexpr size_t kUnknown = SIZE_MAX;

  static size_t At(int32_t index) { return static_cast<size_t>(index); }

  std::set<size_t> ComputedAmong(const std::set<std::string>& names) const {
    std::set<size_t> out;
    for (const std::string& name : names) {
      const auto it = computed_.find(name);
      if (it != computed_.end()) out.insert(it->second);
    }
    return out;
  }

  // For each tensor the computed symbols that say what it is; a view's base counts.
  void FindTensorSymbols() {
    for (const PlanTensor& tensor : plan_.tensors) {
      std::set<std::string> names;
      Collect(tensor.dims, &names);
      if (tensor.location == Location::kView) {
        Collect(tensor.strides, &names);
        tensor.offset.CollectSymbols(&names);
        Collect(plan_.tensors[At(tensor.index)].dims, &names);
      }
      tensors_.push_back(ComputedAmong(names));
    }
  }

  size_t PhaseOf(const std::set<size_t>& symbols) const {
    size_t phase = 0;
    for (const size_t symbol : symbols) phase = std::max(phase, out_.of_symbol[symbol]);
    return phase;
  }

  size_t PhaseOfStep(const PlanStep& step) const {
    std::set<std::string> names;
    step.attributes.CollectSymbols(&names);
    size_t phase = PhaseOf(ComputedAmong(names));
    for (const int32_t t : step.inputs) phase = std::max(phase, PhaseOf(tensors_[At(t)]));
    for (const int32_t t : step.outputs) phase = std::max(phase, PhaseOf(tensors_[At(t)]));
    return phase;
  }

  void Write(int32_t tensor) {
    const auto it = sources_.find(tensor);
    if (it == sources_.end()) return;
    for (const size_t symbol : it->second) out_.of_symbol[symbol] = out_.phases.size() + 1;
  }

  const Plan& plan_;
  std::map<std::string, size_t, std::less<>> computed_;  // symbols with a source, by name
  std::map<int32_t, std::vector<size_t>> sources_;       // symbols by their source
  std::vector<std::set<size_t>> tensors_;
  Phases out_;
};

}  // namespace

Result<Phases> FindPhases(const Plan& plan) {
  const bool computes = std::any_of(plan.symbols.begin(), plan.symbols.end(),
                                    [](const PlanSymbol& symbol) { return symbol.source >= 0; });
  if (!computes) return Phases{{{0, plan.steps.size()}}, {}, {}};
  return Finder(plan).Run();
}

}  // namespace torch_tensorrt::core::engine
