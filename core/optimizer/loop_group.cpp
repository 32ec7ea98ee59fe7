#include "core/optimizer/loop_group.h"

#include <algorithm>
#include <optional>

namespace torch_tensorrt::core::optimizer {
namespace {

PointwiseOp OpOf(const Layer& layer) {
  if (layer.kind == LayerKind::kSelect) return PointwiseOp::kSelect;
  if (layer.kind == LayerKind::kCast) return PointwiseOp::kCast;
  return layer.attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd);
}

// What a bool operation is called on bool registers; nullopt when it has no such form.
std::optional<PointwiseOp> BoolOp(PointwiseOp op) {
  switch (op) {
    case PointwiseOp::kAdd:
    case PointwiseOp::kMaximum:
    case PointwiseOp::kBitOr:
    case PointwiseOp::kLogicalOr:
      return PointwiseOp::kLogicalOr;
    case PointwiseOp::kMul:
    case PointwiseOp::kMinimum:
    case PointwiseOp::kBitAnd:
    case PointwiseOp::kLogicalAnd:
      return PointwiseOp::kLogicalAnd;
    case PointwiseOp::kBitXor:
    case PointwiseOp::kLogicalXor:
    case PointwiseOp::kNe:
      return PointwiseOp::kLogicalXor;
    case PointwiseOp::kBitNot:
    case PointwiseOp::kLogicalNot:
      return PointwiseOp::kLogicalNot;
    case PointwiseOp::kSelect:
    case PointwiseOp::kCast:
      return op;
    default:  // no other operation is common on bool
      return std::nullopt;
  }
}

DataType RegisterType(DataType type) { return IsHalf(type) ? DataType::kFloat32 : type; }

// For a Reshape that only adds or drops dims of size 1: for each output dim the input dim, or -1.
std::optional<std::vector<int>> MatchOnes(const SymDims& in, const SymDims& out) {
  std::vector<int> source(out.size(), -1);
  size_t i = 0;
  for (size_t o = 0; o < out.size(); ++o) {
    while (i < in.size() && in[i].Equals(1) && !out[o].Equals(1)) ++i;
    if (i < in.size() && in[i] == out[o]) {
      source[o] = static_cast<int>(i++);
    } else if (!out[o].Equals(1)) {
      return std::nullopt;
    }
  }
  for (; i < in.size(); ++i) {
    if (!in[i].Equals(1)) return std::nullopt;
  }
  return source;
}

std::optional<loop::ReduceOp> ReduceOpOf(const Layer& layer) {
  const std::string kind = layer.attrs.Str("kind");
  for (int r = 0; r <= static_cast<int>(loop::ReduceOp::kAll); ++r) {
    const auto op = static_cast<loop::ReduceOp>(r);
    if (kind == loop::ReduceOpName(op)) return op;
  }
  return std::nullopt;
}

DimMap DropOnes(DimMap map, const SymDims& dims) {
  for (int8_t& dim : map) {
    if (dim >= 0 && dims[static_cast<size_t>(dim)].Equals(1)) dim = -1;
  }
  return map;
}

// Right-aligned broadcasting of an operand of `in` dims in a result of rank `out_rank`.
DimMap BroadcastMap(const DimMap& map, const SymDims& in, size_t out_rank) {
  const int shift = static_cast<int>(out_rank - in.size());
  DimMap out(map.size(), -1);
  for (size_t d = 0; d < map.size(); ++d) {
    if (map[d] >= shift) out[d] = static_cast<int8_t>(map[d] - shift);
  }
  return DropOnes(std::move(out), in);
}

// The rows of `out_map` in order: the reduction of whole rows of the domain.
bool WalksRowsInOrder(const DimMap& out_map, const SymDims& reduced, const SymDims& domain) {
  if (domain.empty() || reduced != domain || out_map.back() >= 0) return false;
  for (size_t d = 0; d + 1 < domain.size(); ++d) {
    const bool in_order = out_map[d] == static_cast<int8_t>(d);
    if (!in_order && !(domain[d].Equals(1) && out_map[d] < 0)) return false;
  }
  return true;
}

// How operand `i` of `layer` is read when its output is read by `map`.
std::optional<DimMap> OperandMap(const Network& network, const Layer& layer, size_t i,
                                 const DimMap& map, const SymDims& domain) {
  const SymDims& in = network.tensor(layer.inputs[i]).dims;
  const SymDims& out = network.tensor(layer.outputs[0]).dims;
  DimMap result(map.size(), -1);
  switch (layer.kind) {
    case LayerKind::kTranspose: {
      const Dims perm = layer.attrs.Ints("perm");
      for (size_t d = 0; d < map.size(); ++d) {
        if (map[d] >= 0) result[d] = static_cast<int8_t>(perm[static_cast<size_t>(map[d])]);
      }
      return DropOnes(std::move(result), in);
    }
    case LayerKind::kReshape: {
      const auto source = MatchOnes(in, out);
      if (!source) return std::nullopt;
      for (size_t d = 0; d < map.size(); ++d) {
        if (map[d] >= 0) result[d] = static_cast<int8_t>((*source)[static_cast<size_t>(map[d])]);
      }
      return DropOnes(std::move(result), in);
    }
    case LayerKind::kReduce:
      if (!WalksRowsInOrder(map, in, domain)) return std::nullopt;
      return DropOnes(IdentityMap(domain.size()), in);
    default:  // pointwise kinds and Expand broadcast
      return BroadcastMap(map, in, out.size());
  }
}

}  // namespace

DimMap IdentityMap(size_t rank) {
  DimMap map;
  for (size_t d = 0; d < rank; ++d) map.push_back(static_cast<int8_t>(d));
  return map;
}

bool IsLoopView(const Network& network, const Layer& layer) {
  if (layer.kind == LayerKind::kExpand || layer.kind == LayerKind::kTranspose) return true;
  return layer.kind == LayerKind::kReshape &&
         MatchOnes(network.tensor(layer.inputs[0]).dims, network.tensor(layer.outputs[0]).dims)
             .has_value();
}

bool IsRowReduce(const Network& network, const Layer& layer) {
  if (layer.kind != LayerKind::kReduce || !ReduceOpOf(layer)) return false;
  const ir::Tensor& x = network.tensor(layer.inputs[0]);
  const Dims axes = layer.attrs.Ints("axes");
  const bool logical = (layer.attrs.Str("kind") == "any" || layer.attrs.Str("kind") == "all");
  return axes.size() == 1 && axes[0] == x.rank() - 1 && (logical || x.dtype != DataType::kBool);
}

bool CanLoop(const Network& network, const Layer& layer) {
  if (network.tensor(layer.outputs.empty() ? 0 : layer.outputs[0]).rank() > 16) return false;
  switch (layer.kind) {
    case LayerKind::kUnary:
    case LayerKind::kElementwise:
    case LayerKind::kSelect:
    case LayerKind::kCast:
      return network.tensor(layer.inputs.back()).dtype != DataType::kBool ||
             BoolOp(OpOf(layer)).has_value() || OpOf(layer) == PointwiseOp::kEq;
    case LayerKind::kExpand:
    case LayerKind::kTranspose:
    case LayerKind::kReshape:
      return IsLoopView(network, layer);
    case LayerKind::kReduce:
      return IsRowReduce(network, layer);
    case LayerKind::kFill:
      return UniformValue(network, layer.outputs[0]).has_value();
    case LayerKind::kIota:
      return IsInteger(network.tensor(layer.outputs[0]).dtype) &&
             layer.attrs.Get<SymInt>("start", 0).is_constant();
    default:  // every other kind has kernels of its own
      return false;
  }
}

namespace {

// Visits every read of the group from its outputs down.
class Tracer {
 public:
  Tracer(const Network& network, const LoopGroup& group) : network_(network), group_(group) {}

  std::map<TensorId, std::set<DimMap>> Run() {
    for (TensorId output : group_.outputs) Visit(output, OutputMap(output));
    return ok_ ? std::move(reads_) : std::map<TensorId, std::set<DimMap>>();
  }

  DimMap OutputMap(TensorId output) const {
    const SymDims& dims = network_.tensor(output).dims;
    DimMap map = IdentityMap(group_.domain.size());
    const Layer* layer = network_.producer(output);
    if (layer->kind == LayerKind::kReduce) {
      map.back() = -1;
      return DropOnes(std::move(map), group_.domain);
    }
    return DropOnes(std::move(map), dims);
  }

 private:
  void Visit(TensorId id, const DimMap& map) {
    if (!ok_ || !reads_[id].insert(map).second) return;
    const Layer* layer = network_.producer(id);
    if (layer == nullptr) return;
    const bool inside = group_.layers.count(layer->id) != 0;
    if (!inside && !IsLoopView(network_, *layer)) return;
    for (size_t i = 0; i < layer->inputs.size(); ++i) {
      const auto operand = OperandMap(network_, *layer, i, map, group_.domain);
      ok_ = ok_ && operand.has_value() &&
            (layer->kind != LayerKind::kReduce || !IsRowUniform(layer->inputs[i], *operand));
      if (!ok_) return;
      Visit(layer->inputs[i], *operand);
    }
  }

  // Does the register hold one value per row? A loop has nothing to reduce there.
  bool IsRowUniform(TensorId id, const DimMap& map) {
    const auto key = std::make_pair(id, map);
    const auto known = uniform_.find(key);
    if (known != uniform_.end()) return known->second;
    return uniform_[key] = FindRowUniform(id, map);
  }

  bool FindRowUniform(TensorId id, const DimMap& map) {
    const Layer* layer = network_.producer(id);
    const bool inside = layer != nullptr && group_.layers.count(layer->id) != 0;
    const bool leaf = !inside && (layer == nullptr || !IsLoopView(network_, *layer));
    if (leaf || layer->kind == LayerKind::kIota || layer->kind == LayerKind::kFill) {
      return map.empty() || map.back() < 0 || UniformValue(network_, id).has_value();
    }
    if (layer->kind == LayerKind::kReduce) return true;
    for (size_t i = 0; i < layer->inputs.size(); ++i) {
      const auto operand = OperandMap(network_, *layer, i, map, group_.domain);
      if (operand && !IsRowUniform(layer->inputs[i], *operand)) return false;
    }
    return true;
  }

  const Network& network_;
  const LoopGroup& group_;
  bool ok_ = true;
  std::map<TensorId, std::set<DimMap>> reads_;
  std::map<std::pair<TensorId, DimMap>, bool> uniform_;
};

class ProgramBuilder {
 public:
  ProgramBuilder(Network* network, const LoopGroup& group)
      : network_(*network), rewriter_(network), group_(group) {}

  Result<LoopProgram> Run() {
    loop::Program& program = result_.program;
    program.rank = static_cast<int>(group_.domain.size());
    const Tracer tracer(network_, group_);
    for (TensorId output : group_.outputs) {
      const bool row = network_.producer(output)->kind == LayerKind::kReduce;
      TRT_ASSIGN_OR_RETURN(const int32_t reg, Emit(output, tracer.OutputMap(output)));
      loop::Instr store;
      store.kind = row ? loop::InstrKind::kStoreRow : loop::InstrKind::kStore;
      store.index = static_cast<int32_t>(program.outputs.size());
      store.type = program.instrs[static_cast<size_t>(reg)].type;
      store.args[0] = reg;
      program.instrs.push_back(store);
      program.outputs.push_back({network_.tensor(output).dtype, row});
    }
    TRT_RETURN_IF_ERROR(program.Verify());
    return std::move(result_);
  }

 private:
  int32_t Push(loop::Instr instr) {
    result_.program.instrs.push_back(instr);
    return static_cast<int32_t>(result_.program.instrs.size()) - 1;
  }

  Result<int32_t> Emit(TensorId id, const DimMap& map) {
    const auto key = std::make_pair(id, map);
    auto it = known_.find(key);
    if (it != known_.end()) return it->second;
    TRT_ASSIGN_OR_RETURN(const int32_t reg, EmitNew(id, map));
    known_[key] = reg;
    return reg;
  }

  Result<int32_t> EmitNew(TensorId id, const DimMap& map) {
    const ir::Tensor& tensor = network_.tensor(id);
    if (const auto value = rewriter_.Uniform(id)) return EmitConst(tensor.dtype, *value);
    const Layer* layer = network_.producer(id);
    const bool inside = layer != nullptr && group_.layers.count(layer->id) != 0;
    if (!inside && (layer == nullptr || !IsLoopView(network_, *layer))) {
      return EmitLoad(id, tensor.dtype, map);
    }
    if (layer->kind == LayerKind::kIota) return EmitIota(*layer, map);
    std::vector<int32_t> args;
    for (size_t i = 0; i < layer->inputs.size(); ++i) {
      const auto operand = OperandMap(network_, *layer, i, map, group_.domain);
      if (!operand) return InternalError("[fusion] ", layer->name, " cannot be read in its group");
      TRT_ASSIGN_OR_RETURN(const int32_t reg, Emit(layer->inputs[i], *operand));
      args.push_back(reg);
    }
    if (IsLoopView(network_, *layer)) return args[0];
    return EmitCompute(*layer, args);
  }

  int32_t EmitConst(DataType type, double value) {
    loop::Instr instr;
    instr.kind = loop::InstrKind::kConst;
    instr.type = RegisterType(type);
    if (IsFloat(type)) instr.p0 = value;
    if (!IsFloat(type)) instr.ivalue = static_cast<int64_t>(value);
    return Push(instr);
  }

  int32_t EmitLoad(TensorId id, DataType type, const DimMap& map) {
    loop::Instr instr;
    instr.kind = loop::InstrKind::kLoad;
    instr.type = RegisterType(type);
    instr.index = static_cast<int32_t>(result_.inputs.size());
    result_.inputs.push_back(id);
    result_.program.inputs.push_back({type, map, false});
    return Push(instr);
  }

  int32_t EmitIota(const Layer& layer, const DimMap& map) {
    const DataType type = network_.tensor(layer.outputs[0]).dtype;
    const int64_t start = layer.attrs.Get<SymInt>("start", 0).constant();
    const int64_t step = layer.attrs.Int("step", 1);
    const auto walk = std::find(map.begin(), map.end(), int8_t{0});
    auto constant = [&](int64_t value) {
      loop::Instr instr;
      instr.type = type;
      instr.ivalue = value;
      return Push(instr);
    };
    auto binary = [&](PointwiseOp op, int32_t a, int32_t b) {
      loop::Instr instr;
      instr.kind = loop::InstrKind::kPointwise;
      instr.type = type;
      instr.op = op;
      instr.args[0] = a;
      instr.args[1] = b;
      return Push(instr);
    };
    if (walk == map.end()) return constant(start);
    loop::Instr position;
    position.kind = loop::InstrKind::kIota;
    position.type = type;
    position.index = static_cast<int32_t>(walk - map.begin());
    int32_t reg = Push(position);
    if (step != 1) reg = binary(PointwiseOp::kMul, reg, constant(step));
    if (start != 0) reg = binary(PointwiseOp::kAdd, reg, constant(start));
    return reg;
  }

  Result<int32_t> EmitCompute(const Layer& layer, const std::vector<int32_t>& args) {
    loop::Instr instr;
    instr.type = RegisterType(network_.tensor(layer.outputs[0]).dtype);
    for (size_t k = 0; k < args.size(); ++k) instr.args[k] = args[k];
    const DataType from = result_.program.instrs[static_cast<size_t>(args[0])].type;
    if (layer.kind == LayerKind::kReduce) {
      instr.kind = loop::InstrKind::kReduce;
      instr.reduce = *ReduceOpOf(layer);
      return Push(instr);
    }
    instr.kind = loop::InstrKind::kPointwise;
    instr.op = OpOf(layer);
    instr.p0 = layer.attrs.Double("p0");
    instr.p1 = layer.attrs.Double("p1");
    if (layer.kind == LayerKind::kCast && from == instr.type) return args[0];
    if (from == DataType::kBool && layer.kind != LayerKind::kSelect &&
        instr.op != PointwiseOp::kEq) {
      instr.op = BoolOp(instr.op).value_or(instr.op);
    }
    return Push(instr);
  }

  const Network& network_;
  Rewriter rewriter_;
  const LoopGroup& group_;
  LoopProgram result_;
  std::map<std::pair<TensorId, DimMap>, int32_t> known_;
};

}  // namespace

std::map<TensorId, std::set<DimMap>> TraceReads(const Network& network, const LoopGroup& group) {
  return Tracer(network, group).Run();
}

Result<LoopProgram> BuildProgram(Network* network, const LoopGroup& group) {
  return ProgramBuilder(network, group).Run();
}

}  // namespace torch_tensorrt::core::optimizer
