#include "core/builder/tuner.h"

#include <gtest/gtest.h>
#ifndef TORCHTRT_SERIAL
#include <omp.h>
#endif

#include <cstdlib>
#include <filesystem>
#include <random>

#include "core/builder/step_bench.h"
#include "core/engine/engine.h"
#include "core/execution/execution_context.h"
#include "core/tactics/variants.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::builder {
namespace {

// y = relu(x w1) w2 + x for x [rows, 96], and once more with the same weights.
ir::Network Products() {
  ir::Network network;
  EXPECT_TRUE(network.AddSymbol({"rows", 1, 64, 512}).ok());
  const SymInt rows = SymInt::Symbol("rows");
  std::mt19937 random(1);
  auto weights = [&](const char* name) {
    ir::NewWeights made = ir::AllocateWeights(DataType::kFloat32, {96, 96});
    std::uniform_real_distribution<float> value(-0.1F, 0.1F);
    for (int i = 0; i < 96 * 96; ++i) static_cast<float*>(made.data)[i] = value(random);
    return network.AddConstant(made.weights, name);
  };
  const ir::TensorId w1 = weights("w1");
  const ir::TensorId w2 = weights("w2");
  ir::TensorId x = network.AddInput("x", DataType::kFloat32, {rows, 96});
  for (int i = 0; i < 2; ++i) {
    auto add = [&](ir::LayerKind kind, std::vector<ir::TensorId> inputs, Attributes attributes) {
      return network.AddLayer(kind, std::move(inputs), std::move(attributes), "l").value();
    };
    ir::TensorId y = add(ir::LayerKind::kMatrixMultiply, {x, w1}, {});
    y = add(ir::LayerKind::kUnary, {y}, {{"op", PointwiseOp::kRelu}});
    y = add(ir::LayerKind::kMatrixMultiply, {y, w2}, {});
    x = add(ir::LayerKind::kElementwise, {y, x}, {{"op", PointwiseOp::kAdd}});
  }
  network.MarkOutput(x, "y");
  return network;
}

void SetThreads([[maybe_unused]] int count) {
#ifndef TORCHTRT_SERIAL
  omp_set_num_threads(count);
#endif
}

// Four threads whatever the machine has: then there is something to choose.
class TunerTest : public testing::Test {
 protected:
  TunerTest() : threads_(MaxThreads()) {
    SetThreads(4);
    std::string name = (std::filesystem::temp_directory_path() / "tuner_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    config_.optimization_level = 5;
    config_.timing_cache_path = folder_ / "timing.bin";
  }
  ~TunerTest() override {
    SetThreads(threads_);
    std::filesystem::remove_all(folder_);
  }
  void SetUp() override {
    if (MaxThreads() < 4) GTEST_SKIP() << "a build without threads has no variants to time";
  }

  BuildResult MustBuild() {
    auto built = Build(Products(), config_);
    EXPECT_TRUE(built.ok()) << built.status().ToString();
    return std::move(built).value();
  }

  // Makes the cache file say that `choice` has won for every product.
  void Plant(const std::string& choice) {
    config_.optimization_level = 2;
    const BuildResult untuned = MustBuild();
    config_.optimization_level = 5;
    StepBench bench(untuned.plan);
    TimingCache cache;
    for (const engine::PlanStep& step : untuned.plan.steps) {
      if (bench.Select(step).ok()) cache.Put(TuningKey(bench.text()), {choice, 1, 2});
    }
    std::filesystem::remove(config_.timing_cache_path);
    EXPECT_TRUE(cache.Save(config_.timing_cache_path).ok());
  }

  int threads_;
  std::filesystem::path folder_;
  BuilderConfig config_;
};

std::vector<float> RunPlan(engine::Plan plan, int64_t rows) {
  auto engine = engine::Engine::Create(std::move(plan));
  EXPECT_TRUE(engine.ok()) << engine.status().ToString();
  execution::ExecutionContext context(*engine);
  std::vector<float> x(static_cast<size_t>(rows) * 96);
  std::vector<float> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17) - 8;
  const TensorView in = MakeView(x.data(), DataType::kFloat32, {rows, 96});
  const TensorView out = MakeView(y.data(), DataType::kFloat32, {rows, 96});
  EXPECT_TRUE(context.SetInputShapes({&in, 1}).ok());
  EXPECT_TRUE(context.Run({&in, 1}, {&out, 1}, nullptr).ok());
  return y;
}

std::vector<Attributes> AttributesOf(const engine::Plan& plan) {
  std::vector<Attributes> all;
  for (const engine::PlanStep& step : plan.steps) all.push_back(step.attributes);
  return all;
}

TEST(PickVariant, KeepsTheTablesOrderInATie) {
  EXPECT_EQ(PickVariant({{1.0}}), 0U);
  EXPECT_EQ(PickVariant({{1.02}, {1.0}, {1.01}}), 0U);
  EXPECT_EQ(PickVariant({{1.04}, {1.0}, {1.01}}), 1U);
  EXPECT_EQ(PickVariant({{2.0}, {1.02}, {1.0}}), 1U);
  EXPECT_EQ(PickVariant({{2.0}, {1.5}, {1.0}}), 2U);
}

TEST(PickVariant, OneLuckyRoundIsNotEnough) {
  EXPECT_EQ(PickVariant({{1, 1, 1, 1}, {0.1, 0.1, 1, 1}}), 0U);
  EXPECT_EQ(PickVariant({{1, 1, 1, 1}, {0.9, 0.9, 0.9, 3}}), 1U);
  EXPECT_EQ(PickVariant({{9, 9, 1, 1}, {1, 1, 1, 1}}), 0U);
}

TEST(LimitsOf, LowLevelsTimeNothing) {
  for (int level = 0; level < 3; ++level) EXPECT_EQ(LimitsOf(level).budget_seconds, 0) << level;
  for (int level = 3; level < 5; ++level) {
    EXPECT_LT(LimitsOf(level).budget_seconds, LimitsOf(level + 1).budget_seconds);
    EXPECT_GT(LimitsOf(level).least_seconds, LimitsOf(level + 1).least_seconds);
  }
}

size_t VariantCount(const char* kernel, Isa isa, int threads, const Attributes& attributes = {}) {
  return tactics::VariantsOf({kernel, attributes, isa, threads, false}).size();
}

TEST(VariantsOf, OffersWhatHasWonSomewhere) {
  const Attributes small{{"kernel", Dims{3, 3}}, {"stride", Dims{1, 1}}, {"dilation", Dims{1, 1}}};
  const Attributes strided{
      {"kernel", Dims{3, 3}}, {"stride", Dims{2, 2}}, {"dilation", Dims{1, 1}}};
  EXPECT_EQ(VariantCount("cpu.softmax", Isa::kAvx512, 16), 0U);
  EXPECT_EQ(VariantCount("cpu.gemm", Isa::kAvx2, 1), 0U);
  EXPECT_EQ(VariantCount("cpu.gemm", Isa::kAvx2, 2), 1U);
  EXPECT_EQ(VariantCount("cpu.gemm", Isa::kAvx512, 1), 1U);
  EXPECT_EQ(VariantCount("cpu.gemm", Isa::kAvx512, 8), 4U);
  EXPECT_EQ(VariantCount("cpu.convolution", Isa::kAvx2, 1, small), 2U);
  EXPECT_EQ(VariantCount("cpu.convolution", Isa::kAvx2, 1, strided), 0U);
}

TEST_F(TunerTest, TimesEachProblemOnceAndRemembersIt) {
  const BuildResult first = MustBuild();
  ASSERT_EQ(first.report.tuned.size(), 4U);  // four products: of two kinds, or of one
  for (const TunedStep& step : first.report.tuned) {
    EXPECT_EQ(step.kernel, "cpu.gemm");
    EXPECT_FALSE(step.cached);
    EXPECT_GT(step.microseconds, 0);
    EXPECT_LE(step.microseconds, step.table_microseconds);
  }
  const TimingCache cache = TimingCache::Load(config_.timing_cache_path);
  EXPECT_GE(cache.size(), 1U);
  EXPECT_LE(cache.size(), 2U);
  const BuildResult second = MustBuild();
  ASSERT_EQ(second.report.tuned.size(), 4U);
  for (const TunedStep& step : second.report.tuned) EXPECT_TRUE(step.cached);
  EXPECT_EQ(AttributesOf(first.plan), AttributesOf(second.plan));
}

// A cache that says so makes the plan take a variant, whatever this machine would measure.
TEST_F(TunerTest, TheCacheDecides) {
  for (const std::string choice : {"column_tasks=2", "block_rows=24", ""}) {
    Plant(choice);
    const BuildResult built = MustBuild();
    ASSERT_EQ(built.report.tuned.size(), 4U);
    for (const TunedStep& step : built.report.tuned) EXPECT_TRUE(step.cached) << choice;
    for (const engine::PlanStep& step : built.plan.steps) {
      if (step.kernel != "cpu.gemm") continue;
      EXPECT_EQ(step.attributes.Int("column_tasks"), choice == "column_tasks=2" ? 2 : 0);
      EXPECT_EQ(step.attributes.Int("block_rows"), choice == "block_rows=24" ? 24 : 0);
    }
  }
}

bool AllCached(const BuildResult& built) {
  EXPECT_EQ(built.report.tuned.size(), 4U);
  size_t cached = 0;
  for (const TunedStep& step : built.report.tuned) cached += step.cached ? 1 : 0;
  EXPECT_TRUE(cached == 0 || cached == built.report.tuned.size());
  return cached > 0;
}

// A problem is that of all points together, each counted once; a point out of range is the opt.
TEST_F(TunerTest, PointsOfFurtherProfilesAreTimedToo) {
  EXPECT_FALSE(AllCached(MustBuild()));
  config_.points = {{{"rows", 64}}, {{"other", 5}}, {{"rows", 1000}}};
  EXPECT_TRUE(AllCached(MustBuild()));
  config_.points = {{{"rows", 1}}, {{"rows", 500}}};
  const BuildResult timed = MustBuild();
  EXPECT_FALSE(AllCached(timed));
  for (const TunedStep& step : timed.report.tuned) {
    EXPECT_GT(step.microseconds, 0);
    EXPECT_LE(step.microseconds, step.table_microseconds);
  }
  config_.points = {{{"rows", 1}}, {{"rows", 1}}, {{"rows", 500}}};
  EXPECT_TRUE(AllCached(MustBuild()));
  config_.points = {{{"rows", 1}}};
  EXPECT_FALSE(AllCached(MustBuild()));
}

TEST_F(TunerTest, AChoiceNoLongerOfferedIsTimedAgain) {
  Plant("gone=1");
  for (const TunedStep& step : MustBuild().report.tuned) EXPECT_FALSE(step.cached);
}

TEST_F(TunerTest, LowLevelsAndReferenceKernelsAreNotTuned) {
  config_.optimization_level = 2;
  EXPECT_TRUE(MustBuild().report.tuned.empty());
  config_.optimization_level = 5;
  config_.reference_only = true;
  EXPECT_TRUE(MustBuild().report.tuned.empty());
  EXPECT_FALSE(std::filesystem::exists(config_.timing_cache_path));
}

TEST_F(TunerTest, ACacheThatCannotBeWrittenFailsNoBuild) {
  config_.timing_cache_path = "/proc/no/such/folder/timing.bin";
  EXPECT_EQ(MustBuild().report.tuned.size(), 4U);
}

TEST_F(TunerTest, EveryVariantComputesTheSame) {
  config_.optimization_level = 2;
  for (const int64_t rows : {1, 7, 33, 257}) {
    const std::vector<float> expected = RunPlan(MustBuild().plan, rows);
    for (const Attributes& variant :
         tactics::VariantsOf({"cpu.gemm", Attributes(), Isa::kAvx512, 4, true})) {
      engine::Plan plan = MustBuild().plan;
      for (engine::PlanStep& step : plan.steps) {
        for (const auto& [name, value] : variant.map()) step.attributes.Set(name, value);
      }
      const std::vector<float> got = RunPlan(std::move(plan), rows);
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], expected[i], 1e-4F * (1 + std::abs(expected[i]))) << rows << " " << i;
      }
    }
  }
}

// Attributes of a plan file can hold anything: what is out of a tuning's range counts as no tuning,
// and what arithmetic could overflow with is refused.
TEST_F(TunerTest, NonsenseInAPlanIsIgnoredOrRefused) {
  config_.optimization_level = 2;
  const std::vector<float> expected = RunPlan(MustBuild().plan, 33);
  const auto with = [&](int64_t value) {
    engine::Plan plan = MustBuild().plan;
    for (engine::PlanStep& step : plan.steps) {
      step.attributes.Set("column_tasks", value).Set("block_rows", value);
    }
    return plan;
  };
  for (const int64_t value : {int64_t{-1}, int64_t{5000}}) {
    EXPECT_EQ(RunPlan(with(value), 33), expected) << value;
  }
  for (const int64_t value : {int64_t{1} << 40, INT64_MIN}) {
    EXPECT_EQ(engine::Engine::Create(with(value)).status().code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::builder
