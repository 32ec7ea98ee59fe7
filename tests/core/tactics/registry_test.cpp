#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/ir/network.h"
#include "core/kernels/kernel.h"
#include "core/tactics/tactic.h"

namespace torch_tensorrt::core::tactics {
namespace {

// A fused group has one kernel on GPUs, which is its reference too.
TEST(Registry, EveryLayerKindButConstantHasAReferenceKernel) {
  for (int i = 0; i < ir::kLayerKindCount; ++i) {
    const auto kind = static_cast<ir::LayerKind>(i);
    const std::string id = "ref." + std::string(ir::InfoOf(kind).name);
    EXPECT_EQ(kernels::FindKernel(id) != nullptr, kind != ir::LayerKind::kConstant) << id;
    EXPECT_EQ(kernels::FindKernel("cuda." + id) != nullptr, kind != ir::LayerKind::kConstant) << id;
  }
  EXPECT_EQ(kernels::ReferenceKernels().size(), static_cast<size_t>(ir::kLayerKindCount - 1));
}

TEST(Registry, ListsWhatCanBeDisabledOnce) {
  const auto names = ListTactics();
  const auto count = [&](std::string_view name) {
    return std::count(names.begin(), names.end(), name);
  };
  EXPECT_EQ(count("cpu.gemm"), 1);
  EXPECT_EQ(count("cpu.loop"), 1);
  EXPECT_EQ(count("cuda.gemm"), 1);
  EXPECT_EQ(count("ref"), 0);
  EXPECT_EQ(count("cuda.ref"), 0);
}

}  // namespace
}  // namespace torch_tensorrt::core::tactics
