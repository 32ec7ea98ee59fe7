#include "core/engine/phases.h"

#include <gtest/gtest.h>

#include "core/engine/engine.h"
#include "core/engine/format.h"

namespace torch_tensorrt::core::engine {
namespace {

PlanStep Step(std::string kernel, std::string name, Attributes attributes, std::vector<int32_t> in,
              std::vector<int32_t> out) {
  PlanStep step;
  step.kernel = std::move(kernel);
  step.name = std::move(name);
  step.attributes = std::move(attributes);
  step.inputs = std::move(in);
  step.outputs = std::move(out);
  return step;
}

// y[u] = iota and z = n for the sum n = u of x; u is read from tensor 1.
Plan CountedIota() {
  Plan plan;
  plan.name = "counted";
  plan.symbols = {{"s", 0, 4, 16}, {"u", 0, 4, 100, 1}};
  const SymInt u = SymInt::Symbol("u");
  plan.tensors = {
      {"x", DataType::kInt64, {SymInt::Symbol("s")}, Location::kInput, 0, 0, {}},
      {"n", DataType::kInt64, {}, Location::kArena, -1, 0, {}},
      {"y", DataType::kInt64, {u}, Location::kOutput, 0, 0, {}},
      {"z", DataType::kInt64, {}, Location::kOutput, 1, 0, {}},
  };
  plan.inputs = {{"x", 0}};
  plan.outputs = {{"y", 2}, {"z", 3}};
  plan.steps = {Step("ref.Reduce", "sum", {{"kind", "sum"}, {"axes", Dims{0}}}, {0}, {1}),
                Step("ref.Copy", "copy", {}, {1}, {3}),
                Step("ref.Iota", "iota", {{"length", u}, {"dtype", DataType::kInt64}}, {}, {2})};
  return plan;
}

std::string ErrorOf(const Plan& plan) { return std::string(VerifyPlan(plan).message()); }

TEST(Phases, APlanWithoutComputedSizesHasOne) {
  Plan plan = CountedIota();
  plan.symbols[1].source = -1;
  const auto phases = FindPhases(plan);
  ASSERT_TRUE(phases.ok()) << phases.status().ToString();
  EXPECT_TRUE(phases->single());
  ASSERT_EQ(phases->phases.size(), 1U);
  EXPECT_EQ(phases->phases[0].end, 3U);
  EXPECT_TRUE(phases->IsKnown(2, 0));
}

TEST(Phases, BeginAtTheFirstStepThatNeedsASize) {
  const auto phases = FindPhases(CountedIota());
  ASSERT_TRUE(phases.ok()) << phases.status().ToString();
  EXPECT_FALSE(phases->single());
  ASSERT_EQ(phases->phases.size(), 2U);
  EXPECT_EQ(phases->phases[0].end, 2U);
  EXPECT_EQ(phases->phases[1].first, 2U);
  EXPECT_EQ(phases->phases[1].end, 3U);
  EXPECT_EQ(phases->of_symbol, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(phases->of_tensor, (std::vector<size_t>{0, 0, 1, 0}));
  EXPECT_FALSE(phases->IsKnown(2, 0));
  EXPECT_TRUE(phases->IsKnown(2, 1));
}

// Of a view: also how it lies in its storage, and how large that is.
TEST(Phases, ViewsAreKnownWhenTheirPlaceIs) {
  const SymInt u = SymInt::Symbol("u");
  for (const PlanTensor& view :
       {PlanTensor{"v", DataType::kInt64, {1}, Location::kView, 0, u, {1}},
        PlanTensor{"v", DataType::kInt64, {1}, Location::kView, 0, 0, {u}},
        PlanTensor{"v", DataType::kInt64, {1}, Location::kView, 2, 0, {1}}}) {
    Plan plan = CountedIota();
    plan.tensors.push_back(view);
    EXPECT_EQ(FindPhases(plan)->of_tensor[4], 1U);
  }
}

TEST(Phases, ASizeThatNoStepNeedsBelongsToNone) {
  Plan plan = CountedIota();
  plan.tensors[2].dims = {4};
  plan.steps[2].attributes.Set("length", SymInt(4));
  const auto phases = FindPhases(plan);
  ASSERT_TRUE(phases.ok());
  EXPECT_EQ(phases->phases.size(), 1U);
  EXPECT_EQ(phases->of_symbol[1], 1U);
}

TEST(VerifyPlan, RefusesSizesThatAreNotKnownInTime) {
  EXPECT_TRUE(VerifyPlan(CountedIota()).ok()) << ErrorOf(CountedIota());
  Plan early = CountedIota();
  std::swap(early.steps[0], early.steps[2]);
  std::swap(early.steps[1], early.steps[2]);
  EXPECT_NE(ErrorOf(early).find("needs a size before it is computed"), std::string::npos)
      << ErrorOf(early);
  Plan input = CountedIota();
  input.tensors[0].dims = {SymInt::Symbol("u")};
  EXPECT_NE(ErrorOf(input).find("has a size that a step computes"), std::string::npos)
      << ErrorOf(input);
  Plan unwritten = CountedIota();
  unwritten.tensors.push_back({"m", DataType::kInt64, {}, Location::kArena, -1, 0, {}});
  unwritten.symbols[1].source = 4;
  EXPECT_NE(ErrorOf(unwritten).find("before it is computed"), std::string::npos)
      << ErrorOf(unwritten);
}

TEST(VerifyPlan, RefusesSourcesThatAreNoSizes) {
  const auto refused = [](int32_t source, auto change) {
    Plan plan = CountedIota();
    plan.symbols[1].source = source;
    change(plan);
    return ErrorOf(plan);
  };
  const auto nothing = [](Plan&) {};
  EXPECT_NE(refused(9, nothing).find("source index"), std::string::npos);
  EXPECT_NE(refused(-2, nothing).find("source index"), std::string::npos);
  EXPECT_NE(refused(0, nothing).find("neither arena nor output"), std::string::npos);
  EXPECT_NE(refused(2, nothing).find("not one i64 element"), std::string::npos);
  EXPECT_NE(refused(1, [](Plan& plan) { plan.tensors[1].dtype = DataType::kInt32; })
                .find("not one i64 element"),
            std::string::npos);
  EXPECT_NE(refused(1, [](Plan& plan) { plan.target = Target::kCuda; }).find("need the CPU"),
            std::string::npos);
  EXPECT_EQ(refused(3, nothing), "");  // an output that a step writes will do
}

TEST(PlanFormat, KeepsSourcesAndSaysWhichReadersNeedNotTry) {
  const auto encoded = [](const Plan& plan) {
    const PlanEncoder encoder(plan);
    std::vector<std::byte> bytes(encoder.size());
    encoder.WriteTo(bytes.data());
    return bytes;
  };
  Plan plan = CountedIota();
  const std::vector<std::byte> bytes = encoded(plan);
  EXPECT_EQ(bytes[8], std::byte{2});
  const auto decoded = DecodePlan(bytes, nullptr);
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_EQ(decoded->symbols[0].source, -1);
  EXPECT_EQ(decoded->symbols[1].source, 1);
  plan.symbols[1].source = -1;
  EXPECT_EQ(encoded(plan)[8], std::byte{1});
  std::vector<std::byte> newer = bytes;
  newer[8] = std::byte{3};
  EXPECT_EQ(DecodePlan(newer, nullptr).status().code(), StatusCode::kDataLoss);
}

TEST(InspectJson, NamesComputedSizes) {
  const auto engine = Engine::Create(CountedIota());
  ASSERT_TRUE(engine.ok()) << engine.status().ToString();
  EXPECT_NE(
      InspectJson(**engine).find("\"computed_sizes\": [{\"size\": \"u\", \"computed_by\": \"sum\", "
                                 "\"needed_from\": \"iota\"}]"),
      std::string::npos)
      << InspectJson(**engine);
}

}  // namespace
}  // namespace torch_tensorrt::core::engine
