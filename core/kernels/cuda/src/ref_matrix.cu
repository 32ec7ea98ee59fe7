// MatrixMultiply, Convolution, Deconvolution: one thread per output element, sums in double (i64
// for integers). DATA is the storage type of all. The text of the epilogue, if the output is
// floating, comes before this one and defines EPILOGUE.
#include "view.cuh"

typedef typename RegisterOf<DATA>::type Register;
typedef typename SumOf<Register>::type Sum;
#ifdef EPILOGUE
typedef trt_out Out;
#define EPILOGUE_ARGS TrtEpilogueArgs epilogue;
#define STORE(p, i, sum)            \
  (p).out.data[(p).out.Offset(i)] = \
      trt_epilogue(static_cast<trt_acc>(sum), (p).epilogue, (i) / (p).columns, (i) % (p).columns)
#else
typedef DATA Out;
#define EPILOGUE_ARGS
#define STORE(p, i, sum) (p).out.data[(p).out.Offset(i)] = Finish<DATA>(sum)
#endif

struct MatrixParams {
  View<const DATA> a;     // [batch..., M, K], broadcast to the output's batch
  View<const DATA> b;     // [batch..., K, N]
  View<const DATA> bias;  // broadcast to the output
  View<Out> out;
  i64 has_bias;
  i64 columns;
  EPILOGUE_ARGS
};
#ifdef KERNEL_matmul
extern "C" __global__ void matmul(const MatrixParams p) {
  const i64 n = p.out.numel();
  const int rank = static_cast<int>(p.out.rank);
  const i64 depth = p.a.dims[rank - 1];
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 at[kMaxRank];
    Unravel(i, p.out.dims, rank, at);
    i64 a = at[rank - 2] * p.a.strides[rank - 2], b = at[rank - 1] * p.b.strides[rank - 1];
    for (int d = 0; d < rank - 2; ++d) {
      a += at[d] * p.a.strides[d];
      b += at[d] * p.b.strides[d];
    }
    Sum sum = Sum(0);
    for (i64 k = 0; k < depth; ++k) {
      const Sum x = static_cast<Sum>(FromStorage(p.a.data[a + k * p.a.strides[rank - 1]]));
      const Sum y = static_cast<Sum>(FromStorage(p.b.data[b + k * p.b.strides[rank - 2]]));
      sum = PwAdd(sum, PwMul(x, y));
    }
    if (p.has_bias != 0) {
      sum = PwAdd(sum, static_cast<Sum>(FromStorage(p.bias.data[p.bias.Offset(i)])));
    }
    STORE(p, i, sum);
  }
}
#endif

struct ConvParams {
  View<const DATA> x;  // [N, C, d, h, w]
  View<const DATA> w;  // [O, I/g, d, h, w]; deconvolution [I, O/g, d, h, w]
  View<const DATA> bias;
  View<Out> out;  // in its own order of dims
  i64 place[5];   // where n, c, d, h, w stand among the output's dims; -1: nowhere
  i64 groups;
  i64 stride[3];
  i64 before[3];
  i64 dilation[3];
  i64 has_bias;
  i64 columns;
  EPILOGUE_ARGS
};
TRT_DEVICE void OutputIndices(const ConvParams& p, i64 i, i64* ncdhw) {
  i64 at[kMaxRank];
  Unravel(i, p.out.dims, static_cast<int>(p.out.rank), at);
  for (int d = 0; d < 5; ++d) ncdhw[d] = p.place[d] < 0 ? 0 : at[p.place[d]];
}
template <typename T>
TRT_DEVICE i64 Offset5(const View<T>& v, i64 n, i64 c, i64 z, i64 y, i64 x) {
  return n * v.strides[0] + c * v.strides[1] + z * v.strides[2] + y * v.strides[3] +
         x * v.strides[4];
}
TRT_DEVICE Sum Bias(const ConvParams& p, i64 channel) {
  if (p.has_bias == 0) return Sum(0);
  return static_cast<Sum>(FromStorage(p.bias.data[channel * p.bias.strides[0]]));
}
TRT_DEVICE Sum Product(const ConvParams& p, i64 x, i64 w) {
  return static_cast<Sum>(FromStorage(p.x.data[x])) * static_cast<Sum>(FromStorage(p.w.data[w]));
}

#ifdef KERNEL_convolution
extern "C" __global__ void convolution(const ConvParams p) {
  const i64 n = p.out.numel();
  const i64 out_per_group = p.w.dims[0] / p.groups;
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 o[5];
    OutputIndices(p, i, o);
    const i64 first = o[1] / out_per_group * p.w.dims[1];
    Sum sum = Sum(0);
    for (i64 a = 0; a < p.w.dims[2]; ++a) {
      const i64 z = o[2] * p.stride[0] - p.before[0] + a * p.dilation[0];
      if (z < 0 || z >= p.x.dims[2]) continue;
      for (i64 b = 0; b < p.w.dims[3]; ++b) {
        const i64 y = o[3] * p.stride[1] - p.before[1] + b * p.dilation[1];
        if (y < 0 || y >= p.x.dims[3]) continue;
        for (i64 c = 0; c < p.w.dims[4]; ++c) {
          const i64 x = o[4] * p.stride[2] - p.before[2] + c * p.dilation[2];
          if (x < 0 || x >= p.x.dims[4]) continue;
          const i64 x0 = Offset5(p.x, o[0], first, z, y, x);
          const i64 w0 = Offset5(p.w, o[1], 0, a, b, c);
          for (i64 k = 0; k < p.w.dims[1]; ++k) {
            sum += Product(p, x0 + k * p.x.strides[1], w0 + k * p.w.strides[1]);
          }
        }
      }
    }
    sum += Bias(p, o[1]);
    STORE(p, i, sum);
  }
}
#endif

// The input position that reaches output position `o` by tap `tap`, or -1.
TRT_DEVICE i64 SourceOf(const ConvParams& p, int d, i64 o, i64 tap) {
  const i64 at = o + p.before[d] - tap * p.dilation[d];
  if (at < 0 || at % p.stride[d] != 0) return -1;
  return at / p.stride[d] < p.x.dims[2 + d] ? at / p.stride[d] : -1;
}
#ifdef KERNEL_deconvolution
extern "C" __global__ void deconvolution(const ConvParams p) {
  const i64 n = p.out.numel();
  const i64 in_per_group = p.w.dims[0] / p.groups;
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 o[5];
    OutputIndices(p, i, o);
    const i64 group = o[1] / p.w.dims[1];
    const i64 channel = o[1] - group * p.w.dims[1];
    Sum sum = Sum(0);
    for (i64 a = 0; a < p.w.dims[2]; ++a) {
      const i64 z = SourceOf(p, 0, o[2], a);
      for (i64 b = 0; z >= 0 && b < p.w.dims[3]; ++b) {
        const i64 y = SourceOf(p, 1, o[3], b);
        for (i64 c = 0; y >= 0 && c < p.w.dims[4]; ++c) {
          const i64 x = SourceOf(p, 2, o[4], c);
          if (x < 0) continue;
          const i64 x0 = Offset5(p.x, o[0], group * in_per_group, z, y, x);
          const i64 w0 = Offset5(p.w, group * in_per_group, channel, a, b, c);
          for (i64 k = 0; k < in_per_group; ++k) {
            sum += Product(p, x0 + k * p.x.strides[1], w0 + k * p.w.strides[0]);
          }
        }
      }
    }
    sum += Bias(p, o[1]);
    STORE(p, i, sum);
  }
}
#endif
