// Loaders of operand tiles: kRows rows of 128 bytes (the k direction) from global memory to a
// swizzled tile in shared memory (mma.cuh). A loader is made once per block and then asked for
// consecutive tiles along k. What lies beyond k is zero; rows beyond the last repeat it.
#pragma once

#include "mma.cuh"

// The chunk of 16 bytes that a thread copies in each of its rows.
template <typename T>
struct Chunk {
  static constexpr int kElements = 16 / static_cast<int>(sizeof(T));
  static constexpr int kTile = 128 / static_cast<int>(sizeof(T));  // elements along k
};

// kCount elements of one or two or four bytes as a chunk's words.
template <typename T, int kCount>
TRT_DEVICE void StoreChunk(u32 to, const T (&v)[kCount]) {
  u32 words[4];
  const u32 per_word = 4 / sizeof(T);
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    if constexpr (sizeof(T) == 4) {
      words[w] = FloatBits(FromStorage(v[w]));
    } else {
      words[w] = static_cast<u32>(v[w * per_word].bits) |
                 static_cast<u32>(v[w * per_word + 1].bits) << 16;
    }
  }
  StoreShared(to, words);
}
template <typename T>
TRT_DEVICE T ZeroOf() {
  return ToStorage<T>(0.0f);
}

// Rows whose elements along k are adjacent; addresses and k are multiples of kAlign elements.
template <typename T, int kRows, int kThreads, int kAlign>
struct RowLoader {
  static constexpr int kStep = kThreads / 8;
  static constexpr int kPasses = kRows / kStep;
  static_assert(kStep % 8 == 0 && kRows % kStep == 0, "whole swizzle atoms per pass");
  const T* row[kPasses];
  u32 to;
  int first_k;

  TRT_DEVICE void Start(const T* base, i64 stride, int row0, int rows, int k0) {
    const int thread = static_cast<int>(threadIdx.x);
    first_k = k0 + (thread & 7) * Chunk<T>::kElements;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      row[i] = base + min(row0 + thread / 8 + i * kStep, rows - 1) * stride;
    }
    to = Swizzle(thread / 8, thread & 7);
  }
  TRT_DEVICE void Load(u32 tile, int k_end) {
    const int left = k_end - first_k;
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      constexpr int kBytes = kAlign * static_cast<int>(sizeof(T));
#pragma unroll
      for (int j = 0; j < Chunk<T>::kElements; j += kAlign) {
        const bool inside = j < left;
        CopyAsync<kBytes>(tile + to + i * kStep * 128 + j * static_cast<int>(sizeof(T)),
                          row[i] + (inside ? first_k + j : 0), inside ? kBytes : 0);
      }
    }
    first_k += Chunk<T>::kTile;
  }
};

// Any strides: neighbouring threads take neighbouring rows.
template <typename T, int kRows, int kThreads>
struct StridedLoader {
  static constexpr int kChunks = kRows * 8 / kThreads;  // per thread
  static_assert(kThreads % kRows == 0 || kRows % kThreads == 0, "rows split evenly");
  const T* data;
  i64 row_stride, column_stride;
  int row0, last_row, first_k;

  TRT_DEVICE void Start(const T* base, i64 rows_apart, i64 columns_apart,
                                        int first_row, int rows, int k0) {
    data = base;
    row_stride = rows_apart;
    column_stride = columns_apart;
    row0 = first_row;
    last_row = rows - 1;
    first_k = k0;
  }
  TRT_DEVICE void Load(u32 tile, int k_end) {
#pragma unroll 1
    for (int i = 0; i < kChunks; ++i) {
      const int at = static_cast<int>(threadIdx.x) + i * kThreads;
      const int r = at % kRows, chunk = at / kRows;
      const int k = first_k + chunk * Chunk<T>::kElements;
      const T* from = data + min(row0 + r, last_row) * row_stride + k * column_stride;
      T v[Chunk<T>::kElements];
#pragma unroll
      for (int j = 0; j < Chunk<T>::kElements; ++j) {
        v[j] = k + j < k_end ? from[j * column_stride] : ZeroOf<T>();
      }
      StoreChunk(tile + Swizzle(r, chunk), v);
    }
    first_k += Chunk<T>::kTile;
  }
};

// What an implicit GEMM knows of a channels-last convolution.
struct ConvShape {
  int in_h, in_w, in_c;  // in_c: channels from one pixel to the next
  int group_c;           // channels of this group
  int kernel_h, kernel_w;
  int stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int out_h, out_w;
};

// One position of the window: tap (h, w) and channel c; element k = (h * kernel_w + w) * group_c + c.
struct Tap {
  int h, w, c;

  TRT_DEVICE void Start(const ConvShape& s, int k) {
    c = k % s.group_c;
    const int t = k / s.group_c;
    w = t % s.kernel_w;
    h = t / s.kernel_w;
  }
  TRT_DEVICE void Advance(const ConvShape& s, int elements) {
    c += elements;
    while (c >= s.group_c) {
      c -= s.group_c;
      if (++w == s.kernel_w) {
        w = 0;
        ++h;
      }
    }
  }
};

// Windows of a channels-last image: row = output pixel, k = (tap, channel). group_c is a multiple of
// kAlign elements and addresses are aligned so; kAlign 1 copies by elements.
template <typename T, int kRows, int kThreads, int kAlign>
struct WindowLoader {
  static constexpr int kStep = kThreads / 8;
  static constexpr int kPasses = kRows / kStep;
  static constexpr int kPieces = Chunk<T>::kElements / kAlign;
  static_assert(kStep % 8 == 0 && kRows % kStep == 0, "whole swizzle atoms per pass");
  const T* corner[kPasses];  // of the window, may lie outside the image
  int in_y[kPasses], in_x[kPasses];
  u32 to;
  Tap tap;

  TRT_DEVICE void Start(const T* base, const ConvShape& s, int row0, int rows,
                                        int k0) {
    const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      const int pixel = min(row0 + thread / 8 + i * kStep, rows - 1);
      const int x = pixel % s.out_w, rest = pixel / s.out_w;
      const int y = rest % s.out_h, image = rest / s.out_h;
      in_y[i] = y * s.stride_h - s.pad_top;
      in_x[i] = x * s.stride_w - s.pad_left;
      corner[i] =
          base + ((static_cast<i64>(image) * s.in_h + in_y[i]) * s.in_w + in_x[i]) * s.in_c;
    }
    to = Swizzle(thread / 8, thread & 7);
    tap.Start(s, k0 + (thread & 7) * Chunk<T>::kElements);
  }
  // `base` is any readable address.
  TRT_DEVICE void Load(u32 tile, const ConvShape& s, const T* base) {
    Tap piece = tap;
    int dy[kPieces], dx[kPieces], offset[kPieces];
    bool inside[kPieces];
#pragma unroll
    for (int j = 0; j < kPieces; ++j) {
      dy[j] = piece.h * s.dilation_h;
      dx[j] = piece.w * s.dilation_w;
      offset[j] = (dy[j] * s.in_w + dx[j]) * s.in_c + piece.c;
      inside[j] = piece.h < s.kernel_h;
      if (j + 1 < kPieces) piece.Advance(s, kAlign);
    }
#pragma unroll
    for (int i = 0; i < kPasses; ++i) {
      T v[Chunk<T>::kElements];  // kAlign 1 only
#pragma unroll
      for (int j = 0; j < kPieces; ++j) {
        const bool ok = inside[j] && static_cast<unsigned>(in_y[i] + dy[j]) < s.in_h &&
                        static_cast<unsigned>(in_x[i] + dx[j]) < s.in_w;
        const T* from = ok ? corner[i] + offset[j] : base;
        if constexpr (kAlign * sizeof(T) < 4) {
          v[j] = ok ? *from : ZeroOf<T>();
        } else {
          constexpr int kBytes = kAlign * static_cast<int>(sizeof(T));
          CopyAsync<kBytes>(tile + to + i * kStep * 128 + j * kBytes, from, ok ? kBytes : 0);
        }
      }
      if constexpr (kAlign * sizeof(T) < 4) StoreChunk(tile + to + i * kStep * 128, v);
    }
    tap.Advance(s, Chunk<T>::kTile);
  }
};
