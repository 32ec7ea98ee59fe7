// The micro-kernels of machines with AMX: bf16 rows of A, packed bf16 pairs of B, tiles of up to 32
// rows by 2 panels. REQUIRES: CurrentIsa() is kAmx. Plain functions on caller memory; thread-safe.
#pragma once

#include "core/kernels/cpu/gemm/micro.h"

namespace torch_tensorrt::core::kernels::amx {

extern const MicroFamily kBf16;

}  // namespace torch_tensorrt::core::kernels::amx
