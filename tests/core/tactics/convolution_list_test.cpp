// Which CPU tactic takes which convolution, and why others refuse.
#include <gtest/gtest.h>

#include "core/ir/network.h"
#include "core/tactics/tactic.h"

namespace torch_tensorrt::core::tactics {
namespace {

using ir::LayerKind;
using ir::TensorId;

struct Case {
  LayerKind kind = LayerKind::kConvolution;
  SymDims x;
  Dims w;
  int64_t groups = 1;
  int64_t stride = 1;
  bool channels_last = true;
  bool constant = true;
};

// The kernel of the first tactic that takes the layer; the refusal of the one before it in `why`.
std::string KernelOf(const Case& c, std::string* why = nullptr) {
  ir::Network network;
  const size_t spatial = c.w.size() - 2;
  const TensorId x = network.AddInput("x", DataType::kFloat32, c.x);
  ir::NewWeights weights = ir::AllocateWeights(DataType::kFloat32, c.w);
  const TensorId w =
      c.constant ? network.AddConstant(std::move(weights.weights), "w")
                 : network.AddInput("w", DataType::kFloat32, SymDims(c.w.begin(), c.w.end()));
  Attributes attrs{{"stride", Dims(spatial, c.stride)},
                   {"padding", Dims(2 * spatial, 0)},
                   {"dilation", Dims(spatial, 1)},
                   {"groups", c.groups},
                   {"channels_last", c.channels_last}};
  if (c.kind == LayerKind::kDeconvolution) attrs.Set("output_padding", Dims(spatial, 0));
  const auto added = network.AddLayer(c.kind, {x, w}, std::move(attrs), "conv");
  if (!added.ok()) return added.status().ToString();
  const ir::Layer& layer = *network.layer(network.order().back());
  for (const Tactic& tactic : TacticsFor(layer.kind)) {
    const auto spec = tactic.describe({network, layer});
    if (spec.ok()) return spec->kernel;
    if (why != nullptr) *why = spec.status().message();
  }
  return "none";
}

TEST(ConvolutionList, OneToThreeSpatialDims) {
  EXPECT_EQ(KernelOf({LayerKind::kConvolution, {1, 9, 4}, {6, 3, 4}}), "cpu.convolution");
  EXPECT_EQ(KernelOf({LayerKind::kConvolution, {1, 9, 9, 9, 4}, {6, 3, 3, 3, 4}}),
            "cpu.convolution");
  EXPECT_EQ(KernelOf({LayerKind::kConvolution, {1, 9, 9, 9, 4}, {4, 3, 3, 3, 1}, 4}),
            "cpu.depthwise_convolution");
  EXPECT_EQ(KernelOf({LayerKind::kDeconvolution, {1, 9, 9, 4}, {4, 3, 3, 1}, 4, 2}),
            "cpu.depthwise_convolution_transposed");
  EXPECT_EQ(KernelOf({LayerKind::kDeconvolution, {1, 9, 4}, {4, 3, 6}}),
            "cpu.convolution_transposed");
  EXPECT_EQ(KernelOf({LayerKind::kDeconvolution, {1, 9, 9, 9, 4}, {4, 3, 3, 3, 3}, 2, 2}),
            "cpu.convolution_transposed");
}

TEST(ConvolutionList, RefusalsNameTheReason) {
  const Case taken{LayerKind::kDeconvolution, {1, 4, 4, 2}, {2, 2, 2, 3}};
  EXPECT_EQ(KernelOf(taken), "cpu.convolution_transposed");
  std::string why;
  Case c = taken;
  c.constant = false;
  EXPECT_EQ(KernelOf(c, &why), "ref.Deconvolution");
  EXPECT_EQ(why, "weights are no constant");
  why.clear();
  c = taken;
  c.stride = 65;
  EXPECT_EQ(KernelOf(c, &why), "ref.Deconvolution");
  EXPECT_EQ(why, "a stride of 4225 pixels");
  why.clear();
  c = taken;
  c.channels_last = false;
  c.x = {1, 2, 4, 4};
  c.w = {2, 3, 2, 2};
  EXPECT_EQ(KernelOf(c, &why), "ref.Deconvolution");
  EXPECT_EQ(why, "not channels last");
}

TEST(ConvolutionList, WeightsArePackedPhaseByPhase) {
  ir::Network network;
  const TensorId x = network.AddInput("x", DataType::kFloat32, {1, 3, 1});
  ir::NewWeights weights = ir::AllocateWeights(DataType::kFloat32, {1, 3, 1});
  for (int i = 0; i < 3; ++i) static_cast<float*>(weights.data)[i] = static_cast<float>(i + 1);
  const TensorId w = network.AddConstant(std::move(weights.weights), "w");
  const Attributes attrs{{"stride", Dims{2}},    {"padding", Dims{0, 0}},
                         {"dilation", Dims{1}},  {"output_padding", Dims{0}},
                         {"groups", int64_t{1}}, {"channels_last", true}};
  ASSERT_TRUE(network.AddLayer(LayerKind::kDeconvolution, {x, w}, attrs, "up").ok());
  const ir::Layer& layer = *network.layer(network.order().back());
  const auto spec = TacticsFor(layer.kind)[1].describe({network, layer});
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  const ir::Weights& deferred = spec->operands[1].packed;
  EXPECT_EQ(deferred.data, nullptr);
  const ir::Weights packed = deferred.Made();
  // Even pixels take taps 2 and 0, odd ones tap 1; a column is padded to a panel of 16.
  ASSERT_EQ(packed.dims, (Dims{3 * 16 * 4}));
  const auto* values = packed.as<float>();
  EXPECT_EQ(values[0], 3);
  EXPECT_EQ(values[1], 0);
  EXPECT_EQ(values[16], 1);
  EXPECT_EQ(values[32], 2);
}

}  // namespace
}  // namespace torch_tensorrt::core::tactics
