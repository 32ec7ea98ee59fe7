// LoopPlan: how a loop program is run for one set of shapes. It says everything the printer makes
// part of the kernel's text, and the numbers the kernel gets as arguments.
//
// The kernel's single parameter is a block of 8-byte words in this order:
//   per input, then per output: its data pointer
//   rows (product of the outer dims), inner (length of the last dim)
//   units per row (a Divisor, two words); kernels without rows only
//   per outer dim: its size (a Divisor, two words)
//   per input, then per output: the strides of the outer dims it walks, then the inner stride if
//   it is neither 0 nor 1
//   one word of bits: tensor t (inputs first) may be accessed `vector` elements at a time
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/loop/program.h"
#include "core/types/sym_int.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels::cuda {

// How one tensor is walked over the joined dims.
struct LoopAccess {
  enum class Inner : uint8_t { kSame, kUnit, kStrided };
  DataType dtype = DataType::kFloat32;
  Inner inner = Inner::kUnit;
  int64_t inner_stride = 1;
  std::vector<int64_t> strides;  // per outer dim; 0: not walked
  bool unused = false;           // no instruction loads it

  bool Walks(size_t outer_dim) const { return strides[outer_dim] != 0; }
};

// A row-major domain with neighbouring dims joined where every tensor allows, and dims of size 1
// left out. The last joined dim is `inner`.
struct JoinedDomain {
  std::vector<int64_t> outer;
  int64_t inner = 1;
  // Per domain dim: the outer dim it became, kInner, or kGone (size 1). Dims of one joined dim
  // share its number.
  static constexpr int kInner = -1;
  static constexpr int kGone = -2;
  std::vector<int> place;
  std::vector<LoopAccess> accesses;  // inputs, then outputs

  int64_t rows() const;
};

// Joins `domain`. `keep[d]`: domain dim d stays a dim of its own. `keep_last`: the last domain dim
// becomes the inner dim alone even when its size is 1. Row outputs do not walk the last dim.
// InvalidArgument when a view does not fit the program.
Result<JoinedDomain> JoinDomain(const loop::Program& program, const Dims& domain,
                                std::span<const TensorView> inputs,
                                std::span<const TensorView> outputs, bool keep_last);

struct LoopPlan {
  JoinedDomain domain;
  bool rows = false;        // a row of threads works on one row: Reduce or StoreRow occurs
  bool wide_index = false;  // offsets do not fit 32 bits
  int vector = 1;           // neighbouring elements a thread handles at once
  int lanes = 1;            // rows: threads per row; at most 32: part of a warp, else a block
  int chunks = 0;           // rows: vectors per thread kept in registers; 0: the row is streamed
  int threads = 256;        // per block
  int64_t blocks = 0;       // 0: nothing to do
};

// Data pointers of the views are not looked at.
Result<LoopPlan> PlanLoop(const loop::Program& program, const Dims& domain,
                          std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                          int multiprocessors);

}  // namespace torch_tensorrt::core::kernels::cuda
