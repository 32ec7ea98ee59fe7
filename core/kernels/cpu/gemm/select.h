// The micro-kernel table of the current instruction set. Thread-safe.
#pragma once

#include "core/device/cpu/isa.h"
#include "core/kernels/cpu/gemm/micro.h"

namespace torch_tensorrt::core::kernels {

// The table of CurrentIsa().
const GemmMicroTable& GemmMicro();
// The table compiled for `isa`. REQUIRES: this machine has it.
const GemmMicroTable& GemmMicroFor(Isa isa);

}  // namespace torch_tensorrt::core::kernels
