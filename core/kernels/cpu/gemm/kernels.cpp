#include "core/kernels/cpu/gemm/kernels.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr KernelEntry kEntries[] = {
    {"cpu.gemm", CreateGemm},
    {"cpu.batched_gemm", CreateBatchedGemm},
    {"cpu.convolution", CreateConvolution},
    {"cpu.depthwise_convolution", CreateDepthwiseConvolution},
};

}  // namespace

std::span<const KernelEntry> CpuGemmKernels() { return kEntries; }

}  // namespace torch_tensorrt::core::kernels
