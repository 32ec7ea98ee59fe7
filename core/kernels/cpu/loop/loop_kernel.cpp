// Kernel "cpu.loop": a whole loop program as one engine step.
// Attributes: program (ProgramText), domain (Dims). Inputs and outputs are the program's.
#include "core/kernels/cpu/loop/executor.h"
#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels {
namespace {

class LoopState : public KernelState {
 public:
  explicit LoopState(std::unique_ptr<const LoopPlan> plan) : plan_(std::move(plan)) {}
  const LoopPlan& plan() const { return *plan_; }

 private:
  std::unique_ptr<const LoopPlan> plan_;
};

class LoopKernel : public Kernel {
 public:
  explicit LoopKernel(std::unique_ptr<const CompiledLoop> compiled)
      : compiled_(std::move(compiled)) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_ASSIGN_OR_RETURN(auto plan, PrepareLoop(*compiled_, args.attributes.Ints("domain"),
                                                args.inputs, args.outputs));
    Prepared prepared;
    prepared.scratch_bytes = plan->scratch_bytes();
    prepared.state = std::make_unique<LoopState>(std::move(plan));
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    RunLoop(static_cast<const LoopState*>(args.state)->plan(), args.inputs, args.outputs,
            args.scratch);
    return Status::Ok();
  }

 private:
  std::unique_ptr<const CompiledLoop> compiled_;
};

Result<std::unique_ptr<const Kernel>> CreateLoop(const Attributes& attributes) {
  const ProgramText text = attributes.Get<ProgramText>("program", {});
  TRT_ASSIGN_OR_RETURN(const loop::Program program, loop::Program::Parse(text.text));
  TRT_ASSIGN_OR_RETURN(auto compiled, CompileLoop(program));
  return std::unique_ptr<const Kernel>(std::make_unique<const LoopKernel>(std::move(compiled)));
}

constexpr KernelEntry kEntries[] = {{"cpu.loop", &CreateLoop, layers::LayerKind::kFused, nullptr}};

}  // namespace

std::span<const KernelEntry> CpuLoopKernels() { return kEntries; }

}  // namespace torch_tensorrt::core::kernels
