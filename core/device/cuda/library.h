// Finding NVIDIA's shared libraries (NVRTC, the driver, cuBLASLt) at run time. Nothing is linked.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/status.h"

namespace torch_tensorrt::core::device::cuda {

// Opens the first of `names` ("libnvrtc.so.13", "libnvrtc.so.12") that can be opened, each looked
// for among the libraries of this process, then in the directories of the environment variable
// TORCHTRT_CUDA_LIBRARY_PATH (separated by ':'), then where NVIDIA's wheels put it beside this
// library or beside PyTorch, then where the system looks. Never closed. Unsupported with `what` and
// the places when none is found. Thread-safe.
Result<void*> OpenLibrary(std::string_view what, std::span<const std::string_view> names);

// The directories of the second and third place above, in order.
std::vector<std::string> LibraryDirectories();

// A function of an opened library, or null.
void* FindSymbol(void* library, const char* name);

// Opens `name` from the directory of the library that holds `symbol`, so that a later dlopen of the
// bare name finds it. Whether it was there.
bool OpenBeside(const void* symbol, std::string_view name);

}  // namespace torch_tensorrt::core::device::cuda
