// The row function of cpu.rotary, per instruction set, element type of x, and whether cos and sin
// are f32.
#pragma once

#include <cstdint>

#include "core/kernels/cpu/float_index.h"

namespace torch_tensorrt::core::kernels {

// y = x * cos + rotated(x) * sin over one row of `depth` (even) elements.
using RotaryRow = void (*)(const void* x, const void* cos, const void* sin, void* y, int64_t depth);

struct RotaryCode {
  RotaryRow halves[2][kNarrowFloats];  // rotated: the halves of the row swapped, [-second, first]
  RotaryRow interleaved[2][kNarrowFloats];  // rotated: neighbours swapped, [-odd, even]
};

}  // namespace torch_tensorrt::core::kernels
