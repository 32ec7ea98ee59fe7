// Network's rewriting half: what optimiser passes use.
#include <algorithm>

#include "core/ir/network.h"

namespace torch_tensorrt::core::ir {
namespace {

size_t At(int32_t id) { return static_cast<size_t>(id); }

}  // namespace

void Network::AddUse(TensorId tensor, LayerId layer) { users_[At(tensor)].push_back(layer); }

void Network::DropUse(TensorId tensor, LayerId layer) {
  std::vector<LayerId>& users = users_[At(tensor)];
  users.erase(std::find(users.begin(), users.end(), layer));
}

Status Network::ReplaceAllUses(TensorId from, TensorId to) {
  if (from == to) return Status::Ok();
  const Tensor& old_tensor = tensor(from);
  const Tensor& new_tensor = tensor(to);
  if (old_tensor.dtype != new_tensor.dtype || !MayEqual(old_tensor.dims, new_tensor.dims)) {
    return InternalError("[network] ", old_tensor.name, " ",
                         ir::ToString(TensorType{old_tensor.dtype, old_tensor.dims}),
                         " cannot become ", new_tensor.name, " ",
                         ir::ToString(TensorType{new_tensor.dtype, new_tensor.dims}));
  }
  for (LayerId reader : users_[At(from)]) {
    for (TensorId& input : layers_[At(reader)]->inputs) {
      if (input == from) input = to;
    }
    AddUse(to, reader);
  }
  users_[At(from)].clear();
  std::replace(outputs_.begin(), outputs_.end(), from, to);
  return Status::Ok();
}

void Network::ReplaceInput(LayerId layer, size_t index, TensorId to) {
  TensorId& input = layers_[At(layer)]->inputs[index];
  if (input == to) return;
  DropUse(input, layer);
  input = to;
  AddUse(to, layer);
}

void Network::SetInputs(LayerId layer, std::vector<TensorId> inputs) {
  for (TensorId input : layers_[At(layer)]->inputs) DropUse(input, layer);
  for (TensorId input : inputs) AddUse(input, layer);
  layers_[At(layer)]->inputs = std::move(inputs);
}

Status Network::Reinfer(LayerId id) {
  const Layer& layer = *layers_[At(id)];
  TRT_ASSIGN_OR_RETURN(std::vector<TensorType> types, InferLayer(layer));
  if (types.size() != layer.outputs.size()) {
    return InternalError("[network] ", layer.name, " now has ", types.size(), " outputs, had ",
                         layer.outputs.size());
  }
  for (size_t i = 0; i < types.size(); ++i) {
    Tensor& tensor = tensors_[At(layer.outputs[i])];
    if (tensor.dtype != types[i].dtype || !MayEqual(tensor.dims, types[i].dims)) {
      return InternalError("[network] ", layer.name, " became ", ir::ToString(types[i]), ", was ",
                           ir::ToString(TensorType{tensor.dtype, tensor.dims}));
    }
  }
  return Status::Ok();
}

void Network::EraseLayer(LayerId id) {
  for (TensorId input : layers_[At(id)]->inputs) DropUse(input, id);
  order_.erase(std::find(order_.begin(), order_.end(), id));
  layers_[At(id)].reset();
}

int Network::RemoveDead() {
  std::vector<char> live(layers_.size(), 0);
  std::vector<LayerId> stack;
  auto reach = [&](TensorId id) {
    const LayerId layer_id = tensor(id).producer;
    if (layer_id == kNone || live[At(layer_id)] != 0) return;
    live[At(layer_id)] = 1;
    stack.push_back(layer_id);
  };
  const auto sizes = computed_sizes();
  for (TensorId output : outputs_) reach(output);
  while (!stack.empty()) {
    const Layer& layer = *layers_[At(stack.back())];
    stack.pop_back();
    for (TensorId input : layer.inputs) reach(input);
    for (LayerId size : SizesNeededBy(layer, sizes)) reach(layers_[At(size)]->outputs[0]);
  }
  std::vector<LayerId> kept;
  for (LayerId id : order_) {
    if (live[At(id)] != 0) {
      kept.push_back(id);
      continue;
    }
    for (TensorId input : layers_[At(id)]->inputs) DropUse(input, id);
    layers_[At(id)].reset();
  }
  const auto removed = static_cast<int>(order_.size() - kept.size());
  order_ = std::move(kept);
  return removed;
}

Status Network::SortTopologically() {
  enum class Mark : char { kNew, kOpen, kDone };
  std::vector<Mark> marks(layers_.size(), Mark::kNew);
  std::vector<LayerId> sorted;
  std::vector<std::pair<LayerId, size_t>> stack;  // layer, next input to look at
  for (LayerId root : order_) {
    if (marks[At(root)] == Mark::kDone) continue;
    marks[At(root)] = Mark::kOpen;
    stack.emplace_back(root, 0);
    while (!stack.empty()) {
      auto& [id, next] = stack.back();
      const Layer& layer = *layers_[At(id)];
      if (next == layer.inputs.size()) {
        marks[At(id)] = Mark::kDone;
        sorted.push_back(id);
        stack.pop_back();
        continue;
      }
      const LayerId before = tensor(layer.inputs[next++]).producer;
      if (before == kNone || marks[At(before)] == Mark::kDone) continue;
      if (marks[At(before)] == Mark::kOpen) {
        return InternalError("[network] layer ", layer.name, " is part of a cycle");
      }
      if (layers_[At(before)] == nullptr) {
        return InternalError("[network] layer ", layer.name, " reads an erased layer");
      }
      marks[At(before)] = Mark::kOpen;
      stack.emplace_back(before, 0);
    }
  }
  order_ = std::move(sorted);
  for (size_t i = 0; i < order_.size(); ++i) position_[At(order_[i])] = static_cast<int>(i);
  return Status::Ok();
}

void Network::RenameTensor(TensorId tensor, std::string name) {
  Tensor& target = tensors_[At(tensor)];
  if (target.name == name) return;
  names_.erase(target.name);
  target.name = UniqueName(name);
}

}  // namespace torch_tensorrt::core::ir
