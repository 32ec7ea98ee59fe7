#include "core/kernels/cuda/reference/plans.h"

namespace torch_tensorrt::core::kernels::cuda {

Dims DimsOf(const TensorView& view) {
  return Dims(view.dims.begin(), view.dims.begin() + view.rank);
}

TensorView BroadcastView(const TensorView& view, const TensorView& target) {
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

TensorView PermutedView(const TensorView& view, const std::vector<int>& order) {
  TensorView out = view;
  for (size_t d = 0; d < order.size(); ++d) {
    out.dims[d] = view.dims[At(order[d])];
    out.strides[d] = view.strides[At(order[d])];
  }
  return out;
}

TensorView AxisLast(const TensorView& view, int64_t axis) {
  std::vector<int> order;
  for (int d = 0; d < view.rank; ++d) {
    if (d != axis) order.push_back(d);
  }
  if (view.rank > 0) order.push_back(static_cast<int>(axis));
  return PermutedView(view, order);
}

TensorView AsNcdhw(const TensorView& view, bool channels_last) {
  TensorView out = view;
  const int spatial = view.rank - 2;
  out.rank = 5;
  const auto set = [&](int to, int from) {
    out.dims[At(to)] = from < 0 ? 1 : view.dims[At(from)];
    out.strides[At(to)] = from < 0 ? 0 : view.strides[At(from)];
  };
  set(0, 0);
  set(1, channels_last ? view.rank - 1 : 1);
  for (int d = 0; d < 3; ++d) {
    const int from = d - (3 - spatial);
    set(2 + d, from < 0 ? -1 : from + (channels_last ? 1 : 2));
  }
  return out;
}

std::vector<int64_t> Aligned3(const Dims& values, size_t first, size_t count, int64_t fallback) {
  std::vector<int64_t> out(3, fallback);
  for (size_t d = 0; d < count && first + d < values.size(); ++d) {
    out[3 - count + d] = values[first + d];
  }
  return out;
}

int ProgramBuilder::Load(DataType dtype, std::vector<int8_t> map) {
  program_.inputs.push_back({dtype, std::move(map), false});
  loop::Instr instr;
  instr.kind = loop::InstrKind::kLoad;
  instr.type = ComputeType(dtype);
  instr.index = static_cast<int32_t>(program_.inputs.size()) - 1;
  return Push(instr);
}

int ProgramBuilder::LoadAligned(DataType dtype, int rank) {
  std::vector<int8_t> map;
  for (int d = 0; d < program_.rank; ++d) {
    const int dim = d - (program_.rank - rank);
    map.push_back(static_cast<int8_t>(dim < 0 ? -1 : dim));
  }
  return Load(dtype, std::move(map));
}

int ProgramBuilder::Const(DataType type, double value) {
  loop::Instr instr;
  instr.type = type;
  instr.p0 = value;
  return Push(instr);
}

int ProgramBuilder::Int(int64_t value) {
  loop::Instr instr;
  instr.type = DataType::kInt64;
  instr.ivalue = value;
  return Push(instr);
}

int ProgramBuilder::Iota(int dim) {
  loop::Instr instr;
  instr.kind = loop::InstrKind::kIota;
  instr.type = DataType::kInt64;
  instr.index = dim;
  return Push(instr);
}

int ProgramBuilder::Op(PointwiseOp op, DataType type, std::vector<int> args, double p0, double p1) {
  loop::Instr instr;
  instr.kind = loop::InstrKind::kPointwise;
  instr.op = op;
  instr.type = InfoOf(op).result == ResultType::kBool ? DataType::kBool : type;
  for (size_t k = 0; k < args.size(); ++k) instr.args[k] = args[k];
  instr.p0 = p0;
  instr.p1 = p1;
  return Push(instr);
}

int ProgramBuilder::Cast(int arg, DataType type) {
  return TypeOf(arg) == type ? arg : Op(PointwiseOp::kCast, type, {arg});
}

int ProgramBuilder::Reduce(loop::ReduceOp op, DataType type, int arg) {
  loop::Instr instr;
  instr.kind = loop::InstrKind::kReduce;
  instr.reduce = op;
  instr.type = type;
  instr.args[0] = arg;
  return Push(instr);
}

void ProgramBuilder::Store(int arg, DataType dtype, bool row) {
  program_.outputs.push_back({dtype, row});
  loop::Instr instr;
  instr.kind = row ? loop::InstrKind::kStoreRow : loop::InstrKind::kStore;
  instr.type = ComputeType(dtype);
  instr.index = static_cast<int32_t>(program_.outputs.size()) - 1;
  instr.args[0] = arg;
  Push(instr);
}

int ProgramBuilder::Push(const loop::Instr& instr) {
  program_.instrs.push_back(instr);
  return static_cast<int>(program_.instrs.size()) - 1;
}

Result<Placed> DenseInput(StepPlan& plan, size_t i) {
  const TensorView& in = plan.in(i);
  if (in.contiguous()) return Placed{in, InputPlace(i)};
  const int64_t bytes = in.numel() * static_cast<int64_t>(SizeOf(in.dtype));
  const Placed copy{MakeView(nullptr, in.dtype, DimsOf(in)), plan.BookScratch(bytes)};
  TRT_RETURN_IF_ERROR(AddCopy(plan, {in, InputPlace(i)}, copy));
  return copy;
}

std::string DefineType(std::string_view name, DataType type) {
  return StrCat("-D", name, "=", StorageName(type));
}

device::cuda::LaunchConfig ElementGrid(const StepPlan& plan, int64_t elements) {
  return GridFor(elements, kElementThreads, int64_t{plan.multiprocessors()} * 32);
}

}  // namespace torch_tensorrt::core::kernels::cuda
