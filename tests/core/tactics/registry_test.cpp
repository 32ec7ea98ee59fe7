#include <gtest/gtest.h>

#include <string>

#include "core/ir/network.h"
#include "core/kernels/kernel.h"

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

}  // namespace
}  // namespace torch_tensorrt::core::tactics
