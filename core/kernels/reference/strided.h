// Strided iteration shared by all reference kernels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::kernels::reference {

// Signed index to container index. REQUIRES: i >= 0.
constexpr size_t At(int64_t i) { return static_cast<size_t>(i); }

// Walks `rank` dims in row-major order keeping N element offsets up to date.
// Usage: for (Walker<2> w(...); !w.done(); w.Next()) use(w.offset(0), w.offset(1), w.index(d)).
// A rank-0 walk has one step; a walk over an empty dim has none.
template <size_t N>
class Walker {
 public:
  using Strides = std::array<const int64_t*, N>;

  Walker(const int64_t* dims, int rank, const Strides& strides)
      : dims_(dims), rank_(rank), strides_(strides) {
    for (int d = 0; d < rank; ++d) done_ = done_ || dims[d] == 0;
  }

  bool done() const { return done_; }
  int64_t offset(size_t n) const { return offsets_[n]; }
  int64_t index(int d) const { return index_[At(d)]; }

  void Next() {
    for (int d = rank_ - 1; d >= 0; --d) {
      if (++index_[At(d)] < dims_[d]) {
        for (size_t n = 0; n < N; ++n) offsets_[n] += strides_[n][d];
        return;
      }
      for (size_t n = 0; n < N; ++n) offsets_[n] -= strides_[n][d] * (dims_[d] - 1);
      index_[At(d)] = 0;
    }
    done_ = true;
  }

 private:
  const int64_t* dims_;
  int rank_;
  Strides strides_;
  std::array<int64_t, kMaxRank> index_{};
  std::array<int64_t, N> offsets_{};
  bool done_ = false;
};

// `view` seen with the dims of `target` by right-aligned broadcasting.
// REQUIRES: the view's dims broadcast to the target's.
TensorView BroadcastTo(const TensorView& view, const TensorView& target);

// `view` with `offset` elements added to its data pointer.
TensorView Shifted(TensorView view, int64_t offset);

// `view` restricted to index `index` of dim `dim`, which is dropped.
TensorView Selected(const TensorView& view, int dim, int64_t index);

// Copies element by element. REQUIRES: equal dims and dtypes; no overlap.
void CopyElements(const TensorView& from, const TensorView& to);

}  // namespace torch_tensorrt::core::kernels::reference
