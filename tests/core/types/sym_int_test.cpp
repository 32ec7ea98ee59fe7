#include "core/types/sym_int.h"

#include <gtest/gtest.h>

#include <random>

namespace torch_tensorrt::core {
namespace {

SymInt S(const char* name) { return SymInt::Symbol(name); }

int64_t Value(const SymInt& e, int64_t a, int64_t b) {
  auto result = e.Evaluate([&](std::string_view n) -> std::optional<int64_t> {
    if (n == "a") return a;
    if (n == "b") return b;
    return std::nullopt;
  });
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  return result.ok() ? *result : 0;
}

TEST(SymInt, CanonicalFormMakesEqualSumsEqual) {
  const SymInt a = S("a");
  const SymInt b = S("b");
  EXPECT_EQ(a + b, b + a);
  EXPECT_EQ((a + 1) * (b - 1), a * b - a + b - 1);
  EXPECT_EQ(a - a, SymInt(0));
  EXPECT_EQ(a * 2 * 3, SymInt(6) * a);
  EXPECT_FALSE(a == b);
  EXPECT_FALSE(a == a + 1);
}

TEST(SymInt, DivisionsThatComeOutEvenDisappear) {
  const SymInt a = S("a");
  const SymInt b = S("b");
  EXPECT_EQ(FloorDiv(a * 12, 4), a * 3);
  EXPECT_EQ(FloorDiv(a * b * 6, a * 2), b * 3);
  EXPECT_EQ(Mod(a * 8 + 5, 4), SymInt(1));
  EXPECT_EQ(FloorDiv(a * 4 + 7, 4), a + 1);
  EXPECT_EQ(Min(a, a + 3), a);
  EXPECT_EQ(Max(a, a + 3), a + 3);
}

TEST(SymInt, TextRoundTrips) {
  const SymInt a = S("a");
  const SymInt b = S("b");
  for (const SymInt& e : {SymInt(-7), a, a * b * 3 - 2, FloorDiv(a + b, 3) * 2 + Mod(a, b),
                          Min(a, b) - Max(a * 2, FloorDiv(b, a))}) {
    auto parsed = SymInt::Parse(e.ToString());
    ASSERT_TRUE(parsed.ok()) << e.ToString() << ": " << parsed.status().ToString();
    EXPECT_EQ(*parsed, e) << e.ToString();
  }
}

TEST(SymInt, ParseRefusesWhatIsNoExpression) {
  for (const char* text : {"", "a+", "1 2", "floordiv(a)", "sqrt(a,b)", "99999999999999999999",
                           "(a", "a)", "a*", "+", "a//b"}) {
    EXPECT_FALSE(SymInt::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(SymInt::Parse(std::string(5000, '1')).ok());
  EXPECT_FALSE(SymInt::Parse(std::string(100, '(') + "a" + std::string(100, ')')).ok());
  EXPECT_FALSE(SymInt::Parse(std::string(200, '-') + "a").ok());
}

// Random expressions: simplification must not change the value, whatever the symbols are.
TEST(SymInt, RandomExpressionsKeepTheirValue) {
  std::mt19937 rng(7);
  auto pick = [&](int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); };
  for (int trial = 0; trial < 500; ++trial) {
    const int64_t av = 1 + pick(9);
    const int64_t bv = 1 + pick(9);
    SymInt e = S("a");
    int64_t expected = av;
    for (int step = 0; step < 6; ++step) {
      const bool symbolic = pick(2) == 0;
      const SymInt operand = symbolic ? S("b") : SymInt(1 + pick(5));
      const int64_t v = symbolic ? bv : operand.constant();
      auto floordiv = [](int64_t x, int64_t y) { return x / y - ((x % y != 0 && x < 0) ? 1 : 0); };
      switch (pick(7)) {
        case 0:
          e = e + operand;
          expected += v;
          break;
        case 1:
          e = e - operand;
          expected -= v;
          break;
        case 2:
          e = e * operand;
          expected *= v;
          break;
        case 3:
          e = FloorDiv(e, operand);
          expected = floordiv(expected, v);
          break;
        case 4:
          e = Mod(e, operand);
          expected -= floordiv(expected, v) * v;
          break;
        case 5:
          e = Min(e, operand);
          expected = std::min(expected, v);
          break;
        default:
          e = Max(e, operand);
          expected = std::max(expected, v);
          break;
      }
    }
    EXPECT_EQ(Value(e, av, bv), expected) << e.ToString();
    auto parsed = SymInt::Parse(e.ToString());
    ASSERT_TRUE(parsed.ok()) << e.ToString();
    EXPECT_EQ(Value(*parsed, av, bv), expected) << e.ToString();
    const SymRange range = e.Bounds({{"a", {1, 9}}, {"b", {1, 9}}});
    EXPECT_LE(range.min, expected) << e.ToString();
    EXPECT_GE(range.max, expected) << e.ToString();
  }
}

TEST(SymInt, EvaluateReportsUnknownSymbolsDivisionByZeroAndOverflow) {
  auto none = [](std::string_view) -> std::optional<int64_t> { return std::nullopt; };
  auto zero = [](std::string_view) -> std::optional<int64_t> { return 0; };
  auto huge = [](std::string_view) -> std::optional<int64_t> { return INT64_MAX / 2; };
  EXPECT_NE(S("a").Evaluate(none).status().message().find("a"), std::string::npos);
  EXPECT_FALSE(FloorDiv(SymInt(3), S("a")).Evaluate(zero).ok());
  EXPECT_FALSE((S("a") * S("b")).Evaluate(huge).ok());
}

// The one quotient of two int64 that is none.
TEST(SymInt, FoldingLeavesTheOverflowingQuotientToEvaluate) {
  auto none = [](std::string_view) -> std::optional<int64_t> { return std::nullopt; };
  for (const char* text :
       {"floordiv(-9223372036854775807-1,-1)", "mod(-9223372036854775807-1,-1)"}) {
    const auto parsed = SymInt::Parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_FALSE(parsed->is_constant()) << text;
    EXPECT_EQ(parsed->Evaluate(none).status().code(), StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(FloorDiv(SymInt(INT64_MIN), SymInt(1)), SymInt(INT64_MIN));
  EXPECT_EQ(Mod(SymInt(INT64_MIN), SymInt(-2)), SymInt(0));
}

TEST(SymInt, ParseRefusesWhatExpandsWithoutEnd) {
  std::string product = "(a+b+c+d+e+f+g+h)";
  for (int i = 0; i < 100; ++i) product += "*(a+b+c+d+e+f+g+h)";
  EXPECT_EQ(SymInt::Parse(product).status().code(), StatusCode::kInvalidArgument);
  std::string nested = "a";
  for (int i = 0; i < 30; ++i) nested = "(a+b+c+d)*floordiv(" + nested + ",3)";
  EXPECT_EQ(SymInt::Parse(nested).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(SymInt::Parse("(a+b)*(a+b)*(a+b)*(a+b)").ok());
}

TEST(SymInt, SubstituteReplacesInsideFunctions) {
  const SymInt e = FloorDiv(S("a") + 1, S("b")) + S("a");
  const SymInt replaced = e.Substitute({{"a", SymInt(7)}, {"b", SymInt(2)}});
  EXPECT_EQ(replaced, SymInt(11));
}

}  // namespace
}  // namespace torch_tensorrt::core
