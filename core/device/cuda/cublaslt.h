// cuBLASLt's functions for matrix products, found at run time in libcublasLt.so (PyTorch's CUDA
// wheels bring it). The ABI is declared here, so that building needs no CUDA toolkit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/util/status.h"

namespace torch_tensorrt::core::device::cuda {

using LtHandle = struct LtContext*;
using LtMatmulDesc = struct LtMatmulDescOpaque*;
using LtLayout = struct LtLayoutOpaque*;
using LtPreference = struct LtPreferenceOpaque*;

struct LtAlgorithm {
  uint64_t data[8];
};
struct LtHeuristic {
  LtAlgorithm algorithm;
  size_t workspace_bytes;
  int status;  // 0: usable
  float waves;
  int reserved[4];
};
static_assert(sizeof(LtHeuristic) == 96);

// Values of the library's enums.
namespace lt {
inline constexpr int kFloat32 = 0, kFloat64 = 1, kFloat16 = 2, kBFloat16 = 14;
inline constexpr int kComputeFloat32 = 68, kComputeFloat64 = 70, kComputeTf32 = 77;
inline constexpr int kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBiasPointer = 8,
                     kBiasType = 26;                                 // of LtMatmulDesc
inline constexpr int kOrder = 1, kBatchCount = 5, kBatchStride = 6;  // of LtLayout
inline constexpr int kMaxWorkspace = 1;                              // of LtPreference
inline constexpr int kColumnMajor = 0, kRowMajor = 1;
inline constexpr int kPlain = 0, kTransposed = 1;
inline constexpr int kEpilogueNone = 1, kEpilogueRelu = 2, kEpilogueBias = 4, kEpilogueReluBias = 6,
                     kEpilogueGelu = 32, kEpilogueGeluBias = 36;
}  // namespace lt

// All but `version` return 0 on success.
struct CublasLt {
  size_t (*version)();
  int (*create)(LtHandle*);
  int (*destroy)(LtHandle);
  int (*desc_create)(LtMatmulDesc*, int compute_type, int scale_type);
  int (*desc_destroy)(LtMatmulDesc);
  int (*desc_set)(LtMatmulDesc, int attribute, const void* value, size_t bytes);
  int (*layout_create)(LtLayout*, int type, uint64_t rows, uint64_t columns, int64_t leading);
  int (*layout_destroy)(LtLayout);
  int (*layout_set)(LtLayout, int attribute, const void* value, size_t bytes);
  int (*preference_create)(LtPreference*);
  int (*preference_destroy)(LtPreference);
  int (*preference_set)(LtPreference, int attribute, const void* value, size_t bytes);
  int (*heuristics)(LtHandle, LtMatmulDesc, LtLayout a, LtLayout b, LtLayout c, LtLayout d,
                    LtPreference, int wanted, LtHeuristic* results, int* found);
  int (*matmul)(LtHandle, LtMatmulDesc, const void* alpha, const void* a, LtLayout, const void* b,
                LtLayout, const void* beta, const void* c, LtLayout, void* d, LtLayout,
                const LtAlgorithm*, void* workspace, size_t workspace_bytes, void* stream);
};

// The library, loaded on first use; Unsupported with where it was looked for. Thread-safe.
const Result<CublasLt>& LoadCublasLt();

}  // namespace torch_tensorrt::core::device::cuda
