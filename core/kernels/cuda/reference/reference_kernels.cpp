// The table of this folder's kernels.
#include <array>

#include "core/kernels/cuda/cuda_kernels.h"
#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels {
namespace cuda {
namespace {

Status PlanFused(StepPlan& plan) {
  TRT_ASSIGN_OR_RETURN(const loop::Program program,
                       loop::Program::Parse(plan.attributes.Get("program", ProgramText{}).text));
  return AddLoop(plan, program, plan.attributes.Ints("domain"));
}

constexpr std::array kTable = {
#define TRT_ROW(kind, inputs, outputs)                                         \
  KernelEntry{"cuda.ref." #kind, &CreatePlanned<&Plan##kind, inputs, outputs>, \
              layers::LayerKind::k##kind, nullptr},
    TRT_CUDA_REFERENCE_KERNELS(TRT_ROW)
#undef TRT_ROW
        KernelEntry{"cuda.ref.Fused", &CreatePlanned<&PlanFused, 0, 1>, layers::LayerKind::kFused,
                    nullptr}};

}  // namespace
}  // namespace cuda

std::span<const KernelEntry> CudaReferenceKernels() { return cuda::kTable; }

}  // namespace torch_tensorrt::core::kernels
