// Cast, Unary, Elementwise, Select, Fill, Iota.
#include <algorithm>

#include "core/kernels/reference/kernels.h"
#include "core/kernels/reference/scalar_ops.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

// Applies `op` to the inputs broadcast to the output.
Status RunPointwise(const RefArgs& args, PointwiseOp op, size_t arity) {
  const TensorView& out = args.out();
  TensorView in[3];
  ScalarArgs scalars;
  for (size_t k = 0; k < 3; ++k) {
    in[k] = BroadcastTo(args.in(std::min(k, arity - 1)), out);
    scalars.types[k] = in[k].dtype;
  }
  scalars.p0 = args.attributes.Double("p0");
  scalars.p1 = args.attributes.Double("p1");
  for (Walker<4> w(
           out.dims.data(), out.rank,
           {in[0].strides.data(), in[1].strides.data(), in[2].strides.data(), out.strides.data()});
       !w.done(); w.Next()) {
    for (size_t k = 0; k < arity; ++k) {
      scalars.values[k] = ReadValue(in[k].data, in[k].dtype, w.offset(k));
    }
    WriteValue(out.data, out.dtype, w.offset(3), Evaluate(op, out.dtype, scalars));
  }
  return Status::Ok();
}

Result<PointwiseOp> OpOf(const RefArgs& args, int arity) {
  const PointwiseOp op = args.attributes.Get("op", PointwiseOp::kCast);
  if (!args.attributes.Has("op") || InfoOf(op).arity != arity) {
    return InvalidArgument("[pointwise] operation ", InfoOf(op).name, " does not take ", arity,
                           " operands");
  }
  return op;
}

}  // namespace

Status RunCast(const RefArgs& args) { return RunPointwise(args, PointwiseOp::kCast, 1); }

Status RunUnary(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const PointwiseOp op, OpOf(args, 1));
  return RunPointwise(args, op, 1);
}

Status RunElementwise(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const PointwiseOp op, OpOf(args, 2));
  return RunPointwise(args, op, 2);
}

Status RunSelect(const RefArgs& args) { return RunPointwise(args, PointwiseOp::kSelect, 3); }

Status RunFill(const RefArgs& args) {
  const TensorView& out = args.out();
  const Value value{args.attributes.Double("value"), args.attributes.Int("ivalue")};
  for (Walker<1> w(out.dims.data(), out.rank, {out.strides.data()}); !w.done(); w.Next()) {
    WriteValue(out.data, out.dtype, w.offset(0), value);
  }
  return Status::Ok();
}

Status RunIota(const RefArgs& args) {
  const TensorView& out = args.out();
  const double fstart = args.attributes.Double("fstart");
  const double fstep = args.attributes.Double("fstep", 1);
  const auto start = static_cast<uint64_t>(args.attributes.Int("start"));
  const auto step = static_cast<uint64_t>(args.attributes.Int("step", 1));
  for (int64_t i = 0; i < out.numel(); ++i) {
    const Value value{fstart + static_cast<double>(i) * fstep,
                      static_cast<int64_t>(start + static_cast<uint64_t>(i) * step)};
    WriteValue(out.data, out.dtype, i * out.strides[0], value);
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::reference
