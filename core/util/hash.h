// A fast 64-bit content hash for integrity and cache keys. Detects corruption; not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace torch_tensorrt::core {

// Hash of the bytes; large inputs are hashed in fixed 1 MiB chunks on all threads, so the value
// does not depend on thread count.
uint64_t ContentHash(std::span<const std::byte> bytes);
// The same, copying the bytes to `to` on the way: one pass over memory. REQUIRES: no overlap.
uint64_t CopyAndHash(std::span<const std::byte> bytes, std::byte* to);

}  // namespace torch_tensorrt::core
