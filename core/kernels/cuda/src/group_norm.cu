// Group normalisation of dense channels-last images, [N, pixels, C] by groups of neighbouring
// channels, in two launches: sums of slices of the pixels, then the results. Each thread keeps
// kVector channels of one group. DATA is the storage type of x and the output, WEIGHT and BIAS
// those of the parameters; SILU 1: of each result x, x * sigmoid(x). REQUIRES: C / kVector <= kThreads, groups <= kMaxGroups.
#include "math.cuh"

constexpr int kThreads = 512;

struct alignas(8) Sums {
  float x;  // of x - shift
  float y;  // of its square
};

struct Params {
  const DATA* x;
  DATA* out;
  const WEIGHT* weight;
  const BIAS* bias;
  Sums* sums;  // [N, slices, groups]
  i64 pixels;
  i64 channels;
  i64 groups;
  i64 group_channels;
  Divisor slices;
  i64 pixels_per_slice;
  i64 has_weight;
  i64 has_bias;
  double inverse_count;  // 1 / (pixels * group_channels)
  double eps;
  u64 aligned;  // bit 0: x, bit 1: out
};

// Where this thread works.
struct Place {
  i64 image;
  i64 slice;
  int unit;  // of kVector channels
  int row;   // of the pixels that a block treats at once
  int rows;
  bool idle;

  TRT_DEVICE explicit Place(const Params& p) {
    const int units = static_cast<int>(p.channels) / kVector;
    const int t = static_cast<int>(threadIdx.x);
    const u32 block = static_cast<u32>(blockIdx.x), whole = Quotient(block, p.slices);
    image = whole;
    slice = block - whole * p.slices.value;
    rows = kThreads / units;
    row = t / units;
    unit = t - row * units;
    idle = row >= rows;
  }
  TRT_DEVICE i64 First(const Params& p) const { return slice * p.pixels_per_slice + row; }
  TRT_DEVICE i64 End(const Params& p) const {
    const i64 end = (slice + 1) * p.pixels_per_slice;
    return end < p.pixels ? end : p.pixels;
  }
  TRT_DEVICE i64 Offset(const Params& p, i64 pixel) const {
    return (image * p.pixels + pixel) * p.channels + unit * kVector;
  }
};

// A value of the group itself, taken off before squaring: a mean far from 0 then costs no digits.
TRT_DEVICE float ShiftOf(const Params& p, i64 image, int group) {
  return FromStorage(p.x[image * p.pixels * p.channels + group * p.group_channels]);
}

// Of kAhead rounds of pixels: loads under way together. Beyond the end the last pixel again.
constexpr int kAhead = kVector < 8 ? 4 : 3;  // two blocks' registers on a multiprocessor
TRT_DEVICE void LoadAhead(const Params& p, const Place& place, i64 pixel, i64 end,
                          Pack<DATA, kVector> (&packs)[kAhead]) {
#pragma unroll
  for (int u = 0; u < kAhead; ++u) {
    const i64 at = pixel + u * place.rows;
    packs[u].Load(p.x + place.Offset(p, at < end ? at : pixel), kVector, (p.aligned & 1) != 0);
  }
}

#ifdef KERNEL_group_sums
extern "C" __global__ void __launch_bounds__(kThreads, 2) group_sums(const Params p) {
  WaitForPrevious();
  __shared__ Sums partial[kThreads];
  const Place place(p);
  const int per_group = static_cast<int>(p.group_channels) / kVector;
  Sums sum = {0.0f, 0.0f};
  if (!place.idle) {
    const float shift = ShiftOf(p, place.image, place.unit / per_group);
    const i64 end = place.End(p);
    for (i64 pixel = place.First(p); pixel < end; pixel += kAhead * place.rows) {
      Pack<DATA, kVector> packs[kAhead];
      LoadAhead(p, place, pixel, end, packs);
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        if (pixel + u * place.rows >= end) break;
#pragma unroll
        for (int v = 0; v < kVector; ++v) {
          const float d = packs[u].Get(v) - shift;
          sum.x += d;
          sum.y += d * d;
        }
      }
    }
  }
  partial[threadIdx.x] = sum;
  __syncthreads();
  // In a fixed order, so that results do not depend on timing.
  const int group = static_cast<int>(threadIdx.x);
  if (group >= p.groups) return;
  const int units = static_cast<int>(p.channels) / kVector;
  Sums total = {0.0f, 0.0f};
  for (int row = 0; row < place.rows; ++row) {
    for (int u = 0; u < per_group; ++u) {
      const Sums part = partial[row * units + group * per_group + u];
      total.x += part.x;
      total.y += part.y;
    }
  }
  p.sums[(place.image * p.slices.value + place.slice) * p.groups + group] = total;
}
#endif

#ifdef KERNEL_group_apply
constexpr int kMaxGroups = 256;

extern "C" __global__ void __launch_bounds__(kThreads, 2) group_apply(const Params p) {
  WaitForPrevious();
  __shared__ float means[kMaxGroups];
  __shared__ float inverses[kMaxGroups];
  const Place place(p);
  const int per_group = static_cast<int>(p.group_channels) / kVector;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int group = static_cast<int>(threadIdx.x) / 32; group < p.groups; group += kThreads / 32) {
    double sum = 0, squares = 0;
    for (i64 s = lane; s < p.slices.value; s += 32) {
      const Sums part = p.sums[(place.image * p.slices.value + s) * p.groups + group];
      sum += static_cast<double>(part.x);
      squares += static_cast<double>(part.y);
    }
    sum = WarpFold<32>(sum, SumFold{}) * p.inverse_count;
    const double variance = WarpFold<32>(squares, SumFold{}) * p.inverse_count - sum * sum;
    if (lane == 0) {
      means[group] = static_cast<float>(sum + static_cast<double>(ShiftOf(p, place.image, group)));
      // Rounding may leave a little less than 0; NaN stays.
      inverses[group] = PwRsqrt(static_cast<float>((variance < 0 ? 0 : variance) + p.eps));
    }
  }
  __syncthreads();
  if (place.idle) return;
  const int group = place.unit / per_group;
  const float mean = means[group];
  float scale[kVector], bias[kVector];
#pragma unroll
  for (int v = 0; v < kVector; ++v) {
    const int c = place.unit * kVector + v;
    scale[v] = inverses[group];
    bias[v] = 0.0f;
    if (p.has_weight != 0) scale[v] *= FromStorage(p.weight[c]);
    if (p.has_bias != 0) bias[v] = FromStorage(p.bias[c]);
  }
  const i64 end = place.End(p);
  for (i64 pixel = place.First(p); pixel < end; pixel += kAhead * place.rows) {
    Pack<DATA, kVector> packs[kAhead];
    LoadAhead(p, place, pixel, end, packs);
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const i64 at = pixel + u * place.rows;
      if (at >= end) break;
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        const float y = (packs[u].Get(v) - mean) * scale[v] + bias[v];
        packs[u].Set(v, SILU ? PwSilu(y) : y);
      }
      packs[u].Store(p.out + place.Offset(p, at), kVector, (p.aligned & 2) != 0);
    }
  }
}
#endif
