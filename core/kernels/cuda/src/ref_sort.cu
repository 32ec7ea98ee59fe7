// TopK and Sort: every element counts those before it in the order and so knows its place. NaN is
// the greatest value; equal values keep their order. DATA is the storage type.
#include "view.cuh"

typedef typename RegisterOf<DATA>::type Register;
constexpr int kThreads = 256;

struct SortParams {
  View<const DATA> in;  // [lines..., axis]
  View<DATA> values;    // [lines..., kept]
  View<i64> positions;
  i64 count;
  i64 kept;
  i64 descending;
  i64 blocks_per_line;
};
TRT_DEVICE bool Less(Register a, Register b) { return (b != b && !(a != a)) || a < b; }

#ifdef KERNEL_sort
extern "C" __global__ void __launch_bounds__(kThreads) sort(const SortParams p) {
  __shared__ Register tile[kThreads];
  const i64 line = blockIdx.x / p.blocks_per_line;
  const i64 i = (blockIdx.x - line * p.blocks_per_line) * kThreads + threadIdx.x;
  const i64 first = line * p.count;
  Register mine = Register(0);
  DATA raw = DATA{};
  if (i < p.count) {
    raw = p.in.data[p.in.Offset(first + i)];
    mine = FromStorage(raw);
  }
  i64 rank = 0;
  for (i64 base = 0; base < p.count; base += kThreads) {
    __syncthreads();
    if (base + threadIdx.x < p.count) {
      tile[threadIdx.x] = FromStorage(p.in.data[p.in.Offset(first + base + threadIdx.x)]);
    }
    __syncthreads();
    const int n = static_cast<int>(p.count - base < kThreads ? p.count - base : kThreads);
    for (int k = 0; k < n; ++k) {
      const Register other = tile[k];
      const bool before = p.descending != 0 ? Less(mine, other) : Less(other, mine);
      const bool after = p.descending != 0 ? Less(other, mine) : Less(mine, other);
      rank += before || (!after && base + k < i) ? 1 : 0;
    }
  }
  if (i >= p.count || rank >= p.kept) return;
  p.values.data[p.values.Offset(line * p.kept + rank)] = raw;
  p.positions.data[p.positions.Offset(line * p.kept + rank)] = i;
}
#endif

// TopK of few from long lines: one block per line finds the elements one after the other.
constexpr int kSelectThreads = 1024;
struct Candidate {
  Register value;
  i64 at;  // -1: none
};
// Whether a comes before b in the order.
TRT_DEVICE bool Before(const Candidate& a, const Candidate& b, bool descending) {
  if (a.at < 0 || b.at < 0) return b.at < 0 && a.at >= 0;
  if (descending ? Less(b.value, a.value) : Less(a.value, b.value)) return true;
  if (descending ? Less(a.value, b.value) : Less(b.value, a.value)) return false;
  return a.at < b.at;
}
#ifdef KERNEL_select_few
extern "C" __global__ void __launch_bounds__(kSelectThreads) select_few(const SortParams p) {
  __shared__ Candidate best[kSelectThreads];
  const int thread = static_cast<int>(threadIdx.x);
  const bool descending = p.descending != 0;
  const i64 line = blockIdx.x;
  const i64 first = p.in.Offset(line * p.count);
  const i64 step = p.in.strides[p.in.rank - 1];
  Candidate last = {Register(0), -1};
  for (i64 k = 0; k < p.kept; ++k) {
    Candidate mine = {Register(0), -1};
    for (i64 i = thread; i < p.count; i += kSelectThreads) {
      const Candidate next = {FromStorage(p.in.data[first + i * step]), i};
      if (Before(next, mine, descending) && (k == 0 || Before(last, next, descending))) mine = next;
    }
    best[thread] = mine;
    __syncthreads();
    for (int half = kSelectThreads / 2; half > 0; half /= 2) {
      if (thread < half && Before(best[thread + half], best[thread], descending)) {
        best[thread] = best[thread + half];
      }
      __syncthreads();
    }
    last = best[0];
    __syncthreads();
    if (thread == 0) {
      p.values.data[p.values.Offset(line * p.kept + k)] = p.in.data[first + last.at * step];
      p.positions.data[p.positions.Offset(line * p.kept + k)] = last.at;
    }
  }
}
#endif
