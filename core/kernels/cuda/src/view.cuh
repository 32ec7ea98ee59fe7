// Tensors of any strides, for the kernels that take one thread per element or line.
#pragma once

#include "math.cuh"

constexpr int kMaxRank = 16;

template <typename T>
struct View {
  T* data;
  i64 rank;
  i64 dims[kMaxRank];
  i64 strides[kMaxRank];

  TRT_DEVICE i64 numel() const {
    i64 n = 1;
    for (int d = 0; d < rank; ++d) n *= dims[d];
    return n;
  }
  // Offset of row-major position `at`.
  TRT_DEVICE i64 Offset(i64 at) const {
    i64 offset = 0;
    for (int d = static_cast<int>(rank) - 1; d >= 0; --d) {
      const i64 next = at / dims[d];
      offset += (at - next * dims[d]) * strides[d];
      at = next;
    }
    return offset;
  }
};

// Row-major position `at` as indices along `rank` dims.
TRT_DEVICE void Unravel(i64 at, const i64* dims, int rank, i64* index) {
  for (int d = rank - 1; d >= 0; --d) {
    const i64 next = at / dims[d];
    index[d] = at - next * dims[d];
    at = next;
  }
}

// This thread's number and the number of all, for loops over elements.
TRT_DEVICE i64 ThreadIndex() { return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; }
TRT_DEVICE i64 ThreadCount() { return static_cast<i64>(gridDim.x) * blockDim.x; }

// The type sums are kept in: double for floats, i64 for the others.
template <typename T>
struct SumOf {
  typedef i64 type;
};
template <>
struct SumOf<float> {
  typedef double type;
};
template <>
struct SumOf<double> {
  typedef double type;
};

// A sum or an i64 rounded or wrapped to storage type T.
template <typename T, typename S>
TRT_DEVICE T Finish(S value) {
  typedef typename RegisterOf<T>::type R;
  return ToStorage<T>(PwCast<R>(value));
}

// Index along an axis of `size` elements, negative ones from the end; -1 and an error when outside.
TRT_DEVICE i64 WrapIndex(i64 index, i64 size, bool wrap, i32* data_error) {
  if (index < 0 && wrap) index += size;
  if (index >= 0 && index < size) return index;
  *data_error = 1;
  return -1;
}
