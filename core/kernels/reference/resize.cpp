// Resize: separable interpolation. Source positions are computed in float (double for f64), as
// torch does, because they decide which pixel is read.
#include <algorithm>
#include <cmath>

#include "core/kernels/reference/kernels.h"
#include "core/kernels/reference/resize_taps.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

using Axis = ResizeAxis;

template <typename F>
F NearestScale(const Axis& a) {
  if (a.scale > 0) return static_cast<F>(1.0 / a.scale);
  return static_cast<F>(a.in) / static_cast<F>(a.out);
}

template <typename F>
F LinearScale(const Axis& a) {
  if (!a.align_corners) return NearestScale<F>(a);
  return a.out > 1 ? static_cast<F>(a.in - 1) / static_cast<F>(a.out - 1) : F{0};
}

template <typename F>
ResizeTaps NearestTaps(const Axis& a, int64_t o, bool exact) {
  const F position = (static_cast<F>(o) + (exact ? F{0.5} : F{0})) * NearestScale<F>(a);
  return {{std::min(static_cast<int64_t>(std::floor(position)), a.in - 1), 1.0}};
}

template <typename F>
F SourcePosition(const Axis& a, int64_t o, bool cubic) {
  const F scale = LinearScale<F>(a);
  if (a.align_corners) return scale * static_cast<F>(o);
  // Rounded once, as in torch: an error of one rounding is a weight that is not 0, and 0 times
  // infinity is NaN.
  const F position = std::fma(scale, static_cast<F>(o) + F{0.5}, F{-0.5});
  return position < 0 && !cubic ? F{0} : position;
}

template <typename F>
ResizeTaps LinearTaps(const Axis& a, int64_t o) {
  if (a.in == a.out) return {{o, 1.0}, {o, 0.0}};  // whatever the scale
  const F position = SourcePosition<F>(a, o, false);
  const int64_t low = std::min(static_cast<int64_t>(position), a.in - 1);
  const int64_t high = std::min(low + 1, a.in - 1);
  const auto fraction = static_cast<double>(std::clamp(position - static_cast<F>(low), F{0}, F{1}));
  return {{low, 1 - fraction}, {high, fraction}};
}

template <typename F>
ResizeTaps CubicTaps(const Axis& a, int64_t o) {
  const F position = SourcePosition<F>(a, o, true);
  const auto first = static_cast<int64_t>(std::floor(position));
  const auto t = static_cast<double>(position - static_cast<F>(first));
  constexpr double kA = -0.75;
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; };
  const double weights[4] = {far(t + 1), near(t), near(1 - t), far(2 - t)};
  ResizeTaps taps;
  for (int64_t k = 0; k < 4; ++k) {
    taps.push_back({std::clamp<int64_t>(first - 1 + k, 0, a.in - 1), weights[k]});
  }
  return taps;
}

template <typename F>
ResizeTaps TapsOf(const std::string& mode, const Axis& a, int64_t o) {
  if (mode == "linear") return LinearTaps<F>(a, o);
  if (mode == "cubic") return CubicTaps<F>(a, o);
  return NearestTaps<F>(a, o, mode == "nearest-exact");
}

// Sum of the input over the product of the dims' taps from dim `d` on.
double Interpolate(const TensorView& in, const std::vector<const ResizeTaps*>& taps,
                   const std::vector<int>& dims, size_t d, int64_t offset) {
  if (d == taps.size()) return ReadElement<double>(in.data, in.dtype, offset);
  double sum = 0;
  for (const ResizeTap& tap : *taps[d]) {
    const double v = Interpolate(in, taps, dims, d + 1, offset + tap.at * in.strides[At(dims[d])]);
    sum += taps[d]->size() == 1 ? v : tap.weight * v;
  }
  return sum;
}

Status CheckResize(const RefArgs& args, const std::string& mode, size_t spatial) {
  if (mode != "nearest" && mode != "nearest-exact" && mode != "linear" && mode != "cubic") {
    return InvalidArgument("[Resize] unknown mode '", mode, "'");
  }
  if (spatial == 0 || args.in(0).rank < static_cast<int>(spatial) + 1) {
    return InvalidArgument("[Resize] ", spatial, " sizes for a tensor of rank ", args.in(0).rank);
  }
  return Status::Ok();
}

}  // namespace

ResizeTaps TapsAt(const std::string& mode, const ResizeAxis& axis, bool in_double, int64_t o) {
  return in_double ? TapsOf<double>(mode, axis, o) : TapsOf<float>(mode, axis, o);
}

Status RunResize(const RefArgs& args) {
  const TensorView& in = args.in(0);
  const TensorView& out = args.out();
  const std::string mode = args.attributes.Str("mode");
  const size_t spatial = args.attributes.Ints("sizes").size();
  TRT_RETURN_IF_ERROR(CheckResize(args, mode, spatial));
  if (out.numel() == 0) return Status::Ok();
  const auto scales = args.attributes.Get("scales", std::vector<double>{});
  const int shift = args.attributes.Bool("channels_last") ? 1 : 0;
  std::vector<int> dims;
  std::vector<std::vector<ResizeTaps>> tables(spatial);
  TensorView plane = in;
  for (size_t d = 0; d < spatial; ++d) {
    const int dim = in.rank - static_cast<int>(spatial - d) - shift;
    const Axis axis{in.dims[At(dim)], out.dims[At(dim)], d < scales.size() ? scales[d] : 0,
                    args.attributes.Bool("align_corners")};
    if (axis.in == 0 && out.numel() != 0) {
      return InvalidArgument("[Resize] dim ", dim, " is empty");
    }
    for (int64_t o = 0; o < axis.out; ++o) {
      tables[d].push_back(TapsAt(mode, axis, in.dtype == DataType::kFloat64, o));
    }
    dims.push_back(dim);
    plane.strides[At(dim)] = 0;
  }
  std::vector<const ResizeTaps*> taps(spatial);
  for (Walker<2> w(out.dims.data(), out.rank, {out.strides.data(), plane.strides.data()});
       !w.done(); w.Next()) {
    for (size_t d = 0; d < spatial; ++d) taps[d] = &tables[d][At(w.index(dims[d]))];
    double value = Interpolate(in, taps, dims, 0, w.offset(1));
    if (!IsFloat(out.dtype)) value = std::clamp(std::nearbyint(value), 0.0, 255.0);
    WriteElement(out.data, out.dtype, w.offset(0), value);
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::reference
