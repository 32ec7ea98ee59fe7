// Products of one tensor with several constant matrices (the query, key and value projections)
// become one product whose output is sliced. Only where the readers take slices as views: attention
// and rotary embedding.
#include <algorithm>
#include <map>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"
#include "core/optimizer/weights.h"

namespace torch_tensorrt::core::optimizer {
namespace {

bool CanMerge(const Network& network, const Layer& layer) {
  if (layer.kind != LayerKind::kMatrixMultiply || layer.attrs.Has("epilogue") ||
      layer.attrs.Bool("transpose_a")) {
    return false;
  }
  for (size_t i = 1; i < layer.inputs.size(); ++i) {
    if (network.weights(layer.inputs[i]) == nullptr) return false;
  }
  return network.weights(layer.inputs[1])->dims.size() == 2;
}

// Do all readers, seen through views, take any strides between rows?
bool ShouldSlice(const Network& network, TensorId tensor, int depth = 0) {
  if (network.is_output(tensor) || depth > 4) return false;
  const std::vector<LayerId> readers = network.consumers(tensor);
  return !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](LayerId id) {
    const Layer& reader = *network.layer(id);
    if (reader.kind == LayerKind::kReshape || reader.kind == LayerKind::kTranspose) {
      return ShouldSlice(network, reader.outputs[0], depth + 1);
    }
    return reader.kind == LayerKind::kAttention || reader.kind == LayerKind::kRotaryEmbedding;
  });
}

// Siblings agree on all of this.
std::string KeyOf(const Network& network, const Layer& layer) {
  return StrCat(layer.inputs[0], " ", layer.attrs.Bool("transpose_b"), " ", layer.inputs.size(),
                " ", DataTypeName(network.tensor(layer.inputs[1]).dtype));
}

Status Merge(Network* network, const std::vector<LayerId>& ids) {
  Rewriter rw(network);
  const Layer& first = *network->layer(ids[0]);
  std::vector<ir::Weights> matrices;
  std::vector<ir::Weights> biases;
  for (LayerId id : ids) {
    const Layer& layer = *network->layer(id);
    matrices.push_back(*network->weights(layer.inputs[1]));
    if (layer.inputs.size() == 3) biases.push_back(*network->weights(layer.inputs[2]));
  }
  const size_t columns = first.attrs.Bool("transpose_b") ? 0 : 1;
  std::vector<TensorId> inputs{first.inputs[0]};
  inputs.push_back(network->AddConstant(ConcatWeights(matrices, columns), first.name + ".weight"));
  if (!biases.empty()) {
    inputs.push_back(network->AddConstant(ConcatWeights(biases, 0), first.name + ".bias"));
  }
  TRT_ASSIGN_OR_RETURN(const TensorId wide,
                       rw.Add(LayerKind::kMatrixMultiply, std::move(inputs), first.attrs, first));
  int64_t start = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Layer& layer = *network->layer(ids[i]);
    const SymDims sizes = rw.dims(layer.outputs[0]);
    SymDims starts(sizes.size(), SymInt(0));
    starts.back() = start;
    start += matrices[i].dims[columns];
    TRT_ASSIGN_OR_RETURN(
        const TensorId part,
        rw.Add(LayerKind::kSlice, {wide},
               {{"starts", starts}, {"sizes", sizes}, {"steps", Dims(sizes.size(), 1)}}, layer));
    TRT_RETURN_IF_ERROR(network->ReplaceAllUses(layer.outputs[0], part));
  }
  return Status::Ok();
}

}  // namespace

Result<bool> MergeSiblingMatMuls(Network* network) {
  std::map<std::string, std::vector<LayerId>> siblings;
  for (LayerId id : network->order()) {
    const Layer& layer = *network->layer(id);
    if (!CanMerge(*network, layer) || !ShouldSlice(*network, layer.outputs[0])) continue;
    siblings[KeyOf(*network, layer)].push_back(id);
  }
  bool changed = false;
  for (const auto& [key, ids] : siblings) {
    if (ids.size() < 2) continue;
    TRT_RETURN_IF_ERROR(Merge(network, ids));
    changed = true;
  }
  if (changed) {
    network->RemoveDead();
    TRT_RETURN_IF_ERROR(network->SortTopologically());
  }
  return changed;
}

}  // namespace torch_tensorrt::core::optimizer
