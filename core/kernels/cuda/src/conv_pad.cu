// A channels-last image with zeros appended to the channels of each pixel, so that pixels start at
// addresses that wide copies can read. The text before this file defines TRT_IN, CHANNELS, PADDED.

constexpr int kThreads = 256;

struct Params {
  const TRT_IN* x;
  TRT_IN* out;
  i64 pixels;
};

TRT_KERNEL void __launch_bounds__(kThreads) trt_pad_channels(const __grid_constant__ Params p) {
  WaitForPrevious();
  const i64 pixel = static_cast<i64>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= p.pixels) return;
  Pack<TRT_IN, PADDED> values;
#pragma unroll
  for (int c = 0; c < PADDED; ++c) {
    values.v[c] = c < CHANNELS ? p.x[pixel * CHANNELS + c] : ZeroOf<TRT_IN>();
  }
  values.StoreAligned(p.out + pixel * PADDED);
}
