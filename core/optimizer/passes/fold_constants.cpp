// Layers whose inputs are all constants run now, through the reference kernels.
#include "core/optimizer/evaluate.h"
#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

constexpr int64_t kSmallBytes = 64 << 10;
constexpr int64_t kLargeBytes = 16 << 20;
// The reference kernels run about 10^8 steps a second: products stay below a tenth of that.
constexpr int64_t kMaxProductSteps = 10'000'000;

bool CanFold(const Network& network, const Layer& layer) {
  if (layer.kind == LayerKind::kConstant || layer.kind == LayerKind::kReadSize) return false;
  if (layer.attrs.IsDynamic()) return false;
  for (TensorId input : layer.inputs) {
    if (network.weights(input) == nullptr) return false;
  }
  for (TensorId output : layer.outputs) {
    if (!IsStatic(network.tensor(output).dims)) return false;
  }
  return true;
}

int64_t Bytes(const Network& network, TensorId id) {
  const ir::Tensor& t = network.tensor(id);
  return NumElements(ToStatic(t.dims)) * static_cast<int64_t>(SizeOf(t.dtype));
}

bool ShouldFold(const Network& network, const Layer& layer) {
  int64_t in = 0;
  int64_t out = 0;
  for (TensorId input : layer.inputs) in += Bytes(network, input);
  for (TensorId output : layer.outputs) out += Bytes(network, output);
  switch (layer.kind) {
    // Views cost nothing at run time and would cost memory folded.
    case LayerKind::kTranspose:
    case LayerKind::kSlice:
    case LayerKind::kExpand:
    case LayerKind::kFill:
      return out <= kSmallBytes;
    case LayerKind::kMatrixMultiply:
    case LayerKind::kConvolution:
    case LayerKind::kDeconvolution:
    case LayerKind::kAttention: {
      const int64_t weights = NumElements(network.weights(layer.inputs[1])->dims);
      return out <= kLargeBytes && weights > 0 && out / 4 <= kMaxProductSteps / weights;
    }
    default:
      return out <= kLargeBytes || out <= 2 * in;
  }
}

Result<bool> Fold(Network* network, const Layer& layer) {
  std::vector<ir::Weights> values;
  if (layer.kind == LayerKind::kReshape) {
    ir::Weights same = *network->constant(layer.inputs[0]);
    same.dims = ToStatic(network->tensor(layer.outputs[0]).dims);
    values.push_back(std::move(same));
  } else {
    std::vector<ir::Weights> inputs;
    for (TensorId input : layer.inputs) inputs.push_back(*network->constant(input));
    std::vector<ir::TensorType> types;
    for (TensorId output : layer.outputs) {
      types.push_back({network->tensor(output).dtype, network->tensor(output).dims});
    }
    auto result = Evaluate(layer.kind, layer.attrs, inputs, types);
    // What cannot run now (an index out of range, say) reports its error when the engine runs.
    if (!result.ok()) return false;
    values = *std::move(result);
  }
  const std::string name = layer.name;
  const std::vector<TensorId> outputs = layer.outputs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorId constant = network->AddConstant(std::move(values[i]), name);
    TRT_RETURN_IF_ERROR(network->ReplaceAllUses(outputs[i], constant));
  }
  return true;
}

}  // namespace

Result<bool> FoldConstants(Network* network) {
  bool changed = false;
  const std::vector<LayerId> order = network->order();
  for (LayerId id : order) {
    const Layer& layer = *network->layer(id);
    if (!CanFold(*network, layer) || !ShouldFold(*network, layer)) continue;
    TRT_ASSIGN_OR_RETURN(const bool folded, Fold(network, layer));
    changed = changed || folded;
  }
  if (changed) {
    network->RemoveDead();
    TRT_RETURN_IF_ERROR(network->SortTopologically());
  }
  return changed;
}

}  // namespace torch_tensorrt::core::optimizer
