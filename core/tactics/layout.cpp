#include "core/tactics/layout.h"

namespace torch_tensorrt::core::tactics {
namespace {

// Do dims [first, last) walk memory with one stride, that of dim last-1? Dims of size 1 do not
// matter.
bool Collapses(const Layout& layout, size_t first, size_t last) {
  std::optional<SymInt> expected;
  for (size_t i = last; i-- > first;) {
    if (layout.dims[i].Equals(1)) continue;
    if (expected.has_value() && !(layout.strides[i] == *expected)) return false;
    expected = layout.strides[i] * layout.dims[i];
  }
  return true;
}

bool UnitStride(const Layout& layout, size_t dim) {
  return layout.dims[dim].Equals(1) || layout.strides[dim].Equals(1);
}

// Adds `dims[first, last)` as a dense split of one dim of stride `stride`.
void AppendSplit(const SymDims& dims, size_t first, size_t last, const SymInt& stride,
                 SymDims* strides) {
  SymDims reversed;
  SymInt next = stride;
  for (size_t i = last; i-- > first;) {
    reversed.push_back(next);
    next = next * dims[i];
  }
  strides->insert(strides->end(), reversed.rbegin(), reversed.rend());
}

}  // namespace

Layout ContiguousLayout(const SymDims& dims) {
  Layout layout{dims, {}, 0};
  AppendSplit(dims, 0, dims.size(), 1, &layout.strides);
  return layout;
}

bool Satisfies(const Layout& layout, LayoutNeed need) {
  const size_t rank = layout.dims.size();
  switch (need) {
    case LayoutNeed::kAny:
      return true;
    case LayoutNeed::kContiguous: {
      SymInt expected = 1;
      for (size_t i = rank; i-- > 0;) {
        if (layout.dims[i].Equals(1)) continue;
        if (!(layout.strides[i] == expected)) return false;
        expected = expected * layout.dims[i];
      }
      return true;
    }
    case LayoutNeed::kInnerUnit:
      return rank == 0 || UnitStride(layout, rank - 1);
    case LayoutNeed::kRows:
      return rank == 0 || (UnitStride(layout, rank - 1) && Collapses(layout, 0, rank - 1));
    case LayoutNeed::kMatrices:
      return rank < 2 || UnitStride(layout, rank - 1) || UnitStride(layout, rank - 2);
  }
  return false;
}

Layout TransposeView(const Layout& in, const Dims& perm) {
  Layout out{{}, {}, in.offset};
  for (int64_t p : perm) {
    out.dims.push_back(in.dims[static_cast<size_t>(p)]);
    out.strides.push_back(in.strides[static_cast<size_t>(p)]);
  }
  return out;
}

Layout SliceView(const Layout& in, const SymDims& starts, const SymDims& sizes, const Dims& steps) {
  Layout out{sizes, {}, in.offset};
  for (size_t i = 0; i < in.dims.size(); ++i) {
    out.offset = out.offset + starts[i] * in.strides[i];
    out.strides.push_back(in.strides[i] * SymInt(steps[i]));
  }
  return out;
}

Layout ExpandView(const Layout& in, const SymDims& dims) {
  Layout out{dims, {}, in.offset};
  const size_t lead = dims.size() - in.dims.size();
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool broadcast = i < lead || (in.dims[i - lead].Equals(1) && !dims[i].Equals(1));
    if (broadcast) {
      out.strides.push_back(0);
    } else if (in.dims[i - lead] == dims[i] || in.dims[i - lead].is_constant()) {
      out.strides.push_back(in.strides[i - lead]);
    } else {
      // A dim such as min(1, s) may be 1 when it is run: then it is repeated.
      out.strides.push_back(in.strides[i - lead] * Min(in.dims[i - lead] - 1, 1));
    }
  }
  return out;
}

std::optional<Layout> ReshapeView(const Layout& in, const SymDims& dims) {
  // Matches runs of input dims against runs of output dims of equal size, outermost first. A run of
  // several input dims must collapse to one stride.
  Layout out{dims, {}, in.offset};
  size_t i = 0;
  size_t o = 0;
  while (i < in.dims.size() || o < dims.size()) {
    const size_t i0 = i;
    const size_t o0 = o;
    SymInt in_size = 1;
    SymInt out_size = 1;
    if (i < in.dims.size()) in_size = in.dims[i++];
    if (o < dims.size()) out_size = dims[o++];
    // Extend the provably smaller side until both agree; a symbolic side that does not divide ends
    // in failure.
    while (!(in_size == out_size)) {
      const SymInt difference = in_size - out_size;
      bool extend_in = false;
      if (difference.is_constant()) {
        extend_in = difference.constant() < 0;
      } else if (in_size.is_constant() != out_size.is_constant()) {
        extend_in = in_size.is_constant();
      } else {
        // Both symbolic: extend the side whose quotient by the other is not a whole expression.
        const SymInt quotient = FloorDiv(out_size, in_size);
        extend_in = quotient * in_size == out_size;
      }
      if (extend_in) {
        if (i == in.dims.size()) return std::nullopt;
        in_size = in_size * in.dims[i++];
      } else {
        if (o == dims.size()) return std::nullopt;
        out_size = out_size * dims[o++];
      }
    }
    if (!Collapses(in, i0, i)) return std::nullopt;
    SymInt stride = 1;
    for (size_t k = i; k-- > i0;) {
      if (in.dims[k].Equals(1)) continue;
      stride = in.strides[k];
      break;
    }
    AppendSplit(dims, o0, o, stride, &out.strides);
  }
  return out;
}

}  // namespace torch_tensorrt::core::tactics
