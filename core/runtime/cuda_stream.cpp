#include "core/runtime/cuda_stream.h"

#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <cstdint>

namespace torch_tensorrt::core::runtime {
namespace {

// Part of PyTorch's stable C interface, in its CUDA library only.
using GetStream = int32_t (*)(int32_t device, void** stream);

GetStream FindGetStream() {
  // Already loaded when a CUDA tensor exists.
  void* library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) library = RTLD_DEFAULT;
  return reinterpret_cast<GetStream>(dlsym(library, "aoti_torch_get_current_cuda_stream"));
}

}  // namespace

void* CurrentCudaStream(int device) {
  static const GetStream get = FindGetStream();
  TORCH_CHECK_NOT_IMPLEMENTED(
      get != nullptr, "[tensorrt] this PyTorch was built without CUDA; install a CUDA build of it");
  void* stream = nullptr;
  TORCH_CHECK(get(device, &stream) == 0, "[tensorrt] PyTorch gives no stream for cuda:", device);
  return stream;
}

}  // namespace torch_tensorrt::core::runtime
