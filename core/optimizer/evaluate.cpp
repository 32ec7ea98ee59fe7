#include "core/optimizer/evaluate.h"

#include <map>

#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::optimizer {
namespace {

const kernels::KernelEntry* FindReference(ir::LayerKind kind) {
  const std::string id = StrCat("ref.", InfoOf(kind).name);
  for (const kernels::KernelEntry& entry : kernels::ReferenceKernels()) {
    if (entry.id == id) return &entry;
  }
  return nullptr;
}

struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(64)); }
};

Result<ir::TensorType> Resolved(const ir::TensorType& type, const SymbolLookup& lookup) {
  ir::TensorType out{type.dtype, {}};
  for (const SymInt& dim : type.dims) {
    TRT_ASSIGN_OR_RETURN(const int64_t value, dim.Evaluate(lookup));
    out.dims.emplace_back(value);
  }
  return out;
}

}  // namespace

Result<std::vector<ir::Weights>> Evaluate(ir::LayerKind kind, const Attributes& attrs,
                                          const std::vector<ir::Weights>& inputs,
                                          const std::vector<ir::TensorType>& outputs) {
  const kernels::KernelEntry* entry = FindReference(kind);
  if (entry == nullptr)
    return Unsupported("[evaluate] no reference kernel for ", InfoOf(kind).name);
  TRT_ASSIGN_OR_RETURN(
      const Attributes resolved,
      attrs.Resolve([](std::string_view) -> std::optional<int64_t> { return std::nullopt; }));
  TRT_ASSIGN_OR_RETURN(const auto kernel, entry->create(resolved));
  std::vector<TensorView> in;
  // Kernels only read their inputs.
  for (const ir::Weights& w : inputs) {
    in.push_back(MakeView(const_cast<void*>(w.data.get()), w.dtype, w.dims));
  }
  std::vector<ir::Weights> values;
  std::vector<TensorView> out;
  for (const ir::TensorType& type : outputs) {
    ir::NewWeights fresh = ir::AllocateWeights(type.dtype, ToStatic(type.dims));
    out.push_back(MakeView(fresh.data, type.dtype, fresh.weights.dims));
    values.push_back(std::move(fresh.weights));
  }
  TRT_ASSIGN_OR_RETURN(const kernels::Prepared prepared, kernel->Prepare({resolved, in, out}));
  std::unique_ptr<std::byte, AlignedDelete> scratch(
      static_cast<std::byte*>(::operator new(prepared.scratch_bytes + 1, std::align_val_t(64))));
  TRT_RETURN_IF_ERROR(kernel->Run({in, out, scratch.get(), prepared.state.get()}));
  return values;
}

Result<std::vector<ir::Weights>> EvaluateNetwork(const ir::Network& network,
                                                 const std::vector<ir::Weights>& inputs,
                                                 const SymbolLookup& lookup) {
  std::map<ir::TensorId, ir::Weights> values;
  for (size_t i = 0; i < network.inputs().size(); ++i) values[network.inputs()[i]] = inputs[i];
  for (ir::LayerId id : network.order()) {
    const ir::Layer& layer = *network.layer(id);
    if (layer.kind == ir::LayerKind::kConstant) {
      values[layer.outputs[0]] = layer.weights.Made();
      continue;
    }
    std::vector<ir::Weights> in;
    for (ir::TensorId input : layer.inputs) in.push_back(values[input]);
    std::vector<ir::TensorType> types;
    for (ir::TensorId output : layer.outputs) {
      const ir::Tensor& t = network.tensor(output);
      TRT_ASSIGN_OR_RETURN(ir::TensorType type, Resolved({t.dtype, t.dims}, lookup));
      types.push_back(std::move(type));
    }
    TRT_ASSIGN_OR_RETURN(const Attributes attrs, layer.attrs.Resolve(lookup));
    TRT_ASSIGN_OR_RETURN(std::vector<ir::Weights> out, Evaluate(layer.kind, attrs, in, types));
    for (size_t i = 0; i < out.size(); ++i) values[layer.outputs[i]] = std::move(out[i]);
  }
  std::vector<ir::Weights> results;
  for (ir::TensorId output : network.outputs()) results.push_back(values[output]);
  return results;
}

}  // namespace torch_tensorrt::core::optimizer
