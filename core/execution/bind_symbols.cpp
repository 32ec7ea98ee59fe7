#include <optional>
#include <set>

#include "core/execution/shape_state.h"

namespace torch_tensorrt::core::execution {
namespace {

std::string DimsText(const TensorView& view) {
  Dims dims(view.dims.begin(), view.dims.begin() + view.rank);
  return ToString(dims);
}

std::string BindingText(const engine::Plan& plan, size_t input) {
  return StrCat("[", plan.name, "] input '", plan.inputs[input].name, "'");
}

const SymDims& DeclaredDims(const engine::Plan& plan, size_t input) {
  return plan.tensors[static_cast<size_t>(plan.inputs[input].tensor)].dims;
}

// Range of a dim over the declared ranges of its symbols: "16", "1 to 33".
std::string RangeText(const engine::Plan& plan, const SymInt& dim) {
  SymbolRanges ranges;
  for (const engine::PlanSymbol& symbol : plan.symbols) {
    ranges[symbol.name] = {symbol.min, symbol.max};
  }
  const SymRange range = dim.Bounds(ranges);
  if (range.min == range.max) return StrCat(range.min);
  return StrCat(range.min, " to ", range.max);
}

// The declared shape in numbers: "[1 to 33, 16]".
std::string DeclaredText(const engine::Plan& plan, size_t input) {
  std::string text;
  for (const SymInt& dim : DeclaredDims(plan, input)) {
    text += (text.empty() ? "[" : ", ") + RangeText(plan, dim);
  }
  return text.empty() ? "[]" : text + "]";
}

// The first input axis that is `symbol` alone, else the first whose size depends on it.
// REQUIRES: there is one, as for every symbol that got a value.
struct Axis {
  size_t input = 0;
  size_t axis = 0;
};
Axis AxisOf(const engine::Plan& plan, const std::string& symbol) {
  std::optional<Axis> found;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const SymDims& dims = DeclaredDims(plan, i);
    for (size_t d = 0; d < dims.size(); ++d) {
      std::set<std::string> names;
      dims[d].CollectSymbols(&names);
      if (names.count(symbol) == 0) continue;
      if (dims[d] == SymInt::Symbol(symbol)) return Axis{i, d};
      if (!found.has_value()) found = Axis{i, d};
    }
  }
  return found.value_or(Axis{});
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

  // Binds the symbol that `dim` is, if it is one and unknown. True when something was bound.
  bool Read(const SymInt& dim, int64_t value) {
    for (size_t i = 0; i < plan_.symbols.size(); ++i) {
      if (values_[i].has_value() || !(dim == SymInt::Symbol(plan_.symbols[i].name))) continue;
      values_[i] = value;
      return true;
    }
    return false;
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
      return InvalidArgument(BindingText(plan, i), " must be ", DataTypeName(tensor.dtype),
                             ", got ", DataTypeName(inputs[i].dtype), " of shape ",
                             DimsText(inputs[i]), "; cast it before the call");
    }
    if (inputs[i].rank != static_cast<int>(tensor.dims.size())) {
      return InvalidArgument(BindingText(plan, i), " must have ", tensor.dims.size(),
                             tensor.dims.size() == 1 ? " axis" : " axes", " of sizes ",
                             DeclaredText(plan, i), ", got shape ", DimsText(inputs[i]));
    }
  }
  return Status::Ok();
}

// The error of a symbol outside its declared range, in terms of the input it was read from.
Status RangeError(const engine::Plan& plan, std::span<const TensorView> inputs,
                  const engine::PlanSymbol& symbol, int64_t value) {
  const Axis at = AxisOf(plan, symbol.name);
  const SymInt& dim = DeclaredDims(plan, at.input)[at.axis];
  const bool alone = dim == SymInt::Symbol(symbol.name);
  return OutOfRange(
      BindingText(plan, at.input), " has size ", inputs[at.input].dims[at.axis], " on axis ",
      at.axis, alone ? "" : StrCat(", so that ", symbol.name, " of ", dim, " is ", value),
      ", outside the range [", symbol.min, ", ", symbol.max, "] it was compiled for (shape ",
      DimsText(inputs[at.input]), ", compiled for ", DeclaredText(plan, at.input),
      "); compile again with a wider min_shape/max_shape");
}

Status CheckDims(const engine::Plan& plan, std::span<const TensorView> inputs,
                 const SymbolLookup& lookup) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const SymDims& dims = DeclaredDims(plan, i);
    for (size_t d = 0; d < dims.size(); ++d) {
      TRT_ASSIGN_OR_RETURN(const int64_t expected, dims[d].Evaluate(lookup));
      if (expected == inputs[i].dims[d]) continue;
      if (dims[d].is_constant()) {
        return InvalidArgument(BindingText(plan, i), " has shape ", DimsText(inputs[i]),
                               " but axis ", d, " must be ", expected,
                               "; declare the axis dynamic with Input(min_shape=, opt_shape=, "
                               "max_shape=) or pass the declared size");
      }
      std::set<std::string> names;
      dims[d].CollectSymbols(&names);
      const Axis same = AxisOf(plan, *names.begin());
      const bool plain = dims[d] == DeclaredDims(plan, same.input)[same.axis];
      return InvalidArgument(BindingText(plan, i), " has shape ", DimsText(inputs[i]), " but axis ",
                             d, " must be ", expected,
                             plain ? StrCat(", the size of axis ", same.axis, " of '",
                                            plan.inputs[same.input].name, "'")
                                   : StrCat(" = ", dims[d]),
                             "; pass inputs whose sizes agree as those did that were compiled for");
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::vector<int64_t>> BindSymbols(const engine::Plan& plan,
                                         std::span<const TensorView> inputs) {
  TRT_RETURN_IF_ERROR(CheckTypes(plan, inputs));
  Binder binder(plan);
  auto for_all_dims = [&](auto bind) {
    bool progress = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const SymDims& dims = DeclaredDims(plan, i);
      for (size_t d = 0; d < dims.size(); ++d) {
        if (!dims[d].is_constant()) progress = bind(dims[d], inputs[i].dims[d]) || progress;
      }
    }
    return progress;
  };
  // An axis that is a symbol comes before expressions: not all of these have one solution
  // (s - s/2), and a guess would stand in the way of what a later input says.
  for_all_dims([&](const SymInt& dim, int64_t size) { return binder.Read(dim, size); });
  while (for_all_dims([&](const SymInt& dim, int64_t size) { return binder.Solve(dim, size); })) {
  }
  std::vector<int64_t> values;
  for (size_t s = 0; s < plan.symbols.size(); ++s) {
    const engine::PlanSymbol& symbol = plan.symbols[s];
    if (symbol.source >= 0) {
      values.push_back(0);
      continue;
    }
    const auto& value = binder.values()[s];
    if (!value.has_value()) {
      return InvalidArgument("[", plan.name, "] no input dim determines symbol ", symbol.name);
    }
    if (*value < symbol.min || *value > symbol.max) {
      return RangeError(plan, inputs, symbol, *value);
    }
    values.push_back(*value);
  }
  TRT_RETURN_IF_ERROR(CheckDims(plan, inputs, binder.Lookup()));
  return values;
}

Status CheckComputed(const engine::Engine& engine, size_t symbol, int64_t value) {
  const engine::Plan& plan = engine.plan();
  const engine::PlanSymbol& size = plan.symbols[symbol];
  if (value >= size.min && value <= size.max) return Status::Ok();
  const int32_t maker = engine.first_def()[static_cast<size_t>(size.source)];
  const engine::PlanStep& step = plan.steps[static_cast<size_t>(maker)];
  return OutOfRange("[", plan.name, "] layer '", step.name, "' computes a size of ", value,
                    ", outside the range [", size.min, ", ", size.max,
                    "] that the program states for it",
                    step.source.empty() ? "" : "; from " + step.source);
}

}  // namespace torch_tensorrt::core::execution
