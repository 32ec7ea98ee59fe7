// Pointwise layers and row reductions become Fused loops. Groups grow from their last layer towards
// the producers, so that a chain ends up in one loop and each tensor is read once.
#include <algorithm>

#include "core/optimizer/loop_group.h"
#include "core/optimizer/pass.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// Beyond these a loop's registers no longer stay in the first-level cache.
constexpr size_t kMaxLayers = 64;
constexpr size_t kMaxInputs = 12;
constexpr size_t kMaxOutputs = 3;
constexpr size_t kMaxSearch = 4096;

using Reads = std::map<TensorId, std::set<DimMap>>;

bool IsSource(const Layer& layer) {
  return layer.kind == LayerKind::kFill || layer.kind == LayerKind::kIota;
}

// Is every element of the tensor read at exactly one domain point, or at one row?
enum class Coverage { kFull, kPerRow, kRepeated };

Coverage CoverageOf(const SymDims& dims, const DimMap& map, const SymDims& domain) {
  bool row = true;
  for (size_t d = 0; d < domain.size(); ++d) {
    const bool last = d + 1 == domain.size();
    const bool covers =
        map[d] >= 0 ? dims[static_cast<size_t>(map[d])] == domain[d] : domain[d].Equals(1);
    if (covers) continue;
    if (!last || map[d] >= 0) return Coverage::kRepeated;
    row = false;
  }
  return row ? Coverage::kFull : Coverage::kPerRow;
}

class Grower {
 public:
  Grower(Network* network, LayerId root)
      : network_(*network), computed_sizes_(network->computed_sizes()) {
    const Layer& layer = *network->layer(root);
    group_.layers.insert(root);
    group_.outputs.push_back(layer.outputs[0]);
    group_.domain = layer.kind == LayerKind::kReduce ? network->tensor(layer.inputs[0]).dims
                                                     : network->tensor(layer.outputs[0]).dims;
  }

  LoopGroup Run() {
    for (bool grown = true; grown && group_.layers.size() < kMaxLayers;) {
      grown = false;
      const Reads reads = TraceReads(network_, group_);
      for (const auto& [tensor, maps] : reads) {
        if (TryAbsorb(tensor, maps)) {
          grown = true;
          break;
        }
      }
    }
    return std::move(group_);
  }

 private:
  bool TryAbsorb(TensorId tensor, const std::set<DimMap>& maps) {
    const Layer* layer = network_.producer(tensor);
    if (layer == nullptr || group_.layers.count(layer->id) != 0) return false;
    if (!CanLoop(network_, *layer)) return false;
    const bool private_use = IsPrivate(tensor);
    if (!private_use && !(CanShare(tensor, maps) && ShouldShare(*layer))) return false;
    if (!ShouldRepeat(*layer, tensor, maps)) return false;
    group_.layers.insert(layer->id);
    if (!private_use) group_.outputs.push_back(tensor);
    const Reads reads = TraceReads(network_, group_);
    if (!reads.empty() && InputCount(reads) <= kMaxInputs &&
        (private_use || !ReachesGroup(tensor, reads))) {
      return true;
    }
    group_.layers.erase(layer->id);
    if (!private_use) group_.outputs.pop_back();
    return false;
  }

  // Only the group reads it.
  bool IsPrivate(TensorId tensor) const {
    if (network_.is_output(tensor)) return false;
    const std::vector<LayerId> readers = network_.consumers(tensor);
    return std::all_of(readers.begin(), readers.end(),
                       [this](LayerId id) { return group_.layers.count(id) != 0; });
  }

  // Legal as a further output: one value per domain point.
  bool CanShare(TensorId tensor, const std::set<DimMap>& maps) const {
    if (group_.outputs.size() >= kMaxOutputs || maps.size() != 1) return false;
    const Layer& layer = *network_.producer(tensor);
    if (IsLoopView(network_, layer) || layer.kind == LayerKind::kReduce) return false;
    return network_.tensor(tensor).dims == group_.domain;
  }

  // Storing an inner value saves a loop that reads its operands again; but a product would rather
  // take that loop as its epilogue, and sources cost nothing to make twice.
  bool ShouldShare(const Layer& layer) const {
    if (IsSource(layer)) return false;
    return std::none_of(layer.inputs.begin(), layer.inputs.end(), [this](TensorId input) {
      const Layer* producer = network_.producer(input);
      return producer != nullptr && network_.use_count(input) == 1 &&
             (producer->kind == LayerKind::kMatrixMultiply ||
              producer->kind == LayerKind::kConvolution ||
              producer->kind == LayerKind::kDeconvolution);
    });
  }

  // Values that several domain points share are computed again for each: only cheap ones are worth
  // that.
  bool ShouldRepeat(const Layer& layer, TensorId tensor, const std::set<DimMap>& maps) const {
    if (IsLoopView(network_, layer) || IsSource(layer) || layer.kind == LayerKind::kCast) {
      return true;
    }
    if (layer.kind != LayerKind::kReduce && maps.size() > 1) return false;
    return std::all_of(maps.begin(), maps.end(), [&](const DimMap& map) {
      return CoverageOf(network_.tensor(tensor).dims, map, group_.domain) != Coverage::kRepeated;
    });
  }

  size_t InputCount(const Reads& reads) const {
    size_t count = 0;
    for (const auto& [tensor, maps] : reads) {
      const Layer* layer = network_.producer(tensor);
      const bool outside = layer == nullptr ||
                           (group_.layers.count(layer->id) == 0 && !IsLoopView(network_, *layer));
      if (outside) count += maps.size();
    }
    return count;
  }

  // Would some outside reader of `tensor` have to run before the group? Then they would wait for
  // each other.
  bool ReachesGroup(TensorId tensor, const Reads& reads) const {
    const std::vector<LayerId> readers = network_.consumers(tensor);
    std::set<LayerId> outside;
    for (LayerId reader : readers) {
      if (group_.layers.count(reader) == 0) outside.insert(reader);
    }
    std::vector<LayerId> stack;
    std::set<LayerId> seen;
    auto push = [&](TensorId t) {
      const Layer* layer = network_.producer(t);
      if (layer != nullptr && group_.layers.count(layer->id) == 0 &&
          seen.insert(layer->id).second) {
        stack.push_back(layer->id);
      }
    };
    for (const auto& [read, maps] : reads) push(read);
    while (!stack.empty()) {
      const LayerId id = stack.back();
      stack.pop_back();
      if (outside.count(id) != 0 || seen.size() > kMaxSearch) return true;
      const Layer& layer = *network_.layer(id);
      for (TensorId input : layer.inputs) push(input);
      for (LayerId size : network_.SizesNeededBy(layer, computed_sizes_)) {
        push(network_.layer(size)->outputs[0]);
      }
    }
    return false;
  }

  const Network& network_;
  const std::map<std::string, LayerId, std::less<>> computed_sizes_;
  LoopGroup group_;
};

bool CanBeRoot(const Network& network, const Layer& layer) {
  return CanLoop(network, layer) && !IsLoopView(network, layer) && !IsSource(layer);
}

// A reduction alone has a kernel of its own.
bool ShouldFuse(const Network& network, const LoopGroup& group) {
  return group.layers.size() > 1 ||
         network.layer(*group.layers.begin())->kind != LayerKind::kReduce;
}

void EraseGroup(Network* network, const LoopGroup& group) {
  const std::vector<LayerId> order = network->order();
  for (size_t i = order.size(); i-- > 0;) {
    if (group.layers.count(order[i]) != 0) network->EraseLayer(order[i]);
  }
}

Status Replace(Network* network, const LoopGroup& group, const LoopProgram& built, LayerId root) {
  const Layer& like = *network->layer(root);
  TRT_ASSIGN_OR_RETURN(std::vector<TensorId> outputs,
                       network->AddMultiLayer(LayerKind::kFused, built.inputs,
                                              {{"program", ProgramText{built.program.ToString()}},
                                               {"domain", group.domain}},
                                              like.name, like.source));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const SymDims dims = network->tensor(group.outputs[i]).dims;
    if (dims != network->tensor(outputs[i]).dims) {
      TRT_ASSIGN_OR_RETURN(outputs[i], network->AddLayer(LayerKind::kReshape, {outputs[i]},
                                                         {{"dims", dims}}, like.name, like.source));
    }
    TRT_RETURN_IF_ERROR(network->ReplaceAllUses(group.outputs[i], outputs[i]));
  }
  EraseGroup(network, group);
  return Status::Ok();
}

}  // namespace

Result<bool> FusePointwise(Network* network) {
  bool changed = false;
  const std::vector<LayerId> order = network->order();
  for (size_t i = order.size(); i-- > 0;) {
    const Layer* layer = network->layer(order[i]);
    if (layer == nullptr || network->use_count(layer->outputs[0]) == 0) continue;
    if (!CanBeRoot(*network, *layer)) continue;
    const LoopGroup group = Grower(network, layer->id).Run();
    if (!ShouldFuse(*network, group) || TraceReads(*network, group).empty()) continue;
    TRT_ASSIGN_OR_RETURN(const LoopProgram built, BuildProgram(network, group));
    TRT_RETURN_IF_ERROR(Replace(network, group, built, layer->id));
    changed = true;
  }
  if (changed) {
    network->RemoveDead();
    TRT_RETURN_IF_ERROR(network->SortTopologically());
  }
  return changed;
}

}  // namespace torch_tensorrt::core::optimizer
