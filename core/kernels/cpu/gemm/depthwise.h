// The inner loop of depthwise convolutions: one line of output pixels, some channels. One function
// per instruction set and image type. Plain functions on caller memory; thread-safe. Included by
// *.isa.cpp files: no code here.
#pragma once

#include <cstdint>

namespace torch_tensorrt::core::kernels {

struct DepthwiseLine {
  const void* const* lines;  // [kernel_h]: pixel 0 of the image line under each filter row, null
                             // outside the image; of filters with depth, the rows of all slices
  const float* weights;      // [kernel_h * kernel_w][weight_stride]
  const float* bias;         // or null
  float* out;                // pixel 0; pixels out_stride apart
  int64_t out_stride;
  int64_t weight_stride;
  int64_t channels;
  int64_t pixel_stride;  // elements between pixels of the image
  int64_t in_w;
  int64_t out_w;
  int64_t kernel_h;
  int64_t kernel_w;
  int64_t stride_w;
  int64_t dilation_w;
  int64_t pad_left;
};

struct DepthwiseTable {
  void (*f32)(const DepthwiseLine& line);
  void (*f16)(const DepthwiseLine& line);
  void (*bf16)(const DepthwiseLine& line);
};

}  // namespace torch_tensorrt::core::kernels
