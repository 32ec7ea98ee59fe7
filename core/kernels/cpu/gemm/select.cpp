#include "core/kernels/cpu/gemm/select.h"

#include "core/kernels/cpu/isa_table.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(GemmMicroTable, kGemmMicro, TableFor)

const GemmMicroTable& GemmMicroFor(Isa isa) { return TableFor(isa); }

const GemmMicroTable& GemmMicro() { return GemmMicroFor(CurrentIsa()); }

}  // namespace torch_tensorrt::core::kernels
