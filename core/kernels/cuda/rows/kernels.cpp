// The table of this folder's kernels.
#include "core/kernels/cuda/cuda_kernels.h"

namespace torch_tensorrt::core::kernels {

std::span<const KernelEntry> CudaRowKernels() { return {}; }

}  // namespace torch_tensorrt::core::kernels
