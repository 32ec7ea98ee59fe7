#include <optional>
#include <set>

#include "core/execution/shape_state.h"

namespace torch_tensorrt::core::execution {
namespace {

std::string DimsText(const TensorView& view) {
  Dims dims(view.dims.begin(), view.dims.begin() + view.rank);
  return ToString(dims);
}

class Binder {
 public:
  explicit Binder(const engine::Plan& plan) : plan_(plan), values_(plan.symbols.size()) {}

  SymbolLookup Lookup() const {
    return [this](std::string_view name) -> std::optional<int64_t> {
      for (size_t i = 0; i < plan_.symbols.size(); ++i) {
        if (plan_.symbols[i].name == name) return values_[i];
      }
      return std::nullopt;
    };
  }

  // Binds the only unknown symbol of `dim` so that it equals `value`. True when something was
  // bound.
  bool Solve(const SymInt& dim, int64_t value) {
    std::set<std::string> names;
    dim.CollectSymbols(&names);
    std::optional<size_t> unknown;
    for (size_t i = 0; i < plan_.symbols.size(); ++i) {
      if (values_[i].has_value() || names.count(plan_.symbols[i].name) == 0) continue;
      if (unknown.has_value()) return false;
      unknown = i;
    }
    if (!unknown.has_value()) return false;
    // A linear dim a*s+b is solved from two evaluations; the later check of all dims catches
    // anything else.
    auto at = [&](int64_t s) {
      values_[*unknown] = s;
      auto result = dim.Evaluate(Lookup());
      values_[*unknown].reset();
      return result;
    };
    auto zero = at(0);
    auto one = at(1);
    if (!zero.ok() || !one.ok() || *one == *zero) return false;
    int64_t slope = 0;
    int64_t rise = 0;
    const bool overflows = __builtin_sub_overflow(*one, *zero, &slope) ||
                           __builtin_sub_overflow(value, *zero, &rise) ||
                           (slope == -1 && rise == INT64_MIN);
    if (overflows) return false;
    values_[*unknown] = rise / slope;
    return true;
  }

  const std::vector<std::optional<int64_t>>& values() const { return values_; }

 private:
  const engine::Plan& plan_;
  std::vector<std::optional<int64_t>> values_;
};

Status CheckTypes(const engine::Plan& plan, std::span<const TensorView> inputs) {
  if (inputs.size() != plan.inputs.size()) {
    return InvalidArgument("[", plan.name, "] takes ", plan.inputs.size(), " inputs, got ",
                           inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto& tensor = plan.tensors[static_cast<size_t>(plan.inputs[i].tensor)];
    if (inputs[i].dtype != tensor.dtype) {
      return InvalidArgument("[", plan.name, "] input '", plan.inputs[i].name, "' must be ",
                             DataTypeName(tensor.dtype), ", got ", DataTypeName(inputs[i].dtype),
                             " of shape ", DimsText(inputs[i]), "; cast it before the call");
    }
    if (inputs[i].rank != static_cast<int>(tensor.dims.size())) {
      return InvalidArgument("[", plan.name, "] input '", plan.inputs[i].name, "' must have shape ",
                             ToString(tensor.dims), ", got ", DimsText(inputs[i]));
    }
  }
  return Status::Ok();
}

Status CheckDims(const engine::Plan& plan, std::span<const TensorView> inputs,
                 const SymbolLookup& lookup) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto& tensor = plan.tensors[static_cast<size_t>(plan.inputs[i].tensor)];
    for (size_t d = 0; d < tensor.dims.size(); ++d) {
      TRT_ASSIGN_OR_RETURN(const int64_t expected, tensor.dims[d].Evaluate(lookup));
      if (expected == inputs[i].dims[d]) continue;
      return InvalidArgument("[", plan.name, "] input '", plan.inputs[i].name, "' has shape ",
                             DimsText(inputs[i]), " but dim ", d, " must be ", tensor.dims[d],
                             tensor.dims[d].is_constant() ? "" : StrCat(" = ", expected),
                             "; declare the dim dynamic with Input(min_shape=, opt_shape=, "
                             "max_shape=) or pass the declared size");
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::vector<int64_t>> BindSymbols(const engine::Plan& plan,
                                         std::span<const TensorView> inputs) {
  TRT_RETURN_IF_ERROR(CheckTypes(plan, inputs));
  Binder binder(plan);
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto& tensor = plan.tensors[static_cast<size_t>(plan.inputs[i].tensor)];
      for (size_t d = 0; d < tensor.dims.size(); ++d) {
        if (tensor.dims[d].is_constant()) continue;
        progress = binder.Solve(tensor.dims[d], inputs[i].dims[d]) || progress;
      }
    }
  }
  std::vector<int64_t> values;
  for (size_t s = 0; s < plan.symbols.size(); ++s) {
    const engine::PlanSymbol& symbol = plan.symbols[s];
    const auto& value = binder.values()[s];
    if (!value.has_value()) {
      return InvalidArgument("[", plan.name, "] no input dim determines symbol ", symbol.name);
    }
    if (*value < symbol.min || *value > symbol.max) {
      return OutOfRange("[", plan.name, "] dim ", symbol.name, " = ", *value,
                        " is outside the range [", symbol.min, ", ", symbol.max,
                        "] declared at build time; rebuild with a wider min_shape/max_shape");
    }
    values.push_back(*value);
  }
  TRT_RETURN_IF_ERROR(CheckDims(plan, inputs, binder.Lookup()));
  return values;
}

}  // namespace torch_tensorrt::core::execution
