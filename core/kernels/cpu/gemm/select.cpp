#include "core/kernels/cpu/gemm/select.h"

namespace torch_tensorrt::core::kernels {

const GemmMicroTable& GemmMicroFor(Isa isa) {
#ifdef TORCHTRT_X86
  switch (isa) {
    case Isa::kAvx2:
      return avx2::kGemmMicro;
    case Isa::kAvx512:
      return avx512::kGemmMicro;
    case Isa::kAvx512Bf16:
    case Isa::kAmx:
      return avx512_bf16::kGemmMicro;
    case Isa::kGeneric:
      break;
  }
#else
  (void)isa;
#endif
  return generic::kGemmMicro;
}

const GemmMicroTable& GemmMicro() { return GemmMicroFor(CurrentIsa()); }

}  // namespace torch_tensorrt::core::kernels
