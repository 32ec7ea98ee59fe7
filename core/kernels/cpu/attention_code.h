// The vector loops of cpu.attention, per instruction set. The matrix products are those of
// gemm/micro.h.
#pragma once

#include <cstdint>

#include "core/kernels/cpu/float_index.h"

namespace torch_tensorrt::core::kernels {

// Element types of a mask: the narrow floats in their usual order, then bool.
inline constexpr int kBoolMask = kNarrowFloats;
inline constexpr int kMaskTypes = kNarrowFloats + 1;

// One row of scores of one block of keys, and the row's running softmax.
struct ScoreRow {
  float* scores = nullptr;     // in: scores; out: their exponentials
  float scale = 1;             // of the scores, before the mask
  int64_t valid = 0;           // keys that count
  int64_t padded = 0;          // exponentials in [valid, padded) become 0
  uint16_t* narrow = nullptr;  // where fold_narrow leaves the exponentials, as bf16
  const void* mask = nullptr;
  int64_t mask_stride = 0;  // elements from one key to the next
  int mask_type = -1;       // -1: no mask
  float max = 0;            // running maximum, -inf before the first block
  float sum = 0;            // running sum of exponentials
};

struct AttentionCode {
  // Masks the scores, takes the row's maximum into account and exponentiates. Returns the factor
  // for everything summed before. A row that sees -inf only keeps sum 0.
  float (*fold)(ScoreRow* row);
  // The same with exponentials that are only as exact as bf16.
  float (*fold_narrow)(ScoreRow* row);
  // out[i] = low[i] | high[i] << 16 for n values; a null high counts as zeros.
  void (*pair)(const uint16_t* low, const uint16_t* high, uint32_t* out, int64_t n);
  // out[i] = in[i] * scale for n elements.
  void (*load[kNarrowFloats])(const void* in, float scale, float* out, int64_t n);
  void (*store[kNarrowFloats])(const float* in, float scale, void* out, int64_t n);
  // scores[t] = q . k[t]; rows of k are k_stride elements apart.
  void (*dots[kNarrowFloats])(const float* q, const void* k, int64_t k_stride, int64_t keys,
                              int64_t depth, float* scores);
  // out = out * scale + sum over t of weights[t] * v[t].
  void (*weigh[kNarrowFloats])(const float* weights, const void* v, int64_t v_stride, int64_t keys,
                               int64_t depth, float scale, float* out);
};

}  // namespace torch_tensorrt::core::kernels
