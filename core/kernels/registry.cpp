#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels {

Result<Prepared> Kernel::Prepare(const PrepareArgs& /*args*/) const { return Prepared{}; }

const KernelEntry* FindKernel(std::string_view id) {
  for (const auto& table :
       {CpuLoopKernels(), CpuGemmKernels(), CpuKernels(), ReferenceKernels(), CudaKernels()}) {
    for (const KernelEntry& entry : table) {
      if (entry.id == id) return &entry;
    }
  }
  return nullptr;
}

}  // namespace torch_tensorrt::core::kernels
