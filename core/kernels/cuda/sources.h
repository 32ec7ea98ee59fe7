// The CUDA C++ texts of core/kernels/cuda/src, embedded into this library by the build. A new file
// there needs no edit anywhere. Thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/device/cuda/gpu.h"

namespace torch_tensorrt::core::kernels::cuda {

// The text of "softmax.cu"; empty when there is no such file. Names are relative to src/.
std::string_view SourceText(std::string_view file);

// Every .cuh, as NVRTC wants them.
std::span<const device::cuda::SourceHeader> SourceHeaders();

// A source of this text (generated, or SourceText's) that may include every .cuh by name.
device::cuda::KernelSource MakeSource(std::string name, std::string text,
                                      std::vector<std::string> options = {});

// Every embedded file, .cu and .cuh. Defined in a file that the build generates.
std::span<const device::cuda::SourceHeader> EmbeddedFiles();

}  // namespace torch_tensorrt::core::kernels::cuda
