// Binds core/builder: network -> torch.classes.tensorrt.Engine.
#include "core/builder/builder.h"

#include <pybind11/stl.h>
#include <torch/csrc/jit/python/pybind_utils.h>

#include "core/engine/engine.h"
#include "core/optimizer/optimizer.h"
#include "core/runtime/torch_engine.h"
#include "core/tactics/tactic.h"
#include "py/torch_tensorrt/csrc/bindings.h"

namespace torch_tensorrt::python {
namespace {

namespace py = pybind11;

core::builder::BuilderConfig ConfigFrom(const py::dict& options) {
  core::builder::BuilderConfig config;
  config.name = options["name"].cast<std::string>();
  if (options.contains("target")) {
    config.target = core::ParseTarget(options["target"].cast<std::string>()).value();
  }
  config.optimization_level = options["optimization_level"].cast<int>();
  config.reference_only = options["reference_only"].cast<bool>();
  config.timing_iterations = options["timing_iterations"].cast<int>();
  config.timing_cache_path = options["timing_cache_path"].cast<std::string>();
  for (const py::handle item : options["disabled_passes"]) {
    config.disabled_passes.insert(item.cast<std::string>());
  }
  for (const py::handle item : options["disabled_tactics"]) {
    config.disabled_tactics.insert(item.cast<std::string>());
  }
  if (options.contains("points")) {
    config.points = options["points"].cast<std::vector<std::map<std::string, int64_t>>>();
  }
  if (options.contains("metadata")) {
    for (const auto& item : options["metadata"].cast<py::dict>()) {
      config.metadata[item.first.cast<std::string>()] = item.second.cast<std::string>();
    }
  }
  return config;
}

py::list TunedList(const core::builder::BuildReport& report) {
  py::list out;
  for (const core::builder::TunedStep& step : report.tuned) {
    py::dict one;
    one["layer"] = step.layer;
    one["kernel"] = step.kernel;
    one["choice"] = step.choice;
    one["microseconds"] = step.microseconds;
    one["table_microseconds"] = step.table_microseconds;
    one["cached"] = step.cached;
    out.append(one);
  }
  return out;
}

py::dict ReportDict(const core::builder::BuildReport& report) {
  py::dict out;
  out["optimize_seconds"] = report.optimize_seconds;
  out["lower_seconds"] = report.lower_seconds;
  out["tune_seconds"] = report.tune_seconds;
  out["tuned"] = TunedList(report);
  out["packed_bytes"] = report.packed_bytes;
  out["passes"] = report.passes;
  py::list choices;
  for (const core::builder::TacticChoice& choice : report.choices) {
    py::dict one;
    one["layer"] = choice.layer;
    one["kind"] = choice.kind;
    one["tactic"] = choice.tactic;
    one["refused"] = choice.refused;
    choices.append(one);
  }
  out["choices"] = choices;
  return out;
}

py::tuple Build(core::ir::Network& network, const py::dict& options) {
  const core::builder::BuilderConfig config = ConfigFrom(options);
  core::Result<core::builder::BuildResult> built = core::Status();
  core::Result<std::shared_ptr<const core::engine::Engine>> engine = core::Status();
  {
    const py::gil_scoped_release release;
    built = core::builder::Build(std::move(network), config);
    if (built.ok()) engine = core::engine::Engine::Create(std::move(built->plan));
  }
  if (!built.ok()) core::runtime::ThrowStatus(built.status());
  if (!engine.ok()) core::runtime::ThrowStatus(engine.status());
  auto torch_engine = c10::make_intrusive<core::runtime::TorchEngine>(std::move(engine).value());
  return py::make_tuple(torch::jit::toPyObject(c10::IValue(std::move(torch_engine))),
                        ReportDict(built->report));
}

std::vector<std::string> PassNames() {
  std::vector<std::string> names;
  for (const core::optimizer::PassInfo& pass : core::optimizer::ListPasses()) {
    names.emplace_back(pass.name);
  }
  return names;
}

std::vector<std::string> TacticNames() {
  const auto names = core::tactics::ListTactics();
  return {names.begin(), names.end()};
}

}  // namespace

void BindBuilder(py::module_& module) {
  module.def("pass_names", &PassNames, "Names of the optimiser's passes, in running order.");
  module.def("tactic_names", &TacticNames, "Names of the tactics that a build can do without.");
  module.def("build", &Build, py::arg("network"), py::arg("options"),
             "Builds an engine from a network, which is consumed. Returns (engine, report).");
}

}  // namespace torch_tensorrt::python
