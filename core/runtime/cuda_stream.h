// PyTorch's current CUDA stream, without CUDA's headers or libraries at build time.
#pragma once

namespace torch_tensorrt::core::runtime {

// The CUstream that PyTorch submits the calling thread's work for this GPU to. Throws
// NotImplementedError when this PyTorch has no CUDA.
void* CurrentCudaStream(int device);

}  // namespace torch_tensorrt::core::runtime
