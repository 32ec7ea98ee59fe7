#include "core/kernels/cuda/sources.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

TEST(Sources, HoldsTheTextsAsTheyAre) {
  const std::string_view text = SourceText("common.cuh");
  const auto root = std::filesystem::path(TORCHTRT_TEST_DATA).parent_path().parent_path();
  std::ifstream file(root / "core/kernels/cuda/src/common.cuh");
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(written.empty());
  EXPECT_EQ(text, written);
  EXPECT_TRUE(SourceText("no_such_file.cu").empty());
}

TEST(Sources, HeadersCompileForEveryArchitecture) {
  if (!device::cuda::NvrtcVersion().ok()) {
    GTEST_SKIP() << device::cuda::NvrtcVersion().status().ToString();
  }
  std::string text;
  for (const auto& header : SourceHeaders()) text += StrCat("#include \"", header.name, "\"\n");
  text += "extern \"C\" __global__ void f(float* x, bf16* y) { *x = y->bits; }\n";
  for (const char* arch : {"sm_80", "sm_90a"}) {
    const auto compiled = device::cuda::Compile(MakeSource("headers", text), arch);
    EXPECT_TRUE(compiled.ok()) << compiled.status().ToString();
  }
}

TEST(CudaKernels, IdsAreUniqueAndFound) {
  for (const KernelEntry& entry : CudaKernels()) {
    EXPECT_TRUE(entry.id.starts_with("cuda.")) << entry.id;
    EXPECT_EQ(FindKernel(entry.id)->create, entry.create) << entry.id << " is there twice";
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::cuda
