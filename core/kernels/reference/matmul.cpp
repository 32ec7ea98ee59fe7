// MatrixMultiply: (a, b[, bias[, epilogue inputs...]]).
#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

// Integer sums wrap, so they run on unsigned values.
template <typename T>
using Accumulator = std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, double>;

void Transpose(TensorView* view) {
  std::swap(view->dims[At(view->rank - 1)], view->dims[At(view->rank - 2)]);
  std::swap(view->strides[At(view->rank - 1)], view->strides[At(view->rank - 2)]);
}

// The view's batch dims broadcast to those of `out`, and its matrix taken at their current index.
TensorView BatchMatrix(const TensorView& view, const TensorView& out, const Walker<1>& batch) {
  TensorView matrix = view;
  int64_t offset = 0;
  const int lead = out.rank - view.rank;
  for (int d = 0; d + 2 < view.rank; ++d) {
    if (view.dims[At(d)] != 1) offset += view.strides[At(d)] * batch.index(d + lead);
  }
  matrix.rank = 2;
  for (int d = 0; d < 2; ++d) {
    matrix.dims[At(d)] = view.dims[At(view.rank - 2 + d)];
    matrix.strides[At(d)] = view.strides[At(view.rank - 2 + d)];
  }
  return Shifted(matrix, offset);
}

// Appends the m*n values of a [m,k] times b [k,n].
template <typename T>
void Multiply(const TensorView& a, const TensorView& b, std::vector<T>* out) {
  const int64_t m = a.dims[0];
  const int64_t k = a.dims[1];
  const int64_t n = b.dims[1];
  const std::vector<T> left = ReadAll<T>(a);
  const std::vector<T> right = ReadAll<T>(b);
  std::vector<Accumulator<T>> row(At(n));
  for (int64_t i = 0; i < m; ++i) {
    std::fill(row.begin(), row.end(), Accumulator<T>{0});
    for (int64_t p = 0; p < k; ++p) {
      const auto x = static_cast<Accumulator<T>>(left[At(i * k + p)]);
      const T* values = right.data() + p * n;
      for (int64_t j = 0; j < n; ++j) row[At(j)] += x * static_cast<Accumulator<T>>(values[j]);
    }
    for (const Accumulator<T> v : row) out->push_back(static_cast<T>(v));
  }
}

template <typename T>
std::vector<T> Product(const TensorView& a, const TensorView& b, const TensorView& out) {
  std::vector<T> values;
  values.reserve(At(out.numel()));
  const std::array<int64_t, kMaxRank> no_strides{};
  for (Walker<1> batch(out.dims.data(), out.rank - 2, {no_strides.data()}); !batch.done();
       batch.Next()) {
    Multiply(BatchMatrix(a, out, batch), BatchMatrix(b, out, batch), &values);
  }
  return values;
}

}  // namespace

Status RunMatrixMultiply(const RefArgs& args) {
  TensorView a = args.in(0);
  TensorView b = args.in(1);
  const TensorView& out = args.out();
  if (a.rank < 2 || b.rank < 2 || out.rank < 2) {
    return InvalidArgument("[MatrixMultiply] ranks ", a.rank, " and ", b.rank,
                           ", both must be at least 2");
  }
  if (args.attributes.Bool("transpose_a")) Transpose(&a);
  if (args.attributes.Bool("transpose_b")) Transpose(&b);
  if (a.dims[At(a.rank - 1)] != b.dims[At(b.rank - 2)]) {
    return InvalidArgument("[MatrixMultiply] inner sizes ", a.dims[At(a.rank - 1)], " and ",
                           b.dims[At(b.rank - 2)], " differ");
  }
  const bool has_bias = args.attributes.Bool("has_bias");
  return DispatchAll(a.dtype, [&](auto zero) -> Status {
    using T = decltype(zero);
    std::vector<T> values = Product<T>(a, b, out);
    if (has_bias) {
      const std::vector<T> bias = ReadAll<T>(BroadcastTo(args.in(2), out));
      for (size_t i = 0; i < values.size(); ++i) values[i] += bias[i];
    }
    if constexpr (std::is_same_v<T, double>) {
      return StoreWithEpilogue(args, values, has_bias ? 3 : 2);
    } else {
      WriteAll(out, values);
      return Status::Ok();
    }
  });
}

}  // namespace torch_tensorrt::core::kernels::reference
