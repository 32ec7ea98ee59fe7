// Gather, GatherElements, ScatterElements, Index, IndexPut, NonZero. DATA is the storage type,
// INDEX that of the indices.
#include "view.cuh"

typedef typename RegisterOf<DATA>::type Register;

struct GatherParams {
  View<const DATA> data;
  View<const INDEX> index;
  View<DATA> out;
  i64 axis;
  i64 wrap;
  i32* data_error;
};
// out[a, i..., b] = data[a, index[i...], b]
#ifdef KERNEL_gather
extern "C" __global__ void gather(const GatherParams p) {
  const i64 n = p.out.numel();
  const int axis = static_cast<int>(p.axis);
  const int index_rank = static_cast<int>(p.index.rank);
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 at[kMaxRank];
    Unravel(i, p.out.dims, static_cast<int>(p.out.rank), at);
    i64 index_at = 0, from = 0, to = 0;
    for (int d = 0; d < index_rank; ++d) index_at += at[axis + d] * p.index.strides[d];
    for (int d = 0; d < p.out.rank; ++d) to += at[d] * p.out.strides[d];
    for (int d = 0; d < p.data.rank; ++d) {
      if (d != axis) from += at[d < axis ? d : d - 1 + index_rank] * p.data.strides[d];
    }
    const i64 position = WrapIndex(static_cast<i64>(FromStorage(p.index.data[index_at])),
                                   p.data.dims[axis], p.wrap != 0, p.data_error);
    p.out.data[to] = position < 0 ? DATA{} : p.data.data[from + position * p.data.strides[axis]];
  }
}
#endif

#ifdef KERNEL_gather_elements
extern "C" __global__ void gather_elements(const GatherParams p) {
  const i64 n = p.out.numel();
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 at[kMaxRank];
    Unravel(i, p.out.dims, static_cast<int>(p.out.rank), at);
    i64 from = 0, index_at = 0;
    for (int d = 0; d < p.out.rank; ++d) {
      index_at += at[d] * p.index.strides[d];
      if (d != p.axis) from += at[d] * p.data.strides[d];
    }
    const i64 size = p.out.rank == 0 ? 1 : p.data.dims[p.axis];
    const i64 position =
        WrapIndex(static_cast<i64>(FromStorage(p.index.data[index_at])), size, true, p.data_error);
    const i64 step = p.out.rank == 0 ? 0 : p.data.strides[p.axis];
    p.out.data[p.out.Offset(i)] = position < 0 ? DATA{} : p.data.data[from + position * step];
  }
}
#endif

#define REDUCE_NONE 0
#define REDUCE_SUM 1
#define REDUCE_PROD 2
#define REDUCE_MEAN 3
#define REDUCE_AMAX 4
#define REDUCE_AMIN 5
#ifndef REDUCE
#define REDUCE REDUCE_NONE
#endif

// The target holds `data` already. `sums` and `counts` have the target's elements in row-major
// order (used by reductions): sums are kept in the wide type and rounded once.
typedef typename SumOf<Register>::type Sum;
struct ScatterParams {
  View<const DATA> data;
  View<const INDEX> index;
  View<const DATA> src;
  View<DATA> out;
  i64 axis;
  i64 include_self;
  Sum* sums;
  i64* counts;
  i32* data_error;
};
TRT_DEVICE Sum Combine(Sum a, Sum b) {
  if (REDUCE == REDUCE_SUM || REDUCE == REDUCE_MEAN) return PwAdd(a, b);
  if (REDUCE == REDUCE_PROD) return PwMul(a, b);
  return REDUCE == REDUCE_AMAX ? PwMaximum(a, b) : PwMinimum(a, b);
}
#ifdef KERNEL_scatter_start
extern "C" __global__ void scatter_start(const ScatterParams p) {
  const i64 n = p.out.numel();
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    p.sums[i] = static_cast<Sum>(FromStorage(p.data.data[p.data.Offset(i)]));
    p.counts[i] = p.include_self != 0 ? 1 : 0;
  }
}
#endif
// One thread per line of the index along the axis: lines have targets of their own, so the order of
// equal targets is that of the index.
#ifdef KERNEL_scatter
extern "C" __global__ void scatter(const ScatterParams p) {
  const int rank = static_cast<int>(p.index.rank), axis = static_cast<int>(p.axis);
  i64 lines = 1;
  for (int d = 0; d < rank; ++d) lines *= d == axis ? 1 : p.index.dims[d];
  const i64 count = rank == 0 ? 1 : p.index.dims[axis];
  const i64 size = rank == 0 ? 1 : p.out.dims[axis];
  for (i64 line = ThreadIndex(); line < lines; line += ThreadCount()) {
    i64 rest = line, index_at = 0, src_at = 0, to = 0, dense = 0, dense_stride = 1, axis_dense = 0;
    for (int d = rank - 1; d >= 0; --d) {
      if (d == axis) {
        axis_dense = dense_stride;
      } else {
        const i64 next = rest / p.index.dims[d];
        const i64 at = rest - next * p.index.dims[d];
        rest = next;
        index_at += at * p.index.strides[d];
        src_at += at * p.src.strides[d];
        to += at * p.out.strides[d];
        dense += at * dense_stride;
      }
      dense_stride *= p.out.dims[d];
    }
    for (i64 k = 0; k < count; ++k) {
      const i64 step = rank == 0 ? 0 : k;
      const i64 index = static_cast<i64>(
          FromStorage(p.index.data[index_at + step * (rank == 0 ? 0 : p.index.strides[axis])]));
      const i64 position = WrapIndex(index, size, true, p.data_error);
      if (position < 0) continue;
      const DATA value = p.src.data[src_at + step * (rank == 0 ? 0 : p.src.strides[axis])];
      if (REDUCE == REDUCE_NONE) {
        p.out.data[to + position * (rank == 0 ? 0 : p.out.strides[axis])] = value;
      } else {
        const i64 at = dense + position * axis_dense;
        const Sum v = static_cast<Sum>(FromStorage(value));
        const Sum folded = p.counts[at] == 0 ? v : Combine(p.sums[at], v);
        // Integers wrap at every step, which matters for extrema of later ones.
        p.sums[at] =
            IsFloatType<Register>::value ? folded : static_cast<Sum>(static_cast<Register>(folded));
        ++p.counts[at];
      }
    }
  }
}
#endif
#ifdef KERNEL_scatter_finish
extern "C" __global__ void scatter_finish(const ScatterParams p) {
  const i64 n = p.out.numel();
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    Sum value = p.sums[i];
    if (REDUCE == REDUCE_MEAN && p.counts[i] > 1) value = PwFloorDiv(value, Sum(p.counts[i]));
    if (REDUCE == REDUCE_MEAN && IsFloatType<Sum>::value) {
      value = p.sums[i] / Sum(p.counts[i] > 1 ? p.counts[i] : 1);
    }
    p.out.data[p.out.Offset(i)] = Finish<DATA>(value);
  }
}
#endif

constexpr int kMaxIndices = 5;
struct IndexParams {
  View<const DATA> data;                 // what is indexed: reads for Index, unused for IndexPut
  View<DATA> out;                        // Index: the result; IndexPut: what is indexed
  View<const DATA> values;               // IndexPut, broadcast to the result's dims
  View<const INDEX> index[kMaxIndices];  // broadcast to the joint dims
  i64 positions[kMaxIndices];            // data dims they index
  i64 free_dims[kMaxRank];               // the other data dims
  i64 indices;
  i64 free_count;
  i64 lead;  // result dims before the joint ones
  i64 joint_rank;
  i64 joint_count;
  i64 free_numel;
  i32* data_error;
};
// Offset in the indexed tensor of joint position `joint`, or -1.
template <typename T>
TRT_DEVICE i64 IndexedOffset(const IndexParams& p, const View<T>& indexed, i64 joint) {
  i64 offset = 0;
  bool inside = true;
  for (int k = 0; k < p.indices; ++k) {
    const i64 value = static_cast<i64>(FromStorage(p.index[k].data[p.index[k].Offset(joint)]));
    const i64 dim = p.positions[k];
    const i64 position = WrapIndex(value, indexed.dims[dim], true, p.data_error);
    inside = inside && position >= 0;
    offset += position * indexed.strides[dim];
  }
  return inside ? offset : -1;
}
// Offset of free position `free` in the indexed tensor, and of (free, joint) in the result.
template <typename T, typename R>
TRT_DEVICE void FreeOffsets(const IndexParams& p, const View<T>& indexed, const View<R>& result,
                            i64 free, i64 joint, i64* in_indexed, i64* in_result) {
  *in_indexed = *in_result = 0;
  for (int k = static_cast<int>(p.free_count) - 1; k >= 0; --k) {
    const i64 dim = p.free_dims[k];
    const i64 next = free / indexed.dims[dim];
    const i64 at = free - next * indexed.dims[dim];
    free = next;
    *in_indexed += at * indexed.strides[dim];
    *in_result += at * result.strides[k < p.lead ? k : k + p.joint_rank];
  }
  for (int d = static_cast<int>(p.joint_rank) - 1; d >= 0; --d) {
    const i64 size = result.dims[p.lead + d];
    *in_result += joint % size * result.strides[p.lead + d];
    joint /= size;
  }
}
#ifdef KERNEL_index_elements
extern "C" __global__ void index_elements(const IndexParams p) {
  const i64 n = p.free_numel * p.joint_count;
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    const i64 joint = i / p.free_numel;
    const i64 base = IndexedOffset(p, p.data, joint);
    i64 from, to;
    FreeOffsets(p, p.data, p.out, i - joint * p.free_numel, joint, &from, &to);
    p.out.data[to] = base < 0 ? DATA{} : p.data.data[base + from];
  }
}
#endif
// One thread per position of the dims without index: equal targets are written in order.
#ifdef KERNEL_index_put
extern "C" __global__ void index_put(const IndexParams p) {
  for (i64 free = ThreadIndex(); free < p.free_numel; free += ThreadCount()) {
    for (i64 joint = 0; joint < p.joint_count; ++joint) {
      const i64 base = IndexedOffset(p, p.out, joint);
      if (base < 0) continue;
      i64 to, from;
      FreeOffsets(p, p.out, p.values, free, joint, &to, &from);
      DATA* target = p.out.data + base + to;
      const DATA value = p.values.data[from];
#ifdef ACCUMULATE
      *target = ToStorage<DATA>(PwAdd(FromStorage(*target), FromStorage(value)));
#else
      *target = value;
#endif
    }
  }
}
#endif

constexpr int kNonZeroThreads = 256;
struct NonZeroParams {
  View<const DATA> x;
  View<i64> out;  // [count, rank]
  i32* data_error;
};
// One block walks the elements, a thread each; sums of the flags so far say where an index goes.
#ifdef KERNEL_non_zero
extern "C" __global__ void __launch_bounds__(kNonZeroThreads) non_zero(const NonZeroParams p) {
  __shared__ int sums[kNonZeroThreads];
  const int thread = static_cast<int>(threadIdx.x);
  const int rank = static_cast<int>(p.x.rank);
  const i64 n = p.x.numel();
  const i64 room = p.out.dims[0];
  i64 found = 0;
  for (i64 base = 0; base < n; base += kNonZeroThreads) {
    const i64 i = base + thread;
    const bool mine = i < n && FromStorage(p.x.data[p.x.Offset(i)]) != Register(0);
    sums[thread] = mine ? 1 : 0;
    __syncthreads();
    for (int step = 1; step < kNonZeroThreads; step *= 2) {
      const int before = thread >= step ? sums[thread - step] : 0;
      __syncthreads();
      sums[thread] += before;
      __syncthreads();
    }
    const i64 place = found + sums[thread] - 1;
    if (mine && place < room) {
      i64 at[kMaxRank];
      Unravel(i, p.x.dims, rank, at);
      for (int d = 0; d < rank; ++d) {
        p.out.data[place * p.out.strides[0] + d * p.out.strides[1]] = at[d];
      }
    }
    found += sums[kNonZeroThreads - 1];
    __syncthreads();
  }
  if (thread == 0 && found != room) *p.data_error = 1;
}
#endif
