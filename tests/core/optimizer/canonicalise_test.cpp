#include "tests/core/optimizer/harness.h"

namespace torch_tensorrt::core::optimizer {
namespace {

struct Case {
  const char* name;
  const char* before;
  const char* after;
};

class CanonicaliseRules : public testing::TestWithParam<Case> {};

TEST_P(CanonicaliseRules, Rewrite) {
  EXPECT_EQ(After(Canonicalise, GetParam().before), Normalised(GetParam().after));
}

#define TRT_X "symbol s 1 3 9\ninput %x : f32[s, 4]\n"
INSTANTIATE_TEST_SUITE_P(
    Rules, CanonicaliseRules,
    testing::Values(
        Case{"MulOne",
             TRT_X "%c = Constant() data [1] : f32[1]\n%y = Elementwise(%x, %c) {op=op:Mul}\n"
                   "output \"y\" %y\n",
             TRT_X "output \"y\" %x\n"},
        Case{"MulOneThatBroadcasts",
             TRT_X "%c = Constant() data [1] : f32[1, 1, 1]\n"
                   "%y = Elementwise(%x, %c) {op=op:Mul}\noutput \"y\" %y\n",
             TRT_X "%c = Constant() data [1] : f32[1, 1, 1]\n"
                   "%y = Elementwise(%x, %c) {op=op:Mul}\noutput \"y\" %y\n"},
        Case{"AddPositiveZeroStays",
             TRT_X "%c = Constant() data [0] : f32[]\n%y = Elementwise(%x, %c) {op=op:Add}\n"
                   "output \"y\" %y\n",
             TRT_X "%c = Constant() data [0] : f32[]\n%y = Elementwise(%x, %c) {op=op:Add}\n"
                   "output \"y\" %y\n"},
        Case{"AddNegativeZero",
             TRT_X "%c = Constant() data [-0.0] : f32[]\n%y = Elementwise(%x, %c) {op=op:Add}\n"
                   "output \"y\" %y\n",
             TRT_X "output \"y\" %x\n"},
        Case{"AddIntegerZero",
             "input %x : i64[4]\n%c = Constant() data [0] : i64[]\n"
             "%y = Elementwise(%c, %x) {op=op:Add}\noutput \"y\" %y\n",
             "input %x : i64[4]\noutput \"y\" %x\n"},
        Case{"WideningCasts",
             "input %x : bf16[4]\n%a = Cast(%x) {to=dtype:f32}\n%y = Cast(%a) {to=dtype:bf16}\n"
             "output \"y\" %y\n",
             "input %x : bf16[4]\noutput \"y\" %x\n"},
        Case{"NarrowingCastsStay",
             "input %x : f32[4]\n%a = Cast(%x) {to=dtype:bf16}\n%y = Cast(%a) {to=dtype:f32}\n"
             "output \"y\" %y\n",
             "input %x : f32[4]\n%a = Cast(%x) {to=dtype:bf16}\n%y = Cast(%a) {to=dtype:f32}\n"
             "output \"y\" %y\n"},
        Case{"Transposes",
             TRT_X "%a = Transpose(%x) {perm=[1, 0]}\n%b = Transpose(%a) {perm=[1, 0]}\n"
                   "output \"y\" %b\n",
             TRT_X "output \"y\" %x\n"},
        Case{"Reshapes",
             TRT_X "%a = Reshape(%x) {dims=sym[4*s]}\n%b = Reshape(%a) {dims=sym[s, 4]}\n"
                   "%c = Reshape(%a) {dims=sym[s, 2, 2]}\noutput \"b\" %b\noutput \"c\" %c\n",
             TRT_X "%c = Reshape(%x) {dims=sym[s, 2, 2]}\noutput \"b\" %x\noutput \"c\" %c\n"},
        Case{"ExpandBeforeAdd",
             TRT_X "input %r : f32[1, 4]\n%e = Expand(%r) {dims=sym[s, 4]}\n"
                   "%y = Elementwise(%x, %e) {op=op:Add}\noutput \"y\" %y\n",
             TRT_X "input %r : f32[1, 4]\n%y = Elementwise(%x, %r) {op=op:Add}\n"
                   "output \"y\" %y\n"},
        Case{"ExpandThatShapesTheResultStays",
             "input %x : f32[1, 4]\n%e = Expand(%x) {dims=[3, 4]}\n"
             "%y = Elementwise(%e, %x) {op=op:Add}\noutput \"y\" %y\n",
             "input %x : f32[1, 4]\n%e = Expand(%x) {dims=[3, 4]}\n"
             "%y = Elementwise(%e, %x) {op=op:Add}\noutput \"y\" %y\n"},
        Case{"Slices",
             "input %x : f32[20]\n%a = Slice(%x) {starts=[2], sizes=[8], steps=[2]}\n"
             "%b = Slice(%a) {starts=[7], sizes=[3], steps=[-3]}\noutput \"y\" %b\n",
             "input %x : f32[20]\n%b = Slice(%x) {starts=sym[16], sizes=sym[3], steps=[-6]}\n"
             "output \"y\" %b\n"},
        Case{"Rsqrt",
             TRT_X "%a = Unary(%x) {op=op:Sqrt}\n%b = Unary(%a) {op=op:Reciprocal}\n"
                   "output \"y\" %b\n",
             TRT_X "%b = Unary(%x) {op=op:Rsqrt}\noutput \"y\" %b\n"},
        Case{"PowTwo",
             TRT_X "%c = Constant() data [2] : f32[]\n%y = Elementwise(%x, %c) {op=op:Pow}\n"
                   "output \"y\" %y\n",
             TRT_X "%y = Elementwise(%x, %x) {op=op:Mul}\noutput \"y\" %y\n"},
        Case{"DivByEight",
             TRT_X "%c = Constant() data [8] : f32[]\n%y = Elementwise(%x, %c) {op=op:Div}\n"
                   "output \"y\" %y\n",
             TRT_X "%k = Constant() data [0.125] : f32[]\n"
                   "%y = Elementwise(%x, %k) {op=op:Mul}\noutput \"y\" %y\n"},
        Case{"DivByThreeStays",
             TRT_X "%c = Constant() data [3] : f32[]\n%y = Elementwise(%x, %c) {op=op:Div}\n"
                   "output \"y\" %y\n",
             TRT_X "%c = Constant() data [3] : f32[]\n%y = Elementwise(%x, %c) {op=op:Div}\n"
                   "output \"y\" %y\n"},
        Case{"CopyAndConcat", TRT_X "%a = Copy(%x)\n%b = Concat(%a) {axis=1}\noutput \"y\" %b\n",
             TRT_X "output \"y\" %x\n"},
        Case{"TransposeOfOnes",
             "input %x : f32[2, 5, 1, 1]\n%y = Transpose(%x) {perm=[0, 2, 3, 1]}\n"
             "output \"y\" %y\n",
             "input %x : f32[2, 5, 1, 1]\n%y = Reshape(%x) {dims=sym[2, 1, 1, 5]}\n"
             "output \"y\" %y\n"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(FoldConstants, RunsWhatIsKnown) {
  const std::string text =
      "input %x : f32[3]\n%i = Iota() {length=sym:3, dtype=dtype:i64, start=sym:1}\n"
      "%f = Cast(%i) {to=dtype:f32}\n%y = Elementwise(%x, %f) {op=op:Mul}\noutput \"y\" %y\n";
  EXPECT_EQ(After(FoldConstants, text),
            Normalised("input %x : f32[3]\n%f_1 = Constant() data [1, 2, 3] : f32[3]\n"
                       "%y = Elementwise(%x, %f_1) {op=op:Mul}\noutput \"y\" %y\n"));
}

TEST(FoldConstants, LeavesLargeFills) {
  const std::string text =
      "%f = Fill() {dims=[16385], dtype=dtype:f32, value=0x1p+0}\noutput \"y\" %f\n";
  EXPECT_EQ(After(FoldConstants, text), Normalised(text));
}

TEST(EliminateCommon, MergesEqualLayersOnly) {
  const std::string text =
      "input %x : f32[3]\n%a = Unary(%x) {op=op:Exp}\n%b = Unary(%x) {op=op:Exp}\n"
      "%c = Unary(%x) {op=op:Log}\n%y = Elementwise(%a, %b) {op=op:Add}\n"
      "%z = Elementwise(%y, %c) {op=op:Add}\noutput \"z\" %z\n";
  EXPECT_EQ(After(EliminateCommon, text),
            Normalised("input %x : f32[3]\n%a = Unary(%x) {op=op:Exp}\n"
                       "%c = Unary(%x) {op=op:Log}\n%y = Elementwise(%a, %a) {op=op:Add}\n"
                       "%z = Elementwise(%y, %c) {op=op:Add}\noutput \"z\" %z\n"));
}

TEST(Optimize, RefusesUnknownPassNames) {
  ir::Network network = MustParse("input %x : f32[3]\noutput \"y\" %x\n");
  EXPECT_EQ(Optimize(&network, {.disabled = {"nope"}, .verify = true, .dump = {}}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(Optimize, SkipsDisabledPassesAndReports) {
  ir::Network network = MustParse("input %x : f32[3]\n%a = Copy(%x)\noutput \"y\" %a\n");
  std::vector<std::string> dumped;
  const auto report = Optimize(&network, {.disabled = {"canonicalise"},
                                          .verify = true,
                                          .dump = [&](const std::string& pass, const std::string&) {
                                            dumped.push_back(pass);
                                          }});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(CountKind(network, ir::LayerKind::kCopy), 1);
  EXPECT_EQ(dumped.size(), report->passes.size());
  for (const PassReport& pass : report->passes) EXPECT_NE(pass.name, "canonicalise");
}

}  // namespace
}  // namespace torch_tensorrt::core::optimizer
