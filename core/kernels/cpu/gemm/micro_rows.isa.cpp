#include "core/kernels/cpu/gemm/micro_rows.h"

#include "core/kernels/cpu/gemm/vec.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

#if defined(TORCHTRT_GEMM_AVX2) || defined(TORCHTRT_GEMM_AVX512)
// dst[r * dst_stride + c] = src[c * src_stride + r] for r, c < 8.
inline void Transpose8x8(const float* src, int64_t src_stride, float* dst, int64_t dst_stride) {
  __m256 in[8], pair[8], quad[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) in[i] = _mm256_loadu_ps(src + i * src_stride);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pair[i] = _mm256_unpacklo_ps(in[i], in[i + 1]);
    pair[i + 1] = _mm256_unpackhi_ps(in[i], in[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    quad[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
    quad[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
    quad[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
    quad[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(dst + i * dst_stride, _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20));
    _mm256_storeu_ps(dst + (i + 4) * dst_stride,
                     _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31));
  }
}
#else
inline void Transpose8x8(const float* src, int64_t src_stride, float* dst, int64_t dst_stride) {
  for (int r = 0; r < 8; ++r) {
    for (int c = 0; c < 8; ++c) dst[r * dst_stride + c] = src[c * src_stride + r];
  }
}
#endif

// The first n lanes; none if n <= 0, all if n >= kLanes.
inline Vec LoadUpTo(const float* p, int64_t n) {
  if (n <= 0) return Zero();
  return n >= kLanes ? Load(p) : LoadTail(p, n);
}

}  // namespace

void F16ToF32Row(const uint16_t* src, float* dst, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(dst + i, LoadF16(src + i));
  if (i < n) {
    uint16_t rest[kLanes] = {};
    __builtin_memcpy(rest, src + i, static_cast<size_t>(n - i) * 2);
    StoreTail(dst + i, LoadF16(rest), n - i);
  }
}
void Bf16ToF32Row(const uint16_t* src, float* dst, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(dst + i, LoadBf16(src + i));
  if (i < n) {
    uint16_t rest[kLanes] = {};
    __builtin_memcpy(rest, src + i, static_cast<size_t>(n - i) * 2);
    StoreTail(dst + i, LoadBf16(rest), n - i);
  }
}
void F32ToF16Row(const float* src, uint16_t* dst, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreF16(dst + i, Load(src + i));
  if (i < n) {
    uint16_t rest[kLanes];
    StoreF16(rest, LoadTail(src + i, n - i));
    __builtin_memcpy(dst + i, rest, static_cast<size_t>(n - i) * 2);
  }
}
void F32ToBf16Row(const float* src, uint16_t* dst, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreBf16(dst + i, Load(src + i));
  if (i < n) {
    uint16_t rest[kLanes];
    StoreBf16(rest, LoadTail(src + i, n - i));
    __builtin_memcpy(dst + i, rest, static_cast<size_t>(n - i) * 2);
  }
}

void TransposeF32(const float* src, int64_t src_stride, float* dst, int64_t dst_stride,
                  int64_t rows, int64_t columns) {
  for (int64_t r0 = 0; r0 < rows; r0 += 8) {
    for (int64_t c0 = 0; c0 < columns; c0 += 8) {
      if (r0 + 8 <= rows && c0 + 8 <= columns) {
        Transpose8x8(src + c0 * src_stride + r0, src_stride, dst + r0 * dst_stride + c0,
                     dst_stride);
        continue;
      }
      for (int64_t r = r0; r < r0 + 8 && r < rows; ++r) {
        for (int64_t c = c0; c < c0 + 8 && c < columns; ++c) {
          dst[r * dst_stride + c] = src[c * src_stride + r];
        }
      }
    }
  }
}

void StridedF32(const float* src, int64_t stride, float* dst, int64_t n) {
  if (stride == 1) {
    __builtin_memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
    return;
  }
  if (stride != 2) {
    for (int64_t i = 0; i < n; ++i) dst[i] = src[i * stride];
    return;
  }
  int64_t i = 0;
  for (; i + kLanes < n; i += kLanes) {
    Store(dst + i, EvenLanes(Load(src + 2 * i), Load(src + 2 * i + kLanes)));
  }
  const int64_t left = n - i;  // of which the last has no odd neighbour that may be read
  if (left == 0) return;
  const Vec rest = EvenLanes(LoadUpTo(src + 2 * i, 2 * left - 1),
                             LoadUpTo(src + 2 * i + kLanes, 2 * left - 1 - kLanes));
  if (left == kLanes) {
    Store(dst + i, rest);
  } else {
    StoreTail(dst + i, rest, left);
  }
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
