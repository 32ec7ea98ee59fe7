#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/planar.h"
#include "core/kernels/cpu/gemm/transposed.h"
#include "core/tactics/lists.h"
#include "core/tactics/operands.h"

namespace torch_tensorrt::core::tactics {
namespace {

constexpr size_t kMaxSpatial = 3;

Result<StepSpec> DescribeDepthwise(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query, kMaxSpatial));
  TRT_RETURN_IF_ERROR(CheckDepthwise(shape));
  const auto fill = [weights = *shape.weights, shape](void* to) {
    const ir::Weights w = weights.Made();
    kernels::PackDepthwise(w.data.get(), w.dtype, shape.kernel, shape.out_channels, to);
  };
  const int64_t bytes = kernels::PackedDepthwiseBytes(shape.kernel, shape.out_channels);
  return ConvolutionStep(
      query, shape, "cpu.depthwise_convolution",
      PackedOperand("depthwise." + WeightsName(query), DataType::kUInt8, {bytes}, fill),
      LayoutNeed::kAny);
}

Result<StepSpec> DescribeDirect(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query, kMaxSpatial));
  const kernels::ConvolutionTaps taps = kernels::TapsOf(
      shape.kernel, query.layer.attrs.Ints("dilation"), shape.in_channels, shape.groups);
  const auto fill = [weights = *shape.weights, shape, taps](void* to) {
    const ir::Weights w = weights.Made();
    kernels::PackConvolution(w.data.get(), w.dtype, taps, shape.out_channels, shape.groups, to);
  };
  const std::string key =
      StrCat("convolution.", taps.taps, "x", taps.run, "x", shape.groups, ".", WeightsName(query));
  const int64_t bytes =
      kernels::PackedConvolutionBytes(shape.weights->dtype, taps, shape.out_channels, shape.groups);
  StepSpec step =
      ConvolutionStep(query, shape, "cpu.convolution",
                      PackedOperand(key, DataType::kUInt8, {bytes}, fill), LayoutNeed::kAny);
  const DataType image = query.network.tensor(query.layer.inputs[0]).dtype;
  if (kernels::PlanarRows::Suits(shape.kernel.size(), shape.in_channels, shape.groups, image,
                                 shape.weights->dtype)) {
    step.operands[0].need = LayoutNeed::kAny;
  }
  return step;
}

Result<StepSpec> DescribeDepthwiseTransposed(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query, kMaxSpatial));
  TRT_RETURN_IF_ERROR(CheckDepthwise(shape));
  const int64_t stride = query.layer.attrs.Ints("stride").back();
  const int64_t dilation = query.layer.attrs.Ints("dilation").back();
  if (stride > kernels::kMaxTransposedPhases) return Unsupported("a stride of ", stride, " pixels");
  const auto fill = [weights = *shape.weights, shape, stride, dilation](void* to) {
    const ir::Weights w = weights.Made();
    kernels::PackDepthwise(w.data.get(), w.dtype, shape.kernel, shape.out_channels, to,
                           kernels::DepthwiseOrder(shape.kernel, stride, dilation));
  };
  const int64_t bytes = kernels::PackedDepthwiseBytes(shape.kernel, shape.out_channels);
  const std::string key =
      StrCat("depthwise.transposed.", stride, "x", dilation, ".", WeightsName(query));
  return ConvolutionStep(query, shape, "cpu.depthwise_convolution_transposed",
                         PackedOperand(key, DataType::kUInt8, {bytes}, fill), LayoutNeed::kAny);
}

Result<StepSpec> DescribeTransposed(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query, kMaxSpatial));
  const Dims stride = query.layer.attrs.Ints("stride");
  if (NumElements(stride) > kernels::kMaxTransposedPhases) {
    return Unsupported("a stride of ", NumElements(stride), " pixels");
  }
  const Dims dilation = query.layer.attrs.Ints("dilation");
  const auto products = kernels::TransposedProducts(shape.kernel, stride, dilation);
  const kernels::TransposedShape channels{shape.in_channels, shape.out_channels, shape.groups};
  const auto fill = [weights = *shape.weights, products, channels](void* to) {
    const ir::Weights w = weights.Made();
    kernels::PackTransposed(w.data.get(), w.dtype, products, channels, to);
  };
  const std::string key = StrCat("transposed.", ToString(stride), ToString(dilation), "x",
                                 shape.groups, ".", WeightsName(query));
  const int64_t bytes = kernels::PackedTransposedBytes(shape.weights->dtype, products, channels);
  return ConvolutionStep(query, shape, "cpu.convolution_transposed",
                         PackedOperand(key, DataType::kUInt8, {bytes}, fill), LayoutNeed::kAny);
}

}  // namespace

std::span<const Tactic> TransposedConvolutionTactics() {
  static constexpr Tactic kList[] = {
      {"cpu.depthwise_convolution_transposed", DescribeDepthwiseTransposed},
      {"cpu.convolution_transposed", DescribeTransposed},
      {"ref", DescribeReference}};
  return kList;
}

std::span<const Tactic> ConvolutionTactics() {
  static constexpr Tactic kList[] = {{"cpu.depthwise_convolution", DescribeDepthwise},
                                     {"cpu.convolution", DescribeDirect},
                                     {"ref", DescribeReference}};
  return kList;
}

}  // namespace torch_tensorrt::core::tactics
