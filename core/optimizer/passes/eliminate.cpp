// Common subexpressions and dead layers.
#include <cstring>
#include <map>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// Larger constants are not compared: equal ones already share their data.
constexpr size_t kMaxComparedBytes = 4096;

// Equal keys compute equal values.
std::string KeyOf(const Layer& layer) {
  std::string key(InfoOf(layer.kind).name);
  for (TensorId input : layer.inputs) key += StrCat(" ", input);
  for (const auto& [name, value] : layer.attrs.map()) {
    key += StrCat(" ", name, "=", core::ToString(value));
  }
  if (layer.kind != LayerKind::kConstant) return key;
  const ir::Weights& w = layer.weights;
  key += StrCat(DataTypeName(w.dtype), core::ToString(w.dims));
  if (w.bytes() > kMaxComparedBytes || w.recipe != nullptr) return StrCat(key, w.identity());
  return key.append(static_cast<const char*>(w.data.get()), w.bytes());
}

}  // namespace

Result<bool> EliminateCommon(Network* network) {
  std::map<std::string, LayerId> known;
  bool changed = false;
  for (LayerId id : network->order()) {
    const Layer& layer = *network->layer(id);
    const auto [it, fresh] = known.try_emplace(KeyOf(layer), id);
    if (fresh) continue;
    const Layer& first = *network->layer(it->second);
    for (size_t i = 0; i < layer.outputs.size(); ++i) {
      TRT_RETURN_IF_ERROR(network->ReplaceAllUses(layer.outputs[i], first.outputs[i]));
    }
    changed = true;
  }
  return network->RemoveDead() > 0 || changed;
}

Result<bool> EliminateDead(Network* network) { return network->RemoveDead() > 0; }

}  // namespace torch_tensorrt::core::optimizer
