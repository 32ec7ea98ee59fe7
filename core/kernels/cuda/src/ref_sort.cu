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
