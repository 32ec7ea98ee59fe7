// The table of this folder's kernels.
#include "core/kernels/cuda/matrix/kernels.h"

#include "core/kernels/check_step.h"
#include "core/kernels/cuda/cuda_kernels.h"

namespace torch_tensorrt::core::kernels {

std::span<const KernelEntry> CudaMatrixKernels() {
  static constexpr KernelEntry kTable[] = {
      {"cuda.attention", cuda::CreateAttention, layers::LayerKind::kAttention, nullptr},
      {"cuda.depthwise_convolution", cuda::CreateDepthwise, layers::LayerKind::kConvolution,
       &UnpackedFilter},
      {"cuda.first_convolution", cuda::CreateFirstConvolution, layers::LayerKind::kConvolution,
       &UnpackedFilter},
      {"cuda.gemm", cuda::CreateGemm, layers::LayerKind::kMatrixMultiply, &UnpackedMatrix},
      {"cuda.batched_gemm", cuda::CreateBatchedGemm, layers::LayerKind::kMatrixMultiply, nullptr},
      {"cuda.convolution", cuda::CreateConvolution, layers::LayerKind::kConvolution,
       &UnpackedFilter}};
  return kTable;
}

}  // namespace torch_tensorrt::core::kernels
