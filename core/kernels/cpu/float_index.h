// The order of f32, f16 and bf16 in tables of functions per element type.
#pragma once

#include "core/types/data_type.h"

namespace torch_tensorrt::core::kernels {

inline constexpr int kNarrowFloats = 3;

// 0, 1, 2 for f32, f16, bf16; -1 for any other dtype.
constexpr int NarrowFloatIndex(DataType type) {
  return type == DataType::kFloat32   ? 0
         : type == DataType::kFloat16 ? 1
                                      : (type == DataType::kBFloat16 ? 2 : -1);
}

}  // namespace torch_tensorrt::core::kernels
