// Convolution and Deconvolution over 1..3 spatial dims.
//
// Both view x, w and the output as [N, C, spatial...] with three spatial dims by permuting strides
// and adding dims of size 1, so one loop nest serves every rank and layout.
#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

constexpr int kSpatial = 3;
using Spatial = std::array<int64_t, kSpatial>;

// [N, C, spatial...] or [N, spatial..., C] as rank-5 [N, C, d, h, w].
TensorView AsNcdhw(const TensorView& view, bool channels_last) {
  TensorView out = view;
  const int spatial = view.rank - 2;
  out.rank = 2 + kSpatial;
  const auto set = [&](int to, int from) {
    out.dims[At(to)] = from < 0 ? 1 : view.dims[At(from)];
    out.strides[At(to)] = from < 0 ? 0 : view.strides[At(from)];
  };
  set(0, 0);
  set(1, channels_last ? view.rank - 1 : 1);
  for (int d = 0; d < kSpatial; ++d) {
    const int from = d - (kSpatial - spatial);
    set(2 + d, from < 0 ? -1 : from + (channels_last ? 1 : 2));
  }
  return out;
}

// The last `count` of a list aligned to the innermost of three spatial dims.
Spatial Aligned(const Dims& values, size_t first, size_t count, int64_t fallback) {
  Spatial out{fallback, fallback, fallback};
  for (size_t d = 0; d < count && first + d < values.size(); ++d) {
    out[kSpatial - count + d] = values[first + d];
  }
  return out;
}

struct Problem {
  TensorView x;    // [N, C, d, h, w]
  TensorView w;    // [O, I/g, d, h, w]; Deconvolution [I, O/g, d, h, w]
  TensorView out;  // [N, O, d, h, w]
  int64_t groups = 1;
  Spatial stride{};
  Spatial padding{};
  Spatial dilation{};
};

Result<Problem> MakeProblem(const RefArgs& args, std::string_view tag) {
  const TensorView& x = args.in(0);
  if (x.rank < 3 || x.rank > 2 + kSpatial || args.in(1).rank != x.rank) {
    return InvalidArgument("[", tag, "] ranks ", x.rank, " of x and ", args.in(1).rank,
                           " of w, expected 3 to 5 and equal");
  }
  const bool last = args.attributes.Bool("channels_last");
  const size_t spatial = At(x.rank - 2);
  Problem p{AsNcdhw(x, last), AsNcdhw(args.in(1), last), AsNcdhw(args.out(), last)};
  p.groups = args.attributes.Int("groups", 1);
  p.stride = Aligned(args.attributes.Ints("stride"), 0, spatial, 1);
  p.padding = Aligned(args.attributes.Ints("padding"), 0, spatial, 0);
  p.dilation = Aligned(args.attributes.Ints("dilation"), 0, spatial, 1);
  return p;
}

// Calls f(tap, input position) for each tap of the window at output position `at` that lies inside
// the input.
template <typename F>
void ForEachTap(const Problem& p, const Spatial& at, const F& f) {
  Spatial tap{};
  Spatial pos{};
  const auto inside = [&](size_t d) {
    pos[d] = at[d] * p.stride[d] - p.padding[d] + tap[d] * p.dilation[d];
    return pos[d] >= 0 && pos[d] < p.x.dims[2 + d];
  };
  for (tap[0] = 0; tap[0] < p.w.dims[2]; ++tap[0]) {
    if (!inside(0)) continue;
    for (tap[1] = 0; tap[1] < p.w.dims[3]; ++tap[1]) {
      if (!inside(1)) continue;
      for (tap[2] = 0; tap[2] < p.w.dims[4]; ++tap[2]) {
        if (inside(2)) f(tap, pos);
      }
    }
  }
}

int64_t SpatialOffset(const Dims& dims, const Spatial& at) {
  return (at[0] * dims[3] + at[1]) * dims[4] + at[2];
}

Dims DimsOf(const TensorView& view) {
  return Dims(view.dims.begin(), view.dims.begin() + view.rank);
}

// Row-major [N, O, d, h, w] accumulators.
std::vector<double> Convolve(const Problem& p) {
  const std::vector<double> x = ReadAll<double>(p.x);
  const std::vector<double> w = ReadAll<double>(p.w);
  const Dims xd = DimsOf(p.x);
  const Dims wd = DimsOf(p.w);
  const int64_t x_plane = xd[2] * xd[3] * xd[4];
  const int64_t w_plane = wd[2] * wd[3] * wd[4];
  const int64_t out_per_group = p.out.dims[1] / p.groups;
  std::vector<double> out;
  out.reserve(At(p.out.numel()));
  const std::array<int64_t, kMaxRank> no_strides{};
  for (Walker<1> o(p.out.dims.data(), 5, {no_strides.data()}); !o.done(); o.Next()) {
    const int64_t first = o.index(1) / out_per_group * wd[1];
    const double* x0 = x.data() + (o.index(0) * xd[1] + first) * x_plane;
    const double* w0 = w.data() + o.index(1) * wd[1] * w_plane;
    double sum = 0;
    ForEachTap(p, {o.index(2), o.index(3), o.index(4)}, [&](const Spatial& tap, const Spatial& at) {
      const int64_t xo = SpatialOffset(xd, at);
      const int64_t wo = SpatialOffset(wd, tap);
      for (int64_t c = 0; c < wd[1]; ++c) sum += x0[c * x_plane + xo] * w0[c * w_plane + wo];
    });
    out.push_back(sum);
  }
  return out;
}

// As Convolve with input and output swapped: each input element is spread over its window.
std::vector<double> Deconvolve(const Problem& p) {
  const std::vector<double> x = ReadAll<double>(p.x);
  const std::vector<double> w = ReadAll<double>(p.w);
  const Dims wd = DimsOf(p.w);
  const Dims od = DimsOf(p.out);
  const int64_t w_plane = wd[2] * wd[3] * wd[4];
  const int64_t out_plane = od[2] * od[3] * od[4];
  const int64_t in_per_group = p.x.dims[1] / p.groups;
  std::vector<double> out(At(p.out.numel()), 0.0);
  Problem swapped = p;
  swapped.x = p.out;
  const std::array<int64_t, kMaxRank> no_strides{};
  size_t next = 0;
  for (Walker<1> i(p.x.dims.data(), 5, {no_strides.data()}); !i.done(); i.Next()) {
    const double value = x[next++];
    const int64_t first = i.index(1) / in_per_group * wd[1];
    double* out0 = out.data() + (i.index(0) * od[1] + first) * out_plane;
    const double* w0 = w.data() + i.index(1) * wd[1] * w_plane;
    const auto spread = [&](const Spatial& tap, const Spatial& at) {
      const int64_t oo = SpatialOffset(od, at);
      const int64_t wo = SpatialOffset(wd, tap);
      for (int64_t c = 0; c < wd[1]; ++c) out0[c * out_plane + oo] += value * w0[c * w_plane + wo];
    };
    ForEachTap(swapped, {i.index(2), i.index(3), i.index(4)}, spread);
  }
  return out;
}

void AddBias(const RefArgs& args, const TensorView& out, std::vector<double>* values) {
  if (!args.attributes.Bool("has_bias")) return;
  const std::vector<double> bias = ReadAll<double>(args.in(2));
  const int64_t plane = out.dims[2] * out.dims[3] * out.dims[4];
  for (size_t i = 0; i < values->size(); ++i) {
    (*values)[i] += bias[i / At(plane) % bias.size()];
  }
}

// [N, C, spatial] values in the element order of the layer's output.
std::vector<double> InOutputOrder(const RefArgs& args, const TensorView& ncdhw,
                                  const std::vector<double>& values) {
  if (!args.attributes.Bool("channels_last")) return values;
  const int64_t channels = ncdhw.dims[1];
  const int64_t plane = ncdhw.dims[2] * ncdhw.dims[3] * ncdhw.dims[4];
  std::vector<double> out(values.size());
  for (int64_t n = 0; n < ncdhw.dims[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t s = 0; s < plane; ++s) {
        out[At((n * plane + s) * channels + c)] = values[At((n * channels + c) * plane + s)];
      }
    }
  }
  return out;
}

}  // namespace

Status RunConvolution(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const Problem p, MakeProblem(args, "Convolution"));
  if (p.groups < 1 || p.w.dims[1] * p.groups != p.x.dims[1] || p.w.dims[0] % p.groups != 0) {
    return InvalidArgument("[Convolution] ", p.x.dims[1], " input channels, ", p.groups,
                           " groups and weights ", ToString(DimsOf(p.w)), " do not fit");
  }
  std::vector<double> values = Convolve(p);
  AddBias(args, p.out, &values);
  return StoreWithEpilogue(args, InOutputOrder(args, p.out, values),
                           args.attributes.Bool("has_bias") ? 3 : 2);
}

Status RunDeconvolution(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const Problem p, MakeProblem(args, "Deconvolution"));
  if (p.groups < 1 || p.w.dims[0] != p.x.dims[1] || p.x.dims[1] % p.groups != 0) {
    return InvalidArgument("[Deconvolution] ", p.x.dims[1], " input channels, ", p.groups,
                           " groups and weights ", ToString(DimsOf(p.w)), " do not fit");
  }
  std::vector<double> values = Deconvolve(p);
  AddBias(args, p.out, &values);
  return StoreWithEpilogue(args, InOutputOrder(args, p.out, values),
                           args.attributes.Bool("has_bias") ? 3 : 2);
}

}  // namespace torch_tensorrt::core::kernels::reference
