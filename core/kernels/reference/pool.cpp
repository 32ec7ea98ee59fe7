// Pool and AdaptivePool over trailing spatial dims, 1..3 of them.
#include <algorithm>
#include <limits>

#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

// One window along one spatial dim: positions begin, begin + step, ... < end, all inside the input.
struct Window {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t step = 1;
  int64_t padded_size = 0;  // as average pooling counts it with padding

  int64_t count() const { return begin < end ? (end - begin + step - 1) / step : 0; }
};

// Windows per spatial dim and output position.
using Windows = std::vector<std::vector<Window>>;

// T: double for floats, int64_t for integers, as no double holds all of them.
template <typename T>
struct Folded {
  T value = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                 : std::numeric_limits<T>::lowest();
  int64_t at = -1;  // flat position in the input plane
  double sum = 0;
  int64_t count = 0;
  int64_t padded = 1;
};

// Where spatial dim `d` of a tensor sits.
int SpatialDim(const TensorView& view, int spatial, int d, bool last) {
  return last ? view.rank - 1 - spatial + d : view.rank - spatial + d;
}

// Folds the box of windows into one result; `offset` is that of the (n, c) plane.
template <typename T>
Folded<T> FoldBox(const TensorView& in, const std::vector<int>& dims,
                  const std::vector<Window>& box, int64_t offset) {
  Folded<T> result;
  Dims counts;
  Dims strides;
  for (size_t d = 0; d < box.size(); ++d) {
    counts.push_back(box[d].count());
    strides.push_back(box[d].step * in.strides[At(dims[d])]);
    offset += box[d].begin * in.strides[At(dims[d])];
    result.padded *= box[d].padded_size;
  }
  for (Walker<1> w(counts.data(), static_cast<int>(counts.size()), {strides.data()}); !w.done();
       w.Next()) {
    int64_t at = 0;
    for (size_t d = 0; d < box.size(); ++d) {
      const int64_t position = box[d].begin + w.index(static_cast<int>(d)) * box[d].step;
      at = at * in.dims[At(dims[d])] + position;
    }
    const auto v = ReadElement<T>(in.data, in.dtype, offset + w.offset(0));
    if (v > result.value || v != v || result.at < 0) {  // NaN wins
      result.value = v;
      result.at = at;
    }
    result.sum += static_cast<double>(v);
    ++result.count;
  }
  return result;
}

// Calls write(out offset, index offset, folded box) for every output element.
template <typename T, typename Write>
void ForEachBox(const RefArgs& args, const Windows& windows, bool last, const Write& write) {
  const TensorView& in = args.in(0);
  const TensorView& out = args.out();
  const TensorView& second = args.outputs.size() > 1 ? args.out(1) : out;
  const int spatial = static_cast<int>(windows.size());
  std::vector<int> dims;
  for (int d = 0; d < spatial; ++d) dims.push_back(SpatialDim(in, spatial, d, last));
  TensorView plane = in;  // strides of the (n, c) part only
  for (const int d : dims) plane.strides[At(d)] = 0;
  std::vector<Window> box(windows.size());
  for (Walker<3> w(out.dims.data(), out.rank,
                   {out.strides.data(), second.strides.data(), plane.strides.data()});
       !w.done(); w.Next()) {
    for (size_t d = 0; d < box.size(); ++d) box[d] = windows[d][At(w.index(dims[d]))];
    write(w.offset(0), w.offset(1), FoldBox<T>(in, dims, box, w.offset(2)));
  }
}

Result<Windows> PoolWindows(const RefArgs& args, bool last) {
  const TensorView& in = args.in(0);
  const Dims kernel = args.attributes.Ints("kernel");
  const Dims padding = args.attributes.Ints("padding");
  Dims stride = args.attributes.Ints("stride");
  Dims dilation = args.attributes.Ints("dilation");
  const size_t spatial = kernel.size();
  if (stride.empty()) stride = kernel;
  if (dilation.empty()) dilation.assign(spatial, 1);
  if (spatial == 0 || in.rank < static_cast<int>(spatial) + (last ? 1 : 0) ||
      padding.size() != 2 * spatial || stride.size() != spatial || dilation.size() != spatial) {
    return InvalidArgument("[Pool] kernel ", ToString(kernel), ", stride ", ToString(stride),
                           ", padding ", ToString(padding), " for a tensor of rank ", in.rank);
  }
  Windows windows(spatial);
  for (size_t d = 0; d < spatial; ++d) {
    const int dim = SpatialDim(in, static_cast<int>(spatial), static_cast<int>(d), last);
    const int64_t size = in.dims[At(dim)];
    for (int64_t o = 0; o < args.out().dims[At(dim)]; ++o) {
      const int64_t start = o * stride[d] - padding[d];
      const int64_t stop = start + (kernel[d] - 1) * dilation[d] + 1;
      Window w{start, std::min(stop, size), dilation[d],
               std::min(stop, size + padding[spatial + d]) - start};
      while (w.begin < 0) w.begin += dilation[d];
      windows[d].push_back(w);
    }
  }
  return windows;
}

}  // namespace

Status RunPool(const RefArgs& args) {
  const bool last = args.attributes.Bool("channels_last");
  TRT_ASSIGN_OR_RETURN(const Windows windows, PoolWindows(args, last));
  const TensorView& out = args.out();
  if (args.attributes.Str("kind") == "max") {
    const bool indices = args.attributes.Bool("with_indices") && args.outputs.size() > 1;
    DispatchAll(out.dtype, [&](auto zero) {
      using T = decltype(zero);
      ForEachBox<T>(args, windows, last, [&](int64_t at, int64_t index_at, const Folded<T>& e) {
        WriteElement(out.data, out.dtype, at, e.value);
        if (indices) WriteElement(args.out(1).data, args.out(1).dtype, index_at, e.at);
      });
    });
    return Status::Ok();
  }
  const int64_t divisor = args.attributes.Int("divisor");
  const bool padded = args.attributes.Bool("count_include_pad", true);
  ForEachBox<double>(args, windows, last, [&](int64_t at, int64_t /*i*/, const Folded<double>& e) {
    const int64_t by = divisor != 0 ? divisor : (padded ? e.padded : e.count);
    WriteElement(out.data, out.dtype, at, e.count == 0 ? 0 : e.sum / static_cast<double>(by));
  });
  return Status::Ok();
}

Status RunAdaptivePool(const RefArgs& args) {
  const TensorView& in = args.in(0);
  const bool last = args.attributes.Bool("channels_last");
  const auto spatial = static_cast<int>(args.attributes.Ints("sizes").size());
  if (spatial == 0 || in.rank < spatial + (last ? 1 : 0)) {
    return InvalidArgument("[AdaptivePool] ", spatial, " sizes for a tensor of rank ", in.rank);
  }
  Windows windows(At(spatial));
  for (int d = 0; d < spatial; ++d) {
    const int dim = SpatialDim(in, spatial, d, last);
    const int64_t size = in.dims[At(dim)];
    const int64_t count = args.out().dims[At(dim)];
    for (int64_t o = 0; o < count; ++o) {
      windows[At(d)].push_back({o * size / count, ((o + 1) * size + count - 1) / count, 1, 0});
    }
  }
  const bool max = args.attributes.Str("kind") == "max";
  const TensorView& out = args.out();
  DispatchAll(out.dtype, [&](auto zero) {
    using T = decltype(zero);
    ForEachBox<T>(args, windows, last, [&](int64_t at, int64_t /*i*/, const Folded<T>& e) {
      if (max) {
        WriteElement(out.data, out.dtype, at, e.value);
      } else {
        WriteElement(out.data, out.dtype, at, e.sum / static_cast<double>(e.count));
      }
    });
  });
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::reference
