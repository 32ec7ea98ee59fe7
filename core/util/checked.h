// Overflow-checked 64-bit arithmetic for sizes that come from files or users.
#pragma once

#include <cstdint>
#include <optional>

namespace torch_tensorrt::core {

inline std::optional<int64_t> CheckedMul(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

inline std::optional<int64_t> CheckedAdd(int64_t a, int64_t b) {
  int64_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

}  // namespace torch_tensorrt::core
