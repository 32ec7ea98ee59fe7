// TopK and Sort. NaN counts as the greatest value; equal values keep their order.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

bool Less(double a, double b) { return (std::isnan(b) && !std::isnan(a)) || a < b; }
bool Less(int64_t a, int64_t b) { return a < b; }

// Writes the first `count` of every line along `axis` in sorted order to outputs 0 (values) and 1
// (positions).
Status SortLines(const RefArgs& args, int64_t axis, bool descending, int64_t count) {
  const AxisSplit split = SplitAt(args.in(0), axis);
  return DispatchAll(args.in(0).dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    const std::vector<T> in = ReadAll<T>(args.in(0));
    std::vector<T> values(At(split.outer * count * split.inner));
    std::vector<int64_t> positions(values.size());
    std::vector<int64_t> order(At(split.n));
    for (int64_t o = 0; o < split.outer; ++o) {
      for (int64_t i = 0; i < split.inner; ++i) {
        const T* line = in.data() + o * split.n * split.inner + i;
        std::iota(order.begin(), order.end(), int64_t{0});
        std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
          const T x = line[a * split.inner];
          const T y = line[b * split.inner];
          return descending ? Less(y, x) : Less(x, y);
        });
        for (int64_t k = 0; k < count; ++k) {
          const size_t to = At((o * count + k) * split.inner + i);
          values[to] = line[order[At(k)] * split.inner];
          positions[to] = order[At(k)];
        }
      }
    }
    WriteAll(args.out(0), values);
    WriteAll(args.out(1), positions);
    return Status::Ok();
  });
}

}  // namespace

Status RunTopK(const RefArgs& args) {
  const int64_t axis = args.attributes.Int("axis");
  const TensorView& in = args.in(0);
  const int64_t size = in.rank == 0 ? 1 : in.dims[At(axis)];
  const int64_t k = args.out().rank == 0 ? 1 : args.out().dims[At(axis)];
  if (k > size) return InvalidArgument("[TopK] k ", k, " of ", size, " elements");
  return SortLines(args, axis, args.attributes.Bool("largest", true), k);
}

Status RunSort(const RefArgs& args) {
  const AxisSplit split = SplitAt(args.in(0), args.attributes.Int("axis"));
  return SortLines(args, args.attributes.Int("axis"), args.attributes.Bool("descending"), split.n);
}

}  // namespace torch_tensorrt::core::kernels::reference
