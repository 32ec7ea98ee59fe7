#include "core/kernels/cpu/gemm/pack.h"
#include "core/tactics/lists.h"
#include "core/tactics/operands.h"

namespace torch_tensorrt::core::tactics {
namespace {

Result<StepSpec> DescribeDepthwise(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query));
  TRT_RETURN_IF_ERROR(CheckDepthwise(shape));
  auto pack = [w = *shape.weights, shape]() -> Result<ir::Weights> {
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
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights shape, CheckConvolution(query));
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
  return ConvolutionStep(query, shape, "cpu.convolution",
                         {-1, LayoutNeed::kContiguous, pack, "convolution." + WeightsName(query)},
                         LayoutNeed::kAny);
}

}  // namespace

std::span<const Tactic> ConvolutionTactics() {
  static constexpr Tactic kList[] = {{"cpu.depthwise_convolution", DescribeDepthwise},
                                     {"cpu.convolution", DescribeDirect},
                                     {"ref", DescribeReference}};
  return kList;
}

}  // namespace torch_tensorrt::core::tactics
