// Folding loops of cpu.reduce, cpu.pool and cpu.resize, per instruction set and element type.
// Results are f32.
#pragma once

#include <cstdint>

#include "core/kernels/cpu/float_index.h"

namespace torch_tensorrt::core::kernels {

// kinds: loop::ReduceOp less kMean, which is a sum and a scale; it numbers the tables below.
enum class FoldKind : uint8_t { kSum, kProd, kMax, kMin, kAny, kAll };
inline constexpr int kFoldKinds = 6;

// The value that changes nothing. kAny and kAll fold truth values, 0 or 1.
constexpr float FoldStart(FoldKind kind) {
  return kind == FoldKind::kProd || kind == FoldKind::kAll ? 1.0F
         : kind == FoldKind::kMax                          ? -__builtin_inff()
         : kind == FoldKind::kMin                          ? __builtin_inff()
                                                           : 0.0F;
}

struct FoldCode {
  // All n elements of x, folded; sums in blocks, then in double.
  double (*row[kFoldKinds][kNarrowFloats])(const void* x, int64_t n);
  // acc[i] = fold(acc[i], x[i]) for n elements.
  void (*into[kFoldKinds][kNarrowFloats])(const void* x, int64_t n, float* acc);
  // Maximum, or sum times scale, of `count` runs of n elements, in the runs' own type.
  void (*max_of[kNarrowFloats])(const void* const* runs, int64_t count, int64_t n, void* out);
  void (*sum_of[kNarrowFloats])(const void* const* runs, int64_t count, int64_t n, float scale,
                                void* out);
  // Weighted sum of `count` runs of n elements, in the runs' own type and as f32.
  void (*blend[kNarrowFloats])(const void* const* runs, const float* weights, int64_t count,
                               int64_t n, void* out);
  void (*blend_f32[kNarrowFloats])(const void* const* runs, const float* weights, int64_t count,
                                   int64_t n, float* out);
  // out[i] = acc[i] * scale, rounded to the type.
  void (*store[kNarrowFloats])(const float* acc, float scale, int64_t n, void* out);
};

// The table of CurrentIsa().
const FoldCode& FoldCodeForCurrentIsa();

}  // namespace torch_tensorrt::core::kernels
