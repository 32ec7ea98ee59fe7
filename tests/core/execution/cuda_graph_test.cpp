#include "core/execution/cuda_graph.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/core/execution/host_gpu.h"

namespace torch_tensorrt::core::execution {
namespace {

// The steps under test: y = 2 x, for one float.
class GraphCacheTest : public testing::Test {
 protected:
  Status Call(float* x, float* y) {
    const TensorView in = MakeView(x, DataType::kFloat32, {1});
    const TensorView out = MakeView(y, DataType::kFloat32, {1});
    return cache_.Run({&in, 1}, {&out, 1}, memory_, nullptr,
                      [this](std::span<const TensorView> inputs,
                             std::span<const TensorView> outputs, device::cuda::Stream stream) {
                        const auto* from = inputs[0].as<const float>();
                        auto* to = outputs[0].as<float>();
                        gpu_->Submit(stream, [=] { *to = 2 * *from; });
                        return failure_;
                      });
  }
  // Calls with a new value of x and expects its double in y.
  void Expect(float* x, float* y) {
    const float value = *x += 1;
    *y = -1;
    const Status status = Call(x, y);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_EQ(*x, value);
    ASSERT_EQ(*y, 2 * value);
  }

  std::shared_ptr<HostGpu> gpu_ = std::make_shared<HostGpu>();
  GraphCache cache_{gpu_};
  const void* memory_ = nullptr;
  Status failure_;
  std::array<float, 64> x_{};
  std::array<float, 64> y_{};
};

TEST_F(GraphCacheTest, RecordsAtTheSecondSightAndLaunchesFromThenOn) {
  for (int i = 0; i < 10; ++i) Expect(&x_[0], &y_[0]);
  EXPECT_EQ(cache_.counters().direct, 1);
  EXPECT_EQ(cache_.counters().recorded, 1);
  EXPECT_EQ(cache_.counters().launched, 8);
  EXPECT_EQ(cache_.counters().staged, 0);
}

TEST_F(GraphCacheTest, KeepsAGraphForEveryPairOfAddressesThatComesBack) {
  for (int i = 0; i < 30; ++i) Expect(&x_[0], &y_[i % 3]);
  EXPECT_EQ(cache_.counters().recorded, 3);
  EXPECT_EQ(cache_.counters().launched, 30 - 2 * 3);
}

TEST_F(GraphCacheTest, GoesThroughItsOwnBuffersWhenAddressesNeverComeBack) {
  for (size_t i = 0; i < x_.size(); ++i) Expect(&x_[i], &y_[i]);
  EXPECT_EQ(cache_.counters().direct, GraphCache::kPatience);
  EXPECT_EQ(cache_.counters().recorded, 1);
  EXPECT_EQ(cache_.counters().staged, 64 - GraphCache::kPatience);
  EXPECT_EQ(gpu_->allocations, 1);
}

TEST_F(GraphCacheTest, ForgetsGraphsWhenTheMemoryOfTheStepsMoves) {
  for (int i = 0; i < 4; ++i) Expect(&x_[0], &y_[0]);
  memory_ = this;
  for (int i = 0; i < 4; ++i) Expect(&x_[0], &y_[0]);
  EXPECT_EQ(cache_.counters().recorded, 2);
  for (size_t i = 0; i < 40; ++i) Expect(&x_[i], &y_[i]);
  memory_ = nullptr;
  for (size_t i = 40; i < 50; ++i) Expect(&x_[i], &y_[i]);
  EXPECT_EQ(gpu_->allocations, 1);
}

TEST_F(GraphCacheTest, TriesAgainAfterAFailure) {
  failure_ = InvalidArgument("bad");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Call(&x_[0], &y_[0]).code(), StatusCode::kInvalidArgument);
  }
  failure_ = Status::Ok();
  for (int i = 0; i < 6; ++i) Expect(&x_[0], &y_[0]);
  EXPECT_GT(cache_.counters().launched + cache_.counters().staged, 0);
}

}  // namespace
}  // namespace torch_tensorrt::core::execution
