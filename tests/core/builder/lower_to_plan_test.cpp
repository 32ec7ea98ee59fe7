// Lowering: what a build holds while it packs.
#include <gtest/gtest.h>

#include "core/builder/builder.h"
#include "core/engine/phases.h"
#include "core/util/lent_memory.h"

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
  BuildReport report;
  const auto plan = LowerToPlan(Chain(5, &ledger), {}, &report);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->constants.size(), 5U);
  EXPECT_EQ(ledger.made, std::vector<int>(5, 1));
  EXPECT_EQ(ledger.most_alive, 1);
  EXPECT_EQ(ledger.alive, 0);  // the plan has packed copies
}

// The reference kernels read the weights themselves: then the plan keeps them.
TEST(LowerToPlan, KeepsWhatIsNotPacked) {
  Ledger ledger;
  BuildReport report;
  BuilderConfig config;
  config.reference_only = true;
  {
    const auto plan = LowerToPlan(Chain(3, &ledger), config, &report);
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    EXPECT_EQ(ledger.made, std::vector<int>(3, 1));
    EXPECT_EQ(ledger.alive, 3);
    EXPECT_EQ(static_cast<const float*>(plan->constants[2].data.get())[7], 2.0F);
  }
  EXPECT_EQ(ledger.alive, 0);
}

class Model : public Lender {
 public:
  explicit Model(bool sees) : sees_(sees) {}
  Status Check() const override { return Status::Ok(); }
  bool sees_writes() const override { return sees_; }

 private:
  bool sees_;
};

// x + w, where w of `rows` x 256 floats is lent.
engine::Plan PlanWithLent(const std::vector<float>& values, bool sees_writes) {
  const Dims dims{static_cast<int64_t>(values.size()) / 256, 256};
  ir::Network network;
  const ir::TensorId x = network.AddInput("x", DataType::kFloat32, {dims[0], dims[1]});
  const ir::TensorId w = network.AddConstant(
      {DataType::kFloat32, dims, Lend(std::make_shared<const Model>(sees_writes), values.data())},
      "w");
  network.MarkOutput(
      network.AddLayer(ir::LayerKind::kElementwise, {x, w}, {{"op", PointwiseOp::kAdd}}, "add")
          .value(),
      "y");
  BuildReport report;
  auto plan = LowerToPlan(std::move(network), {}, &report);
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  const bool copied = LenderOf(plan->constants.at(0).data) == nullptr;
  EXPECT_EQ(report.packed_bytes, copied ? values.size() * sizeof(float) : 0);
  return std::move(plan).value();
}

TEST(LowerToPlan, CopiesSmallLentWeights) {
  std::vector<float> values(1023 * 256, 3.0F);  // a row less than 1 MiB
  const engine::Plan plan = PlanWithLent(values, true);
  EXPECT_EQ(LenderOf(plan.constants[0].data), nullptr);
  std::fill(values.begin(), values.end(), 4.0F);
  EXPECT_EQ(static_cast<const float*>(plan.constants[0].data.get())[1023 * 256 - 1], 3.0F);
}

TEST(LowerToPlan, SharesLargeLentWeightsWhoseLenderSeesWrites) {
  const std::vector<float> values(1024 * 256, 3.0F);
  EXPECT_EQ(PlanWithLent(values, true).constants[0].data.get(), values.data());
  EXPECT_NE(PlanWithLent(values, false).constants[0].data.get(), values.data());
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
  BuildReport report;
  const auto plan = LowerToPlan(std::move(network), {}, &report);
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  std::vector<std::string> kernels;
  for (const engine::PlanStep& step : plan->steps) kernels.push_back(step.kernel);
  return kernels;
}

TEST(LowerToPlan, ImagesOfFewChannelsAreReadPlaneByPlane) {
  EXPECT_EQ(KernelsForImage(3), std::vector<std::string>{"cpu.convolution"});
  EXPECT_EQ(KernelsForImage(16), (std::vector<std::string>{"cpu.copy", "cpu.convolution"}));
}

Result<engine::Plan> Lowered(const std::string& text, Target target = Target::kCpu) {
  auto network = ir::Network::Parse(text);
  EXPECT_TRUE(network.ok()) << network.status().ToString();
  BuildReport report;
  BuilderConfig config;
  config.target = target;
  return LowerToPlan(*std::move(network), config, &report);
}

// What needs a computed size comes after all that needs none, wherever it was in the network.
TEST(LowerToPlan, StepsThatNeedComputedSizesComeLast) {
  const auto plan = Lowered(R"(symbol u 0 4 9
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
  const auto plan = Lowered(R"(symbol u 0 4 9
input %x : i64[]
%u = ReadSize(%x) {symbol="u"}
%f = Fill() {dims=sym[u], dtype=dtype:f32, value=1.0}
output "f" %f
)",
                            Target::kCuda);
  EXPECT_EQ(plan.status().code(), StatusCode::kUnsupported) << plan.status().ToString();
}

TEST(LowerToPlan, ASizeThatDependsOnItselfIsRefused) {
  const auto plan = Lowered(R"(symbol u 0 4 9
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
