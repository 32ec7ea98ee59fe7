// cpu.reduce: dense input, any axes.
#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/fold_code.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/types/half.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(FoldCode, kFoldCode, FoldCodeFor)

const FoldCode& FoldCodeForCurrentIsa() { return FoldCodeFor(CurrentIsa()); }

namespace {

constexpr int64_t kColumns = 256;  // columns folded at once, their accumulators on the stack
constexpr int64_t kSumRows = 64;   // rows added up before they join the total, for accuracy

// Dims of one kind (kept or reduced), outermost first, with the input's strides.
struct Loops {
  Dims dims;
  Dims strides;

  int64_t Count() const { return NumElements(dims); }
  int64_t Offset(int64_t index) const {
    int64_t offset = 0;
    for (size_t d = dims.size(); d-- > 1;) {
      offset += index % dims[d] * strides[d];
      index /= dims[d];
    }
    return dims.empty() ? offset : offset + index * strides[0];
  }
};

struct Problem {
  FoldKind kind = FoldKind::kSum;
  bool mean = false;
  int64_t count = 0;  // elements folded into one result
  Loops kept;         // without `inner`
  Loops reduced;      // without `inner`
  int64_t inner = 1;  // the innermost run: reduced, or kept (columns)
  bool columns = false;
};

class ReduceState : public KernelState {
 public:
  Problem problem;
};

Result<FoldKind> KindOf(const std::string& name) {
  if (name == "sum" || name == "mean") return FoldKind::kSum;
  if (name == "prod") return FoldKind::kProd;
  if (name == "max") return FoldKind::kMax;
  if (name == "min") return FoldKind::kMin;
  if (name == "any") return FoldKind::kAny;
  if (name == "all") return FoldKind::kAll;
  return InvalidArgument("[Reduce] unknown kind '", name, "'");
}

Problem Describe(const TensorView& in, const Dims& axes) {
  Problem p;
  int64_t stride = 1;
  bool last_reduced = false;
  bool any = false;
  Loops kept;  // innermost first
  Loops reduced;
  p.count = 1;
  for (int d = in.rank - 1; d >= 0; --d) {
    const bool folded = axes.empty() || std::find(axes.begin(), axes.end(), d) != axes.end();
    const int64_t size = in.dims[Idx(d)];
    if (folded) p.count *= size;
    if (size != 1) {
      Loops& loops = folded ? reduced : kept;
      if (any && folded == last_reduced) {
        loops.dims.back() *= size;
      } else {
        loops.dims.push_back(size);
        loops.strides.push_back(stride);
      }
      if (!any) p.columns = !folded;
      any = true;
      last_reduced = folded;
    }
    stride *= size;
  }
  Loops& innermost = p.columns ? kept : reduced;
  if (any) {
    p.inner = innermost.dims.front();
    innermost.dims.erase(innermost.dims.begin());
    innermost.strides.erase(innermost.strides.begin());
  }
  p.kept = {Dims(kept.dims.rbegin(), kept.dims.rend()),
            Dims(kept.strides.rbegin(), kept.strides.rend())};
  p.reduced = {Dims(reduced.dims.rbegin(), reduced.dims.rend()),
               Dims(reduced.strides.rbegin(), reduced.strides.rend())};
  return p;
}

class ReduceKernel : public Kernel {
 public:
  ReduceKernel() : code_(FoldCodeForCurrentIsa()) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("Reduce", args, 1, 1));
    const TensorView& in = args.inputs[0];
    TRT_RETURN_IF_ERROR(CheckNarrowFloat("Reduce", in.dtype));
    const DataType out = args.outputs[0].dtype;
    if (out != DataType::kBool && NarrowFloatIndex(out) < 0) {
      return Unsupported("[Reduce] output dtype ", DataTypeName(out));
    }
    if (!IsDense(in) || !IsDense(args.outputs[0])) {
      return Unsupported("[Reduce] a tensor that is not contiguous; copy it first");
    }
    const std::string kind = args.attributes.Str("kind");
    auto state = std::make_unique<ReduceState>();
    state->problem = Describe(in, args.attributes.Ints("axes"));
    TRT_ASSIGN_OR_RETURN(state->problem.kind, KindOf(kind));
    state->problem.mean = kind == "mean";
    if (state->problem.count == 0 && args.outputs[0].numel() > 0 &&
        (kind == "max" || kind == "min")) {
      return InvalidArgument("[Reduce] ", kind, " over no elements");
    }
    Prepared prepared;
    prepared.state = std::move(state);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    const Problem& p = static_cast<const ReduceState*>(args.state)->problem;
    const TensorView& out = args.outputs[0];
    if (out.numel() == 0) return Status::Ok();
    if (p.columns) {
      FoldColumns(args, p);
      return Status::Ok();
    }
    const auto row = code_.row[static_cast<int>(p.kind)][NarrowFloatIndex(args.inputs[0].dtype)];
    ParallelFor(out.numel(), GrainOf(p.count), [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t o = begin; o < end; ++o) WriteOne(out, o, FoldOne(args.inputs[0], p, row, o), p);
    });
    return Status::Ok();
  }

 private:
  static double FoldOne(const TensorView& in, const Problem& p, double (*row)(const void*, int64_t),
                        int64_t o) {
    const int64_t base = p.kept.Offset(o);
    const int64_t runs = p.reduced.Count();
    auto total = static_cast<double>(FoldStart(p.kind));
    for (int64_t r = 0; r < runs; ++r) {
      total = Merge(p.kind, total, row(ElementAt(in, base + p.reduced.Offset(r)), p.inner));
    }
    return total;
  }

  static double Merge(FoldKind kind, double a, double b) {
    if (kind == FoldKind::kSum) return a + b;
    if (kind == FoldKind::kProd) return a * b;
    if (a != a || b != b) return a + b;
    return kind == FoldKind::kMin || kind == FoldKind::kAll ? std::min(a, b) : std::max(a, b);
  }

  static void WriteOne(const TensorView& out, int64_t o, double value, const Problem& p) {
    if (p.mean) value /= static_cast<double>(p.count);
    const auto rounded = static_cast<float>(value);
    switch (out.dtype) {
      case DataType::kFloat32:
        out.as<float>()[o] = rounded;
        return;
      case DataType::kFloat16:
        out.as<uint16_t>()[o] = FloatToFloat16(rounded);
        return;
      case DataType::kBFloat16:
        out.as<uint16_t>()[o] = FloatToBFloat16(rounded);
        return;
      default:
        out.as<uint8_t>()[o] = value != 0 ? 1 : 0;
    }
  }

  void FoldColumns(const RunArgs& args, const Problem& p) const {
    const int64_t blocks = (p.inner + kColumns - 1) / kColumns;
    const int64_t work = p.count * std::min(p.inner, kColumns);
    ParallelFor(p.kept.Count() * blocks, GrainOf(work),
                [&](int64_t begin, int64_t end, int /*thread*/) {
                  for (int64_t k = begin; k < end; ++k) {
                    FoldBlock(args, p, k / blocks, k % blocks * kColumns);
                  }
                });
  }

  // Columns [first, first + kColumns) of kept index `o`.
  void FoldBlock(const RunArgs& args, const Problem& p, int64_t o, int64_t first) const {
    const TensorView& in = args.inputs[0];
    const int64_t n = std::min(kColumns, p.inner - first);
    const auto into = code_.into[static_cast<int>(p.kind)][NarrowFloatIndex(in.dtype)];
    const int64_t base = p.kept.Offset(o) + first;
    const int64_t rows = p.reduced.Count();
    float total[kColumns];
    float part[kColumns];
    std::fill(total, total + n, FoldStart(p.kind));
    for (int64_t r0 = 0; r0 < rows; r0 += kSumRows) {
      std::fill(part, part + n, FoldStart(p.kind));
      for (int64_t r = r0; r < std::min(rows, r0 + kSumRows); ++r) {
        into(ElementAt(in, base + p.reduced.Offset(r)), n, part);
      }
      code_.into[static_cast<int>(p.kind)][0](part, n, total);
    }
    const TensorView& out = args.outputs[0];
    const int64_t at = o * p.inner + first;
    const int type = NarrowFloatIndex(out.dtype);
    if (type < 0) {  // bool
      for (int64_t i = 0; i < n; ++i) out.as<uint8_t>()[at + i] = total[i] != 0 ? 1 : 0;
      return;
    }
    const float scale = p.mean ? 1.0F / static_cast<float>(p.count) : 1.0F;
    if (p.count == 0 && p.mean) std::fill(total, total + n, __builtin_nanf(""));
    code_.store[type](total, p.count == 0 ? 1.0F : scale, n, ElementAt(out, at));
  }

  const FoldCode& code_;
};

}  // namespace

KernelResult CreateReduce(const Attributes& /*attributes*/) {
  return std::unique_ptr<const Kernel>(std::make_unique<ReduceKernel>());
}

}  // namespace torch_tensorrt::core::kernels
