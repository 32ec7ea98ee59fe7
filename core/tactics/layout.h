// Layout: how a tensor's elements lie in its storage, with symbolic dims and strides (in elements),
// and the views that data-movement layers become when no copy is needed.
#pragma once

#include <optional>

#include "core/types/sym_int.h"

namespace torch_tensorrt::core::tactics {

struct Layout {
  SymDims dims;
  SymDims strides;
  SymInt offset = 0;
};

// What a kernel asks of an input's layout, weakest last.
enum class LayoutNeed {
  kContiguous,  // row-major dense
  kRows,        // leading dims collapse to one stride, last stride 1
  kMatrices,    // one of the last two strides is 1
  kInnerUnit,   // last stride 1
  kAny,
};

Layout ContiguousLayout(const SymDims& dims);
// Provably satisfied for every value of the symbols?
bool Satisfies(const Layout& layout, LayoutNeed need);

Layout TransposeView(const Layout& in, const Dims& perm);
Layout SliceView(const Layout& in, const SymDims& starts, const SymDims& sizes, const Dims& steps);
// Broadcast to dims (right-aligned).
Layout ExpandView(const Layout& in, const SymDims& dims);
// Empty when the elements in the new order are not a strided view, or cannot be proven to be.
std::optional<Layout> ReshapeView(const Layout& in, const SymDims& dims);

}  // namespace torch_tensorrt::core::tactics
