#include "core/kernels/reference/strided.h"

#include <cstring>

namespace torch_tensorrt::core::kernels::reference {
namespace {

template <size_t Bytes>
void CopyBytes(const TensorView& from, const TensorView& to) {
  const auto* source = from.as<const std::byte>();
  auto* target = to.as<std::byte>();
  constexpr auto kBytes = static_cast<int64_t>(Bytes);
  for (Walker<2> w(to.dims.data(), to.rank, {from.strides.data(), to.strides.data()}); !w.done();
       w.Next()) {
    std::memcpy(target + w.offset(1) * kBytes, source + w.offset(0) * kBytes, Bytes);
  }
}

}  // namespace

TensorView BroadcastTo(const TensorView& view, const TensorView& target) {
  TensorView out = view;
  out.rank = target.rank;
  out.dims = target.dims;
  const int lead = target.rank - view.rank;
  for (int d = 0; d < target.rank; ++d) {
    const bool walked = d >= lead && view.dims[At(d - lead)] == target.dims[At(d)];
    out.strides[At(d)] = walked ? view.strides[At(d - lead)] : 0;
  }
  return out;
}

TensorView Shifted(TensorView view, int64_t offset) {
  view.data = view.as<std::byte>() + offset * static_cast<int64_t>(SizeOf(view.dtype));
  return view;
}

TensorView Selected(const TensorView& view, int dim, int64_t index) {
  TensorView out = Shifted(view, index * view.strides[At(dim)]);
  for (int d = dim; d + 1 < view.rank; ++d) {
    out.dims[At(d)] = view.dims[At(d + 1)];
    out.strides[At(d)] = view.strides[At(d + 1)];
  }
  --out.rank;
  return out;
}

void CopyElements(const TensorView& from, const TensorView& to) {
  switch (SizeOf(to.dtype)) {
    case 1:
      return CopyBytes<1>(from, to);
    case 2:
      return CopyBytes<2>(from, to);
    case 4:
      return CopyBytes<4>(from, to);
    default:
      return CopyBytes<8>(from, to);
  }
}

}  // namespace torch_tensorrt::core::kernels::reference
