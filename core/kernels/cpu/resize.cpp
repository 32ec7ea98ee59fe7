// cpu.resize: dense nearest and linear interpolation over 1 or 2 spatial dims, both layouts.
#include <cstring>

#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/fold_code.h"
#include "core/kernels/reference/resize_taps.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int64_t kColumns = 2048;  // input row kept in f32 on the stack

// One or two taps. A second one of weight 0 counts, as in torch: it may read NaN or infinity.
struct Taps {
  int64_t at[2] = {};
  float weight[2] = {1, 0};
  int count = 1;
};

struct Problem {
  bool last = false;
  bool nearest = true;
  int64_t batch = 1;     // planes ([N, C]) or samples ([N])
  int64_t channels = 1;  // channels last
  int64_t in[2] = {1, 1};
  int64_t out[2] = {1, 1};
  std::vector<Taps> taps[2];
};

class ResizeState : public KernelState {
 public:
  Problem problem;
};

Result<Problem> Describe(const PrepareArgs& args) {
  TRT_RETURN_IF_ERROR(CheckCounts("Resize", args, 1, 1));
  const TensorView& x = args.inputs[0];
  TRT_RETURN_IF_ERROR(CheckNarrowFloat("Resize", x.dtype));
  const std::string mode = args.attributes.Str("mode");
  const size_t spatial = args.attributes.Ints("sizes").size();
  Problem p;
  p.last = args.attributes.Bool("channels_last");
  p.nearest = mode == "nearest" || mode == "nearest-exact";
  if ((!p.nearest && mode != "linear") || spatial < 1 || spatial > 2) {
    return Unsupported("[Resize] mode ", mode, " over ", spatial, " dims");
  }
  const int first = x.rank - static_cast<int>(spatial) - (p.last ? 1 : 0);
  if (first < 0) return InvalidArgument("[Resize] ", spatial, " sizes, rank ", x.rank);
  if (!IsDense(x) || !IsDense(args.outputs[0])) {
    return Unsupported("[Resize] a tensor that is not contiguous; copy it first");
  }
  if (args.outputs[0].numel() == 0) return p;  // no taps: sizes may be large
  for (int d = 0; d < first; ++d) p.batch *= x.dims[Idx(d)];
  if (p.last) p.channels = x.dims[Idx(x.rank - 1)];
  const auto scales = args.attributes.Get("scales", std::vector<double>{});
  p.taps[0] = {Taps{}};
  for (size_t k = 0; k < spatial; ++k) {
    const size_t d = k + 2 - spatial;
    p.in[d] = x.dims[Idx(first) + k];
    p.out[d] = args.outputs[0].dims[Idx(first) + k];
    const reference::ResizeAxis axis{p.in[d], p.out[d], k < scales.size() ? scales[k] : 0,
                                     args.attributes.Bool("align_corners")};
    if (axis.in == 0) return InvalidArgument("[Resize] dim ", Idx(first) + k, " is empty");
    p.taps[d].clear();
    for (int64_t o = 0; o < axis.out; ++o) {
      Taps taps;
      size_t n = 0;
      for (const reference::ResizeTap& tap : reference::TapsAt(mode, axis, false, o)) {
        taps.at[n] = tap.at;
        taps.weight[n++] = static_cast<float>(tap.weight);
      }
      taps.count = static_cast<int>(n);
      p.taps[d].push_back(taps);
    }
  }
  if (!p.last && !p.nearest && p.in[1] > kColumns) {
    return Unsupported("[Resize] linear over rows of ", p.in[1], " elements");
  }
  return p;
}

template <typename T>
void PickColumns(const std::vector<Taps>& taps, const void* row, void* out) {
  const T* from = static_cast<const T*>(row);
  T* to = static_cast<T*>(out);
  for (size_t i = 0; i < taps.size(); ++i) to[i] = from[taps[i].at[0]];
}

class ResizeKernel : public Kernel {
 public:
  ResizeKernel() : code_(FoldCodeForCurrentIsa()) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    auto state = std::make_unique<ResizeState>();
    TRT_ASSIGN_OR_RETURN(state->problem, Describe(args));
    Prepared prepared;
    prepared.state = std::move(state);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    const Problem& p = static_cast<const ResizeState*>(args.state)->problem;
    if (args.outputs[0].numel() == 0) return Status::Ok();
    const int64_t work = p.out[1] * p.channels * 2;
    ParallelFor(p.batch * p.out[0], GrainOf(work), [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t r = begin; r < end; ++r) {
        if (p.last) {
          RowLast(args, p, r);
        } else if (p.nearest) {
          RowNearest(args, p, r);
        } else {
          RowLinear(args, p, r);
        }
      }
    });
    return Status::Ok();
  }

 private:
  // Address of position (h, w) of the input plane that output row r reads.
  static std::byte* InputAt(const RunArgs& args, const Problem& p, int64_t r, int64_t h,
                            int64_t w) {
    const int64_t n = r / p.out[0];
    return ElementAt(args.inputs[0], ((n * p.in[0] + h) * p.in[1] + w) * p.channels);
  }

  void RowLast(const RunArgs& args, const Problem& p, int64_t r) const {
    const Taps& h = p.taps[0][Idx(r % p.out[0])];
    const size_t bytes = Idx(p.channels) * SizeOf(args.inputs[0].dtype);
    for (int64_t o = 0; o < p.out[1]; ++o) {
      const Taps& w = p.taps[1][Idx(o)];
      std::byte* out = ElementAt(args.outputs[0], (r * p.out[1] + o) * p.channels);
      if (p.nearest) {
        std::memcpy(out, InputAt(args, p, r, h.at[0], w.at[0]), bytes);
        continue;
      }
      const void* runs[4];
      float weights[4];
      int64_t count = 0;
      for (int i = 0; i < h.count; ++i) {
        for (int j = 0; j < w.count; ++j) {
          runs[count] = InputAt(args, p, r, h.at[i], w.at[j]);
          weights[count++] = h.weight[i] * w.weight[j];
        }
      }
      code_.blend[NarrowFloatIndex(args.inputs[0].dtype)](runs, weights, count, p.channels, out);
    }
  }

  static void RowNearest(const RunArgs& args, const Problem& p, int64_t r) {
    const Taps& h = p.taps[0][Idx(r % p.out[0])];
    const void* row = InputAt(args, p, r, h.at[0], 0);
    void* out = ElementAt(args.outputs[0], r * p.out[1]);
    if (args.inputs[0].dtype == DataType::kFloat32) {
      PickColumns<float>(p.taps[1], row, out);
    } else {
      PickColumns<uint16_t>(p.taps[1], row, out);
    }
  }

  void RowLinear(const RunArgs& args, const Problem& p, int64_t r) const {
    const Taps& h = p.taps[0][Idx(r % p.out[0])];
    const int type = NarrowFloatIndex(args.inputs[0].dtype);
    const void* rows[2] = {InputAt(args, p, r, h.at[0], 0), InputAt(args, p, r, h.at[1], 0)};
    float blended[kColumns];
    code_.blend_f32[type](rows, h.weight, h.count, p.in[1], blended);
    constexpr int64_t kOut = 256;
    float out[kOut];
    for (int64_t first = 0; first < p.out[1]; first += kOut) {
      const int64_t n = std::min(kOut, p.out[1] - first);
      for (int64_t i = 0; i < n; ++i) {
        const Taps& w = p.taps[1][Idx(first + i)];
        out[i] = w.weight[0] * blended[w.at[0]] + w.weight[1] * blended[w.at[1]];
      }
      code_.store[type](out, 1.0F, n, ElementAt(args.outputs[0], r * p.out[1] + first));
    }
  }

  const FoldCode& code_;
};

}  // namespace

KernelResult CreateResize(const Attributes& /*attributes*/) {
  return std::unique_ptr<const Kernel>(std::make_unique<ResizeKernel>());
}

}  // namespace torch_tensorrt::core::kernels
