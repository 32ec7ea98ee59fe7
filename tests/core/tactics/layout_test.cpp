#include "core/tactics/layout.h"

#include <gtest/gtest.h>

namespace torch_tensorrt::core::tactics {
namespace {

SymInt S() { return SymInt::Symbol("s"); }

std::string Text(const std::optional<Layout>& layout) {
  if (!layout.has_value()) return "none";
  return ToString(layout->dims) + " " + ToString(layout->strides) + " +" +
         layout->offset.ToString();
}

TEST(Layout, SplittingAStridedDimKeepsTheView) {
  // The fused QKV case: [B, S, 3*H*D] -> slice k -> [B, S, H, D] -> [B, H, S, D].
  const Layout qkv = ContiguousLayout({2, S(), 2304});
  const Layout k = SliceView(qkv, {0, 0, 768}, {2, S(), 768}, {1, 1, 1});
  const auto heads = ReshapeView(k, {2, S(), 12, 64});
  ASSERT_TRUE(heads.has_value());
  const Layout q = TransposeView(*heads, {0, 2, 1, 3});
  EXPECT_EQ(Text(q), "[2, 12, s, 64] [2304*s, 64, 2304, 1] +768");
  EXPECT_TRUE(Satisfies(q, LayoutNeed::kInnerUnit));
  EXPECT_FALSE(Satisfies(q, LayoutNeed::kRows));
  EXPECT_TRUE(Satisfies(k, LayoutNeed::kRows));
  EXPECT_FALSE(Satisfies(k, LayoutNeed::kContiguous));
}

TEST(Layout, MergingATransposedTensorIsNoView) {
  const Layout t = TransposeView(ContiguousLayout({4, 6}), {1, 0});
  EXPECT_EQ(Text(ReshapeView(t, {24})), "none");
  EXPECT_EQ(Text(ReshapeView(t, {6, 2, 2})), "[6, 2, 2] [1, 12, 6] +0");
}

TEST(Layout, SymbolicReshapes) {
  const Layout x = ContiguousLayout({S(), 12, 64});
  EXPECT_EQ(Text(ReshapeView(x, {S(), 768})), "[s, 768] [768, 1] +0");
  EXPECT_EQ(Text(ReshapeView(x, {S() * 12, 64})), "[12*s, 64] [64, 1] +0");
  EXPECT_EQ(Text(ReshapeView(x, {1, S(), 768})), "[1, s, 768] [768*s, 768, 1] +0");
  EXPECT_EQ(Text(ReshapeView(ContiguousLayout({S() * 12, 64}), {S(), 12, 64})),
            "[s, 12, 64] [768, 64, 1] +0");
}

TEST(Layout, ExpandHasStrideZeroAndIsNotContiguous) {
  const Layout e = ExpandView(ContiguousLayout({3, 1}), {2, 3, 5});
  EXPECT_EQ(Text(e), "[2, 3, 5] [0, 1, 0] +0");
  EXPECT_FALSE(Satisfies(e, LayoutNeed::kContiguous));
}

// The first row of s rows, which may be none: repeated, it is read again and again.
TEST(Layout, ExpandRepeatsWhatTurnsOutToBeOne) {
  const SymInt s = SymInt::Symbol("s");
  const Layout e = ExpandView(ContiguousLayout({Min(1, s), 4}), {2, 4});
  auto stride_at = [](const SymInt& stride, int64_t value) {
    return *stride.Evaluate([value](std::string_view) { return std::optional<int64_t>(value); });
  };
  EXPECT_EQ(stride_at(e.strides[0], 3), 0);
  EXPECT_EQ(stride_at(e.strides[1], 3), 1);
  const Layout f = ExpandView(ContiguousLayout({s, 4}), {SymInt::Symbol("t"), 4});
  EXPECT_EQ(stride_at(f.strides[0], 1), 0);
  EXPECT_EQ(stride_at(f.strides[0], 5), 4);
}

TEST(Layout, NegativeStepsStartAtTheEnd) {
  const Layout f = SliceView(ContiguousLayout({5}), {4}, {5}, {-1});
  EXPECT_EQ(Text(f), "[5] [-1] +4");
}

TEST(Layout, SizeOneDimsDoNotMatter) {
  Layout x = ContiguousLayout({4, 1, 8});
  x.strides[1] = 12345;
  EXPECT_TRUE(Satisfies(x, LayoutNeed::kContiguous));
  EXPECT_EQ(Text(ReshapeView(x, {32})), "[32] [1] +0");
}

TEST(Layout, EmptyTensors) {
  EXPECT_EQ(Text(ReshapeView(ContiguousLayout({0, 4}), {0, 2, 2})), "[0, 2, 2] [4, 2, 1] +0");
}

}  // namespace
}  // namespace torch_tensorrt::core::tactics
