// Reduce, ArgReduce, Scan.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

bool IsNan(double v) { return std::isnan(v); }
bool IsNan(int64_t /*v*/) { return false; }

double Plus(double a, double b) { return a + b; }
double Times(double a, double b) { return a * b; }
// Integer sums and products wrap.
int64_t Plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t Times(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

template <typename T>
T Extremum(T a, T b, bool max) {
  if (IsNan(a)) return a;
  return IsNan(b) || (max ? b > a : b < a) ? b : a;
}

// `first`: no value was folded into `acc` yet.
template <typename T>
T Fold(std::string_view kind, T acc, T v, bool first) {
  if (kind == "sum" || kind == "mean") return Plus(acc, v);
  if (kind == "prod") return Times(acc, v);
  if (kind == "any") return acc != T{0} || v != T{0} ? T{1} : T{0};
  if (kind == "all") return acc != T{0} && v != T{0} ? T{1} : T{0};
  return first ? v : Extremum(acc, v, kind == "max");
}

template <typename T>
Status ReduceAs(const RefArgs& args, const std::string& kind, const TensorView& in,
                const TensorView& target) {
  const T start = kind == "prod" || kind == "all" ? T{1} : T{0};
  std::vector<T> acc(At(args.out().numel()), start);
  std::vector<int64_t> counts(acc.size(), 0);
  for (Walker<2> w(in.dims.data(), in.rank, {in.strides.data(), target.strides.data()}); !w.done();
       w.Next()) {
    const size_t o = At(w.offset(1));
    const auto value = ReadElement<T>(in.data, in.dtype, w.offset(0));
    acc[o] = Fold(kind, acc[o], value, counts[o]++ == 0);
  }
  for (size_t o = 0; o < acc.size(); ++o) {
    if (counts[o] == 0 && (kind == "max" || kind == "min")) {
      return InvalidArgument("[Reduce] ", kind, " over no elements of a tensor with dims ",
                             ToString(Dims(in.dims.begin(), in.dims.begin() + in.rank)));
    }
    if constexpr (std::is_same_v<T, double>) {
      if (kind == "mean") acc[o] /= static_cast<double>(counts[o]);
    }
  }
  WriteAll(args.out(), acc);
  return Status::Ok();
}

// The dense output seen with the input's dims: stride 0 along reduced axes.
TensorView ReducedTarget(const TensorView& in, const Dims& axes) {
  TensorView target = in;
  int64_t stride = 1;
  for (int d = in.rank - 1; d >= 0; --d) {
    const bool reduced = axes.empty() || std::find(axes.begin(), axes.end(), d) != axes.end();
    target.strides[At(d)] = reduced ? 0 : stride;
    if (!reduced) stride *= in.dims[At(d)];
  }
  return target;
}

template <typename T>
bool Beats(T candidate, T best, bool max) {
  if (IsNan(best)) return false;
  return IsNan(candidate) || (max ? candidate > best : candidate < best);
}

template <typename T>
T ScanStep(const std::string& kind, T acc, T v) {
  if (kind == "sum") return Plus(acc, v);
  if (kind == "prod") return Times(acc, v);
  if constexpr (std::is_same_v<T, double>) {
    if (kind == "logsumexp") {
      const double high = Extremum(acc, v, true);
      if (std::isinf(high)) return high;
      return high + std::log(std::exp(acc - high) + std::exp(v - high));
    }
  }
  return v;
}

template <typename T>
void ScanLine(const std::string& kind, T* line, int64_t* indices, int64_t n, int64_t step) {
  const bool extremum = kind == "max" || kind == "min";
  int64_t best = 0;
  for (int64_t k = 0; k < n; ++k) {
    T& v = line[k * step];
    if (extremum) {
      // Of equals the last wins, and once NaN always NaN: torch's cummax.
      const T top = line[best * step];
      if (IsNan(v) || (!IsNan(top) && (kind == "max" ? v >= top : v <= top))) best = k;
      indices[k * step] = best;
    } else if (k > 0) {
      v = ScanStep(kind, line[(k - 1) * step], v);
    }
  }
  if (!extremum) return;
  // Each position reads one at or before itself, so backwards nothing is overwritten too early.
  for (int64_t k = n - 1; k >= 0; --k) line[k * step] = line[indices[k * step] * step];
}

}  // namespace

Status RunReduce(const RefArgs& args) {
  const TensorView& in = args.in(0);
  const std::string kind = args.attributes.Str("kind");
  static constexpr std::string_view kKinds[] = {"sum", "mean", "max", "min", "prod", "any", "all"};
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
    return InvalidArgument("[Reduce] unknown kind '", kind, "'");
  }
  const TensorView target = ReducedTarget(in, args.attributes.Ints("axes"));
  // The accumulator is floating when either side is: a mean of integers, or any/all of floats.
  return IsFloat(in.dtype) || IsFloat(args.out().dtype) ? ReduceAs<double>(args, kind, in, target)
                                                        : ReduceAs<int64_t>(args, kind, in, target);
}

Status RunArgReduce(const RefArgs& args) {
  const AxisSplit split = SplitAt(args.in(0), args.attributes.Int("axis"));
  const bool max = args.attributes.Str("kind") == "argmax";
  if (split.n == 0 && split.outer * split.inner != 0) {
    return InvalidArgument("[ArgReduce] axis ", args.attributes.Int("axis"), " is empty");
  }
  return DispatchAll(args.in(0).dtype, [&](auto zero) -> Status {
    const auto values = ReadAll<decltype(zero)>(args.in(0));
    std::vector<int64_t> out;
    for (int64_t o = 0; o < split.outer; ++o) {
      for (int64_t i = 0; i < split.inner; ++i) {
        const auto* line = values.data() + o * split.n * split.inner + i;
        int64_t best = 0;
        for (int64_t k = 1; k < split.n; ++k) {
          if (Beats(line[k * split.inner], line[best * split.inner], max)) best = k;
        }
        out.push_back(best);
      }
    }
    WriteAll(args.out(), out);
    return Status::Ok();
  });
}

Status RunScan(const RefArgs& args) {
  const std::string kind = args.attributes.Str("kind");
  const AxisSplit split = SplitAt(args.in(0), args.attributes.Int("axis"));
  const bool extremum = kind == "max" || kind == "min";
  if (extremum && args.outputs.size() < 2) {
    return InvalidArgument("[Scan] ", kind, " writes values and indices; got ", args.outputs.size(),
                           " output");
  }
  const DataType compute = IsFloat(args.out().dtype) ? args.out().dtype : args.in(0).dtype;
  return DispatchAll(compute, [&](auto zero) -> Status {
    auto values = ReadAll<decltype(zero)>(args.in(0));
    std::vector<int64_t> indices(extremum ? values.size() : 1);
    for (int64_t o = 0; o < split.outer; ++o) {
      for (int64_t i = 0; i < split.inner; ++i) {
        const int64_t first = o * split.n * split.inner + i;
        ScanLine(kind, values.data() + first, extremum ? indices.data() + first : nullptr, split.n,
                 split.inner);
      }
    }
    WriteAll(args.out(), values);
    if (extremum) WriteAll(args.out(1), indices);
    return Status::Ok();
  });
}

}  // namespace torch_tensorrt::core::kernels::reference
