// What the kernels of attention share on the host.
#pragma once

#include <cstdint>

#include "core/types/data_type.h"

namespace torch_tensorrt::core::kernels::cuda {

// Params of attention_load.cuh.
struct AttentionParams {
  const void* q;
  const void* k;
  const void* v;
  const void* mask;
  void* out;
  int32_t rows, s, t, d, d_v, key_heads, row_tiles, vector;
  float scale;
  int32_t group;
  int64_t q_stride[3], k_stride[3], v_stride[3], out_stride[3], mask_stride[4];
};

// Rows that can be copied 16 bytes at a time, if their tensors start so?
inline bool HasWideRows(const AttentionParams& p, DataType dtype) {
  const int granule = 16 / static_cast<int>(SizeOf(dtype));
  bool wide = p.d % granule == 0 && p.d_v % granule == 0;
  for (int i = 0; i < 3; ++i) {
    wide = wide && p.q_stride[i] % granule == 0 && p.k_stride[i] % granule == 0 &&
           p.v_stride[i] % granule == 0;
  }
  return wide;
}

}  // namespace torch_tensorrt::core::kernels::cuda
