// Network::Verify: the table's rules for every layer, and the graph's own invariants.
#include <algorithm>

#include "core/ir/network.h"

namespace torch_tensorrt::core::ir {
namespace {

size_t At(int32_t id) { return static_cast<size_t>(id); }

// Dims that agree, at least at the optimisation point when they are symbolic.
bool Agree(const SymInt& a, const SymInt& b, const SymbolLookup& lookup) {
  if (a == b) return true;
  if (!MayEqual(a, b)) return false;
  const Result<int64_t> at_a = a.Evaluate(lookup);
  const Result<int64_t> at_b = b.Evaluate(lookup);
  return !at_a.ok() || !at_b.ok() || *at_a == *at_b;
}

bool Agree(const TensorType& a, const Tensor& b, const SymbolLookup& lookup) {
  if (a.dtype != b.dtype || a.dims.size() != b.dims.size()) return false;
  for (size_t i = 0; i < a.dims.size(); ++i) {
    if (!Agree(a.dims[i], b.dims[i], lookup)) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<TensorType>> Network::InferLayer(const Layer& layer) const {
  if (layer.kind == LayerKind::kConstant) {
    return std::vector<TensorType>{{layer.weights.dtype, ToSymbolic(layer.weights.dims)}};
  }
  std::vector<TensorType> types;
  types.reserve(layer.inputs.size());
  for (TensorId input : layer.inputs) types.push_back({tensor(input).dtype, tensor(input).dims});
  return InferOutputs(layer.kind, types, layer.attrs);
}

Status Network::VerifyLayer(const Layer& layer) const {
  const std::string_view kind = InfoOf(layer.kind).name;
  if (layer.kind == LayerKind::kConstant) {
    TRT_RETURN_IF_ERROR(CheckAttributes(layer.kind, layer.attrs));
    if (!layer.inputs.empty())
      return InternalError("[verify] Constant ", layer.name, " has inputs");
    if (layer.weights.identity() == nullptr) {
      return InternalError("[verify] Constant ", layer.name, " has no data");
    }
  }
  auto types = InferLayer(layer);
  if (!types.ok()) {
    return InternalError("[verify] ", kind, " ", layer.name, ": ", types.status().message());
  }
  if (types->size() != layer.outputs.size()) {
    return InternalError("[verify] ", kind, " ", layer.name, " has ", layer.outputs.size(),
                         " outputs, not ", types->size());
  }
  const SymbolLookup lookup = opt_values();
  for (size_t i = 0; i < types->size(); ++i) {
    const Tensor& output = tensor(layer.outputs[i]);
    if (output.producer != layer.id || output.output_index != static_cast<int>(i)) {
      return InternalError("[verify] output ", i, " of ", layer.name, " names another producer");
    }
    if (!Agree((*types)[i], output, lookup)) {
      return InternalError("[verify] ", kind, " ", layer.name, " yields ",
                           ir::ToString((*types)[i]), ", its tensor is ",
                           ir::ToString(TensorType{output.dtype, output.dims}));
    }
  }
  return Status::Ok();
}

Status Network::VerifyUses() const {
  std::vector<std::vector<LayerId>> users(tensors_.size());
  for (LayerId id : order_) {
    for (TensorId input : layer(id)->inputs) users[At(input)].push_back(id);
  }
  for (size_t t = 0; t < users.size(); ++t) {
    std::vector<LayerId> kept = users_[t];
    std::sort(kept.begin(), kept.end());
    std::sort(users[t].begin(), users[t].end());
    if (kept != users[t]) {
      return InternalError("[verify] the readers of ", tensors_[t].name,
                           " changed behind the network's back");
    }
  }
  return Status::Ok();
}

Status Network::VerifyComputedSizes() const {
  std::set<std::string> computed;
  for (LayerId id : order_) {
    if (layer(id)->kind != LayerKind::kReadSize) continue;
    const std::string name = layer(id)->attrs.Str("symbol");
    const auto is_it = [&](const Symbol& symbol) { return symbol.name == name; };
    if (std::none_of(symbols_.begin(), symbols_.end(), is_it)) {
      return InternalError("[verify] ", layer(id)->name, " reads an unknown symbol '", name, "'");
    }
    if (!computed.insert(name).second) {
      return InternalError("[verify] symbol ", name, " is read by two layers");
    }
  }
  std::set<std::string> given;
  for (TensorId input : inputs_) {
    for (const SymInt& dim : tensor(input).dims) dim.CollectSymbols(&given);
  }
  for (const std::string& name : computed) {
    if (given.count(name) == 0) continue;
    return InternalError("[verify] symbol ", name, " is read by a layer and given by an input");
  }
  return Status::Ok();
}

Status Network::Verify() const {
  std::vector<char> defined(tensors_.size(), 0);
  for (TensorId input : inputs_) defined[At(input)] = 1;
  std::vector<char> seen(layers_.size(), 0);
  for (LayerId id : order_) {
    const Layer* layer = id < 0 || At(id) >= layers_.size() ? nullptr : layers_[At(id)].get();
    if (layer == nullptr) return InternalError("[verify] the order names erased layer ", id);
    if (seen[At(id)]++ != 0) return InternalError("[verify] ", layer->name, " is ordered twice");
    for (TensorId input : layer->inputs) {
      if (input < 0 || input >= tensor_count()) {
        return InternalError("[verify] ", layer->name, " reads unknown tensor ", input);
      }
      if (defined[At(input)] == 0) {
        return InternalError("[verify] ", layer->name, " reads ", tensor(input).name,
                             " before it is made");
      }
    }
    TRT_RETURN_IF_ERROR(VerifyLayer(*layer));
    for (TensorId output : layer->outputs) defined[At(output)] = 1;
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (outputs_[i] < 0 || outputs_[i] >= tensor_count() || defined[At(outputs_[i])] == 0) {
      return InternalError("[verify] output ", output_names_[i], " is not made by any layer");
    }
  }
  for (size_t id = 0; id < layers_.size(); ++id) {
    if (layers_[id] != nullptr && seen[id] == 0) {
      return InternalError("[verify] ", layers_[id]->name, " is missing from the order");
    }
  }
  TRT_RETURN_IF_ERROR(VerifyUses());
  return VerifyComputedSizes();
}

}  // namespace torch_tensorrt::core::ir
