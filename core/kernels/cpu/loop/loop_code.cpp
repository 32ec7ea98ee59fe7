#include "core/kernels/cpu/isa_table.h"
#include "core/kernels/cpu/loop/step.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(LoopCode, kLoopCode, TableFor)

const LoopCode& LoopCodeFor(Isa isa) { return TableFor(isa); }

}  // namespace torch_tensorrt::core::kernels
