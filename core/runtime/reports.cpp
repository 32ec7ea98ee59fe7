#include "core/runtime/torch_engine.h"

namespace torch_tensorrt::core::runtime {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string Bindings(const engine::Plan& plan, const std::vector<engine::Binding>& bindings) {
  std::string out = "[";
  for (size_t i = 0; i < bindings.size(); ++i) {
    const auto& tensor = plan.tensors[static_cast<size_t>(bindings[i].tensor)];
    out += StrCat(i == 0 ? "" : ", ", "{\"name\": ", Quoted(bindings[i].name), ", \"dtype\": \"",
                  DataTypeName(tensor.dtype), "\", \"dims\": [");
    for (size_t d = 0; d < tensor.dims.size(); ++d) {
      out += (d == 0 ? "" : ", ") + Quoted(tensor.dims[d].ToString());
    }
    out += "]}";
  }
  return out + "]";
}

}  // namespace

std::string TorchEngine::IoSpecJson() const {
  std::string symbols = "[";
  for (size_t i = 0; i < plan().symbols.size(); ++i) {
    const engine::PlanSymbol& s = plan().symbols[i];
    symbols += StrCat(i == 0 ? "" : ", ", "{\"name\": ", Quoted(s.name), ", \"min\": ", s.min,
                      ", \"opt\": ", s.opt, ", \"max\": ", s.max,
                      ", \"computed\": ", s.source >= 0 ? "true" : "false", "}");
  }
  return StrCat("{\"name\": ", Quoted(plan().name), ", \"target\": \"", TargetName(plan().target),
                "\", \"symbols\": ", symbols, "], \"inputs\": ", Bindings(plan(), plan().inputs),
                ", \"outputs\": ", Bindings(plan(), plan().outputs), "}");
}

std::string TorchEngine::StatsJson() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return StrCat("{\"arena_bytes\": ", last_memory_.arena_bytes,
                ", \"arena_lower_bound\": ", last_memory_.lower_bound,
                ", \"constant_bytes\": ", plan().constant_bytes(), ", \"contexts\": ", contexts_,
                ", \"steps\": ", plan().steps.size(),
                ", \"graphs_recorded\": ", last_graphs_.recorded,
                ", \"graph_launches\": ", last_graphs_.launched,
                ", \"direct_runs\": ", last_graphs_.direct, "}");
}

std::string TorchEngine::ProfileJson() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string out = "[";
  for (size_t i = 0; i < profile_.seconds.size(); ++i) {
    const engine::PlanStep& step = plan().steps[i];
    out += StrCat(i == 0 ? "" : ", ", "{\"name\": ", Quoted(step.name),
                  ", \"kernel\": ", Quoted(step.kernel), ", \"calls\": ", profile_.runs,
                  ", \"microseconds\": ", profile_.seconds[i] * 1e6, "}");
  }
  return out + "]";
}

}  // namespace torch_tensorrt::core::runtime
