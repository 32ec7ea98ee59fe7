#include "core/kernels/cuda/cuda_kernels.h"

#include <vector>

namespace torch_tensorrt::core::kernels {

std::span<const KernelEntry> CudaKernels() {
  static const std::vector<KernelEntry> all = [] {
    std::vector<KernelEntry> out;
    for (const auto& table :
         {CudaLoopKernels(), CudaRowKernels(), CudaMatrixKernels(), CudaReferenceKernels()}) {
      out.insert(out.end(), table.begin(), table.end());
    }
    return out;
  }();
  return all;
}

}  // namespace torch_tensorrt::core::kernels
