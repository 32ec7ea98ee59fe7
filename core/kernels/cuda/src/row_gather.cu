// Rows of a dense [outer, size, row] tensor by index: 16 bytes a thread. INDEX is the storage type
// of the indices.
#include "common.cuh"

struct Params {
  const uint4* data;
  const INDEX* index;
  uint4* out;
  i64 units;      // 16-byte words of the output
  Divisor words;  // of a row
  Divisor indices;
  i64 size;
  i64 wrap;
  i32* data_error;
  u64 aligned;  // 3: data and out are
};

// Sixteen bytes of any alignment.
TRT_DEVICE void CopyBytes(uint4* to, const uint4* from) {
#pragma unroll
  for (int k = 0; k < 16; ++k) {
    reinterpret_cast<u8*>(to)[k] = reinterpret_cast<const u8*>(from)[k];
  }
}

extern "C" __global__ void __launch_bounds__(256) gather_rows(const Params p) {
  WaitForPrevious();
  const i64 step = static_cast<i64>(gridDim.x) * blockDim.x;
  for (i64 unit = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; unit < p.units;
       unit += step) {
    const u32 row = Quotient(static_cast<u32>(unit), p.words);
    const u32 word = static_cast<u32>(unit) - row * p.words.value;
    const u32 outer = Quotient(row, p.indices);
    i64 at = static_cast<i64>(FromStorage(p.index[row - outer * p.indices.value]));
    if (at < 0 && p.wrap != 0) at += p.size;
    if (at < 0 || at >= p.size) {
      *p.data_error = 1;
      const uint4 zero = {0, 0, 0, 0};
      CopyBytes(p.out + unit, &zero);
      continue;
    }
    const uint4* from = p.data + (outer * p.size + at) * p.words.value + word;
    if (p.aligned == 3) {
      p.out[unit] = *from;
    } else {
      CopyBytes(p.out + unit, from);
    }
  }
}
