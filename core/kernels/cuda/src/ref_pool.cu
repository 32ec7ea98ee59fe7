// Pool, AdaptivePool and Resize over [N, C, spatial...] as rank-5 views [N, C, d, h, w], in either
// memory order. IN is the storage type of both sides; MAX chooses the pooling.
#include "view.cuh"

typedef typename RegisterOf<IN>::type Register;
typedef typename SumOf<Register>::type Sum;

struct PoolParams {
  View<const IN> in;
  View<IN> out;
  View<i64> indices;
  i64 with_indices;
  i64 adaptive;
  i64 kernel[3];
  i64 stride[3];
  i64 before[3];
  i64 after[3];
  i64 dilation[3];
  i64 divisor;
  i64 count_padding;
};

// Along one dim: positions begin, begin + step, ... < end, and the length that counts with padding.
struct Window {
  i64 begin, end, step, padded;
};
TRT_DEVICE Window WindowAt(const PoolParams& p, int d, i64 o) {
  const i64 size = p.in.dims[2 + d];
  if (p.adaptive != 0) {
    const i64 count = p.out.dims[2 + d];
    return {o * size / count, ((o + 1) * size + count - 1) / count, 1, 0};
  }
  const i64 start = o * p.stride[d] - p.before[d];
  const i64 stop = start + (p.kernel[d] - 1) * p.dilation[d] + 1;
  const i64 limit = size + p.after[d];
  Window w = {start, stop < size ? stop : size, p.dilation[d],
              (stop < limit ? stop : limit) - start};
  if (start < 0) w.begin += (-start + w.step - 1) / w.step * w.step;
  return w;
}

extern "C" __global__ void pool(const PoolParams p) {
  const i64 n = p.out.numel();
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 at[5];
    Unravel(i, p.out.dims, 5, at);
    const i64 base = at[0] * p.in.strides[0] + at[1] * p.in.strides[1];
    Window w[3];
    for (int d = 0; d < 3; ++d) w[d] = WindowAt(p, d, at[2 + d]);
    Sum sum = Sum(0);
    Register best = Register(0);
    i64 best_at = -1, count = 0;
    for (i64 z = w[0].begin; z < w[0].end; z += w[0].step) {
      for (i64 y = w[1].begin; y < w[1].end; y += w[1].step) {
        for (i64 x = w[2].begin; x < w[2].end; x += w[2].step) {
          const Register v = FromStorage(
              p.in.data[base + z * p.in.strides[2] + y * p.in.strides[3] + x * p.in.strides[4]]);
          if (best_at < 0 || v > best || v != v) {
            best = v;
            best_at = (z * p.in.dims[3] + y) * p.in.dims[4] + x;
          }
          sum = PwAdd(sum, static_cast<Sum>(v));
          ++count;
        }
      }
    }
    const i64 to = p.out.Offset(i);
#if MAX
    p.out.data[to] =
        best_at < 0 ? ToStorage<IN>(PwCast<Register>(-double(TRT_INF))) : ToStorage<IN>(best);
    if (p.with_indices != 0) p.indices.data[p.indices.Offset(i)] = best_at;
#else
    i64 by = p.count_padding != 0 ? w[0].padded * w[1].padded * w[2].padded : count;
    if (p.adaptive != 0) by = count;
    if (p.divisor != 0) by = p.divisor;
    p.out.data[to] =
        Finish<IN>(count == 0 ? 0.0 : static_cast<double>(sum) / static_cast<double>(by));
#endif
  }
}

// Interpolation positions decide which pixel is read: computed in float as torch does (double for
// f64).
#ifdef POSITION
#define MODE_NEAREST 0
#define MODE_NEAREST_EXACT 1
#define MODE_LINEAR 2
#define MODE_CUBIC 3
struct ResizeParams {
  View<const IN> in;
  View<IN> out;
  double scale[3];  // given by the user, 0: from the sizes
  i64 active[3];    // interpolated?
  i64 align_corners;
  u64 aligned;  // bit 0: in, bit 1: out, for vectors of channels
};
typedef POSITION Position;

struct Taps {
  i64 at[4];
  double weight[4];
  int count;
};
TRT_DEVICE Position NearestScale(const ResizeParams& p, int d) {
  if (p.scale[d] > 0) return static_cast<Position>(1.0 / p.scale[d]);
  return static_cast<Position>(p.in.dims[2 + d]) / static_cast<Position>(p.out.dims[2 + d]);
}
TRT_DEVICE i64 Clamped(i64 v, i64 size) { return v < 0 ? 0 : (v < size ? v : size - 1); }

TRT_DEVICE Position SourcePosition(const ResizeParams& p, int d, i64 o) {
  const i64 in = p.in.dims[2 + d], out = p.out.dims[2 + d];
  if (p.align_corners != 0) {
    if (out <= 1) return Position(0);
    return static_cast<Position>(in - 1) / static_cast<Position>(out - 1) *
           static_cast<Position>(o);
  }
  const Position at =
      NearestScale(p, d) * (static_cast<Position>(o) + Position(0.5)) - Position(0.5);
  return at < 0 && MODE != MODE_CUBIC ? Position(0) : at;
}
TRT_DEVICE double Near(double x) { return ((-0.75 + 2) * x - (-0.75 + 3)) * x * x + 1; }
TRT_DEVICE double Far(double x) { return ((-0.75 * x + 5 * 0.75) * x - 8 * 0.75) * x + 4 * 0.75; }

TRT_DEVICE Taps TapsAt(const ResizeParams& p, int d, i64 o) {
  const i64 size = p.in.dims[2 + d];
  Taps taps = {{o, 0, 0, 0}, {1, 0, 0, 0}, 1};
  if (p.active[d] == 0) return taps;
#if MODE == MODE_NEAREST || MODE == MODE_NEAREST_EXACT
  const Position half = MODE == MODE_NEAREST_EXACT ? Position(0.5) : Position(0);
  const i64 at = static_cast<i64>(PwFloor((static_cast<Position>(o) + half) * NearestScale(p, d)));
  taps.at[0] = at < size - 1 ? at : size - 1;
#elif MODE == MODE_LINEAR
  if (size == p.out.dims[2 + d]) {  // whatever the scale
    taps.at[1] = o;
    taps.count = 2;
    return taps;
  }
  const Position position = SourcePosition(p, d, o);
  const i64 low = static_cast<i64>(position) < size - 1 ? static_cast<i64>(position) : size - 1;
  Position fraction = position - static_cast<Position>(low);
  fraction = fraction < 0 ? Position(0) : (fraction > 1 ? Position(1) : fraction);
  taps = {{low, low + 1 < size ? low + 1 : size - 1, 0, 0},
          {1 - static_cast<double>(fraction), static_cast<double>(fraction), 0, 0},
          2};
#else
  const Position position = SourcePosition(p, d, o);
  const i64 first = static_cast<i64>(PwFloor(position));
  const double t = static_cast<double>(position - static_cast<Position>(first));
  taps.count = 4;
  for (int k = 0; k < 4; ++k) taps.at[k] = Clamped(first - 1 + k, size);
  taps.weight[0] = Far(t + 1);
  taps.weight[1] = Near(t);
  taps.weight[2] = Near(1 - t);
  taps.weight[3] = Far(2 - t);
#endif
  return taps;
}

#ifdef KERNEL_resize
extern "C" __global__ void resize(const ResizeParams p) {
  const i64 n = p.out.numel();
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 at[5];
    Unravel(i, p.out.dims, 5, at);
    const i64 base = at[0] * p.in.strides[0] + at[1] * p.in.strides[1];
    const Taps z = TapsAt(p, 0, at[2]), y = TapsAt(p, 1, at[3]), x = TapsAt(p, 2, at[4]);
    double sum = 0;
    for (int a = 0; a < z.count; ++a) {
      double plane = 0;
      for (int b = 0; b < y.count; ++b) {
        double row = 0;
        const i64 offset = base + z.at[a] * p.in.strides[2] + y.at[b] * p.in.strides[3];
        for (int c = 0; c < x.count; ++c) {
          const double v =
              static_cast<double>(FromStorage(p.in.data[offset + x.at[c] * p.in.strides[4]]));
          row += x.count == 1 ? v : x.weight[c] * v;
        }
        plane += y.count == 1 ? row : y.weight[b] * row;
      }
      sum += z.count == 1 ? plane : z.weight[a] * plane;
    }
    if (!IsFloatType<Register>::value) sum = PwClamp(PwRound(sum), 0.0, 255.0);
    p.out.data[p.out.Offset(i)] = Finish<IN>(sum);
  }
}
#endif

#ifdef KERNEL_resize_channels
// Channels last and dense: PIXEL_LANES threads share an output pixel, and take kVector channels of it at
// a time. REQUIRES: fewer than 2^31 elements; blocks of a multiple of PIXEL_LANES threads.

extern "C" __global__ void resize_channels(const ResizeParams p) {
  const u32 units = static_cast<u32>(p.out.dims[1]) / kVector;
  const u32 n = static_cast<u32>(p.out.dims[0] * p.out.dims[2] * p.out.dims[3] * p.out.dims[4]),
            w = static_cast<u32>(p.out.dims[4]), h = static_cast<u32>(p.out.dims[3]),
            d = static_cast<u32>(p.out.dims[2]);
  for (u32 pixel = static_cast<u32>(ThreadIndex()) / PIXEL_LANES; pixel < n;
       pixel += static_cast<u32>(ThreadCount()) / PIXEL_LANES) {
    const u32 row = pixel / w, plane = row / h;
    const Taps z = TapsAt(p, 0, plane % d), y = TapsAt(p, 1, row % h), x = TapsAt(p, 2, pixel % w);
    for (u32 unit = static_cast<u32>(threadIdx.x) % PIXEL_LANES; unit < units; unit += PIXEL_LANES) {
      const IN* base = p.in.data + plane / d * p.in.strides[0] + unit * kVector;
      IN* to = p.out.data + (static_cast<i64>(pixel) * units + unit) * kVector;
#if MODE == MODE_NEAREST || MODE == MODE_NEAREST_EXACT
      Pack<IN, kVector> copy;
      copy.Load(base + z.at[0] * p.in.strides[2] + y.at[0] * p.in.strides[3] +
                    x.at[0] * p.in.strides[4],
                kVector, (p.aligned & 1) != 0);
      copy.Store(to, kVector, (p.aligned & 2) != 0);
#else
      double sum[kVector] = {};
      for (int a = 0; a < z.count; ++a) {
        for (int b = 0; b < y.count; ++b) {
          const IN* from = base + z.at[a] * p.in.strides[2] + y.at[b] * p.in.strides[3];
          for (int c = 0; c < x.count; ++c) {
            const double weight = (z.count == 1 ? 1.0 : z.weight[a]) *
                                  (y.count == 1 ? 1.0 : y.weight[b]) *
                                  (x.count == 1 ? 1.0 : x.weight[c]);
            const bool copied = z.count * y.count * x.count == 1;
            Pack<IN, kVector> pack;
            pack.Load(from + x.at[c] * p.in.strides[4], kVector, (p.aligned & 1) != 0);
#pragma unroll
            for (int v = 0; v < kVector; ++v) {
              const double value = static_cast<double>(pack.Get(v));
              sum[v] = copied ? value : sum[v] + weight * value;
            }
          }
        }
      }
      Pack<IN, kVector> result;
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        if (!IsFloatType<Register>::value) sum[v] = PwClamp(PwRound(sum[v]), 0.0, 255.0);
        result.v[v] = Finish<IN>(sum[v]);
      }
      result.Store(to, kVector, (p.aligned & 2) != 0);
#endif
    }
  }
}
#endif
#endif
