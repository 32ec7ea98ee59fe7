// Binds what the engine cache needs of core: plan files, and what engines of this process depend
// on.
#include <torch/csrc/jit/python/pybind_utils.h>

#include "core/device/cpu/isa.h"
#include "core/engine/engine.h"
#include "core/engine/plan_file.h"
#include "core/runtime/torch_engine.h"
#include "core/util/hash.h"
#include "core/util/parallel.h"
#include "py/torch_tensorrt/csrc/bindings.h"
#include "py/torch_tensorrt/csrc/errors.h"

namespace torch_tensorrt::python {
namespace {

namespace py = pybind11;

py::object LoadEngine(const std::string& path) {
  core::Result<std::shared_ptr<const core::engine::Engine>> engine = core::Status();
  {
    const py::gil_scoped_release release;
    core::Result<core::engine::Plan> plan = core::engine::OpenPlanFile(path);
    engine = plan.ok() ? core::engine::Engine::Create(std::move(plan).value())
                       : decltype(engine)(plan.status());
  }
  auto torch_engine = c10::make_intrusive<core::runtime::TorchEngine>(Unwrap(std::move(engine)));
  return torch::jit::toPyObject(c10::IValue(std::move(torch_engine)));
}

uint64_t HashBytes(const py::buffer& buffer) {
  const py::buffer_info info = buffer.request();
  const auto size = static_cast<size_t>(info.size * info.itemsize);
  const py::gil_scoped_release release;
  return core::ContentHash({static_cast<const std::byte*>(info.ptr), size});
}

}  // namespace

void BindEngineFile(py::module_& module) {
  module.def("load_engine", &LoadEngine, py::arg("path"), "The engine of a plan file.");
  module.def("content_hash", &HashBytes, py::arg("buffer"),
             "64-bit hash of a contiguous buffer; tells contents apart, no protection.");
  module.def(
      "cpu_isa", [] { return std::string(core::IsaName(core::CurrentIsa())); },
      "Instruction set that the CPU kernels of this process use.");
  module.def("max_threads", &core::MaxThreads, "Threads that CPU kernels may use now.");
}

}  // namespace torch_tensorrt::python
