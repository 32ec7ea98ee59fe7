#include "core/device/cpu/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace torch_tensorrt::core {
namespace {

TEST(Isa, CurrentNeverExceedsTheMachine) { EXPECT_LE(CurrentIsa(), BestIsa()); }

TEST(Isa, ForcedNameIsChecked) {
  const char* before = std::getenv("TORCHTRT_FORCE_ISA");
  const std::string saved = before == nullptr ? "" : before;
  setenv("TORCHTRT_FORCE_ISA", "generic", 1);
  EXPECT_TRUE(CheckForcedIsa().ok());
  setenv("TORCHTRT_FORCE_ISA", "mmx", 1);
  EXPECT_EQ(CheckForcedIsa().code(), StatusCode::kInvalidArgument);
  setenv("TORCHTRT_FORCE_ISA", "avx512_bf16", 1);
  EXPECT_EQ(CheckForcedIsa().code(),
            BestIsa() >= Isa::kAvx512Bf16 ? StatusCode::kOk : StatusCode::kUnsupported);
  unsetenv("TORCHTRT_FORCE_ISA");
  EXPECT_TRUE(CheckForcedIsa().ok());
  if (!saved.empty()) setenv("TORCHTRT_FORCE_ISA", saved.c_str(), 1);
}

TEST(Isa, NamesRoundTrip) {
  EXPECT_EQ(IsaName(Isa::kGeneric), "generic");
  EXPECT_EQ(IsaName(Isa::kAvx512Bf16), "avx512_bf16");
  EXPECT_EQ(IsaName(Isa::kAmx), "amx");
}

// A forced instruction set that the machine has is the one in use.
TEST(Isa, ForcedOneIsUsed) {
  const char* forced = std::getenv("TORCHTRT_FORCE_ISA");
  if (forced == nullptr || !CheckForcedIsa().ok()) {
    EXPECT_EQ(CurrentIsa(), BestIsa());
  } else {
    EXPECT_EQ(IsaName(CurrentIsa()), forced);
  }
}

}  // namespace
}  // namespace torch_tensorrt::core
