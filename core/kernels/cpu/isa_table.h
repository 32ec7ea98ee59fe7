// TRT_ISA_TABLE(Type, kTable, TableFor): declares the table `kTable` that each variant of a
// *.isa.cpp file defines in its namespace, and `const Type& TableFor(Isa)` which picks one. For the
// *.cpp that wraps those files; internal.
#pragma once

#include "core/device/cpu/isa.h"

#ifdef TORCHTRT_X86
#define TRT_ISA_TABLE(Type, kTable, TableFor) \
  namespace generic {                         \
  extern const Type kTable;                   \
  }                                           \
  namespace avx2 {                            \
  extern const Type kTable;                   \
  }                                           \
  namespace avx512 {                          \
  extern const Type kTable;                   \
  }                                           \
  namespace avx512_bf16 {                     \
  extern const Type kTable;                   \
  }                                           \
  static const Type& TableFor(Isa isa) {      \
    switch (isa) {                            \
      case Isa::kAvx2:                        \
        return avx2::kTable;                  \
      case Isa::kAvx512:                      \
        return avx512::kTable;                \
      case Isa::kAvx512Bf16:                  \
      case Isa::kAmx:                         \
        return avx512_bf16::kTable;           \
      case Isa::kGeneric:                     \
        break;                                \
    }                                         \
    return generic::kTable;                   \
  }
#else
#define TRT_ISA_TABLE(Type, kTable, TableFor) \
  namespace generic {                         \
  extern const Type kTable;                   \
  }                                           \
  static const Type& TableFor(Isa /*isa*/) { return generic::kTable; }
#endif
