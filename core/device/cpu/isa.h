// Which instruction set the CPU kernels use. Found once with CPUID; the environment variable
// TORCHTRT_FORCE_ISA (generic, avx2, avx512, avx512_bf16, amx) lowers it. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/util/status.h"

namespace torch_tensorrt::core {

// Each includes the ones before it.
enum class Isa : uint8_t { kGeneric = 0, kAvx2 = 1, kAvx512 = 2, kAvx512Bf16 = 3, kAmx = 4 };

// The names that TORCHTRT_FORCE_ISA takes.
std::string_view IsaName(Isa isa);

// The best instruction set of this machine and operating system, whatever the environment says.
Isa BestIsa();
// The forced instruction set if there is one and the machine has it, else BestIsa(). Constant for
// the process.
Isa CurrentIsa();
// The processor's own name for its model; "unknown" where it has none.
std::string CpuModel();

// InvalidArgument when TORCHTRT_FORCE_ISA holds no name, Unsupported when it names what the machine
// lacks; the message says what is used instead.
Status CheckForcedIsa();

}  // namespace torch_tensorrt::core
