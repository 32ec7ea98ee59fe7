// What the tactics of products and convolutions ask of CUDA kernels, and how they pack weights.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/tactics/tactic.h"

namespace torch_tensorrt::core::tactics {
namespace {

using ir::LayerKind;
using ir::TensorId;

// f32 weights 1, 2, 3 ...
ir::Weights Counting(const Dims& dims) {
  ir::NewWeights out = ir::AllocateWeights(DataType::kFloat32, dims);
  for (int64_t i = 0; i < NumElements(dims); ++i) {
    static_cast<float*>(out.data)[i] = static_cast<float>(i + 1);
  }
  return std::move(out.weights);
}

// The step of the first CUDA tactic that takes the network's last layer.
Result<StepSpec> Describe(const ir::Network& network) {
  const ir::Layer& layer = *network.layer(network.order().back());
  Status last = Unsupported("no tactic");
  for (const Tactic& tactic : TacticsFor(layer.kind, Target::kCuda)) {
    auto spec = tactic.describe({network, layer});
    if (spec.ok()) return spec;
    last = spec.status();
  }
  return last;
}

std::vector<float> Packed(const StepSpec& spec, Dims* dims) {
  const ir::Weights weights = spec.operands[1].packed.Made();
  *dims = weights.dims;
  const auto* values = weights.as<float>();
  return std::vector<float>(values, values + NumElements(weights.dims));
}

TEST(CudaMatrixList, WeightsBecomePaddedRows) {
  for (const bool transposed : {false, true}) {
    ir::Network network;
    const TensorId a = network.AddInput("a", DataType::kFloat32, {4, 3});
    const TensorId b = network.AddConstant(Counting(transposed ? Dims{2, 3} : Dims{3, 2}), "b");
    ASSERT_TRUE(network
                    .AddLayer(LayerKind::kMatrixMultiply, {a, b},
                              Attributes{{"transpose_b", transposed}}, "product")
                    .ok());
    const auto spec = Describe(network);
    ASSERT_TRUE(spec.ok()) << spec.status().ToString();
    EXPECT_EQ(spec->kernel, "cuda.gemm");
    Dims dims;
    const std::vector<float> values = Packed(*spec, &dims);
    EXPECT_EQ(dims, (Dims{2, 4}));
    const std::vector<float> want = transposed ? std::vector<float>{1, 2, 3, 0, 4, 5, 6, 0}
                                               : std::vector<float>{1, 3, 5, 0, 2, 4, 6, 0};
    EXPECT_EQ(values, want);
  }
}

TEST(CudaMatrixList, TwoActivationsAreABatchedProduct) {
  ir::Network network;
  const TensorId a = network.AddInput("a", DataType::kFloat16, {2, 4, 3});
  const TensorId b = network.AddInput("b", DataType::kFloat16, {2, 3, 5});
  ASSERT_TRUE(network.AddLayer(LayerKind::kMatrixMultiply, {a, b}, Attributes(), "product").ok());
  const auto spec = Describe(network);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->kernel, "cuda.batched_gemm");
}

Attributes Windows(int64_t groups) {
  return {{"stride", Dims{1, 1}},
          {"padding", Dims{0, 0, 0, 0}},
          {"dilation", Dims{1, 1}},
          {"groups", groups},
          {"channels_last", true}};
}

TEST(CudaMatrixList, FewChannelsArePaddedTapByTap) {
  ir::Network network;
  const TensorId x = network.AddInput("x", DataType::kFloat32, {1, 5, 5, 3});
  const TensorId w = network.AddConstant(Counting({1, 1, 2, 3}), "w");
  ASSERT_TRUE(network.AddLayer(LayerKind::kConvolution, {x, w}, Windows(1), "conv").ok());
  const auto spec = Describe(network);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->kernel, "cuda.convolution");
  EXPECT_EQ(spec->attributes.Int("padded_channels"), 4);
  Dims dims;
  EXPECT_EQ(Packed(*spec, &dims), (std::vector<float>{1, 2, 3, 0, 4, 5, 6, 0}));
  EXPECT_EQ(dims, (Dims{1, 8}));
}

TEST(CudaMatrixList, FirstConvolutionsReadImagesOfAnyOrder) {
  ir::Network network;
  const TensorId x = network.AddInput("x", DataType::kFloat32, {1, 5, 5, 2});
  const TensorId w = network.AddConstant(Counting({8, 1, 2, 2}), "w");
  ASSERT_TRUE(network.AddLayer(LayerKind::kConvolution, {x, w}, Windows(1), "conv").ok());
  const auto spec = Describe(network);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->kernel, "cuda.first_convolution");
  EXPECT_EQ(spec->operands[0].need, LayoutNeed::kAny);
  Dims dims;
  const std::vector<float> values = Packed(*spec, &dims);
  EXPECT_EQ(dims, (Dims{4, 8}));
  EXPECT_EQ(std::vector<float>(values.begin(), values.begin() + 9),
            (std::vector<float>{1, 5, 9, 13, 17, 21, 25, 29, 2}));
}

TEST(CudaMatrixList, WideFirstConvolutionsUseTensorCores) {
  ir::Network network;
  const TensorId x = network.AddInput("x", DataType::kFloat32, {1, 9, 9, 3});
  const TensorId w = network.AddConstant(Counting({64, 7, 7, 3}), "w");
  ASSERT_TRUE(network.AddLayer(LayerKind::kConvolution, {x, w}, Windows(1), "conv").ok());
  const auto spec = Describe(network);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->kernel, "cuda.convolution");
}

TEST(CudaMatrixList, DepthwiseWeightsAreTapsByChannels) {
  ir::Network network;
  const TensorId x = network.AddInput("x", DataType::kFloat32, {1, 5, 5, 3});
  const TensorId w = network.AddConstant(Counting({3, 1, 2, 1}), "w");
  ASSERT_TRUE(network.AddLayer(LayerKind::kConvolution, {x, w}, Windows(3), "conv").ok());
  const auto spec = Describe(network);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->kernel, "cuda.depthwise_convolution");
  Dims dims;
  EXPECT_EQ(Packed(*spec, &dims), (std::vector<float>{1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(dims, (Dims{2, 3}));
}

TEST(CudaMatrixList, AttentionOfDoublesIsTheReference) {
  for (const DataType dtype : {DataType::kFloat16, DataType::kFloat64}) {
    ir::Network network;
    std::vector<TensorId> inputs;
    for (const char* name : {"q", "k", "v"}) {
      inputs.push_back(network.AddInput(name, dtype, {1, 2, 7, 16}));
    }
    ASSERT_TRUE(
        network.AddLayer(LayerKind::kAttention, inputs, Attributes{{"scale", 0.25}}, "att").ok());
    const auto spec = Describe(network);
    ASSERT_TRUE(spec.ok()) << spec.status().ToString();
    EXPECT_EQ(spec->kernel, dtype == DataType::kFloat16 ? "cuda.attention" : "cuda.ref.Attention");
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::tactics
