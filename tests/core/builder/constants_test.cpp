// Constants of a plan while it is built: when they exist, and whose memory they are.
#include "core/builder/constants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/util/lent_memory.h"

namespace torch_tensorrt::core::builder {
namespace {

constexpr int64_t kLarge = int64_t{1} << 20;
constexpr int64_t kSmall = int64_t{1} << 10;

// The order in which deferred weights were made.
using Diary = std::vector<std::string>;

ir::Weights Deferred(Diary* diary, const std::string& name, int64_t bytes) {
  ir::Weights weights{DataType::kUInt8, {bytes}};
  weights.recipe = std::make_shared<const ir::Weights::Recipe>([diary, name, bytes] {
    diary->push_back(name);
    const ir::NewWeights fresh = ir::AllocateWeights(DataType::kUInt8, {bytes});
    std::memset(fresh.data, name[0], static_cast<size_t>(bytes));
    return fresh.weights.data;
  });
  return weights;
}

// A plan whose tensor i is its constant i, and one more tensor that views the first.
struct Fixture {
  engine::Plan plan;
  PlanConstants constants;
  Diary diary;

  void Add(const std::string& name, int64_t bytes) {
    const int32_t index = constants.Add(&plan, Deferred(&diary, name, bytes));
    engine::PlanTensor tensor;
    tensor.location = engine::Location::kConstant;
    tensor.index = index;
    plan.tensors.push_back(tensor);
  }
  engine::PlanStep ViewOfFirst() {
    engine::PlanTensor view;
    view.location = engine::Location::kView;
    view.index = 0;
    plan.tensors.push_back(view);
    engine::PlanStep step;
    step.inputs = {static_cast<int32_t>(plan.tensors.size()) - 1};
    return step;
  }
  char Byte(size_t constant, int64_t at) const {
    return static_cast<const char*>(plan.constants[constant].data.get())[at];
  }
};

TEST(PlanConstants, SmallOnesAreMadeAtOnceAndStay) {
  Fixture f;
  f.Add("a", kSmall);
  EXPECT_EQ(f.diary, Diary{"a"});
  f.constants.Drop(&f.plan, f.ViewOfFirst());
  EXPECT_EQ(f.Byte(0, kSmall - 1), 'a');
  EXPECT_EQ(f.constants.Finish(&f.plan), static_cast<size_t>(kSmall));
  EXPECT_EQ(f.diary, Diary{"a"});
}

TEST(PlanConstants, LargeOnesExistWhileTheirStepIsTimed) {
  Fixture f;
  f.Add("a", kLarge);
  f.Add("b", kLarge);
  EXPECT_TRUE(f.diary.empty());
  EXPECT_EQ(f.plan.constants[0].bytes(), static_cast<size_t>(kLarge));
  const engine::PlanStep step = f.ViewOfFirst();
  f.constants.Make(&f.plan, step);
  f.constants.Make(&f.plan, step);
  EXPECT_EQ(f.diary, Diary{"a"});
  EXPECT_EQ(f.Byte(0, kLarge - 1), 'a');
  EXPECT_EQ(f.plan.constants[1].data, nullptr);
  f.constants.Drop(&f.plan, step);
  EXPECT_EQ(f.plan.constants[0].data, nullptr);
}

TEST(PlanConstants, FinishMakesTheLargestFirstAndForgetsRecipes) {
  Fixture f;
  f.Add("a", kLarge);
  f.Add("b", 3 * kLarge);
  f.Add("c", 2 * kLarge);
  EXPECT_EQ(f.constants.Finish(&f.plan), static_cast<size_t>(6 * kLarge));
  EXPECT_EQ(f.diary, (Diary{"b", "c", "a"}));
  EXPECT_EQ(f.Byte(0, 0), 'a');
  EXPECT_EQ(f.Byte(1, 3 * kLarge - 1), 'b');
  f.constants.Drop(&f.plan, f.ViewOfFirst());
  EXPECT_EQ(f.Byte(0, 0), 'a');
}

class Model : public Lender {
 public:
  explicit Model(bool sees) : sees_(sees) {}
  Status Check() const override { return Status::Ok(); }
  bool sees_writes() const override { return sees_; }

 private:
  bool sees_;
};

// A plan of one constant that is lent.
engine::Plan PlanWithLent(const std::vector<float>& values, bool sees_writes) {
  engine::Plan plan;
  PlanConstants constants;
  constants.Add(&plan, {DataType::kFloat32,
                        {static_cast<int64_t>(values.size())},
                        Lend(std::make_shared<const Model>(sees_writes), values.data())});
  const size_t allocated = constants.Finish(&plan);
  const bool copied = LenderOf(plan.constants.at(0).data) == nullptr;
  EXPECT_EQ(allocated, copied ? values.size() * sizeof(float) : 0);
  return plan;
}

TEST(PlanConstants, CopiesSmallLentWeights) {
  std::vector<float> values(1023 * 256, 3.0F);  // 1 KiB less than 1 MiB
  const engine::Plan plan = PlanWithLent(values, true);
  EXPECT_EQ(LenderOf(plan.constants[0].data), nullptr);
  std::fill(values.begin(), values.end(), 4.0F);
  EXPECT_EQ(static_cast<const float*>(plan.constants[0].data.get())[1023 * 256 - 1], 3.0F);
}

TEST(PlanConstants, SharesLargeLentWeightsWhoseLenderSeesWrites) {
  const std::vector<float> values(1024 * 256, 3.0F);
  EXPECT_EQ(PlanWithLent(values, true).constants[0].data.get(), values.data());
  EXPECT_NE(PlanWithLent(values, false).constants[0].data.get(), values.data());
}

}  // namespace
}  // namespace torch_tensorrt::core::builder
