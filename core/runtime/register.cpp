// Registration with torch: the class, the op and its autograd guard.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <torch/library.h>

#include <array>

#include "core/device/cpu/isa.h"
#include "core/runtime/control_flow.h"
#include "core/runtime/torch_engine.h"

namespace torch_tensorrt::core::runtime {
namespace {

std::vector<at::Tensor> ExecuteEngine(std::vector<at::Tensor> inputs, const EnginePtr& engine) {
  return engine->Execute(inputs);
}

// An engine computes in the types it was built for: autocast changes nothing, and needs a kernel to
// say so.
void FallThrough(torch::Library& m) {
  for (const char* name : {"execute_engine", "run_cond", "run_while", "run_scan"}) {
    m.impl(name, torch::CppFunction::makeFallthrough());
  }
}

// A call that would need a derivative must say so instead of returning detached tensors, or failing
// on a tensor without memory.
void RefuseDerivatives(const c10::List<at::Tensor>& inputs, const TorchEngine& engine) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor input = inputs.get(i);
    TORCH_CHECK_NOT_IMPLEMENTED(
        !input._fw_grad(/*level=*/0).defined(), "[", engine.plan().name, "] input ", i,
        " carries a tangent, but engines are for inference and have no forward derivative; "
        "transform the model and compile that: torch.compile(function, backend=\"tensorrt\") takes "
        "functions that call torch.func.jvp");
    TORCH_CHECK_NOT_IMPLEMENTED(
        !c10::GradMode::is_enabled() || !input.requires_grad(), "[", engine.plan().name, "] input ",
        i,
        " requires grad, but engines are for inference and have no backward; call under "
        "torch.no_grad() or pass a detached tensor");
  }
}

// Tensors of an operator that one of its engines reads: their places among the arguments.
struct Read {
  size_t tensors;
  size_t engine;
};
constexpr std::array kExecuteReads = {Read{0, 1}};
constexpr std::array kCondReads = {Read{1, 2}, Read{3, 4}};
constexpr std::array kWhileReads = {Read{0, 4}, Read{1, 3}, Read{2, 4}};
constexpr std::array kScanReads = {Read{0, 3}, Read{1, 3}, Read{2, 3}};

// Below autograd the dispatcher goes on, as it may not be the CPU's or a GPU's turn: tensors under
// functionalisation, fake ones and other subclasses have keys of their own there.
template <const auto& reads>
void Autograd(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
  const auto arguments = torch::jit::last(*stack, op.schema().arguments().size());
  for (const Read& read : reads) {
    const auto engine = arguments[read.engine].toCustomClass<TorchEngine>();
    RefuseDerivatives(arguments[read.tensors].toTensorList(), *engine);
  }
  const at::AutoDispatchBelowAutograd below;
  op.redispatchBoxed(keys & c10::after_autograd_keyset, stack);
}

template <const auto& reads>
torch::CppFunction AutogradKernel() {
  return torch::CppFunction::makeFromBoxedFunction<&Autograd<reads>>();
}

}  // namespace

TORCH_LIBRARY(tensorrt, m) {
  m.class_<TorchEngine>("Engine")
      .def(torch::init([](const at::Tensor& plan) { return TorchEngine::FromTensor(plan); }))
      .def("serialize", [](const EnginePtr& self) { return self->ToTensor(); })
      .def("check_weights", [](const EnginePtr& self) { self->CheckWeights(); })
      // Of the object: FakeTensorMode compares arguments of calls that it has seen.
      .def("__eq__", [](const EnginePtr& self, const EnginePtr& other) { return self == other; })
      .def("name", [](const EnginePtr& self) { return self->plan().name; })
      .def("io_spec", [](const EnginePtr& self) { return self->IoSpecJson(); })
      .def("get_engine_layer_info", [](const EnginePtr& self) { return self->LayerInfoJson(); })
      .def("stats", [](const EnginePtr& self) { return self->StatsJson(); })
      .def("enable_profiling", [](const EnginePtr& self) { self->EnableProfiling(true); })
      .def("disable_profiling", [](const EnginePtr& self) { self->EnableProfiling(false); })
      .def("profile", [](const EnginePtr& self) { return self->ProfileJson(); })
      .def("target",
           [](const EnginePtr& self) { return std::string(TargetName(self->plan().target)); })
      .def("prepare_on", [](const EnginePtr& self,
                            int64_t ordinal) { self->PrepareOn(static_cast<int>(ordinal)); })
      .def("compile_for",
           [](const EnginePtr& self, const std::string& arch) { return self->CompileFor(arch); })
      .def("cuda_graphs", [](const EnginePtr& self) { return self->cuda_graphs(); })
      .def("set_cuda_graphs", [](const EnginePtr& self, bool on) { self->SetCudaGraphs(on); })
      .def("metadata",
           [](const EnginePtr& self, const std::string& key) {
             const auto& metadata = self->plan().metadata;
             auto it = metadata.find(key);
             return it == metadata.end() ? std::string() : it->second;
           })
      .def("__obj_flatten__",
           [](const EnginePtr& self) {
             return std::tuple<std::tuple<std::string, std::string>>(
                 std::tuple<std::string, std::string>("io_spec", self->IoSpecJson()));
           })
      .def_pickle([](const EnginePtr& self) { return self->ToTensor(); },
                  [](const at::Tensor& plan) { return TorchEngine::FromTensor(plan); });
  m.def("set_cudagraphs_mode(bool mode) -> ()", [](bool mode) { SetCudaGraphsMode(mode); });
  m.def("get_cudagraphs_mode() -> bool", [] { return CudaGraphsMode(); });
  // Why TORCHTRT_FORCE_ISA is not followed; empty when it is, or is not set.
  m.def("forced_isa_problem() -> str", [] { return std::string(CheckForcedIsa().message()); });
  m.def(
      "execute_engine(Tensor[] input_tensors, __torch__.torch.classes.tensorrt.Engine engine) -> "
      "Tensor[]");
  m.def(
      "run_cond(Tensor predicate, Tensor[] then_inputs, "
      "__torch__.torch.classes.tensorrt.Engine then_engine, Tensor[] else_inputs, "
      "__torch__.torch.classes.tensorrt.Engine else_engine) -> Tensor[]");
  m.def(
      "run_while(Tensor[] carried, Tensor[] condition_constants, Tensor[] body_constants, "
      "__torch__.torch.classes.tensorrt.Engine condition, "
      "__torch__.torch.classes.tensorrt.Engine body) -> Tensor[]");
  m.def(
      "run_scan(Tensor[] carried, Tensor[] xs, Tensor[] constants, "
      "__torch__.torch.classes.tensorrt.Engine body) -> Tensor[]");
}

TORCH_LIBRARY_IMPL(tensorrt, CompositeExplicitAutograd, m) {
  m.impl("execute_engine", ExecuteEngine);
  m.impl("run_cond", RunCond);
  m.impl("run_while", RunWhile);
  m.impl("run_scan", RunScan);
}

TORCH_LIBRARY_IMPL(tensorrt, Autograd, m) {
  m.impl("execute_engine", AutogradKernel<kExecuteReads>());
  m.impl("run_cond", AutogradKernel<kCondReads>());
  m.impl("run_while", AutogradKernel<kWhileReads>());
  m.impl("run_scan", AutogradKernel<kScanReads>());
}

TORCH_LIBRARY_IMPL(tensorrt, AutocastCPU, m) { FallThrough(m); }

TORCH_LIBRARY_IMPL(tensorrt, AutocastCUDA, m) { FallThrough(m); }

}  // namespace torch_tensorrt::core::runtime
