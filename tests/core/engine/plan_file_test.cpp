#include "core/engine/plan_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "core/engine/format.h"
#include "core/util/file.h"

namespace torch_tensorrt::core::engine {
namespace {

namespace fs = std::filesystem;

constexpr size_t kValues = 300000;  // more than one piece of the content hash

// y = w for a large constant w.
Plan LargePlan() {
  Plan plan;
  plan.name = "large";
  const std::shared_ptr<float[]> values(new float[kValues]);
  std::iota(values.get(), values.get() + kValues, 0.0F);
  const auto size = static_cast<int64_t>(kValues);
  plan.constants.push_back({DataType::kFloat32, {size}, values});
  plan.tensors = {{"w", DataType::kFloat32, {size}, Location::kConstant, 0, 0, {}},
                  {"y", DataType::kFloat32, {size}, Location::kOutput, 0, 0, {}}};
  plan.outputs = {{"y", 1}};
  PlanStep copy;
  copy.kernel = "ref.Copy";
  copy.name = "copy";
  copy.inputs = {0};
  copy.outputs = {1};
  plan.steps = {copy};
  return plan;
}

class PlanFileTest : public testing::Test {
 protected:
  PlanFileTest() {
    std::string name = (fs::temp_directory_path() / "plan_file_XXXXXX").string();
    folder_ = mkdtemp(name.data());
    path_ = (folder_ / "large.engine").string();
    const PlanEncoder encoder(plan_);
    bytes_.resize(encoder.size());
    encoder.WriteTo(reinterpret_cast<std::byte*>(bytes_.data()));
  }
  ~PlanFileTest() override { fs::remove_all(folder_); }

  Plan plan_ = LargePlan();
  fs::path folder_;
  std::string path_;
  std::string bytes_;
};

TEST_F(PlanFileTest, OpensWhatWasWrittenAndOutlivesTheFile) {
  ASSERT_TRUE(WriteFileAtomically(path_, bytes_).ok());
  const Result<Plan> plan = OpenPlanFile(path_);
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  fs::remove(path_);
  ASSERT_TRUE(WriteFileAtomically(path_, "something else").ok());
  EXPECT_EQ(plan->name, "large");
  ASSERT_EQ(plan->constants.size(), 1U);
  const auto* values = static_cast<const float*>(plan->constants[0].data.get());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(values) % kPlanAlignment, 0U);
  for (size_t i = 0; i < kValues; i += 997) ASSERT_EQ(values[i], static_cast<float>(i));
}

TEST_F(PlanFileTest, DamageIsDataLoss) {
  for (const size_t at : {size_t{0}, size_t{70}, bytes_.size() / 2, bytes_.size() - 100}) {
    std::string bad = bytes_;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    ASSERT_TRUE(WriteFileAtomically(path_, bad).ok());
    EXPECT_EQ(OpenPlanFile(path_).status().code(), StatusCode::kDataLoss) << at;
  }
  for (const size_t size : {size_t{0}, size_t{1}, size_t{63}, bytes_.size() - 1}) {
    ASSERT_TRUE(WriteFileAtomically(path_, std::string_view(bytes_).substr(0, size)).ok());
    EXPECT_EQ(OpenPlanFile(path_).status().code(), StatusCode::kDataLoss) << size;
  }
}

TEST_F(PlanFileTest, AMissingFileIsNoDamage) {
  const Status missing = OpenPlanFile(path_).status();
  EXPECT_EQ(missing.code(), StatusCode::kDeviceError);
  EXPECT_NE(missing.message().find("large.engine"), std::string::npos);
  EXPECT_EQ(OpenPlanFile(folder_.string()).status().code(), StatusCode::kDeviceError);
}

}  // namespace
}  // namespace torch_tensorrt::core::engine
