#include "core/types/sym_compare.h"

#include <gtest/gtest.h>

#include <random>

namespace torch_tensorrt::core {
namespace {

const SymbolRanges kRanges = {{"a", {0, 9}}, {"b", {0, 9}}, {"u", {-5, 5}}};

SymInt S(const char* name) { return SymInt::Symbol(name); }

TEST(SymCompare, RemaindersAreWithinTheirDivisor) {
  for (const SymInt& size : {S("a"), S("a") * S("b"), FloorDiv(S("a"), FloorDiv(S("b"), 2))}) {
    const SymInt rest = Mod(SymInt(-3), size);
    EXPECT_TRUE(IsNonNegative(rest, kRanges)) << rest;
    EXPECT_TRUE(IsNonNegative(size - rest - 1, kRanges)) << rest;
    EXPECT_TRUE(IsNonNegative(size * 2 - rest * 2 - 2, kRanges)) << rest;
    EXPECT_FALSE(IsNonNegative(rest - 1, kRanges)) << rest;
    EXPECT_FALSE(IsNonNegative(size - rest - 2, kRanges)) << rest;
  }
}

TEST(SymCompare, QuotientsMinimaAndMaximaRelateToTheirOperands) {
  const SymInt a = S("a");
  const SymInt b = S("b");
  EXPECT_TRUE(IsNonNegative(a - FloorDiv(a, 2), kRanges));
  EXPECT_TRUE(IsNonNegative(a - FloorDiv(a, 2) * 2, kRanges));
  EXPECT_TRUE(IsNonNegative(S("u") - FloorDiv(S("u"), 3) * 3, kRanges));
  EXPECT_TRUE(IsNonNegative(FloorDiv(S("u"), 3) * 3 - S("u") + 2, kRanges));
  EXPECT_FALSE(IsNonNegative(FloorDiv(a, 3) * 3 - a + 1, kRanges));
  EXPECT_TRUE(IsNonNegative(a - Min(a, b), kRanges));
  EXPECT_TRUE(IsNonNegative(b - Min(a, b), kRanges));
  EXPECT_TRUE(IsNonNegative(Max(a, S("u")) - S("u"), kRanges));
  EXPECT_FALSE(IsNonNegative(Min(a, b) - a, kRanges));
}

TEST(SymCompare, AnUnsignedDivisorSaysNothing) {
  EXPECT_FALSE(IsNonNegative(Mod(S("a"), S("u")), kRanges));
  EXPECT_FALSE(IsNonNegative(FloorDiv(S("a"), S("u")), kRanges));
  EXPECT_FALSE(IsNonNegative(S("u") - Mod(S("a"), S("u")), kRanges));
}

SymInt RandomTerm(std::mt19937* rng, int depth) {
  auto pick = [&](int n) { return static_cast<int>((*rng)() % static_cast<unsigned>(n)); };
  if (depth == 0) return pick(2) == 0 ? S(pick(2) == 0 ? "a" : "u") : SymInt(pick(7) - 2);
  const SymInt x = RandomTerm(rng, depth - 1);
  const SymInt y = RandomTerm(rng, depth - 1);
  switch (pick(7)) {
    case 0:
      return x + y;
    case 1:
      return x - y;
    case 2:
      return x * y;
    case 3:
      return FloorDiv(x, y);
    case 4:
      return Mod(x, y);
    case 5:
      return Min(x, y);
    default:
      return Max(x, y);
  }
}

// Whatever is called non-negative, and whatever bounds are given, hold at every defined point.
TEST(SymCompare, ProofsHoldForEveryValue) {
  std::mt19937 rng(11);
  int proofs = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const SymInt e = RandomTerm(&rng, 3) - RandomTerm(&rng, 2);
    const bool proved = IsNonNegative(e, kRanges);
    const SymRange range = e.Bounds(kRanges);
    proofs += proved ? 1 : 0;
    for (int64_t a = 0; a <= 9; ++a) {
      for (int64_t u = -5; u <= 5; ++u) {
        const auto value = e.Evaluate([&](std::string_view n) { return n == "a" ? a : u; });
        if (!value.ok()) continue;
        ASSERT_TRUE(!proved || *value >= 0) << e << " at a=" << a << " u=" << u;
        ASSERT_LE(range.min, *value) << e << " at a=" << a << " u=" << u;
        ASSERT_GE(range.max, *value) << e << " at a=" << a << " u=" << u;
      }
    }
  }
  EXPECT_GT(proofs, 30);
}

}  // namespace
}  // namespace torch_tensorrt::core
