// Data movement: Copy, Reshape, Transpose, Expand, Slice, Concat, Pad.
#include <algorithm>

#include "core/kernels/reference/kernels.h"
#include "core/kernels/reference/shapes.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

// A view of `view` restricted to [start, start + size) of dim `dim`.
TensorView Narrowed(const TensorView& view, int dim, int64_t start, int64_t size) {
  TensorView out = Shifted(view, start * view.strides[At(dim)]);
  out.dims[At(dim)] = size;
  return out;
}

}  // namespace

Status RunCopy(const RefArgs& args) {
  CopyElements(args.in(0), args.out());
  return Status::Ok();
}

Status RunReadSize(const RefArgs& args) { return RunCopy(args); }

// Elements in row-major order are the same on both sides.
Status RunReshape(const RefArgs& args) {
  return DispatchAll(args.in(0).dtype, [&](auto zero) -> Status {
    WriteAll(args.out(), ReadAll<decltype(zero)>(args.in(0)));
    return Status::Ok();
  });
}

Status RunTranspose(const RefArgs& args) {
  const TensorView& in = args.in(0);
  const Dims perm = args.attributes.Ints("perm");
  TensorView view = in;
  for (size_t d = 0; d < perm.size(); ++d) {
    view.dims[d] = in.dims[At(perm[d])];
    view.strides[d] = in.strides[At(perm[d])];
  }
  CopyElements(view, args.out());
  return Status::Ok();
}

Status RunExpand(const RefArgs& args) {
  CopyElements(BroadcastTo(args.in(0), args.out()), args.out());
  return Status::Ok();
}

Status RunSlice(const RefArgs& args) {
  const TensorView& in = args.in(0);
  const TensorView& out = args.out();
  const Dims starts = args.attributes.Ints("starts");
  const Dims steps = args.attributes.Ints("steps");
  TensorView view = out;
  view.data = in.data;
  int64_t offset = 0;
  for (int d = 0; d < in.rank; ++d) {
    const int64_t last = starts[At(d)] + (out.dims[At(d)] - 1) * steps[At(d)];
    const bool inside =
        starts[At(d)] >= 0 && starts[At(d)] < in.dims[At(d)] && last >= 0 && last < in.dims[At(d)];
    if (out.dims[At(d)] > 0 && !inside) {
      return InvalidArgument("[Slice] positions ", starts[At(d)], " to ", last, " of dim ", d,
                             " of size ", in.dims[At(d)]);
    }
    offset += starts[At(d)] * in.strides[At(d)];
    view.strides[At(d)] = in.strides[At(d)] * steps[At(d)];
  }
  if (out.numel() > 0) CopyElements(Shifted(view, offset), out);
  return Status::Ok();
}

Status RunConcat(const RefArgs& args) {
  const auto axis = static_cast<int>(args.attributes.Int("axis"));
  int64_t start = 0;
  for (const TensorView& in : args.inputs) {
    const int64_t size = in.dims[At(axis)];
    CopyElements(in, Narrowed(args.out(), axis, start, size));
    start += size;
  }
  return Status::Ok();
}

Status RunPad(const RefArgs& args) {
  const TensorView& in = args.in(0);
  const TensorView& out = args.out();
  const Dims pads = args.attributes.Ints("pads");
  const std::string mode = args.attributes.Str("mode");
  TRT_RETURN_IF_ERROR(CheckPads(in, pads, mode));
  const double fill = args.attributes.Double("value");
  const Value fill_value{fill, TruncateToInt(fill)};
  for (Walker<1> w(out.dims.data(), out.rank, {out.strides.data()}); !w.done(); w.Next()) {
    int64_t offset = 0;
    bool filled = false;
    for (int d = 0; d < in.rank; ++d) {
      const int64_t at = PadSource(w.index(d) - pads[At(d)], in.dims[At(d)], mode);
      filled = filled || at < 0;
      offset += at * in.strides[At(d)];
    }
    const Value value = filled ? fill_value : ReadValue(in.data, in.dtype, offset);
    WriteValue(out.data, out.dtype, w.offset(0), value);
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::reference
