// cpu.pool: dense max and average pooling over 1..3 spatial dims, [N, C, spatial] or [N, spatial,
// C].
//
// Windows are clipped once, in Prepare. Channels last: one output position folds the channel
// vectors of its window. Channels first: the rows of a window are folded into one row, from which
// each output takes its columns.
#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/fold_code.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int kSpatial = 3;
constexpr int64_t kMaxTaps = 512;
constexpr int64_t kColumns =
    1024;  // input columns folded at once; a window along one dim is no wider

// Input positions first, first + step, ... (count of them) of one output position along one dim.
struct Window {
  int64_t first = 0;
  int64_t count = 0;
  int64_t step = 1;
  int64_t padded = 0;  // positions as average pooling counts them with padding
};

struct Problem {
  bool max = false;
  bool last = false;
  bool padded_count = true;
  int64_t divisor = 0;
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t in[kSpatial] = {1, 1, 1};
  int64_t out[kSpatial] = {1, 1, 1};
  std::vector<Window> windows[kSpatial];
  int64_t taps = 1;  // most positions of a window
};

class PoolState : public KernelState {
 public:
  Problem problem;
};

std::vector<Window> WindowsOf(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                              int64_t dilation, int64_t begin, int64_t end) {
  std::vector<Window> windows;
  for (int64_t o = 0; o < out; ++o) {
    const int64_t start = o * stride - begin;
    const int64_t stop = start + (kernel - 1) * dilation + 1;
    const int64_t skip = start < 0 ? (-start + dilation - 1) / dilation : 0;
    Window w{start + skip * dilation, 0, dilation, std::min(stop, in + end) - start};
    const int64_t limit = std::min(stop, in);
    if (w.first < limit) w.count = (limit - w.first + dilation - 1) / dilation;
    windows.push_back(w);
  }
  return windows;
}

Result<Problem> Describe(const PrepareArgs& args) {
  TRT_RETURN_IF_ERROR(CheckCounts("Pool", args, 1, 1));
  const TensorView& x = args.inputs[0];
  TRT_RETURN_IF_ERROR(CheckNarrowFloat("Pool", x.dtype));
  const Attributes& a = args.attributes;
  const Dims kernel = a.Ints("kernel");
  const Dims padding = a.Ints("padding");
  Dims stride = a.Ints("stride");
  Dims dilation = a.Ints("dilation");
  const size_t spatial = kernel.size();
  if (stride.empty()) stride = kernel;
  if (dilation.empty()) dilation.assign(spatial, 1);
  Problem p;
  p.last = a.Bool("channels_last");
  if (spatial < 1 || spatial > kSpatial || stride.size() != spatial || dilation.size() != spatial ||
      padding.size() != 2 * spatial || Idx(x.rank) < spatial + (p.last ? 1 : 0)) {
    return InvalidArgument("[Pool] kernel ", ToString(kernel), ", stride ", ToString(stride),
                           ", padding ", ToString(padding), " for a tensor of rank ", x.rank);
  }
  if (args.outputs.size() > 1) return Unsupported("[Pool] indices of maxima");
  if (!IsDense(x) || !IsDense(args.outputs[0])) {
    return Unsupported("[Pool] a tensor that is not contiguous; copy it first");
  }
  p.max = a.Str("kind") == "max";
  p.padded_count = a.Bool("count_include_pad", true);
  p.divisor = a.Int("divisor");
  if (args.outputs[0].numel() == 0) return p;  // no windows: sizes may be large
  const int first = x.rank - static_cast<int>(spatial) - (p.last ? 1 : 0);
  p.channels = p.last ? x.dims[Idx(x.rank - 1)] : 1;
  p.batch = 1;
  for (int d = 0; d < first; ++d) p.batch *= x.dims[Idx(d)];
  for (size_t d = 0; d < kSpatial; ++d) {
    if (d + spatial < kSpatial) {
      p.windows[d] = {Window{0, 1, 1, 1}};
      continue;
    }
    const size_t k = d + spatial - kSpatial;
    p.in[d] = x.dims[Idx(first) + k];
    p.out[d] = args.outputs[0].dims[Idx(first) + k];
    p.windows[d] = WindowsOf(p.in[d], p.out[d], kernel[k], stride[k], dilation[k], padding[k],
                             padding[spatial + k]);
    p.taps *= kernel[k];
    if ((kernel[k] - 1) * dilation[k] >= kColumns) {
      return Unsupported("[Pool] a window ", kernel[k], " wide with dilation ", dilation[k]);
    }
  }
  if (p.last && p.taps > kMaxTaps) return Unsupported("[Pool] a window of ", p.taps, " positions");
  return p;
}

float ScaleOf(const Problem& p, const Window& d, const Window& h, const Window& w) {
  const int64_t padded = d.padded * h.padded * w.padded;
  const int64_t inside = d.count * h.count * w.count;
  const int64_t by = p.divisor != 0 ? p.divisor : (p.padded_count ? padded : inside);
  return inside == 0 ? 0.0F : 1.0F / static_cast<float>(by);
}

// Calls f(position in the input plane of row (d, h)) for the rows of a window.
template <typename F>
void ForRows(const Problem& p, const Window& d, const Window& h, const F& f) {
  for (int64_t i = 0; i < d.count; ++i) {
    for (int64_t j = 0; j < h.count; ++j) {
      f(((d.first + i * d.step) * p.in[1] + h.first + j * h.step) * p.in[2]);
    }
  }
}

class PoolKernel : public Kernel {
 public:
  PoolKernel() : code_(FoldCodeForCurrentIsa()) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    auto state = std::make_unique<PoolState>();
    TRT_ASSIGN_OR_RETURN(state->problem, Describe(args));
    Prepared prepared;
    prepared.state = std::move(state);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    const Problem& p = static_cast<const PoolState*>(args.state)->problem;
    if (args.outputs[0].numel() == 0) return Status::Ok();
    const int64_t rows = p.batch * p.out[0] * p.out[1];
    const int64_t work = p.out[2] * p.channels * p.taps;
    ParallelFor(rows, GrainOf(work), [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t r = begin; r < end; ++r) {
        if (p.last) {
          RowLast(args, p, r);
        } else {
          RowFirst(args, p, r);
        }
      }
    });
    return Status::Ok();
  }

 private:
  struct Place {
    int64_t plane;  // first element of the input plane
    const Window& d;
    const Window& h;
  };

  // Where output row `r` reads.
  static Place PlaceOf(const Problem& p, int64_t r) {
    const int64_t h = r % p.out[1];
    const int64_t d = r / p.out[1] % p.out[0];
    const int64_t n = r / (p.out[1] * p.out[0]);
    return {n * p.in[0] * p.in[1] * p.in[2] * p.channels, p.windows[0][Idx(d)],
            p.windows[1][Idx(h)]};
  }

  void RowLast(const RunArgs& args, const Problem& p, int64_t r) const {
    const TensorView& x = args.inputs[0];
    const int type = NarrowFloatIndex(x.dtype);
    const Place place = PlaceOf(p, r);
    const void* taps[kMaxTaps];
    for (int64_t o = 0; o < p.out[2]; ++o) {
      const Window& w = p.windows[2][Idx(o)];
      int64_t count = 0;
      ForRows(p, place.d, place.h, [&](int64_t row) {
        for (int64_t k = 0; k < w.count; ++k) {
          taps[count++] = ElementAt(x, place.plane + (row + w.first + k * w.step) * p.channels);
        }
      });
      void* out = ElementAt(args.outputs[0], (r * p.out[2] + o) * p.channels);
      if (p.max) {
        code_.max_of[type](taps, count, p.channels, out);
      } else {
        code_.sum_of[type](taps, count, p.channels, ScaleOf(p, place.d, place.h, w), out);
      }
    }
  }

  void RowFirst(const RunArgs& args, const Problem& p, int64_t r) const {
    const TensorView& x = args.inputs[0];
    const int type = NarrowFloatIndex(x.dtype);
    const Place place = PlaceOf(p, r);
    const FoldKind kind = p.max ? FoldKind::kMax : FoldKind::kSum;
    const auto into = code_.into[static_cast<int>(kind)][type];
    // Output by output in blocks whose input columns fit the buffer.
    float columns[kColumns];
    float results[kColumns];
    for (int64_t o = 0; o < p.out[2];) {
      // Clipping a dilated window moves its ends by whole steps, so neither end need be in order.
      int64_t first = p.in[2];
      int64_t end = 0;
      int64_t stop = o;
      for (; stop < p.out[2] && stop - o < kColumns; ++stop) {
        const Window& w = p.windows[2][Idx(stop)];
        if (w.count == 0) continue;
        const int64_t new_first = std::min(first, w.first);
        const int64_t new_end = std::max(end, w.first + (w.count - 1) * w.step + 1);
        if (new_end - new_first > kColumns) break;
        first = new_first;
        end = new_end;
      }
      const int64_t width = std::max<int64_t>(end - first, 0);
      std::fill(columns, columns + width, FoldStart(kind));
      ForRows(p, place.d, place.h, [&](int64_t row) {
        if (width > 0) into(ElementAt(x, place.plane + row + first), width, columns);
      });
      for (int64_t k = o; k < stop; ++k) {
        results[k - o] = Column(p, place, p.windows[2][Idx(k)], columns, first);
      }
      code_.store[type](results, 1.0F, stop - o, ElementAt(args.outputs[0], r * p.out[2] + o));
      o = stop;
    }
  }

  static float Column(const Problem& p, const Place& place, const Window& w, const float* columns,
                      int64_t first) {
    float result = p.max ? FoldStart(FoldKind::kMax) : 0.0F;
    for (int64_t k = 0; k < w.count; ++k) {
      const float v = columns[w.first - first + k * w.step];
      if (!p.max) {
        result += v;
      } else if (v > result || v != v) {
        result = v;
        if (v != v) break;
      }
    }
    return p.max ? result : result * ScaleOf(p, place.d, place.h, w);
  }

  const FoldCode& code_;
};

}  // namespace

KernelResult CreatePool(const Attributes& /*attributes*/) {
  return std::unique_ptr<const Kernel>(std::make_unique<PoolKernel>());
}

}  // namespace torch_tensorrt::core::kernels
