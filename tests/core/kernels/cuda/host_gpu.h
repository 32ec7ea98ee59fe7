// HostGpu: a Gpu that runs kernels on the CPU, so that their texts are tested where there is no
// GPU.
//
// Load compiles the text twice: by NVRTC for every architecture of kArchitectures (when NVRTC is
// there), where a spill is an error, and by the C++ compiler with host_prelude.h in place of
// intrinsics.cuh. Launch runs the blocks one after the other, each thread of a block as a fiber, so
// barriers and shuffles mean what they mean on a GPU. Kernels with PTX of their own cannot be
// loaded.
#pragma once

#include <memory>
#include <string>

#include "core/device/cuda/gpu.h"

namespace torch_tensorrt::core::kernels::testing {

// The same one for all tests of the process. Not thread-safe.
std::shared_ptr<const device::cuda::Gpu> OpenHostGpu();

// The first GPU of this machine, or the HostGpu when there is none.
std::shared_ptr<const device::cuda::Gpu> OpenTestGpu();

// Empty, or why kernels can be run neither on a GPU nor on the host here.
std::string WhyNoHostGpu();

// Compiles for every architecture; an error names spills. OK when NVRTC is missing.
Status CheckDeviceCode(const device::cuda::KernelSource& source);

}  // namespace torch_tensorrt::core::kernels::testing
