// Conversion of rows between f32 and the 16-bit types, transposition and strided loads, for the
// instruction set being compiled. For *.isa.cpp files of this folder only.
#pragma once

#include <cstdint>

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {

// n values; src and dst don't overlap.
void F16ToF32Row(const uint16_t* src, float* dst, int64_t n);
void Bf16ToF32Row(const uint16_t* src, float* dst, int64_t n);
void F32ToF16Row(const float* src, uint16_t* dst, int64_t n);
void F32ToBf16Row(const float* src, uint16_t* dst, int64_t n);
// dst[r * dst_stride + c] = src[c * src_stride + r] for r < rows, c < columns.
void TransposeF32(const float* src, int64_t src_stride, float* dst, int64_t dst_stride,
                  int64_t rows, int64_t columns);
// dst[i] = src[i * stride] for n values.
void StridedF32(const float* src, int64_t stride, float* dst, int64_t n);

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
