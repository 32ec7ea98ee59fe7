// The table of this folder's kernels.
#include "core/kernels/cuda/matrix/kernels.h"

#include "core/kernels/cuda/cuda_kernels.h"

namespace torch_tensorrt::core::kernels {

std::span<const KernelEntry> CudaMatrixKernels() {
  static constexpr KernelEntry kTable[] = {{"cuda.attention", cuda::CreateAttention},
                                           {"cuda.depthwise_convolution", cuda::CreateDepthwise},
                                           {"cuda.gemm", cuda::CreateGemm},
                                           {"cuda.batched_gemm", cuda::CreateBatchedGemm},
                                           {"cuda.convolution", cuda::CreateConvolution}};
  return kTable;
}

}  // namespace torch_tensorrt::core::kernels
