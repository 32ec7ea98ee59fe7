#include "core/conversion/bounds.h"

#include <gtest/gtest.h>

namespace torch_tensorrt::core::conversion {
namespace {

class BoundsTest : public ::testing::Test {
 protected:
  BoundsTest() : ctx_(&network_, "x", "") {
    EXPECT_TRUE(network_.AddSymbol({"s0", 4, 8, 64}).ok());
    EXPECT_TRUE(network_.AddSymbol({"u0", -3, 0, 3}).ok());
  }
  std::string Clamp(const SymInt& bound, const SymInt& size) {
    return ClampBound(ctx_, bound, size).ToString();
  }

  const SymInt s_ = SymInt::Symbol("s0");
  ir::Network network_;
  ConversionContext ctx_;
};

TEST_F(BoundsTest, KnownBoundsClampAsPython) {
  EXPECT_EQ(Clamp(3, 7), "3");
  EXPECT_EQ(Clamp(9, 7), "7");
  EXPECT_EQ(Clamp(-2, 7), "5");
  EXPECT_EQ(Clamp(-9, 7), "0");
  EXPECT_TRUE(ctx_.ok());
}

TEST_F(BoundsTest, RangesRemoveSuperfluousClamps) {
  EXPECT_EQ(Clamp(3, s_), "3");
  EXPECT_EQ(Clamp(-3, s_), "s0-3");
  EXPECT_EQ(Clamp(s_, 128), "s0");
  EXPECT_TRUE(ctx_.ok());
}

TEST_F(BoundsTest, ClampsStayWhereTheRangeNeedsThem) {
  const SymInt kept = ClampBound(ctx_, 16, s_);
  for (const int64_t size : {4, 15, 16, 17, 64}) {
    const auto value = kept.Evaluate([size](std::string_view) { return size; });
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(*value, std::min<int64_t>(16, size));
  }
  const SymInt low = ClampBound(ctx_, -16, s_);
  const auto value = low.Evaluate([](std::string_view) { return 4; });
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, 0);
}

// What torch.roll leaves of a symbolic size; the size itself is only known to be no product of
// negatives.
TEST_F(BoundsTest, RemaindersBoundASlice) {
  EXPECT_TRUE(network_.AddSymbol({"h", 0, 8, 64}).ok());
  const SymInt windows = FloorDiv(SymInt::Symbol("h") + 6, FloorDiv(SymInt::Symbol("h"), 7));
  const SymInt size = windows * FloorDiv(s_, windows);
  const SymInt start = Mod(SymInt(-3), size);
  EXPECT_EQ(ClampBound(ctx_, start, size), start);
  EXPECT_EQ(TightMax(ctx_, size - start, 0), size - start);
  EXPECT_TRUE(ctx_.ok()) << ctx_.status().ToString();
}

TEST_F(BoundsTest, UnknownSignIsRefused) {
  ClampBound(ctx_, SymInt::Symbol("u0"), 7);
  EXPECT_EQ(ctx_.status().code(), StatusCode::kUnsupported);
}

TEST_F(BoundsTest, IndexOutOfRangeIsRefused) {
  EXPECT_EQ(WrapIndex(ctx_, -1, s_).ToString(), "s0-1");
  EXPECT_TRUE(ctx_.ok());
  WrapIndex(ctx_, 7, 7);
  EXPECT_EQ(ctx_.status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace torch_tensorrt::core::conversion
