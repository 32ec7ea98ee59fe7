#include "core/ir/network.h"

#include <algorithm>
#include <new>

#include "core/util/aligned_memory.h"

namespace torch_tensorrt::core::ir {
namespace {

size_t At(int32_t id) { return static_cast<size_t>(id); }

}  // namespace

NewWeights AllocateWeights(DataType dtype, const Dims& dims) {
  Weights weights{dtype, dims, nullptr};
  const size_t bytes = std::max(weights.bytes(), size_t{1});
  void* data = AllocateAligned(bytes);
  if (data == nullptr) throw std::bad_alloc();  // as the standard containers around it do
  weights.data =
      std::shared_ptr<const void>(data, [](const void* p) { FreeAligned(const_cast<void*>(p)); });
  return {std::move(weights), data};
}

// --- building -----------------------------------------------------------------------------------

Status Network::AddSymbol(Symbol symbol) {
  for (const Symbol& known : symbols_) {
    if (known.name == symbol.name) {
      return InvalidArgument("[network] symbol ", symbol.name, " is defined twice");
    }
  }
  if (symbol.min > symbol.max || symbol.opt < symbol.min || symbol.opt > symbol.max) {
    return InvalidArgument("[network] symbol ", symbol.name, " has the range min ", symbol.min,
                           ", opt ", symbol.opt, ", max ", symbol.max);
  }
  symbols_.push_back(std::move(symbol));
  return Status::Ok();
}

std::string Network::UniqueName(const std::string& name) {
  std::string candidate = name.empty() ? "t" : name;
  while (true) {
    auto [it, fresh] = names_.try_emplace(candidate, 0);
    if (fresh) return candidate;
    candidate =
        StrCat(name.empty() ? "t" : name, "_", ++names_.find(name.empty() ? "t" : name)->second);
  }
}

TensorId Network::NewTensor(const std::string& name, DataType dtype, SymDims dims) {
  const auto id = static_cast<TensorId>(tensors_.size());
  tensors_.push_back({id, UniqueName(name), dtype, std::move(dims), kNone, 0});
  users_.emplace_back();
  return id;
}

Layer* Network::NewLayer(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs,
                         const std::string& name, std::string source) {
  auto layer = std::make_unique<Layer>();
  layer->id = static_cast<LayerId>(layers_.size());
  layer->kind = kind;
  layer->name = name;
  layer->source = std::move(source);
  layer->inputs = std::move(inputs);
  layer->attrs = std::move(attrs);
  for (TensorId input : layer->inputs) AddUse(input, layer->id);
  order_.push_back(layer->id);
  position_.push_back(order_.size() == 1 ? 0 : position_[At(order_[order_.size() - 2])] + 1);
  layers_.push_back(std::move(layer));
  return layers_.back().get();
}

TensorId Network::AddInput(std::string name, DataType dtype, SymDims dims) {
  const TensorId id = NewTensor(name, dtype, std::move(dims));
  inputs_.push_back(id);
  return id;
}

TensorId Network::AddConstant(Weights weights, std::string name) {
  const TensorId id = NewTensor(name, weights.dtype, ToSymbolic(weights.dims));
  Layer* layer = NewLayer(LayerKind::kConstant, {}, {}, tensors_[At(id)].name, "");
  layer->weights = std::move(weights);
  layer->outputs = {id};
  tensors_[At(id)].producer = layer->id;
  return id;
}

Result<std::vector<TensorId>> Network::AddMultiLayer(LayerKind kind, std::vector<TensorId> inputs,
                                                     Attributes attrs, std::string name,
                                                     std::string source) {
  if (kind == LayerKind::kConstant) {
    return InvalidArgument("[Constant] ", name, " has no weights; use AddConstant");
  }
  std::vector<TensorType> types;
  for (TensorId input : inputs) {
    if (input < 0 || input >= tensor_count()) {
      return InvalidArgument("[", InfoOf(kind).name, "] ", name, ": no tensor has id ", input);
    }
    types.push_back({tensor(input).dtype, tensor(input).dims});
  }
  TRT_ASSIGN_OR_RETURN(const std::vector<TensorType> outputs, InferOutputs(kind, types, attrs));
  Layer* layer = NewLayer(kind, std::move(inputs), std::move(attrs), "", std::move(source));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorId id =
        NewTensor(i == 0 ? name : StrCat(name, ".", i), outputs[i].dtype, outputs[i].dims);
    tensors_[At(id)].producer = layer->id;
    tensors_[At(id)].output_index = static_cast<int>(i);
    layer->outputs.push_back(id);
  }
  layer->name = tensors_[At(layer->outputs[0])].name;
  return layer->outputs;
}

Result<TensorId> Network::AddLayer(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs,
                                   std::string name, std::string source) {
  TRT_ASSIGN_OR_RETURN(
      const std::vector<TensorId> outputs,
      AddMultiLayer(kind, std::move(inputs), std::move(attrs), std::move(name), std::move(source)));
  return outputs[0];
}

void Network::MarkOutput(TensorId tensor, std::string name) {
  outputs_.push_back(tensor);
  output_names_.push_back(std::move(name));
}

// --- reading ------------------------------------------------------------------------------------

const Layer* Network::producer(TensorId id) const {
  const LayerId layer_id = tensor(id).producer;
  return layer_id == kNone ? nullptr : layer(layer_id);
}

SymbolRanges Network::symbol_ranges() const {
  SymbolRanges ranges;
  for (const Symbol& symbol : symbols_) ranges[symbol.name] = {symbol.min, symbol.max};
  return ranges;
}

std::map<std::string, LayerId, std::less<>> Network::computed_sizes() const {
  std::map<std::string, LayerId, std::less<>> sizes;
  for (LayerId id : order_) {
    if (layer(id)->kind == LayerKind::kReadSize) sizes[layer(id)->attrs.Str("symbol")] = id;
  }
  return sizes;
}

std::set<LayerId> Network::SizesNeededBy(
    const Layer& layer, const std::map<std::string, LayerId, std::less<>>& sizes) const {
  if (sizes.empty()) return {};
  std::set<std::string> names;
  for (TensorId output : layer.outputs) {
    for (const SymInt& dim : tensor(output).dims) dim.CollectSymbols(&names);
  }
  layer.attrs.CollectSymbols(&names);
  std::set<LayerId> needed;
  for (const std::string& name : names) {
    const auto it = sizes.find(name);
    if (it != sizes.end()) needed.insert(it->second);
  }
  return needed;
}

SymbolLookup Network::opt_values() const {
  std::map<std::string, int64_t, std::less<>> values;
  for (const Symbol& symbol : symbols_) values[symbol.name] = symbol.opt;
  return [values = std::move(values)](std::string_view name) -> std::optional<int64_t> {
    auto it = values.find(name);
    return it == values.end() ? std::nullopt : std::optional<int64_t>(it->second);
  };
}

std::vector<LayerId> Network::consumers(TensorId tensor) const {
  std::vector<LayerId> out = users_[At(tensor)];
  std::sort(out.begin(), out.end(),
            [this](LayerId a, LayerId b) { return position_[At(a)] < position_[At(b)]; });
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

int Network::use_count(TensorId tensor) const {
  return static_cast<int>(users_[At(tensor)].size()) +
         static_cast<int>(std::count(outputs_.begin(), outputs_.end(), tensor));
}

bool Network::is_output(TensorId tensor) const {
  return std::find(outputs_.begin(), outputs_.end(), tensor) != outputs_.end();
}

const Weights* Network::weights(TensorId tensor) const {
  const Layer* layer = producer(tensor);
  return layer != nullptr && layer->kind == LayerKind::kConstant ? &layer->weights : nullptr;
}

const Weights* Network::constant(TensorId tensor) const {
  const Weights* known = weights(tensor);
  if (known == nullptr || known->recipe == nullptr) return known;
  Weights& kept = layers_[At(producer(tensor)->id)]->weights;
  kept = kept.Made();
  return &kept;
}

}  // namespace torch_tensorrt::core::ir
