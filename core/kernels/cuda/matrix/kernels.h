// The kernels of this folder, one factory each (see kernels.cpp for the ids).
#pragma once

#include <memory>

#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels::cuda {

Result<std::unique_ptr<const Kernel>> CreateGemm(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateBatchedGemm(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateConvolution(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateDepthwise(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateFirstConvolution(const Attributes& attributes);
Result<std::unique_ptr<const Kernel>> CreateAttention(const Attributes& attributes);

}  // namespace torch_tensorrt::core::kernels::cuda
