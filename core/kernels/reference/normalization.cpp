// Softmax and Normalization: statistics in double.
#include <cmath>

#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

void SoftmaxLine(double* line, int64_t n, int64_t step, bool log) {
  double max = -INFINITY;
  for (int64_t k = 0; k < n; ++k) {
    const double v = line[k * step];
    max = std::isnan(v) || v > max ? v : max;
    if (std::isnan(max)) break;
  }
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += std::exp(line[k * step] - max);
  for (int64_t k = 0; k < n; ++k) {
    double& v = line[k * step];
    v = log ? v - max - std::log(sum) : std::exp(v - max) / sum;
  }
}

// Optional weight and bias, one value per channel.
struct Affine {
  std::vector<double> weight;
  std::vector<double> bias;

  double operator()(double v, size_t channel) const {
    if (!weight.empty()) v *= weight[channel];
    if (!bias.empty()) v += bias[channel];
    return v;
  }
};

Affine ReadAffine(const RefArgs& args, size_t next) {
  Affine affine;
  if (args.attributes.Bool("has_weight")) affine.weight = ReadAll<double>(args.in(next++));
  if (args.attributes.Bool("has_bias")) affine.bias = ReadAll<double>(args.in(next));
  return affine;
}

struct Moments {
  double mean = 0;
  double inverse = 0;  // 1 / sqrt(variance + eps)
};

// Of the elements values[index(k)], k < n. `center` false leaves the mean at 0 (RMS).
template <typename Index>
Moments MomentsOf(const std::vector<double>& values, int64_t n, double eps, bool center,
                  const Index& index) {
  Moments m;
  if (center) {
    for (int64_t k = 0; k < n; ++k) m.mean += values[index(k)];
    m.mean /= static_cast<double>(n);
  }
  double squares = 0;
  for (int64_t k = 0; k < n; ++k) {
    const double d = values[index(k)] - m.mean;
    squares += d * d;
  }
  m.inverse = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
  return m;
}

Status RunTrailing(const RefArgs& args, bool center) {
  const TensorView& x = args.in(0);
  const int64_t norm_rank = args.attributes.Int("norm_rank", 1);
  if (norm_rank < 0 || norm_rank > x.rank) {
    return InvalidArgument("[Normalization] norm_rank ", norm_rank, " of a tensor of rank ",
                           x.rank);
  }
  int64_t n = 1;
  for (int64_t d = x.rank - norm_rank; d < x.rank; ++d) n *= x.dims[At(d)];
  const Affine affine = ReadAffine(args, 1);
  std::vector<double> values = ReadAll<double>(x);
  const double eps = args.attributes.Double("eps");
  for (size_t first = 0; first < values.size(); first += At(n)) {
    const auto index = [first](int64_t k) { return first + At(k); };
    const Moments m = MomentsOf(values, n, eps, center, index);
    for (int64_t k = 0; k < n; ++k) {
      double& v = values[index(k)];
      v = affine((v - m.mean) * m.inverse, At(k));
    }
  }
  WriteAll(args.out(), values);
  return Status::Ok();
}

// x as [batch, channels, spatial] with the dense strides of either layout.
struct ChannelView {
  int64_t batch = 1;
  int64_t channels = 1;
  int64_t spatial = 1;
  bool last = false;

  size_t At3(int64_t n, int64_t c, int64_t s) const {
    return At(last ? (n * spatial + s) * channels + c : (n * channels + c) * spatial + s);
  }
};

Result<ChannelView> ChannelsOf(const RefArgs& args) {
  const TensorView& x = args.in(0);
  if (x.rank < 2) return InvalidArgument("[Normalization] rank ", x.rank, ", expected >= 2");
  ChannelView v;
  v.last = args.attributes.Bool("channels_last");
  v.batch = x.dims[0];
  const int channel_dim = v.last ? x.rank - 1 : 1;
  v.channels = x.dims[At(channel_dim)];
  for (int d = 1; d < x.rank; ++d) v.spatial *= d == channel_dim ? 1 : x.dims[At(d)];
  return v;
}

Status RunGroup(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const ChannelView view, ChannelsOf(args));
  const int64_t groups = args.attributes.Int("groups", 1);
  if (groups < 1 || view.channels % groups != 0) {
    return InvalidArgument("[Normalization] ", groups, " groups do not divide ", view.channels,
                           " channels");
  }
  const int64_t per_group = view.channels / groups;
  const Affine affine = ReadAffine(args, 1);
  std::vector<double> values = ReadAll<double>(args.in(0));
  const double eps = args.attributes.Double("eps");
  const bool silu = args.attributes.Bool("silu");
  for (int64_t n = 0; n < view.batch; ++n) {
    for (int64_t g = 0; g < groups; ++g) {
      const auto channel = [&](int64_t k) { return g * per_group + k / view.spatial; };
      const auto index = [&](int64_t k) { return view.At3(n, channel(k), k % view.spatial); };
      const int64_t size = per_group * view.spatial;
      const Moments m = MomentsOf(values, size, eps, true, index);
      for (int64_t k = 0; k < size; ++k) {
        double& v = values[index(k)];
        v = affine((v - m.mean) * m.inverse, At(channel(k)));
        if (silu) v /= 1 + std::exp(-v);
      }
    }
  }
  WriteAll(args.out(), values);
  return Status::Ok();
}

Status RunBatch(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const ChannelView view, ChannelsOf(args));
  if (args.inputs.size() < 3) {
    return InvalidArgument("[Normalization] batch needs x, mean, variance; got ",
                           args.inputs.size(), " inputs");
  }
  const std::vector<double> mean = ReadAll<double>(args.in(1));
  const std::vector<double> variance = ReadAll<double>(args.in(2));
  const Affine affine = ReadAffine(args, 3);
  std::vector<double> values = ReadAll<double>(args.in(0));
  const double eps = args.attributes.Double("eps");
  for (int64_t n = 0; n < view.batch; ++n) {
    for (int64_t c = 0; c < view.channels; ++c) {
      const double inverse = 1 / std::sqrt(variance[At(c)] + eps);
      for (int64_t s = 0; s < view.spatial; ++s) {
        double& v = values[view.At3(n, c, s)];
        v = affine((v - mean[At(c)]) * inverse, At(c));
      }
    }
  }
  WriteAll(args.out(), values);
  return Status::Ok();
}

}  // namespace

Status RunSoftmax(const RefArgs& args) {
  std::vector<double> values = ReadAll<double>(args.in(0));
  const AxisSplit split = SplitAt(args.in(0), args.attributes.Int("axis"));
  const bool log = args.attributes.Bool("log");
  for (int64_t o = 0; o < split.outer; ++o) {
    for (int64_t i = 0; i < split.inner; ++i) {
      SoftmaxLine(values.data() + o * split.n * split.inner + i, split.n, split.inner, log);
    }
  }
  WriteAll(args.out(), values);
  return Status::Ok();
}

Status RunNormalization(const RefArgs& args) {
  const std::string kind = args.attributes.Str("kind");
  if (kind == "layer") return RunTrailing(args, true);
  if (kind == "rms") return RunTrailing(args, false);
  if (kind == "group") return RunGroup(args);
  if (kind == "batch") return RunBatch(args);
  return InvalidArgument("[Normalization] unknown kind '", kind, "'");
}

}  // namespace torch_tensorrt::core::kernels::reference
