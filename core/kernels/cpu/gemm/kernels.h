// Factories of this folder's kernels; found through CpuGemmKernels().
#pragma once

#include <memory>

#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels {

Result<std::unique_ptr<const Kernel>> CreateGemm(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateBatchedGemm(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateConvolution(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateConvolutionTransposed(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateDepthwiseConvolution(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateDepthwiseConvolutionTransposed(
    const Attributes& attributes);

}  // namespace torch_tensorrt::core::kernels
