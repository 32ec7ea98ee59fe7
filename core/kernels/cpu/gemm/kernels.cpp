#include "core/kernels/cpu/gemm/kernels.h"

#include "core/kernels/check_step.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr KernelEntry kEntries[] = {
    {"cpu.gemm", CreateGemm, layers::LayerKind::kMatrixMultiply, &UnpackedMatrix},
    {"cpu.batched_gemm", CreateBatchedGemm, layers::LayerKind::kMatrixMultiply, nullptr},
    {"cpu.convolution", CreateConvolution, layers::LayerKind::kConvolution, &UnpackedFilter},
    {"cpu.convolution_transposed", CreateConvolutionTransposed, layers::LayerKind::kDeconvolution,
     &UnpackedTransposedFilter},
    {"cpu.depthwise_convolution", CreateDepthwiseConvolution, layers::LayerKind::kConvolution,
     &UnpackedFilter},
    {"cpu.depthwise_convolution_transposed", CreateDepthwiseConvolutionTransposed,
     layers::LayerKind::kDeconvolution, &UnpackedTransposedFilter},
};

}  // namespace

std::span<const KernelEntry> CpuGemmKernels() { return kEntries; }

}  // namespace torch_tensorrt::core::kernels
