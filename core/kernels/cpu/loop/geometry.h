// Geometry: a program's domain for one set of shapes, with as few dims as possible, and how each
// tensor is walked over it. Dims of size 1 vanish; neighbours that every tensor walks as one dim
// become one dim.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/loop/program.h"
#include "core/types/sym_int.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels {

// Element strides along the dims of a Geometry; 0 = the same elements all along.
struct Walk {
  DataType dtype = DataType::kFloat32;
  std::array<int64_t, kMaxRank + 2> strides{};
};

struct Geometry {
  // dims[0..rank), rank >= 2: outer dims, then rows, then columns. Missing ones are 1.
  int rank = 2;
  std::array<int64_t, kMaxRank + 2> dims{};
  std::vector<Walk> inputs;
  std::vector<Walk> outputs;
  // Where each domain dim went; -1 for dims of size 1. Meaningful for dims that an Iota walks.
  std::vector<int> place_of;

  int row_dim() const { return rank - 2; }
  int col_dim() const { return rank - 1; }
  int64_t rows() const { return dims[static_cast<size_t>(rank - 2)]; }
  int64_t cols() const { return dims[static_cast<size_t>(rank - 1)]; }
  int64_t RowStride(const Walk& walk) const { return walk.strides[static_cast<size_t>(rank - 2)]; }
  int64_t ColStride(const Walk& walk) const { return walk.strides[static_cast<size_t>(rank - 1)]; }
  // Product of the outer dims.
  int64_t OuterCount() const;
};

// `inputs` are views of all inputs but an accumulator. `keep_cols`: the last domain dim stays a dim
// of its own. InvalidArgument when a view does not fit the program and the domain.
Result<Geometry> MakeGeometry(const loop::Program& program, const Dims& domain,
                              std::span<const TensorView> inputs,
                              std::span<const TensorView> outputs, bool keep_cols);

}  // namespace torch_tensorrt::core::kernels
