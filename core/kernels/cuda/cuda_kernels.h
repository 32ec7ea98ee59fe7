// The CUDA kernels' tables, one per folder; CudaKernels joins them.
#pragma once

#include <span>

#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels {

std::span<const KernelEntry> CudaReferenceKernels();  // reference/: "cuda.ref.<Kind>"
std::span<const KernelEntry> CudaLoopKernels();       // loop/
std::span<const KernelEntry> CudaRowKernels();        // rows/
std::span<const KernelEntry> CudaMatrixKernels();     // matrix/

}  // namespace torch_tensorrt::core::kernels
