#include "core/loop/program.h"
#include "core/tactics/lists.h"

namespace torch_tensorrt::core::tactics {
namespace {

using ir::LayerKind;

// Register type of a tensor inside a loop: halves are computed in f32.
DataType ComputeType(DataType type) { return IsHalf(type) ? DataType::kFloat32 : type; }

// Right-aligned broadcast map of an input of `rank` in a domain of `domain_rank` dims.
std::vector<int8_t> BroadcastMap(int rank, int domain_rank) {
  std::vector<int8_t> map;
  for (int d = 0; d < domain_rank; ++d) {
    const int dim = d - (domain_rank - rank);
    map.push_back(static_cast<int8_t>(dim < 0 ? -1 : dim));
  }
  return map;
}

PointwiseOp OpOf(const ir::Layer& layer) {
  if (layer.kind == LayerKind::kSelect) return PointwiseOp::kSelect;
  if (layer.kind == LayerKind::kCast) return PointwiseOp::kCast;
  return layer.attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd);
}

// A pointwise layer that fusion left alone, as a loop of one operation.
Result<StepSpec> DescribeSingle(const TacticQuery& query) {
  const ir::Layer& layer = query.layer;
  const ir::Tensor& out = query.network.tensor(layer.outputs[0]);
  loop::Program program;
  program.rank = out.rank();
  loop::Instr compute;
  compute.kind = loop::InstrKind::kPointwise;
  compute.op = OpOf(layer);
  compute.type = ComputeType(out.dtype);
  compute.p0 = layer.attrs.Double("p0");
  compute.p1 = layer.attrs.Double("p1");
  for (size_t i = 0; i < layer.inputs.size(); ++i) {
    const ir::Tensor& in = query.network.tensor(layer.inputs[i]);
    program.inputs.push_back({in.dtype, BroadcastMap(in.rank(), out.rank()), false});
    loop::Instr load;
    load.kind = loop::InstrKind::kLoad;
    load.type = ComputeType(in.dtype);
    load.index = static_cast<int32_t>(i);
    program.instrs.push_back(load);
    compute.args[i] = static_cast<int32_t>(i);
  }
  program.instrs.push_back(compute);
  loop::Instr store;
  store.kind = loop::InstrKind::kStore;
  store.type = compute.type;
  store.args[0] = static_cast<int32_t>(program.instrs.size()) - 1;
  program.instrs.push_back(store);
  program.outputs.push_back({out.dtype, false});
  const Status valid = program.Verify();
  if (!valid.ok()) return Unsupported(valid.message());
  StepSpec spec = PassThrough(query, "cpu.loop", LayoutNeed::kAny);
  spec.attributes = Attributes();
  spec.attributes.Set("program", ProgramText{program.ToString()});
  spec.attributes.Set("domain", out.dims);
  return spec;
}

Result<StepSpec> DescribeFused(const TacticQuery& query) {
  return PassThrough(query, "cpu.loop", LayoutNeed::kAny);
}

}  // namespace

std::span<const Tactic> PointwiseTactics(LayerKind kind) {
  static constexpr Tactic kSingle[] = {{"cpu.loop", DescribeSingle}, {"ref", DescribeReference}};
  static constexpr Tactic kFused[] = {{"cpu.loop", DescribeFused}, {"ref", DescribeReference}};
  if (kind == LayerKind::kFused) return kFused;
  return kSingle;
}

}  // namespace torch_tensorrt::core::tactics
