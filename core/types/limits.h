// How large tensors may be. What a plan file says is held to it before anything is computed.
#pragma once

#include <cstdint>

namespace torch_tensorrt::core {

// Elements of a tensor: no machine holds more, and a product with a size of a window still fits an
// int64.
inline constexpr int64_t kMaxElements = int64_t{1} << 38;

}  // namespace torch_tensorrt::core
