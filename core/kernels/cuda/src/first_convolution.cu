// Convolution of an image of few channels, of any strides, to few channels, which come out last. A
// thread computes all channels of PIXELS neighbours along the width: too little work for tensor
// cores, and an image that lies plane by plane need not be turned around first. The text before
// this file defines:
//   TRT_IN                   element type of x and w: f16, bf16 or float
//   TRT_BIAS                 element type of bias; undefined: no bias
//   CHANNELS, FILTERS        of x and out; FILTERS is a multiple of 8
//   KERNEL_H, KERNEL_W
//   PIXELS
//   WIDE_INDEX               1: a row of x does not fit 32-bit offsets
// and trt_epilogue, trt_out, TrtEpilogueArgs. Weights are [KERNEL_H * KERNEL_W * CHANNELS][FILTERS].

constexpr int kThreads = 128;
constexpr int kTaps = KERNEL_H * KERNEL_W * CHANNELS;

#if WIDE_INDEX
typedef i64 Index;
#else
typedef i32 Index;
#endif

struct Params {
  const TRT_IN* x;
  const TRT_IN* w;
  const void* bias;
  trt_out* out;
  i64 image_stride, row_stride, column_stride, channel_stride;  // of x
  int in_h, in_w, out_h, out_w;
  int step_h, step_w, dilation_h, dilation_w, pad_top, pad_left;
  int groups;  // ceil(out_w / PIXELS)
  int rows;    // images * out_h
  int vector;  // out is aligned to 16 bytes
};

struct alignas(16) Weights {
  float v[kTaps * FILTERS];
};

// sums += values * weights of one tap and channel.
TRT_DEVICE void AddTap(const float* weights, const float (&values)[PIXELS],
                       float (&sums)[PIXELS][FILTERS]) {
#pragma unroll
  for (int f = 0; f < FILTERS; f += 4) {
    const float4 w = *reinterpret_cast<const float4*>(weights + f);
#pragma unroll
    for (int o = 0; o < PIXELS; ++o) {
      sums[o][f] += values[o] * w.x;
      sums[o][f + 1] += values[o] * w.y;
      sums[o][f + 2] += values[o] * w.z;
      sums[o][f + 3] += values[o] * w.w;
    }
  }
}

TRT_DEVICE void Store(const Params& p, const TrtEpilogueArgs& e, i64 pixel,
                      const float (&sums)[FILTERS]) {
#pragma unroll
  for (int f = 0; f < FILTERS; f += 8) {
    float v[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      v[i] = sums[f + i];
#ifdef TRT_BIAS
      v[i] += FromStorage(static_cast<const TRT_BIAS*>(p.bias)[f + i]);
#endif
    }
    Pack<trt_out, 8> result;
    trt_epilogue(v, e, pixel, f, result.v);
    result.Store(p.out + pixel * FILTERS + f, 8, p.vector != 0);
  }
}

TRT_KERNEL void __launch_bounds__(kThreads)
trt_first_convolution(const __grid_constant__ Params p, const __grid_constant__ TrtEpilogueArgs e) {
  __shared__ Weights weights;
  for (int i = static_cast<int>(threadIdx.x); i < kTaps * FILTERS; i += kThreads) {
    weights.v[i] = FromStorage(p.w[i]);
  }
  __syncthreads();
  WaitForPrevious();
  const int index = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  const int out_x = index % p.groups * PIXELS, row = index / p.groups;
  if (row >= p.rows) return;
  const int in_y = row % p.out_h * p.step_h - p.pad_top, in_x = out_x * p.step_w - p.pad_left;
  const TRT_IN* image = p.x + row / p.out_h * p.image_stride;
  // Where the columns of all windows start, and which of them exist.
  Index columns[KERNEL_W][PIXELS];
  bool inside[KERNEL_W][PIXELS];
#pragma unroll
  for (int w = 0; w < KERNEL_W; ++w) {
#pragma unroll
    for (int o = 0; o < PIXELS; ++o) {
      const int x = in_x + o * p.step_w + w * p.dilation_w;
      inside[w][o] = static_cast<unsigned>(x) < static_cast<unsigned>(p.in_w);
      columns[w][o] = static_cast<Index>(x) * static_cast<Index>(p.column_stride);
    }
  }
  float sums[PIXELS][FILTERS] = {};
#pragma unroll
  for (int h = 0; h < KERNEL_H; ++h) {
    const int y = in_y + h * p.dilation_h;
    if (static_cast<unsigned>(y) >= static_cast<unsigned>(p.in_h)) continue;
    const TRT_IN* line = image + y * p.row_stride;
    float values[CHANNELS][KERNEL_W][PIXELS];
#pragma unroll
    for (int c = 0; c < CHANNELS; ++c) {
#pragma unroll
      for (int w = 0; w < KERNEL_W; ++w) {
#pragma unroll
        for (int o = 0; o < PIXELS; ++o) {
          values[c][w][o] = inside[w][o] ? FromStorage(line[columns[w][o]]) : 0.0f;
        }
      }
      line += p.channel_stride;
    }
#pragma unroll
    for (int w = 0; w < KERNEL_W; ++w) {
#pragma unroll
      for (int c = 0; c < CHANNELS; ++c) {
        AddTap(weights.v + ((h * KERNEL_W + w) * CHANNELS + c) * FILTERS, values[c][w], sums);
      }
    }
  }
#pragma unroll
  for (int o = 0; o < PIXELS; ++o) {
    if (out_x + o >= p.out_w) break;
    Store(p, e, static_cast<i64>(row) * p.out_w + out_x + o, sums[o]);
  }
}
