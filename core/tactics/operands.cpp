#include "core/tactics/operands.h"

#include "core/kernels/cpu/gemm/pack.h"

namespace torch_tensorrt::core::tactics {

void AddExtraOperands(const TacticQuery& query, LayoutNeed bias, StepSpec* spec) {
  const bool has_bias = query.layer.attrs.Bool("has_bias");
  for (size_t i = 2; i < query.layer.inputs.size(); ++i) {
    const LayoutNeed need = has_bias && i == 2 ? bias : LayoutNeed::kAny;
    spec->operands.push_back({static_cast<int>(i), need});
  }
}

std::string WeightsName(const TacticQuery& query) {
  return query.network.tensor(query.layer.inputs[1]).name;
}

Operand PackedOperand(std::string key, DataType dtype, Dims dims, std::function<void(void*)> fill) {
  Operand operand{-1, LayoutNeed::kContiguous, {dtype, dims}, std::move(key)};
  operand.packed.recipe = std::make_shared<const ir::Weights::Recipe>(
      [dtype, dims = std::move(dims), fill = std::move(fill)] {
        const ir::NewWeights fresh = ir::AllocateWeights(dtype, dims);
        fill(fresh.data);
        return fresh.weights.data;
      });
  return operand;
}

Result<ConvolutionWeights> CheckConvolution(const TacticQuery& query, size_t max_spatial) {
  const ir::Layer& layer = query.layer;
  const ir::Tensor& x = query.network.tensor(layer.inputs[0]);
  ConvolutionWeights c;
  c.weights = query.network.weights(layer.inputs[1]);
  if (!layer.attrs.Bool("channels_last")) return Unsupported("not channels last");
  if (c.weights == nullptr) return Unsupported("weights are no constant");
  const ir::Weights& w = *c.weights;
  if (w.dims.size() < 3 || w.dims.size() > max_spatial + 2) {
    return Unsupported(static_cast<int64_t>(w.dims.size()) - 2, " spatial dims");
  }
  if (!kernels::CanPack(w.dtype) || x.dtype != w.dtype) {
    return Unsupported("dtypes ", DataTypeName(x.dtype), " x ", DataTypeName(w.dtype));
  }
  if (NumElements(w.dims) == 0) return Unsupported("empty weights");
  c.groups = layer.attrs.Int("groups", 1);
  c.out_channels = w.dims.front();
  c.in_channels = w.dims.back() * c.groups;
  if (layer.kind == ir::LayerKind::kDeconvolution) {
    c.in_channels = w.dims.front();
    c.out_channels = w.dims.back() * c.groups;
  }
  c.kernel.assign(w.dims.begin() + 1, w.dims.end() - 1);
  c.taps = NumElements(c.kernel);
  return c;
}

Status CheckDepthwise(const ConvolutionWeights& c) {
  if (c.groups != 1 && c.groups == c.in_channels && c.out_channels == c.in_channels) {
    return Status::Ok();
  }
  return Unsupported("not depthwise: ", c.groups, " groups, ", c.in_channels, " -> ",
                     c.out_channels, " channels");
}

StepSpec ConvolutionStep(const TacticQuery& query, const ConvolutionWeights& c, std::string kernel,
                         Operand weights, LayoutNeed bias) {
  StepSpec spec{std::move(kernel), query.layer.attrs, {}};
  spec.attributes.Set("out_channels", c.out_channels)
      .Set("in_channels", c.in_channels)
      .Set("kernel", c.kernel)
      .Set("b_dtype", c.weights->dtype);
  spec.operands.push_back({0, LayoutNeed::kContiguous});
  spec.operands.push_back(std::move(weights));
  AddExtraOperands(query, bias, &spec);
  return spec;
}

}  // namespace torch_tensorrt::core::tactics
