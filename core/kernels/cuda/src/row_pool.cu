// Pooling of dense [N, H, W, C]: kVector channels a thread. IN is the storage type, MAX chooses.
#include "math.cuh"

struct Params {
  const IN* in;
  IN* out;
  i64 units;
  Divisor channel_groups;
  Divisor out_w;
  Divisor out_h;
  i64 channels;
  i64 h;
  i64 w;
  i64 kernel[2];
  i64 stride[2];
  i64 before[2];
  i64 after[2];
  i64 dilation[2];
  i64 divisor;
  i64 count_padding;
  u64 aligned;  // bit 0 the input, bit 1 the output
};

TRT_DEVICE int Least(int a, int b) { return a < b ? a : b; }

extern "C" __global__ void __launch_bounds__(128) pool_nhwc(const Params p) {
  WaitForPrevious();
  const u32 unit = static_cast<u32>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (unit >= p.units) return;
  const u32 pixel = Quotient(unit, p.channel_groups);
  const int channel = static_cast<int>(unit - pixel * p.channel_groups.value) * kVector;
  const u32 line = Quotient(pixel, p.out_w);
  const int ox = static_cast<int>(pixel - line * p.out_w.value);
  const u32 image = Quotient(line, p.out_h);
  const int oy = static_cast<int>(line - image * p.out_h.value);
  const int h = static_cast<int>(p.h), w = static_cast<int>(p.w);
  const int dy = static_cast<int>(p.dilation[0]), dx = static_cast<int>(p.dilation[1]);
  const int y0 = oy * static_cast<int>(p.stride[0]) - static_cast<int>(p.before[0]);
  const int x0 = ox * static_cast<int>(p.stride[1]) - static_cast<int>(p.before[1]);
  const int y1 = y0 + (static_cast<int>(p.kernel[0]) - 1) * dy + 1;
  const int x1 = x0 + (static_cast<int>(p.kernel[1]) - 1) * dx + 1;
  const IN* from = p.in + static_cast<i64>(image) * h * w * p.channels + channel;
  float acc[kVector];
#pragma unroll
  for (int v = 0; v < kVector; ++v) acc[v] = MAX ? -TRT_INF : 0.0f;
  int count = 0;
  for (int y = y0; y < Least(y1, h); y += dy) {
    if (y < 0) continue;
    for (int x = x0; x < Least(x1, w); x += dx) {
      if (x < 0) continue;
      Pack<IN, kVector> pack;
      pack.Load(from + (static_cast<i64>(y) * w + x) * p.channels, kVector, (p.aligned & 1) != 0);
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        acc[v] = MAX ? MaxFold{}(acc[v], pack.Get(v)) : acc[v] + pack.Get(v);
      }
      ++count;
    }
  }
  const int padded_h = Least(y1, h + static_cast<int>(p.after[0])) - y0;
  const int padded_w = Least(x1, w + static_cast<int>(p.after[1])) - x0;
  int by = p.count_padding != 0 ? padded_h * padded_w : count;
  if (p.divisor != 0) by = static_cast<int>(p.divisor);
  Pack<IN, kVector> result;
#pragma unroll
  for (int v = 0; v < kVector; ++v) {
    result.Set(v, MAX ? acc[v] : (count == 0 ? 0.0f : acc[v] / static_cast<float>(by)));
  }
  result.Store(p.out + static_cast<i64>(pixel) * p.channels + channel, kVector,
               (p.aligned & 2) != 0);
}
