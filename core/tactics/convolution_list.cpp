#include "core/kernels/cpu/gemm/pack.h"
#include "core/tactics/lists.h"

namespace torch_tensorrt::core::tactics {
namespace {

struct Shape {
  const ir::Weights* weights = nullptr;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t groups = 1;
  Dims kernel;
};

// What both kernels need: channels last, constant float weights, one or two spatial dims.
Result<Shape> CheckConvolution(const TacticQuery& query) {
  const ir::Layer& layer = query.layer;
  const ir::Tensor& x = query.network.tensor(layer.inputs[0]);
  Shape shape;
  shape.weights = query.network.constant(layer.inputs[1]);
  if (!layer.attrs.Bool("channels_last")) return Unsupported("not channels last");
  if (shape.weights == nullptr) return Unsupported("weights are no constant");
  const ir::Weights& w = *shape.weights;
  if (w.dims.size() < 3 || w.dims.size() > 4) {
    return Unsupported(w.dims.size() - 2, " spatial dims");
  }
  if (!kernels::CanPack(w.dtype) || x.dtype != w.dtype) {
    return Unsupported("dtypes ", DataTypeName(x.dtype), " x ", DataTypeName(w.dtype));
  }
  shape.groups = layer.attrs.Int("groups", 1);
  shape.out_channels = w.dims.front();
  shape.in_channels = w.dims.back() * shape.groups;
  shape.kernel.assign(w.dims.begin() + 1, w.dims.end() - 1);
  if (NumElements(w.dims) == 0) return Unsupported("empty weights");
  return shape;
}

StepSpec MakeSpec(const TacticQuery& query, const Shape& shape, std::string kernel,
                  Operand weights) {
  StepSpec spec{std::move(kernel), query.layer.attrs, {}};
  spec.attributes.Set("out_channels", shape.out_channels)
      .Set("in_channels", shape.in_channels)
      .Set("kernel", shape.kernel)
      .Set("b_dtype", shape.weights->dtype);
  spec.operands.push_back({0, LayoutNeed::kContiguous, nullptr, ""});
  spec.operands.push_back(std::move(weights));
  for (size_t i = 2; i < query.layer.inputs.size(); ++i) {
    spec.operands.push_back({static_cast<int>(i), LayoutNeed::kAny, nullptr, ""});
  }
  return spec;
}

std::string WeightsName(const TacticQuery& query) {
  return query.network.tensor(query.layer.inputs[1]).name;
}

Result<StepSpec> DescribeDepthwise(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const Shape shape, CheckConvolution(query));
  if (shape.groups == 1 || shape.groups != shape.in_channels ||
      shape.out_channels != shape.in_channels) {
    return Unsupported("not depthwise: ", shape.groups, " groups, ", shape.in_channels, " -> ",
                       shape.out_channels, " channels");
  }
  auto pack = [w = *shape.weights, shape]() -> Result<ir::Weights> {
    ir::NewWeights out = ir::AllocateWeights(
        DataType::kUInt8, {kernels::PackedDepthwiseBytes(shape.kernel, shape.out_channels)});
    kernels::PackDepthwise(w.data.get(), w.dtype, shape.kernel, shape.out_channels, out.data);
    return std::move(out.weights);
  };
  return MakeSpec(query, shape, "cpu.depthwise_convolution",
                  {-1, LayoutNeed::kContiguous, pack, "depthwise." + WeightsName(query)});
}

Result<StepSpec> DescribeDirect(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const Shape shape, CheckConvolution(query));
  const kernels::ConvolutionTaps taps = kernels::TapsOf(
      shape.kernel, query.layer.attrs.Ints("dilation"), shape.in_channels, shape.groups);
  auto pack = [w = *shape.weights, shape, taps]() -> Result<ir::Weights> {
    ir::NewWeights out = ir::AllocateWeights(
        DataType::kUInt8,
        {kernels::PackedConvolutionBytes(w.dtype, taps, shape.out_channels, shape.groups)});
    kernels::PackConvolution(w.data.get(), w.dtype, taps, shape.out_channels, shape.groups,
                             out.data);
    return std::move(out.weights);
  };
  return MakeSpec(query, shape, "cpu.convolution",
                  {-1, LayoutNeed::kContiguous, pack, "convolution." + WeightsName(query)});
}

}  // namespace

std::span<const Tactic> ConvolutionTactics() {
  static constexpr Tactic kList[] = {{"cpu.depthwise_convolution", DescribeDepthwise},
                                     {"cpu.convolution", DescribeDirect},
                                     {"ref", DescribeReference}};
  return kList;
}

}  // namespace torch_tensorrt::core::tactics
