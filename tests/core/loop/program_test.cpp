#include "core/loop/program.h"

#include <gtest/gtest.h>

#include <limits>

namespace torch_tensorrt::core::loop {
namespace {

// y = gelu(x * scale + bias), and the row sums of it.
constexpr char kProgram[] = R"(loop 2
in f32 [0, 1]
in bf16 [-1, 0]
in f32 [0, -1]
out bf16
out f32 row
%0 = f32 load 0
%1 = f32 load 1
%2 = f32 load 2
%3 = f32 Mul %0 %2
%4 = f32 Add %3 %1
%5 = f32 GeluErf %4
%6 = f32 store 0 %5
%7 = f32 reduce.sum %5
%8 = f32 storerow 1 %7
)";

TEST(ProgramText, RoundTrips) {
  auto program = Program::Parse(kProgram);
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  EXPECT_EQ(program->ToString(), kProgram);
  EXPECT_TRUE(program->HasReduce());
  const std::vector<bool> expected = {false, false, true, false, false, false, false, true, true};
  EXPECT_EQ(program->RowUniform(), expected);
}

TEST(CopyProgram, LoadsAllBeforeItStoresAny) {
  const Program program = CopyProgram(2, DataType::kFloat16, 2);
  ASSERT_TRUE(program.Verify().ok()) << program.Verify().ToString();
  EXPECT_EQ(program.ToString(),
            "loop 2\nin f16 [0, 1]\nin f16 [0, 1]\nout f16\nout f16\n"
            "%0 = f32 load 0\n%1 = f32 load 1\n%2 = f32 store 0 %0\n%3 = f32 store 1 %1\n");
  EXPECT_TRUE(CopyProgram(1, DataType::kBool, 1).Verify().ok());
}

TEST(ProgramText, KeepsEveryValue) {
  const std::string text =
      "loop 1\nin i32 [0]\nout i32\nout f64\nout bool\n"
      "%0 = i32 load 0\n%1 = i32 const -7\n%2 = i32 Add %0 %1\n%3 = i32 store 0 %2\n"
      "%4 = f64 Cast %0\n%5 = f64 Softplus %4 p0=0x1.999999999999ap-4 p1=0x1.4p+4\n"
      "%6 = f64 store 1 %5\n%7 = i64 iota 0\n%8 = i64 const 3\n%9 = bool Lt %7 %8\n"
      "%10 = bool store 2 %9\n";
  auto program = Program::Parse(text);
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  EXPECT_EQ(program->ToString(), text);
  EXPECT_EQ(program->instrs[5].p0, 0.1);
}

TEST(ProgramText, KeepsSpecialConstants) {
  Program program;
  program.rank = 0;
  const double values[] = {std::numeric_limits<double>::infinity(), -0.0, 5e-324};
  for (double value : values) {
    const auto reg = static_cast<int32_t>(program.instrs.size());
    Instr constant;
    constant.type = DataType::kFloat64;
    constant.p0 = value;
    Instr store;
    store.kind = InstrKind::kStore;
    store.type = DataType::kFloat64;
    store.index = static_cast<int32_t>(program.outputs.size());
    store.args[0] = reg;
    program.instrs.push_back(constant);
    program.instrs.push_back(store);
    program.outputs.push_back({DataType::kFloat64, false});
  }
  auto parsed = Program::Parse(program.ToString());
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::bit_cast<uint64_t>(parsed->instrs[2 * i].p0),
              std::bit_cast<uint64_t>(values[i]));
  }
}

struct Fault {
  const char* text;
  const char* reason;
};

class ProgramFaults : public testing::TestWithParam<Fault> {};

TEST_P(ProgramFaults, AreRefused) {
  auto program = Program::Parse(GetParam().text);
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(program.status().message().find(GetParam().reason), std::string::npos)
      << program.status().ToString();
}

INSTANTIATE_TEST_SUITE_P(
    Faults, ProgramFaults,
    testing::Values(
        Fault{"", "empty"}, Fault{"in f32 []\n", "cannot parse"}, Fault{"loop 99\n", "rank 99"},
        Fault{"loop 1\nin f32 []\n", "maps 0 dims of 1"},
        Fault{"loop 2\nin f32 [0, 0]\n", "walks dim 0 twice"},
        Fault{"loop 1\nin f32 [0]\nin f32 acc [0]\n", "only input 0"},
        Fault{"loop 1\nin bf16 acc [0]\n", "accumulator must be f32"},
        Fault{"loop 1\nin bf16 [0]\n%0 = bf16 load 0\n", "never f16"},
        Fault{"loop 1\nin f32 [0]\n%0 = f64 load 0\n", "register type"},
        Fault{"loop 1\n%0 = f32 load 0\n", "input 0 of 0"},
        Fault{"loop 1\nin f32 [0]\n%0 = f32 load 0\n%1 = f32 Add %0 %1\n", "argument %1"},
        Fault{"loop 1\nin f32 [0]\n%0 = f32 load 0\n%1 = f32 const 0x1p+0\n%2 = f32 Lt %0 %1\n",
              "has type f32, not bool"},
        Fault{"loop 1\n%0 = f32 const 0x1p+0\n%1 = i64 const 1\n%2 = f32 Add %0 %1\n", "mixes"},
        Fault{"loop 1\n%0 = f32 const 0x1p+0\n%1 = f32 Select %0 %0 %0\n", "must be bool"},
        Fault{"loop 1\n%0 = f32 const 0x1p+0\n%1 = f32 reduce.sum %0\n", "row-uniform"},
        Fault{"loop 0\nin f32 []\n%0 = f32 load 0\n%1 = f32 reduce.sum %0\n", "needs a row"},
        Fault{"loop 1\nin i32 [0]\n%0 = i32 load 0\n%1 = i32 reduce.mean %0\n", "mean"},
        Fault{"loop 1\nin f32 [0]\nout f32\n%0 = f32 load 0\n", "stored 0 times"},
        Fault{"loop 1\nin f32 [0]\nout f32\n%0 = f32 load 0\n%1 = f32 store 0 %0\n"
              "%2 = f32 store 0 %0\n",
              "stored 2 times"},
        Fault{"loop 1\nin f32 [0]\nout f32 row\n%0 = f32 load 0\n%1 = f32 storerow 0 %0\n",
              "full register"},
        Fault{"loop 1\nin f32 [0]\nout f32 row\n%0 = f32 load 0\n%1 = f32 store 0 %0\n",
              "kind of store"},
        Fault{"loop 1\nin f32 [0]\nout f64\n%0 = f32 load 0\n%1 = f32 store 0 %0\n", "f64"},
        Fault{"loop 1\n%0 = f32 iota 0\n", "integers"}, Fault{"loop 1\n%0 = i64 iota 1\n", "iota"},
        Fault{"loop 1\n%1 = i64 iota 0\n", "cannot parse"},
        Fault{"loop 1\n%0 = i64 Frobnicate\n", "cannot parse"},
        Fault{"loop 1\nloop 1\n", "cannot parse"}));

}  // namespace
}  // namespace torch_tensorrt::core::loop
