// A GPU engine on memory of the host (HostGpu): everything but kernels and graphs.
#include "core/execution/cuda_run.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/execution/execution_context.h"
#include "tests/core/execution/host_gpu.h"

namespace torch_tensorrt::core::execution {
namespace {

using engine::Location;
using engine::Plan;

// y[s] = relu(x[s] + w), for a GPU, with kernels that run on the host.
Plan AddRelu() {
  Plan plan;
  plan.name = "gpu";
  plan.target = Target::kCuda;
  plan.symbols = {{"s", 1, 4, 4096}};
  auto w = std::shared_ptr<float>(new float[1]{-1}, std::default_delete<float[]>());
  plan.constants.push_back({DataType::kFloat32, {1}, w});
  const SymInt s = SymInt::Symbol("s");
  plan.tensors = {{"x", DataType::kFloat32, {s}, Location::kInput, 0, 0, {}},
                  {"w", DataType::kFloat32, {1}, Location::kConstant, 0, 0, {}},
                  {"sum", DataType::kFloat32, {s}, Location::kArena, -1, 0, {}},
                  {"y", DataType::kFloat32, {s}, Location::kOutput, 0, 0, {}}};
  plan.inputs = {{"x", 0}};
  plan.outputs = {{"y", 3}};
  plan.steps.resize(2);
  plan.steps[0] = {"ref.Elementwise", "add", "", {{"op", PointwiseOp::kAdd}}, {0, 1}, {2}};
  plan.steps[1] = {"ref.Unary", "relu", "", {{"op", PointwiseOp::kRelu}}, {2}, {3}};
  return plan;
}

class CudaRunTest : public testing::Test {
 protected:
  void SetUp() override {
    auto engine = engine::Engine::Create(AddRelu(), gpu_);
    ASSERT_TRUE(engine.ok()) << engine.status().ToString();
    engine_ = *engine;
    context_ = std::make_unique<ExecutionContext>(engine_);
  }
  Status Call(size_t n, const RunOptions& options = {nullptr, false}, Profile* profile = nullptr) {
    x_.assign(n, 3);
    y_.assign(n, -1);
    const auto dim = static_cast<int64_t>(n);
    const TensorView in = MakeView(x_.data(), DataType::kFloat32, {dim});
    const TensorView out = MakeView(y_.data(), DataType::kFloat32, {dim});
    TRT_RETURN_IF_ERROR(context_->SetInputShapes({&in, 1}));
    return context_->Run({&in, 1}, {&out, 1}, profile, options);
  }
  void ExpectDone() const {
    for (const float y : y_) ASSERT_EQ(y, 2.0F);
  }

  std::shared_ptr<HostGpu> gpu_ = std::make_shared<HostGpu>();
  std::shared_ptr<const engine::Engine> engine_;
  std::unique_ptr<ExecutionContext> context_;
  std::vector<float> x_;
  std::vector<float> y_;
};

TEST_F(CudaRunTest, RunsFromConstantsOnTheDevice) {
  EXPECT_NE(engine_->constant_data(0), engine_->plan().constants[0].data.get());
  EXPECT_EQ(*static_cast<const float*>(engine_->constant_data(0)), -1.0F);
  for (const size_t n : {1, 7, 31, 257, 4096, 7}) {
    const Status status = Call(n);
    ASSERT_TRUE(status.ok()) << status.ToString();
    ExpectDone();
  }
}

TEST_F(CudaRunTest, ReportsADataErrorOnceOnTheNextCall) {
  ASSERT_TRUE(Call(7).ok());
  *static_cast<int32_t*>(gpu_->shared) =
      static_cast<int32_t>(device::cuda::DataError::kIndexOutOfRange);
  const Status status = Call(7);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("[gpu]"), std::string::npos);
  EXPECT_NE(status.message().find("out of range"), std::string::npos);
  EXPECT_TRUE(Call(7).ok());
  ExpectDone();
}

TEST_F(CudaRunTest, OrdersRunsOnDifferentStreams) {
  int a = 0;
  int b = 0;
  ASSERT_TRUE(Call(7, {&a, false}).ok());
  ASSERT_TRUE(Call(7, {&a, false}).ok());
  EXPECT_TRUE(gpu_->waited.empty());
  ASSERT_TRUE(Call(7, {&b, false}).ok());
  EXPECT_EQ(gpu_->waited, std::vector<void*>{&b});
}

TEST_F(CudaRunTest, SaysWhenARunWasRecordedBySomebody) {
  int stream = 0;
  ASSERT_TRUE(Call(7, {&stream, true}).ok());
  EXPECT_FALSE(context_->recorded());
  gpu_->capturing_stream = &stream;
  ASSERT_TRUE(Call(7, {&stream, true}).ok());
  EXPECT_TRUE(context_->recorded());
}

TEST_F(CudaRunTest, ProfilesWithEvents) {
  Profile profile;
  ASSERT_TRUE(Call(7, {}, &profile).ok());
  ExpectDone();
  EXPECT_EQ(profile.seconds, (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(profile.runs, 1);
}

TEST_F(CudaRunTest, AnEngineWithoutItsGpuDoesNotRun) {
  auto engine = engine::Engine::Create(AddRelu());
  ASSERT_TRUE(engine.ok());
  context_ = std::make_unique<ExecutionContext>(*engine);
  EXPECT_EQ(Call(7).code(), StatusCode::kDeviceError);
  Plan cpu = AddRelu();
  cpu.target = Target::kCpu;
  EXPECT_EQ(engine::Engine::Create(cpu, gpu_).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace torch_tensorrt::core::execution
