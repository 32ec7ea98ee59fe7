// A loop that follows a MatrixMultiply, Convolution or Deconvolution runs in its epilogue, on the
// accumulators while they are in the cache.
#include <algorithm>

#include "core/loop/program.h"
#include "core/optimizer/loop_group.h"
#include "core/optimizer/pass.h"

namespace torch_tensorrt::core::optimizer {
namespace {

bool IsProduct(const Layer& layer) {
  return layer.kind == LayerKind::kMatrixMultiply || layer.kind == LayerKind::kConvolution ||
         layer.kind == LayerKind::kDeconvolution;
}

// Can the loop take input `i` from its producer's accumulators?
bool CanFuse(const Network& network, const Layer& fused, const loop::Program& program, size_t i) {
  const TensorId id = fused.inputs[i];
  const Layer* product = network.producer(id);
  if (product == nullptr || !IsProduct(*product) || product->attrs.Has("epilogue")) return false;
  if (network.use_count(id) != 1) return false;
  const ir::Tensor& tensor = network.tensor(id);
  if (!IsFloat(tensor.dtype) || tensor.dtype == DataType::kFloat64) return false;
  if (tensor.dims != fused.attrs.Syms("domain")) return false;
  const std::vector<int8_t>& map = program.inputs[i].map;
  for (size_t d = 0; d < map.size(); ++d) {
    // A dim of size 1 need not be walked; the accumulator's map is completed below.
    if (map[d] != static_cast<int8_t>(d) && !(map[d] < 0 && tensor.dims[d].Equals(1))) return false;
  }
  return true;
}

bool CanBeEpilogue(const loop::Program& program) {
  return program.outputs.size() == 1 && !program.outputs[0].row && !program.HasReduce() &&
         (program.inputs.empty() || !program.inputs[0].accumulator);
}

// The program with input `i` as the accumulator at position 0.
loop::Program WithAccumulator(loop::Program program, size_t i) {
  loop::Input accumulator = program.inputs[i];
  accumulator.dtype = DataType::kFloat32;
  accumulator.accumulator = true;
  accumulator.map = IdentityMap(static_cast<size_t>(program.rank));
  program.inputs.erase(program.inputs.begin() + static_cast<int64_t>(i));
  program.inputs.insert(program.inputs.begin(), std::move(accumulator));
  for (loop::Instr& instr : program.instrs) {
    if (instr.kind != loop::InstrKind::kLoad) continue;
    const auto index = static_cast<size_t>(instr.index);
    if (index == i) instr.index = 0;
    if (index < i) instr.index = static_cast<int32_t>(index + 1);
  }
  return program;
}

// The input to take: the last product made, so that the others are ready. inputs.size() when there
// is none.
size_t ChooseInput(const Network& network, const Layer& fused, const loop::Program& program,
                   const std::map<LayerId, size_t>& position) {
  size_t best = fused.inputs.size();
  for (size_t i = 0; i < fused.inputs.size(); ++i) {
    if (!CanFuse(network, fused, program, i)) continue;
    auto at = [&](size_t k) { return position.at(network.producer(fused.inputs[k])->id); };
    if (best == fused.inputs.size() || at(i) > at(best)) best = i;
  }
  return best;
}

Status Fuse(Network* network, const Layer& fused, const loop::Program& program, size_t i) {
  const Layer& product = *network->producer(fused.inputs[i]);
  std::vector<TensorId> inputs = product.inputs;
  for (size_t k = 0; k < fused.inputs.size(); ++k) {
    if (k != i) inputs.push_back(fused.inputs[k]);
  }
  Attributes attrs = product.attrs;
  attrs.Set("epilogue", ProgramText{WithAccumulator(program, i).ToString()});
  TRT_ASSIGN_OR_RETURN(const TensorId out,
                       network->AddLayer(product.kind, std::move(inputs), std::move(attrs),
                                         product.name, product.source));
  return network->ReplaceAllUses(fused.outputs[0], out);
}

}  // namespace

Result<bool> FuseEpilogues(Network* network) {
  bool changed = false;
  const std::vector<LayerId> order = network->order();
  std::map<LayerId, size_t> position;
  for (size_t i = 0; i < order.size(); ++i) position[order[i]] = i;
  for (LayerId id : order) {
    const Layer& layer = *network->layer(id);
    if (layer.kind != LayerKind::kFused) continue;
    TRT_ASSIGN_OR_RETURN(const loop::Program program,
                         loop::Program::Parse(layer.attrs.Get<ProgramText>("program", {}).text));
    if (!CanBeEpilogue(program)) continue;
    const size_t input = ChooseInput(*network, layer, program, position);
    if (input == layer.inputs.size()) continue;
    TRT_RETURN_IF_ERROR(Fuse(network, layer, program, input));
    changed = true;
  }
  if (changed) {
    network->RemoveDead();
    TRT_RETURN_IF_ERROR(network->SortTopologically());
  }
  return changed;
}

}  // namespace torch_tensorrt::core::optimizer
