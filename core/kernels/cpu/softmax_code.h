// The row function of cpu.softmax, per instruction set and element type.
#pragma once

#include <cstdint>

#include "core/kernels/cpu/float_index.h"

namespace torch_tensorrt::core::kernels {

struct SoftmaxArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int64_t rows = 0;
  int64_t n = 0;
  int64_t x_row = 0;  // elements from one row to the next
  int64_t y_row = 0;
  bool log = false;
};

struct SoftmaxCode {
  void (*rows[kNarrowFloats])(const SoftmaxArgs& args);
};

}  // namespace torch_tensorrt::core::kernels
