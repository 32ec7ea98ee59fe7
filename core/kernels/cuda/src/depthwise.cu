// Channels-last convolution of each channel by itself. A thread computes OUTPUTS neighbours along
// the width for VECTOR neighbouring channels. The text before this file defines:
//   TRT_IN                   element type of x and w: f16, bf16 or float
//   TRT_BIAS                 element type of bias; undefined: no bias
//   VECTOR                   channels per thread; x, w, bias and out are aligned to so many
//   OUTPUTS
//   EARLY                    1: a thread loads all its weights before the kernel before has ended
//   KERNEL_H, KERNEL_W, STRIDE_W, DILATION_W
// and trt_epilogue, trt_out, TrtEpilogueArgs. Weights are [KERNEL_H * KERNEL_W][channels].

constexpr int kThreads = 128;
constexpr int kColumns = (OUTPUTS - 1) * STRIDE_W + (KERNEL_W - 1) * DILATION_W + 1;
typedef Pack<TRT_IN, VECTOR> Values;

struct Params {
  const TRT_IN* x;  // of an image of no pixels: anything that has as many channels
  const TRT_IN* w;
  const void* bias;
  trt_out* out;
  int in_h, in_w, channels, out_h, out_w;
  int stride_h, dilation_h, pad_top, pad_left;
  int vectors, groups;  // channels / VECTOR; ceil(out_w / OUTPUTS)
  int rows;             // images * out_h
};

// One row of the window for all outputs: input columns that no output reads are zeros.
TRT_DEVICE void LoadLine(const Params& p, const TRT_IN* line, int in_x, bool exists,
                         Values (&columns)[kColumns]) {
  // Loads without conditions go together; what should not have been read is zeroed.
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    const int x = max(min(in_x + c, p.in_w - 1), 0);
    columns[c].LoadAligned(line + x * p.channels);
  }
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    columns[c].KeepIf(exists && static_cast<unsigned>(in_x + c) < static_cast<unsigned>(p.in_w));
  }
}

TRT_DEVICE Values WeightsOf(const Params& p, int tap, int channel) {
  Values weights;
  weights.LoadAligned(p.w + static_cast<i64>(tap) * p.channels + channel);
  return weights;
}

TRT_KERNEL void __launch_bounds__(kThreads)
trt_depthwise(const __grid_constant__ Params p, const __grid_constant__ TrtEpilogueArgs e) {
  const int index = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  const int channel = index % p.vectors * VECTOR, rest = index / p.vectors;
  const int out_x = rest % p.groups * OUTPUTS, row = rest / p.groups;
#if EARLY
  Values early[KERNEL_H * KERNEL_W];
#pragma unroll
  for (int t = 0; t < KERNEL_H * KERNEL_W; ++t) early[t] = WeightsOf(p, t, channel);
#endif
  WaitForPrevious();
  if (row >= p.rows) return;
  const int in_y = row % p.out_h * p.stride_h - p.pad_top;
  const int in_x = out_x * STRIDE_W - p.pad_left;
  const TRT_IN* image =
      p.x + static_cast<i64>(row / p.out_h) * p.in_h * p.in_w * p.channels + channel;
  float sums[OUTPUTS][VECTOR] = {};
#pragma unroll
  for (int h = 0; h < KERNEL_H; ++h) {
    const int y = in_y + h * p.dilation_h;
    const bool exists = static_cast<unsigned>(y) < static_cast<unsigned>(p.in_h);
    Values columns[kColumns];
    LoadLine(p, image + static_cast<i64>(exists ? y : 0) * p.in_w * p.channels, in_x, exists,
             columns);
#pragma unroll
    for (int w = 0; w < KERNEL_W; ++w) {
#if EARLY
      const Values& weights = early[h * KERNEL_W + w];
#else
      const Values weights = WeightsOf(p, h * KERNEL_W + w, channel);
#endif
#pragma unroll
      for (int o = 0; o < OUTPUTS; ++o) {
#pragma unroll
        for (int v = 0; v < VECTOR; ++v) {
          sums[o][v] += columns[o * STRIDE_W + w * DILATION_W].Get(v) * weights.Get(v);
        }
      }
    }
  }
#ifdef TRT_BIAS
  Pack<TRT_BIAS, VECTOR> bias;
  bias.LoadAligned(static_cast<const TRT_BIAS*>(p.bias) + channel);
#endif
#pragma unroll
  for (int o = 0; o < OUTPUTS; ++o) {
    if (out_x + o >= p.out_w) break;
#ifdef TRT_BIAS
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) sums[o][v] += bias.Get(v);
#endif
    const i64 pixel = static_cast<i64>(row) * p.out_w + out_x + o;
    Pack<trt_out, VECTOR> result;
    trt_epilogue(sums[o], e, pixel, channel, result.v);
    result.StoreAligned(p.out + pixel * p.channels + channel);
  }
}
