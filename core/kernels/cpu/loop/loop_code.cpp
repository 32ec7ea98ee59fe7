#include "core/kernels/cpu/loop/step.h"

namespace torch_tensorrt::core::kernels {

namespace generic {
extern const LoopCode kLoopCode;
}
#ifdef TORCHTRT_X86
namespace avx2 {
extern const LoopCode kLoopCode;
}
namespace avx512 {
extern const LoopCode kLoopCode;
}
namespace avx512_bf16 {
extern const LoopCode kLoopCode;
}
#endif

const LoopCode& LoopCodeFor(Isa isa) {
#ifdef TORCHTRT_X86
  switch (isa) {
    case Isa::kGeneric:
      return generic::kLoopCode;
    case Isa::kAvx2:
      return avx2::kLoopCode;
    case Isa::kAvx512:
      return avx512::kLoopCode;
    case Isa::kAvx512Bf16:
    case Isa::kAmx:
      return avx512_bf16::kLoopCode;
  }
#endif
  (void)isa;
  return generic::kLoopCode;
}

}  // namespace torch_tensorrt::core::kernels
