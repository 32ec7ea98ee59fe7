// Reduce, ArgReduce and Scan for any strides: IN and OUT are storage types, KIND one of the kinds
// below.
#include "view.cuh"

#define KIND_SUM 0
#define KIND_MEAN 1
#define KIND_MAX 2
#define KIND_MIN 3
#define KIND_PROD 4
#define KIND_ANY 5
#define KIND_ALL 6
#define KIND_LOGSUMEXP 7

constexpr int kThreads = 256;
typedef typename RegisterOf<IN>::type InRegister;
typedef typename RegisterOf<OUT>::type OutRegister;
// Floating when either side is.
typedef typename SumOf<InRegister>::type InSum;
template <typename A, typename B>
struct Wider {
  typedef A type;
};
template <>
struct Wider<i64, double> {
  typedef double type;
};
typedef typename Wider<InSum, typename SumOf<OutRegister>::type>::type Sum;

TRT_DEVICE Sum Fold(Sum a, Sum b) {
#if KIND == KIND_SUM || KIND == KIND_MEAN
  return PwAdd(a, b);
#elif KIND == KIND_MAX
  return MaxFold{}(a, b);
#elif KIND == KIND_MIN
  return MinFold{}(a, b);
#elif KIND == KIND_PROD
  return PwMul(a, b);
#elif KIND == KIND_ANY
  return a != 0 || b != 0 ? Sum(1) : Sum(0);
#elif KIND == KIND_ALL
  return a != 0 && b != 0 ? Sum(1) : Sum(0);
#else
  const Sum high = MaxFold{}(a, b);
  if (PwIsInf(high)) return high;
  return high + PwLog(PwExp(a - high) + PwExp(b - high));
#endif
}

struct FoldSums {
  TRT_DEVICE Sum operator()(Sum a, Sum b) const { return Fold(a, b); }
};

// The value a fold starts from; extrema start from an element.
TRT_DEVICE Sum Start(Sum element) {
  if (KIND == KIND_MAX || KIND == KIND_MIN) return element;
  return KIND == KIND_PROD || KIND == KIND_ALL ? Sum(1) : Sum(0);
}

struct ReduceParams {
  View<const IN> in;  // [kept dims..., reduced dims...]
  View<OUT> out;      // [kept dims...]
  i64 count;          // elements per output
};
// One block per output element.
#ifdef KERNEL_reduce
extern "C" __global__ void __launch_bounds__(kThreads) reduce(const ReduceParams p) {
  __shared__ Sum shared[32];
  const i64 outputs = p.out.numel();
  for (i64 o = blockIdx.x; o < outputs; o += gridDim.x) {
    const i64 base = o * p.count;
    Sum acc =
        Start(p.count == 0 ? Sum(0) : static_cast<Sum>(FromStorage(p.in.data[p.in.Offset(base)])));
    for (i64 k = threadIdx.x; k < p.count; k += kThreads) {
      acc = Fold(acc, static_cast<Sum>(FromStorage(p.in.data[p.in.Offset(base + k)])));
    }
    acc = BlockFold<kThreads>(acc, shared, FoldSums{});
    if (KIND == KIND_MEAN) acc = acc / static_cast<Sum>(p.count);
    if (threadIdx.x == 0) p.out.data[p.out.Offset(o)] = Finish<OUT>(acc);
  }
}
#endif

struct ArgParams {
  View<const IN> in;  // [lines..., axis]
  View<OUT> out;      // [lines...]
  i64 count;
};
struct Candidate {
  InRegister value;
  i64 at;
};
// NaN beats everything, and the first of equals wins.
TRT_DEVICE bool Beats(const Candidate& a, const Candidate& b) {
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan || b_nan) return a_nan && (!b_nan || a.at < b.at);
  if (a.value == b.value) return a.at < b.at;
  return KIND == KIND_MAX ? a.value > b.value : a.value < b.value;
}
#ifdef KERNEL_arg_reduce
extern "C" __global__ void __launch_bounds__(kThreads) arg_reduce(const ArgParams p) {
  __shared__ Candidate best[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  const i64 lines = p.out.numel();
  for (i64 line = blockIdx.x; line < lines; line += gridDim.x) {
    Candidate mine = {FromStorage(p.in.data[p.in.Offset(line * p.count)]), 0};
    for (i64 k = thread; k < p.count; k += kThreads) {
      const Candidate next = {FromStorage(p.in.data[p.in.Offset(line * p.count + k)]), k};
      if (Beats(next, mine)) mine = next;
    }
    __syncthreads();
    best[thread] = mine;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      if (thread < half && Beats(best[thread + half], best[thread]))
        best[thread] = best[thread + half];
      __syncthreads();
    }
    if (thread == 0) p.out.data[p.out.Offset(line)] = Finish<OUT>(best[0].at);
  }
}
#endif

struct ScanParams {
  View<const IN> in;  // [lines..., axis]
  View<OUT> out;
  View<i64> indices;  // extrema only
  i64 lines;
  i64 count;
};
// The position of the extremum so far: of equals the last, and once NaN always NaN.
TRT_DEVICE bool Overtakes(InRegister v, InRegister top) {
  if (v != v) return true;
  if (top != top) return false;
  return KIND == KIND_MAX ? v >= top : v <= top;
}
// One thread per line.
#ifdef KERNEL_scan
extern "C" __global__ void scan(const ScanParams p) {
  for (i64 line = ThreadIndex(); line < p.lines; line += ThreadCount()) {
    const i64 first = line * p.count;
#if KIND == KIND_MAX || KIND == KIND_MIN
    InRegister top = FromStorage(p.in.data[p.in.Offset(first)]);
    i64 best = 0;
    for (i64 k = 0; k < p.count; ++k) {
      const InRegister v = FromStorage(p.in.data[p.in.Offset(first + k)]);
      if (Overtakes(v, top)) {
        top = v;
        best = k;
      }
      p.out.data[p.out.Offset(first + k)] = Finish<OUT>(top);
      p.indices.data[p.indices.Offset(first + k)] = best;
    }
#else
    Sum acc = Sum(0);
    for (i64 k = 0; k < p.count; ++k) {
      const Sum v = static_cast<Sum>(FromStorage(p.in.data[p.in.Offset(first + k)]));
      acc = k == 0 ? v : Fold(acc, v);
      p.out.data[p.out.Offset(first + k)] = Finish<OUT>(acc);
    }
#endif
  }
}
#endif
