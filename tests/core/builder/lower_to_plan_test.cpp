// Lowering: what a build holds while it packs.
#include "core/builder/lower_to_plan.h"

#include <gtest/gtest.h>

#include "core/engine/phases.h"

namespace torch_tensorrt::core::builder {
namespace {

// How many of a network's deferred weights exist, and how often each was made.
struct Ledger {
  int alive = 0;
  int most_alive = 0;
  std::vector<int> made;
};

// Deferred ones of 3x3 filters for 8 channels.
ir::Weights Deferred(Ledger* ledger) {
  const Dims dims{8, 3, 3, 8};
  const size_t index = ledger->made.size();
  ledger->made.push_back(0);
  ir::Weights weights{DataType::kFloat32, dims};
  weights.recipe = std::make_shared<const ir::Weights::Recipe>([ledger, dims, index] {
    ++ledger->made[index];
    ledger->most_alive = std::max(ledger->most_alive, ++ledger->alive);
    ir::NewWeights fresh = ir::AllocateWeights(DataType::kFloat32, dims);
    std::fill_n(static_cast<float*>(fresh.data), 8 * 3 * 3 * 8, static_cast<float>(index));
    return std::shared_ptr<const void>(
        fresh.data, [ledger, held = fresh.weights.data](const void*) { --ledger->alive; });
  });
  return weights;
}

// The plan with all its constants.
Result<engine::Plan> FinishedPlan(ir::Network network, const BuilderConfig& config) {
  BuildReport report;
  TRT_ASSIGN_OR_RETURN(Lowered lowered, LowerToPlan(std::move(network), config, &report));
  lowered.constants.Finish(&lowered.plan);
  return std::move(lowered.plan);
}

// `count` convolutions, one after the other, each of which reads weights of its own.
ir::Network Chain(int count, Ledger* ledger) {
  ir::Network network;
  ir::TensorId x = network.AddInput("x", DataType::kFloat32, {1, 9, 9, 8});
  for (int i = 0; i < count; ++i) {
    const ir::TensorId w = network.AddConstant(Deferred(ledger), "w");
    x = network
            .AddLayer(ir::LayerKind::kConvolution, {x, w},
                      {{"stride", Dims{1, 1}},
                       {"padding", Dims{1, 1, 1, 1}},
                       {"dilation", Dims{1, 1}},
                       {"groups", int64_t{1}},
                       {"channels_last", true}},
                      "c")
            .value();
  }
  network.MarkOutput(x, "y");
  return network;
}

TEST(LowerToPlan, MakesDeferredWeightsOneLayerAtATime) {
  Ledger ledger;
  const auto plan = FinishedPlan(Chain(5, &ledger), {});
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->constants.size(), 5U);
  EXPECT_EQ(ledger.made, std::vector<int>(5, 1));
  EXPECT_EQ(ledger.most_alive, 1);
  EXPECT_EQ(ledger.alive, 0);  // the plan has packed copies
}

// The reference kernels read the weights themselves: then the plan keeps them.
TEST(LowerToPlan, KeepsWhatIsNotPacked) {
  Ledger ledger;
  BuilderConfig config;
  config.reference_only = true;
  {
    const auto plan = FinishedPlan(Chain(3, &ledger), config);
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    EXPECT_EQ(ledger.made, std::vector<int>(3, 1));
    EXPECT_EQ(ledger.alive, 3);
    EXPECT_EQ(static_cast<const float*>(plan->constants[2].data.get())[7], 2.0F);
  }
  EXPECT_EQ(ledger.alive, 0);
}

// A convolution of an image that arrives plane by plane.
std::vector<std::string> KernelsForImage(int64_t channels) {
  ir::Network network;
  const ir::TensorId image = network.AddInput("image", DataType::kFloat32, {1, channels, 20, 20});
  const ir::TensorId x =
      network.AddLayer(ir::LayerKind::kTranspose, {image}, {{"perm", Dims{0, 2, 3, 1}}}, "nhwc")
          .value();
  ir::NewWeights weights = ir::AllocateWeights(DataType::kFloat32, {8, 3, 3, channels});
  std::fill_n(static_cast<float*>(weights.data), 8 * 9 * channels, 0.5F);
  const ir::TensorId w = network.AddConstant(std::move(weights.weights), "w");
  const ir::TensorId y = network
                             .AddLayer(ir::LayerKind::kConvolution, {x, w},
                                       {{"stride", Dims{2, 2}},
                                        {"padding", Dims{1, 1, 1, 1}},
                                        {"dilation", Dims{1, 1}},
                                        {"groups", int64_t{1}},
                                        {"channels_last", true}},
                                       "conv")
                             .value();
  network.MarkOutput(y, "y");
  const auto plan = FinishedPlan(std::move(network), {});
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  std::vector<std::string> kernels;
  for (const engine::PlanStep& step : plan->steps) kernels.push_back(step.kernel);
  return kernels;
}

TEST(LowerToPlan, ImagesOfFewChannelsAreReadPlaneByPlane) {
  EXPECT_EQ(KernelsForImage(3), std::vector<std::string>{"cpu.convolution"});
  EXPECT_EQ(KernelsForImage(16), (std::vector<std::string>{"cpu.copy", "cpu.convolution"}));
}

// Outputs that are parts of one input: 14 of equal dims, one wider, one with its dims turned.
engine::Plan PlanOfParts(const BuilderConfig& config) {
  ir::Network network;
  const ir::TensorId x = network.AddInput("x", DataType::kFloat16, {4, 24});
  const auto part = [&](int64_t start, int64_t size) {
    return network
        .AddLayer(
            ir::LayerKind::kSlice, {x},
            {{"starts", SymDims{0, start}}, {"sizes", SymDims{4, size}}, {"steps", Dims{1, 1}}},
            "part")
        .value();
  };
  network.MarkOutput(part(0, 8), "wide");
  for (int64_t i = 0; i < 14; ++i) network.MarkOutput(part(i, 4), StrCat("p", i));
  network.MarkOutput(
      network.AddLayer(ir::LayerKind::kTranspose, {part(3, 4)}, {{"perm", Dims{1, 0}}}, "turned")
          .value(),
      "turned");
  auto plan = FinishedPlan(std::move(network), config);
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  return *std::move(plan);
}

TEST(LowerToPlan, OutputsOfEqualDimsAreCopiedTogetherOnGpus) {
  BuilderConfig config;
  config.target = Target::kCuda;
  const engine::Plan plan = PlanOfParts(config);
  std::vector<size_t> counts;
  std::vector<bool> written(plan.outputs.size(), false);
  for (const engine::PlanStep& step : plan.steps) {
    ASSERT_EQ(step.inputs.size(), step.outputs.size()) << step.name;
    counts.push_back(step.outputs.size());
    EXPECT_EQ(step.kernel, step.outputs.size() > 1 ? "cuda.ref.Fused" : "cuda.ref.Copy");
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      const auto& to = plan.tensors[static_cast<size_t>(step.outputs[i])];
      const auto& from = plan.tensors[static_cast<size_t>(step.inputs[i])];
      ASSERT_EQ(to.location, engine::Location::kOutput);
      EXPECT_EQ(from.dims, to.dims);
      EXPECT_FALSE(written[static_cast<size_t>(to.index)]);
      written[static_cast<size_t>(to.index)] = true;
      // The part that its name says.
      if (to.name[0] != 'p') continue;
      EXPECT_EQ(StrCat("p", from.offset.constant()), to.name);
    }
  }
  EXPECT_EQ(counts, (std::vector<size_t>{1, 12, 2, 1}));
  EXPECT_EQ(written, std::vector<bool>(plan.outputs.size(), true));
  EXPECT_TRUE(engine::VerifyPlan(plan).ok()) << engine::VerifyPlan(plan).ToString();
}

TEST(LowerToPlan, OutputsAreCopiedOneByOneOtherwise) {
  EXPECT_EQ(PlanOfParts({}).steps.size(), 16U);
  BuilderConfig plain;
  plain.target = Target::kCuda;
  plain.reference_only = true;
  EXPECT_EQ(PlanOfParts(plain).steps.size(), 16U);
}

Result<engine::Plan> PlanOf(const std::string& text, Target target = Target::kCpu) {
  auto network = ir::Network::Parse(text);
  EXPECT_TRUE(network.ok()) << network.status().ToString();
  BuilderConfig config;
  config.target = target;
  return FinishedPlan(*std::move(network), config);
}

// What needs a computed size comes after all that needs none, wherever it was in the network.
TEST(LowerToPlan, StepsThatNeedComputedSizesComeLast) {
  const auto plan = PlanOf(R"(symbol u 0 4 9
symbol v 0 4 9
input %x : i64[]
input %y : i64[]
%u = ReadSize(%x) {symbol="u"}
%f = Fill() {dims=sym[u], dtype=dtype:f32, value=1.0}
%v = ReadSize(%y) {symbol="v"}
%g = Fill() {dims=sym[v], dtype=dtype:f32, value=1.0}
%z = Elementwise(%x, %y) {op=op:Add}
output "f" %f
output "g" %g
output "z" %z
)");
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_TRUE(engine::VerifyPlan(*plan).ok()) << engine::VerifyPlan(*plan).ToString();
  const auto phases = engine::FindPhases(*plan);
  ASSERT_TRUE(phases.ok());
  ASSERT_EQ(phases->phases.size(), 2U);
  EXPECT_EQ(phases->phases[1].first, 3U);
  for (const engine::PlanSymbol& symbol : plan->symbols) {
    ASSERT_GE(symbol.source, 0);
    EXPECT_EQ(plan->tensors[static_cast<size_t>(symbol.source)].name, symbol.name);
  }
}

TEST(LowerToPlan, GpusDoNotWaitForSizes) {
  const auto plan = PlanOf(R"(symbol u 0 4 9
input %x : i64[]
%u = ReadSize(%x) {symbol="u"}
%f = Fill() {dims=sym[u], dtype=dtype:f32, value=1.0}
output "f" %f
)",
                           Target::kCuda);
  EXPECT_EQ(plan.status().code(), StatusCode::kUnsupported) << plan.status().ToString();
}

TEST(LowerToPlan, ASizeThatDependsOnItselfIsRefused) {
  const auto plan = PlanOf(R"(symbol u 0 4 9
%f = Fill() {dims=sym[u], dtype=dtype:i64, ivalue=sym:1}
%n = Reduce(%f) {kind="sum", axes=[0]}
%u = ReadSize(%n) {symbol="u"}
output "f" %f
)");
  EXPECT_EQ(plan.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(plan.status().message().find("needs a size that it computes"), std::string::npos);
}

}  // namespace
}  // namespace torch_tensorrt::core::builder
