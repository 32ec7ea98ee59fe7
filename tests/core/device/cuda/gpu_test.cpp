#include "core/device/cuda/gpu.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/device/cuda/cublaslt.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

constexpr const char* kAddOne = R"(
extern "C" __global__ void add_one(float* x, int n, int* error) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] += 1.0f;
  if (i == n) *error = 7;
}
)";

class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    auto gpu = Gpu::Open(0);
    if (!gpu.ok()) GTEST_SKIP() << gpu.status().ToString();
    gpu_ = *gpu;
    auto function = gpu_->Load({"add_one", kAddOne, {}, {}}, "add_one");
    ASSERT_TRUE(function.ok()) << function.status().ToString();
    function_ = *function;
    auto memory = gpu_->Allocate(kCount * sizeof(float));
    ASSERT_TRUE(memory.ok()) << memory.status().ToString();
    memory_ = *memory;
    std::vector<float> values(kCount);
    std::iota(values.begin(), values.end(), 0.0f);
    ASSERT_TRUE(gpu_->CopyToDevice(memory_.get(), values.data(), kCount * sizeof(float)).ok());
  }

  Status LaunchOnce(Stream stream, int32_t* error) const {
    LaunchConfig config;
    config.grid[0] = 5;
    config.block[0] = 64;
    return LaunchWith(*gpu_, function_, config, stream, memory_.get(), kCount, error);
  }
  float Value(size_t i) const {
    float value = 0;
    EXPECT_TRUE(gpu_->Synchronize(nullptr).ok());
    EXPECT_TRUE(
        gpu_->CopyToHost(&value, static_cast<float*>(memory_.get()) + i, sizeof(value)).ok());
    return value;
  }

  static constexpr int kCount = 257;
  std::shared_ptr<const Gpu> gpu_;
  Function function_;
  std::shared_ptr<void> memory_;
};

TEST_F(GpuTest, RunsAKernel) {
  EXPECT_GT(gpu_->info().multiprocessors, 0);
  EXPECT_EQ(Gpu::Open(0)->get(), gpu_.get());
  const auto error = gpu_->AllocateShared(4);
  ASSERT_TRUE(error.ok()) << error.status().ToString();
  ASSERT_TRUE(LaunchOnce(nullptr, static_cast<int32_t*>(error->get())).ok());
  EXPECT_EQ(Value(0), 1.0f);
  EXPECT_EQ(Value(256), 257.0f);
  EXPECT_EQ(*static_cast<int32_t*>(error->get()), 7);
}

TEST_F(GpuTest, RecordsAGraphThatRunsWhenLaunched) {
  const auto error = gpu_->AllocateShared(4);
  ASSERT_TRUE(error.ok());
  auto* flag = static_cast<int32_t*>(error->get());
  const auto graph = gpu_->Capture([&](Stream stream) { return LaunchOnce(stream, flag); });
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(Value(0), 0.0f);
  ASSERT_TRUE((*graph)->Launch(nullptr).ok());
  ASSERT_TRUE((*graph)->Launch(nullptr).ok());
  EXPECT_EQ(Value(0), 2.0f);
  EXPECT_FALSE(*gpu_->IsCapturing(nullptr));
  const auto failed = gpu_->Capture([](Stream) { return InvalidArgument("no"); });
  EXPECT_EQ(failed.status().code(), StatusCode::kInvalidArgument);
}

TEST_F(GpuTest, OrdersAndTimesWithEvents) {
  auto first = gpu_->NewEvent(true);
  auto second = gpu_->NewEvent(true);
  ASSERT_TRUE(first.ok() && second.ok());
  const auto error = gpu_->AllocateShared(4);
  ASSERT_TRUE(gpu_->RecordEvent(first->get(), nullptr).ok());
  ASSERT_TRUE(LaunchOnce(nullptr, static_cast<int32_t*>(error->get())).ok());
  ASSERT_TRUE(gpu_->RecordEvent(second->get(), nullptr).ok());
  ASSERT_TRUE(gpu_->WaitEvent(nullptr, second->get()).ok());
  ASSERT_TRUE(gpu_->Synchronize(nullptr).ok());
  EXPECT_GT(*gpu_->SecondsBetween(first->get(), second->get()), 0.0);
}

TEST_F(GpuTest, NamesAMissingEntryAndAMissingGpu) {
  const auto function = gpu_->Load({"add_one", kAddOne, {}, {}}, "no_such_entry");
  EXPECT_EQ(function.status().code(), StatusCode::kDeviceError);
  EXPECT_NE(function.status().message().find("no_such_entry"), std::string::npos);
  EXPECT_EQ(Gpu::Open(97).status().code(), StatusCode::kDeviceError);
}

TEST(Driver, IsMissedWithAReason) {
  const auto gpu = Gpu::Open(0);
  if (gpu.ok()) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_NE(gpu.status().message().find("[cuda]"), std::string::npos);
}

TEST(CublasLtTable, IsCompleteWhereTheLibraryIs) {
  const auto& table = LoadCublasLt();
  if (!table.ok()) GTEST_SKIP() << table.status().ToString();
  EXPECT_GE(table->version(), 120000u);
}

}  // namespace
}  // namespace torch_tensorrt::core::device::cuda
