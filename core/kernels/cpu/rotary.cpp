// cpu.rotary: rotary position embedding, row by row.
#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/kernels/cpu/rotary_code.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(RotaryCode, kRotaryCode, RotaryCodeFor)

namespace {

bool UnitInner(const TensorView& view) {
  const int last = view.rank - 1;
  return view.dims[Idx(last)] == 1 || view.strides[Idx(last)] == 1;
}

// Strides of `view` along the dims of x, 0 where it broadcasts.
std::array<int64_t, kMaxRank> StridesAlong(const TensorView& view, const TensorView& x) {
  std::array<int64_t, kMaxRank> strides{};
  for (int d = 0; d < view.rank; ++d) {
    const bool walked = view.dims[Idx(d)] != 1;
    strides[Idx(d + x.rank - view.rank)] = walked ? view.strides[Idx(d)] : 0;
  }
  return strides;
}

class RotaryKernel : public Kernel {
 public:
  explicit RotaryKernel(bool interleaved)
      : rows_(interleaved ? RotaryCodeFor(CurrentIsa()).interleaved
                          : RotaryCodeFor(CurrentIsa()).halves) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("RotaryEmbedding", args, 3, 1));
    const TensorView& x = args.inputs[0];
    TRT_RETURN_IF_ERROR(CheckNarrowFloat("RotaryEmbedding", x.dtype));
    const int64_t depth = x.rank < 1 ? 1 : x.dims[Idx(x.rank - 1)];
    if (depth % 2 != 0) return InvalidArgument("[RotaryEmbedding] last dim of ", depth);
    for (size_t i = 1; i < 3; ++i) {
      const TensorView& t = args.inputs[i];
      if (t.rank < 1 || t.rank > x.rank || t.dims[Idx(t.rank - 1)] != depth ||
          t.dtype != args.inputs[1].dtype ||
          (t.dtype != x.dtype && t.dtype != DataType::kFloat32)) {
        return Unsupported("[RotaryEmbedding] ", i == 1 ? "cos" : "sin", " of rank ", t.rank,
                           " and dtype ", DataTypeName(t.dtype), " for x of rank ", x.rank,
                           " and dtype ", DataTypeName(x.dtype));
      }
    }
    if (!UnitInner(x) || !UnitInner(args.inputs[1]) || !UnitInner(args.inputs[2]) ||
        !UnitInner(args.outputs[0])) {
      return Unsupported("[RotaryEmbedding] a last stride other than 1; copy it first");
    }
    return Prepared{};
  }

  Status Run(const RunArgs& args) const override {
    const TensorView& x = args.inputs[0];
    const TensorView& y = args.outputs[0];
    if (x.numel() == 0) return Status::Ok();
    const bool wide = args.inputs[1].dtype == DataType::kFloat32;
    const RotaryRow row = rows_[wide ? 1 : 0][NarrowFloatIndex(x.dtype)];
    const auto cos_strides = StridesAlong(args.inputs[1], x);
    const auto sin_strides = StridesAlong(args.inputs[2], x);
    const int64_t depth = x.dims[Idx(x.rank - 1)];
    ParallelFor(x.numel() / depth, GrainOf(depth), [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t r = begin; r < end; ++r) {
        int64_t rest = r;
        int64_t at[4] = {};
        for (int d = x.rank - 2; d >= 0; --d) {
          const int64_t i = rest % x.dims[Idx(d)];
          rest /= x.dims[Idx(d)];
          at[0] += i * x.strides[Idx(d)];
          at[1] += i * cos_strides[Idx(d)];
          at[2] += i * sin_strides[Idx(d)];
          at[3] += i * y.strides[Idx(d)];
        }
        row(ElementAt(x, at[0]), ElementAt(args.inputs[1], at[1]), ElementAt(args.inputs[2], at[2]),
            ElementAt(y, at[3]), depth);
      }
    });
    return Status::Ok();
  }

 private:
  const RotaryRow (*rows_)[kNarrowFloats];
};

}  // namespace

KernelResult CreateRotary(const Attributes& attributes) {
  return std::unique_ptr<const Kernel>(
      std::make_unique<RotaryKernel>(attributes.Bool("interleaved")));
}

}  // namespace torch_tensorrt::core::kernels
