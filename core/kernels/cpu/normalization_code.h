// The loops of cpu.normalization, per instruction set and element type.
#pragma once

#include <cstdint>

#include "core/kernels/cpu/float_index.h"

namespace torch_tensorrt::core::kernels {

// Rows that are normalised each by itself (layer, rms; group norm of [N, C, spatial], whose row is
// one group).
struct NormRowsArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int64_t rows = 0;
  int64_t n = 0;       // elements of a row; rows lie one after another
  bool center = true;  // false: RMS
  double eps = 0;
  // Per element of the row when `channels` is 0; else the row is `channels` runs of n / channels
  // elements and row r uses the channels from (r % groups) * channels on. May be null.
  const float* weight = nullptr;
  const float* bias = nullptr;
  int64_t channels = 0;
  int64_t groups = 1;
  int64_t first_row = 0;  // number of x's first row among all
};

// Group norm of one sample [spatial, channels], for the groups in [first, last).
struct NormColumnsArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int64_t spatial = 0;
  int64_t channels = 0;  // of the whole sample: the distance between positions
  int64_t per_group = 0;
  int64_t first_group = 0;
  int64_t last_group = 0;
  double eps = 0;
  const float* weight = nullptr;  // per channel; may be null
  const float* bias = nullptr;
  float* scale = nullptr;  // scratch of `channels` values each
  float* shift = nullptr;
};

struct NormalizationCode {
  void (*rows[kNarrowFloats])(const NormRowsArgs& args);
  void (*columns[kNarrowFloats])(const NormColumnsArgs& args);
};

}  // namespace torch_tensorrt::core::kernels
