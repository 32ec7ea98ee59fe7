#include <gtest/gtest.h>

#include "core/device/cuda/gpu.h"
#include "core/device/cuda/library.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

constexpr const char* kAdd = R"(
#include "one.cuh"
extern "C" __global__ void add(float* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] += kOne * SCALE;
}
)";
constexpr SourceHeader kHeaders[] = {{"one.cuh", "constexpr float kOne = 1.0f;\n"}};

KernelSource Add() { return {"add", kAdd, {"-DSCALE=3"}, kHeaders}; }

class Nvrtc : public testing::Test {
 protected:
  void SetUp() override {
    const auto version = NvrtcVersion();
    if (!version.ok()) GTEST_SKIP() << version.status().ToString();
    ASSERT_GE(*version, 12000);
  }
};

TEST_F(Nvrtc, CompilesForEveryArchitectureWithoutAGpu) {
  for (const char* arch : {"sm_80", "sm_90a"}) {
    const auto compiled = Compile(Add(), arch);
    ASSERT_TRUE(compiled.ok()) << compiled.status().ToString();
    const std::string elf(compiled->cubin.begin(), compiled->cubin.begin() + 4);
    EXPECT_EQ(elf, "\177ELF");
    EXPECT_NE(compiled->log.find("registers"), std::string::npos) << compiled->log;
  }
}

TEST_F(Nvrtc, ReportsTheCompilersMessage) {
  const auto compiled =
      Compile({"broken", "extern \"C\" __global__ void f() { nothing(); }", {}, {}}, "sm_90a");
  ASSERT_FALSE(compiled.ok());
  EXPECT_EQ(compiled.status().code(), StatusCode::kInternal);
  EXPECT_NE(compiled.status().message().find("nothing"), std::string::npos);
  EXPECT_NE(compiled.status().message().find("broken"), std::string::npos);
}

TEST_F(Nvrtc, RefusesAnArchitectureItDoesNotKnow) {
  const auto compiled = Compile(Add(), "sm_1");
  ASSERT_FALSE(compiled.ok());
  EXPECT_EQ(compiled.status().code(), StatusCode::kUnsupported);
}

TEST_F(Nvrtc, LoadsKernelsForAChipThatIsNotThere) {
  const auto gpu = Gpu::CompileOnly("sm_90a");
  EXPECT_EQ(gpu->info().arch(), "sm_90a");
  EXPECT_EQ(Gpu::CompileOnly("sm_80")->info().arch(), "sm_80");
  EXPECT_TRUE(gpu->Load(Add(), "add").ok());
  EXPECT_EQ(gpu->load_stats().compiled + gpu->load_stats().from_cache, 1);
  const auto missing = gpu->Load(Add(), "subtract");
  EXPECT_NE(missing.status().message().find("subtract"), std::string::npos);
  const auto memory = gpu->Allocate(0);
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(LaunchWith(*gpu, Function(), LaunchConfig(), nullptr, 1).code(),
            StatusCode::kDeviceError);
}

TEST(Library, SaysWhereItLooked) {
  const std::string_view names[] = {"libthere_is_no_such_thing.so.7"};
  const auto library = OpenLibrary("nothing", names);
  ASSERT_FALSE(library.ok());
  EXPECT_EQ(library.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(library.status().message().find("libthere_is_no_such_thing.so.7"), std::string::npos);
  for (const std::string& directory : LibraryDirectories()) {
    EXPECT_NE(library.status().message().find(directory), std::string::npos);
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::device::cuda
