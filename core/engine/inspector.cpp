#include <cstdio>

#include "core/engine/engine.h"

namespace torch_tensorrt::core::engine {
namespace {

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof(buffer), "\\u%04x", static_cast<unsigned>(c));
      out += buffer;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string TensorJson(const Plan& plan, int32_t t) {
  const PlanTensor& tensor = plan.tensors[static_cast<size_t>(t)];
  std::string dims = "[";
  for (size_t i = 0; i < tensor.dims.size(); ++i) {
    dims += (i == 0 ? "" : ", ") + JsonString(tensor.dims[i].ToString());
  }
  return StrCat("{\"name\": ", JsonString(tensor.name), ", \"dtype\": \"",
                DataTypeName(tensor.dtype), "\", \"dims\": ", dims, "]}");
}

std::string TensorList(const Plan& plan, const std::vector<int32_t>& ids) {
  std::string out = "[";
  for (size_t i = 0; i < ids.size(); ++i) out += (i == 0 ? "" : ", ") + TensorJson(plan, ids[i]);
  return out + "]";
}

std::string BindingList(const Plan& plan, const std::vector<Binding>& bindings) {
  std::vector<int32_t> ids;
  for (const Binding& binding : bindings) ids.push_back(binding.tensor);
  return TensorList(plan, ids);
}

std::string AttributesJson(const Attributes& attributes) {
  std::string out = "{";
  for (const auto& [name, value] : attributes.map()) {
    out += (out.size() == 1 ? "" : ", ") + JsonString(name) + ": " + JsonString(ToString(value));
  }
  return out + "}";
}

// Symbols whose value a step computes: their name, the step, and the first step that needs it.
std::string ComputedSizes(const Engine& engine) {
  const Plan& plan = engine.plan();
  const Phases& phases = engine.phases();
  std::string out = "[";
  for (size_t i = 0; i < phases.of_symbol.size(); ++i) {
    const PlanSymbol& symbol = plan.symbols[i];
    if (symbol.source < 0) continue;
    const auto maker = static_cast<size_t>(engine.first_def()[static_cast<size_t>(symbol.source)]);
    const size_t phase = phases.of_symbol[i];
    const bool used = phase < phases.phases.size();
    out += StrCat(out.size() == 1 ? "" : ", ", "{\"size\": ", JsonString(symbol.name),
                  ", \"computed_by\": ", JsonString(plan.steps[maker].name), ", \"needed_from\": ",
                  used ? JsonString(plan.steps[phases.phases[phase].first].name) : "null", "}");
  }
  return out + "]";
}

}  // namespace

std::string InspectJson(const Engine& engine) {
  const Plan& plan = engine.plan();
  std::string out = StrCat("{\"name\": ", JsonString(plan.name),
                           ",\n \"inputs\": ", BindingList(plan, plan.inputs),
                           ",\n \"outputs\": ", BindingList(plan, plan.outputs),
                           ",\n \"constant_bytes\": ", plan.constant_bytes(),
                           ",\n \"computed_sizes\": ", ComputedSizes(engine), ",\n \"layers\": [");
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const PlanStep& step = plan.steps[s];
    out += StrCat(s == 0 ? "\n  " : ",\n  ", "{\"name\": ", JsonString(step.name),
                  ", \"kernel\": ", JsonString(step.kernel),
                  ", \"inputs\": ", TensorList(plan, step.inputs),
                  ", \"outputs\": ", TensorList(plan, step.outputs),
                  ", \"attributes\": ", AttributesJson(step.attributes),
                  ", \"source\": ", JsonString(step.source), "}");
  }
  out += "],\n \"metadata\": {";
  for (auto it = plan.metadata.begin(); it != plan.metadata.end(); ++it) {
    out += StrCat(it == plan.metadata.begin() ? "" : ", ", JsonString(it->first), ": ",
                  JsonString(it->second));
  }
  return out + "}}";
}

}  // namespace torch_tensorrt::core::engine
