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
  auto pack = [weights = *shape.weights, shape]() -> Result<ir::Weights> {
    const ir::Weights w = weights.Made();
    ir::NewWeights out = ir::AllocateWeights(
        DataType::kUInt8, {kernels::PackedDepthwiseBytes(shape.kernel, shape.out_channels)});
    kernels::PackDepthwise(w.data.get(), w.dtype, shape.kernel, shape.out_channels, out.data);
    return std::move(out.weights);
  };
  return ConvolutionStep(query, shape, "cpu.depthwise_convolution",
                         {-1, LayoutNeed::kContiguous, pack, "depthwise." + WeightsName(query)},
                         LayoutNeed::kAny);
}

Result<StepSpec> DescribeDirect(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query, kMaxSpatial));
  const kernels::ConvolutionTaps taps = kernels::TapsOf(
      shape.kernel, query.layer.attrs.Ints("dilation"), shape.in_channels, shape.groups);
  auto pack = [weights = *shape.weights, shape, taps]() -> Result<ir::Weights> {
    const ir::Weights w = weights.Made();
    ir::NewWeights out = ir::AllocateWeights(
        DataType::kUInt8,
        {kernels::PackedConvolutionBytes(w.dtype, taps, shape.out_channels, shape.groups)});
    kernels::PackConvolution(w.data.get(), w.dtype, taps, shape.out_channels, shape.groups,
                             out.data);
    return std::move(out.weights);
  };
  StepSpec step = ConvolutionStep(query, shape, "cpu.convolution",
                                  {-1, LayoutNeed::kContiguous, pack,
                                   StrCat("convolution.", taps.taps, "x", taps.run, "x",
                                          shape.groups, ".", WeightsName(query))},
                                  LayoutNeed::kAny);
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
  auto pack = [weights = *shape.weights, shape, stride, dilation]() -> Result<ir::Weights> {
    const ir::Weights w = weights.Made();
    ir::NewWeights out = ir::AllocateWeights(
        DataType::kUInt8, {kernels::PackedDepthwiseBytes(shape.kernel, shape.out_channels)});
    kernels::PackDepthwise(w.data.get(), w.dtype, shape.kernel, shape.out_channels, out.data,
                           kernels::DepthwiseOrder(shape.kernel, stride, dilation));
    return std::move(out.weights);
  };
  const std::string key =
      StrCat("depthwise.transposed.", stride, "x", dilation, ".", WeightsName(query));
  return ConvolutionStep(query, shape, "cpu.depthwise_convolution_transposed",
                         {-1, LayoutNeed::kContiguous, pack, key}, LayoutNeed::kAny);
}

Result<StepSpec> DescribeTransposed(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query, kMaxSpatial));
  const Dims stride = query.layer.attrs.Ints("stride");
  if (NumElements(stride) > kernels::kMaxTransposedPhases) {
    return Unsupported("a stride of ", NumElements(stride), " pixels");
  }
  auto pack = [weights = *shape.weights, shape, stride,
               dilation = query.layer.attrs.Ints("dilation")]() -> Result<ir::Weights> {
    const ir::Weights w = weights.Made();
    const auto products = kernels::TransposedProducts(shape.kernel, stride, dilation);
    const kernels::TransposedShape channels{shape.in_channels, shape.out_channels, shape.groups};
    ir::NewWeights out = ir::AllocateWeights(
        DataType::kUInt8, {kernels::PackedTransposedBytes(w.dtype, products, channels)});
    kernels::PackTransposed(w.data.get(), w.dtype, products, channels, out.data);
    return std::move(out.weights);
  };
  const std::string key =
      StrCat("transposed.", ToString(stride), ToString(query.layer.attrs.Ints("dilation")), "x",
             shape.groups, ".", WeightsName(query));
  return ConvolutionStep(query, shape, "cpu.convolution_transposed",
                         {-1, LayoutNeed::kContiguous, pack, key}, LayoutNeed::kAny);
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
