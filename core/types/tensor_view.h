// TensorView: a typed pointer with dims and element strides; what kernels read and write. Does not
// own its memory. Trivially copyable. Rank is at most kMaxRank.
#pragma once

#include <array>
#include <cstdint>

#include "core/types/data_type.h"
#include "core/types/sym_int.h"

namespace torch_tensorrt::core {

inline constexpr int kMaxRank = 16;

struct TensorView {
  void* data = nullptr;
  DataType dtype = DataType::kFloat32;
  int rank = 0;
  std::array<int64_t, kMaxRank> dims{};
  std::array<int64_t, kMaxRank> strides{};  // in elements; 0 = broadcast

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[static_cast<size_t>(i)];
    return n;
  }
  // Row-major dense (dims of size 1 may have any stride)?
  bool contiguous() const {
    int64_t expected = 1;
    for (int i = rank - 1; i >= 0; --i) {
      const auto k = static_cast<size_t>(i);
      if (dims[k] == 0) return true;
      if (dims[k] != 1 && strides[k] != expected) return false;
      expected *= dims[k];
    }
    return true;
  }
};

// A dense row-major view. REQUIRES: dims.size() <= kMaxRank.
inline TensorView MakeView(void* data, DataType dtype, const Dims& dims) {
  TensorView view;
  view.data = data;
  view.dtype = dtype;
  view.rank = static_cast<int>(dims.size());
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    view.dims[i] = dims[i];
    view.strides[i] = stride;
    stride *= dims[i];
  }
  return view;
}

}  // namespace torch_tensorrt::core
