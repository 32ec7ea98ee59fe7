// Reshape of strided tensors, Pad, Fill. ELEMENT is an unsigned integer of the element's size.
#include "view.cuh"

struct ReshapeParams {
  View<const ELEMENT> in;
  View<ELEMENT> out;
};
#ifdef KERNEL_reshape
extern "C" __global__ void reshape(const ReshapeParams p) {
  const i64 n = p.out.numel();
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    p.out.data[p.out.Offset(i)] = p.in.data[p.in.Offset(i)];
  }
}
#endif

enum PadMode { kConstant = 0, kReflect = 1, kReplicate = 2, kCircular = 3 };

struct PadParams {
  View<const ELEMENT> in;
  View<ELEMENT> out;
  i64 before[kMaxRank];
  i64 mode;
  i64 value;  // bits
};
TRT_DEVICE i64 PadSource(i64 i, i64 size, i64 mode) {
  if (i >= 0 && i < size) return i;
  if (mode == kReplicate) return i < 0 ? 0 : size - 1;
  if (mode == kReflect) return i < 0 ? -i : 2 * (size - 1) - i;
  if (mode == kCircular) return (i % size + size) % size;
  return -1;
}
#ifdef KERNEL_pad
extern "C" __global__ void pad(const PadParams p) {
  const i64 n = p.out.numel();
  const int rank = static_cast<int>(p.out.rank);
  for (i64 i = ThreadIndex(); i < n; i += ThreadCount()) {
    i64 rest = i, from = 0, to = 0;
    bool filled = false;
    for (int d = rank - 1; d >= 0; --d) {
      const i64 next = rest / p.out.dims[d];
      const i64 at = rest - next * p.out.dims[d];
      rest = next;
      const i64 source = PadSource(at - p.before[d], p.in.dims[d], p.mode);
      filled = filled || source < 0;
      from += source * p.in.strides[d];
      to += at * p.out.strides[d];
    }
    p.out.data[to] = filled ? static_cast<ELEMENT>(p.value) : p.in.data[from];
  }
}
#endif
