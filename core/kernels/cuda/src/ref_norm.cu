// Group normalisation of any strides, one block per group of an image. DATA is the storage type of
// x and the output, WEIGHT and BIAS those of the parameters.
#include "view.cuh"

constexpr int kThreads = 256;

struct GroupParams {
  View<const DATA> x;
  View<DATA> out;
  View<const WEIGHT> weight;
  View<const BIAS> bias;
  i64 channel_dim;
  i64 groups;
  i64 has_weight;
  i64 has_bias;
  double eps;
};
// Offset of spatial position `at`: all dims but the first and the channels.
template <typename T>
TRT_DEVICE i64 SpatialOffset(const View<T>& v, i64 channel_dim, i64 at) {
  i64 offset = 0;
  for (int d = static_cast<int>(v.rank) - 1; d > 0; --d) {
    if (d == channel_dim) continue;
    const i64 next = at / v.dims[d];
    offset += (at - next * v.dims[d]) * v.strides[d];
    at = next;
  }
  return offset;
}
extern "C" __global__ void __launch_bounds__(kThreads) group_norm(const GroupParams p) {
  __shared__ double shared[32];
  const i64 image = blockIdx.x / p.groups, group = blockIdx.x % p.groups;
  const int c_dim = static_cast<int>(p.channel_dim);
  const i64 per_group = p.x.dims[c_dim] / p.groups;
  i64 spatial = 1;
  for (int d = 1; d < p.x.rank; ++d) spatial *= d == c_dim ? 1 : p.x.dims[d];
  const i64 size = per_group * spatial;
  const i64 base = image * p.x.strides[0] + group * per_group * p.x.strides[c_dim];
  double sum = 0;
  for (i64 k = threadIdx.x; k < size; k += kThreads) {
    const i64 c = k / spatial;
    sum += static_cast<double>(FromStorage(
        p.x.data[base + c * p.x.strides[c_dim] + SpatialOffset(p.x, c_dim, k - c * spatial)]));
  }
  const double mean = BlockFold<kThreads>(sum, shared, SumFold{}) / static_cast<double>(size);
  double squares = 0;
  for (i64 k = threadIdx.x; k < size; k += kThreads) {
    const i64 c = k / spatial;
    const double d =
        static_cast<double>(FromStorage(
            p.x.data[base + c * p.x.strides[c_dim] + SpatialOffset(p.x, c_dim, k - c * spatial)])) -
        mean;
    squares += d * d;
  }
  const double variance =
      BlockFold<kThreads>(squares, shared, SumFold{}) / static_cast<double>(size);
  const double inverse = 1 / sqrt(variance + p.eps);
  const i64 out_base = image * p.out.strides[0];
  for (i64 k = threadIdx.x; k < size; k += kThreads) {
    const i64 c = k / spatial, channel = group * per_group + c, s = k - c * spatial;
    double v = static_cast<double>(
        FromStorage(p.x.data[base + c * p.x.strides[c_dim] + SpatialOffset(p.x, c_dim, s)]));
    v = (v - mean) * inverse;
    if (p.has_weight != 0)
      v *= static_cast<double>(FromStorage(p.weight.data[channel * p.weight.strides[0]]));
    if (p.has_bias != 0)
      v += static_cast<double>(FromStorage(p.bias.data[channel * p.bias.strides[0]]));
    if (SILU) v = PwSilu(v);
    p.out.data[out_base + channel * p.out.strides[c_dim] + SpatialOffset(p.out, c_dim, s)] =
        Finish<DATA>(v);
  }
}
