// Accuracy of the vector functions, through the executor, against the C library in double
// precision.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/core/kernels/cpu/loop/loop_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

using testing::ProgramWriter;
using testing::RunProgram;
using testing::Tensor;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

loop::Program UnaryProgram(PointwiseOp op, DataType in, DataType out, double p0 = 0,
                           double p1 = 0) {
  ProgramWriter writer(1);
  const int x = writer.Load(in);
  writer.Store(writer.Op(op, {x}, p0, p1), out);
  return writer.program();
}

// Error in units of the last place of the exact value's f32 neighbourhood.
double UlpError(float got, double exact) {
  if (std::isnan(exact) || std::isnan(got)) {
    return std::isnan(exact) && std::isnan(got) ? 0 : std::numeric_limits<double>::infinity();
  }
  const auto rounded = static_cast<float>(exact);
  if (got == rounded) return 0;
  if (std::isinf(got) || std::isinf(rounded)) {
    // Overflow may come one step early or late.
    const double limit = static_cast<double>(std::numeric_limits<float>::max());
    return std::abs(exact) > limit * (1 - 1e-6) &&
                   std::abs(static_cast<double>(got)) > limit * (1 - 1e-6)
               ? 1
               : std::numeric_limits<double>::infinity();
  }
  const int exponent = std::max(std::ilogb(exact), -126);
  return std::abs(static_cast<double>(got) - exact) / std::ldexp(1.0, exponent - 23);
}

double Gelu(double x) { return 0.5 * x * std::erfc(-x * 0.70710678118654752440); }
double Sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

struct Case {
  PointwiseOp op;
  double (*exact)(double);
  double ulps;
  double slack = 0;  // absolute error that is forgiven: below the normal numbers
};

const Case kCases[] = {
    {PointwiseOp::kExp, [](double x) { return std::exp(x); }, 2},
    {PointwiseOp::kExp2, [](double x) { return std::exp2(x); }, 2},
    {PointwiseOp::kExpm1, [](double x) { return std::expm1(x); }, 3},
    {PointwiseOp::kLog, [](double x) { return std::log(x); }, 2},
    {PointwiseOp::kLog2, [](double x) { return std::log2(x); }, 3},
    {PointwiseOp::kLog10, [](double x) { return std::log10(x); }, 3},
    {PointwiseOp::kLog1p, [](double x) { return std::log1p(x); }, 3},
    {PointwiseOp::kSin, [](double x) { return std::sin(x); }, 2},
    {PointwiseOp::kCos, [](double x) { return std::cos(x); }, 2},
    {PointwiseOp::kTanh, [](double x) { return std::tanh(x); }, 4},
    {PointwiseOp::kErf, [](double x) { return std::erf(x); }, 4},
    {PointwiseOp::kSigmoid, Sigmoid, 4},
    {PointwiseOp::kSilu, [](double x) { return x * Sigmoid(x); }, 4, 0x1p-142},
    {PointwiseOp::kGeluErf, Gelu, 5, 0x1p-126},
    {PointwiseOp::kSqrt, [](double x) { return std::sqrt(x); }, 0.5},
    {PointwiseOp::kRsqrt, [](double x) { return 1 / std::sqrt(x); }, 1.5},
    {PointwiseOp::kReciprocal, [](double x) { return 1 / x; }, 0.5},
    {PointwiseOp::kTan, [](double x) { return std::tan(x); }, 4},
    {PointwiseOp::kAsinh, [](double x) { return std::asinh(x); }, 4},
    {PointwiseOp::kFloor, [](double x) { return std::floor(x); }, 0},
    {PointwiseOp::kRound, [](double x) { return std::nearbyint(x); }, 0},
    {PointwiseOp::kTrunc, [](double x) { return std::trunc(x); }, 0},
    {PointwiseOp::kAbs, [](double x) { return std::abs(x); }, 0},
    {PointwiseOp::kNeg, [](double x) { return -x; }, 0},
    {PointwiseOp::kRelu, [](double x) { return x < 0 ? 0 : x; }, 0},
};

class VecMath : public ::testing::TestWithParam<Case> {};

// Bit patterns over the whole range of f32, an odd stride apart, and the neighbourhoods of 0 and 1.
TEST_P(VecMath, UlpBoundOverAllMagnitudes) {
  const Case& test = GetParam();
  constexpr int64_t kBlock = 1 << 16;
  constexpr uint64_t kStride = 2039;
  Tensor in(DataType::kFloat32, {kBlock});
  Tensor out(DataType::kFloat32, {kBlock});
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  inputs.push_back(std::move(in));
  outputs.push_back(std::move(out));
  const loop::Program program = UnaryProgram(test.op, DataType::kFloat32, DataType::kFloat32);
  double worst = 0;
  float worst_at = 0;
  for (uint64_t start = 0; start < (uint64_t{1} << 32); start += kStride * kBlock) {
    for (int64_t i = 0; i < kBlock; ++i) {
      const uint64_t bits = start + kStride * static_cast<uint64_t>(i);
      inputs[0].data<float>()[i] = std::bit_cast<float>(static_cast<uint32_t>(bits));
    }
    ASSERT_TRUE(RunProgram(program, {kBlock}, inputs, outputs).ok());
    for (int64_t i = 0; i < kBlock; ++i) {
      const float x = inputs[0].data<float>()[i];
      const double exact = test.exact(static_cast<double>(x));
      const float got = outputs[0].data<float>()[i];
      const double error = UlpError(got, exact);
      const bool forgiven = std::abs(static_cast<double>(got) - exact) <= test.slack;
      if (error > worst && !forgiven) {
        worst = error;
        worst_at = x;
      }
    }
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, test.ulps) << InfoOf(test.op).name << " at " << worst_at;
}

INSTANTIATE_TEST_SUITE_P(Ops, VecMath, ::testing::ValuesIn(kCases), [](const auto& param_info) {
  return std::string(InfoOf(param_info.param.op).name);
});

float Eval(PointwiseOp op, float x, double p0 = 0, double p1 = 0) {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  inputs.emplace_back(DataType::kFloat32, Dims{1});
  outputs.emplace_back(DataType::kFloat32, Dims{1});
  inputs[0].data<float>()[0] = x;
  const auto program = UnaryProgram(op, DataType::kFloat32, DataType::kFloat32, p0, p1);
  EXPECT_TRUE(RunProgram(program, {1}, inputs, outputs).ok());
  return outputs[0].data<float>()[0];
}

TEST(VecMathSpecial, ZerosInfinitiesAndNan) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Eval(PointwiseOp::kExp, -inf), 0);
  EXPECT_EQ(Eval(PointwiseOp::kExp, inf), inf);
  EXPECT_EQ(Eval(PointwiseOp::kLog, 0), -inf);
  EXPECT_EQ(Eval(PointwiseOp::kLog, -0.0F), -inf);
  EXPECT_TRUE(std::isnan(Eval(PointwiseOp::kLog, -1)));
  EXPECT_EQ(Eval(PointwiseOp::kLog1p, -1), -inf);
  EXPECT_EQ(Eval(PointwiseOp::kLog1p, inf), inf);
  EXPECT_EQ(Eval(PointwiseOp::kLog2, 8), 3);
  EXPECT_EQ(Eval(PointwiseOp::kTanh, inf), 1);
  EXPECT_EQ(Eval(PointwiseOp::kTanh, -inf), -1);
  EXPECT_EQ(Eval(PointwiseOp::kErf, -inf), -1);
  EXPECT_TRUE(std::isnan(Eval(PointwiseOp::kSin, inf)));
  EXPECT_EQ(Eval(PointwiseOp::kSigmoid, -inf), 0);
  EXPECT_TRUE(std::isnan(Eval(PointwiseOp::kSilu, -inf)));     // as torch
  EXPECT_TRUE(std::isnan(Eval(PointwiseOp::kGeluErf, -inf)));  // as torch
  EXPECT_EQ(Eval(PointwiseOp::kGeluErf, inf), inf);
  EXPECT_EQ(Eval(PointwiseOp::kSign, static_cast<float>(kNan)), 0);  // as torch
  for (PointwiseOp op : {PointwiseOp::kSin, PointwiseOp::kTanh, PointwiseOp::kErf,
                         PointwiseOp::kExpm1, PointwiseOp::kLog1p, PointwiseOp::kNeg}) {
    const bool negative = op != PointwiseOp::kNeg;
    EXPECT_EQ(std::signbit(Eval(op, -0.0F)), negative) << InfoOf(op).name;
    EXPECT_EQ(Eval(op, -0.0F), 0) << InfoOf(op).name;
  }
  for (PointwiseOp op : {PointwiseOp::kRelu, PointwiseOp::kGeluErf, PointwiseOp::kGeluTanh,
                         PointwiseOp::kHardSwish, PointwiseOp::kHardSigmoid, PointwiseOp::kTanh,
                         PointwiseOp::kExp, PointwiseOp::kErf, PointwiseOp::kCos}) {
    EXPECT_TRUE(std::isnan(Eval(op, static_cast<float>(kNan)))) << InfoOf(op).name;
  }
}

TEST(VecMathSpecial, HardActivations) {
  for (float x = -4; x < 4; x += 0.125F) {
    const double gate = std::min(std::max(static_cast<double>(x) + 3, 0.0), 6.0) / 6;
    EXPECT_FLOAT_EQ(Eval(PointwiseOp::kHardSigmoid, x), static_cast<float>(gate));
    EXPECT_FLOAT_EQ(Eval(PointwiseOp::kHardSwish, x), static_cast<float>(gate * x));
  }
}

TEST(VecMathSpecial, Parameters) {
  EXPECT_EQ(Eval(PointwiseOp::kClamp, 7, -1, 2), 2);
  EXPECT_EQ(Eval(PointwiseOp::kClamp, -7, -1, 2), -1);
  EXPECT_TRUE(std::isnan(Eval(PointwiseOp::kClamp, static_cast<float>(kNan), -1, 2)));
  EXPECT_EQ(Eval(PointwiseOp::kLeakyRelu, -4, 0.25), -1);
  EXPECT_EQ(Eval(PointwiseOp::kElu, 3, 1, 2), 6);
  EXPECT_NEAR(Eval(PointwiseOp::kElu, -1, 2, 1), 2 * std::expm1(-1.0), 1e-6);
  EXPECT_EQ(Eval(PointwiseOp::kSoftplus, 30, 1, 20), 30);
  EXPECT_NEAR(Eval(PointwiseOp::kSoftplus, 0.5F, 2, 20), std::log1p(std::exp(1.0)) / 2, 1e-6);
}

// The tanh form of GELU: small error relative to |x|, and relative to the result where it is not
// tiny.
TEST(VecMathSpecial, GeluTanh) {
  for (float x = -12; x < 12; x += 0.0137F) {
    const double d = static_cast<double>(x);
    const double u = 1.5957691216057308 * (d + 0.044715 * d * d * d);
    const double exact = d * Sigmoid(u);
    const double got = static_cast<double>(Eval(PointwiseOp::kGeluTanh, x));
    EXPECT_NEAR(got, exact, std::abs(exact) * (4 + 2 * std::abs(u)) * 0x1p-23 + 0x1p-145) << x;
  }
}

// Every bf16 and f16 value through a unary operation with a result of the same type.
class HalfUnary : public ::testing::TestWithParam<DataType> {};

TEST_P(HalfUnary, ExhaustiveRoundedOnce) {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  inputs.emplace_back(GetParam(), Dims{65536});
  outputs.emplace_back(GetParam(), Dims{65536});
  for (int i = 0; i < 65536; ++i) inputs[0].data<uint16_t>()[i] = static_cast<uint16_t>(i);
  for (const Case& test : kCases) {
    const auto program = UnaryProgram(test.op, GetParam(), GetParam());
    ASSERT_TRUE(RunProgram(program, {65536}, inputs, outputs).ok());
    for (int64_t i = 0; i < 65536; ++i) {
      const double exact = test.exact(inputs[0].Get(i));
      Tensor rounded(GetParam(), Dims{1});
      // Either neighbour of an f32 result that lies near a tie is right.
      const float nearest = static_cast<float>(exact);
      bool ok = std::abs(outputs[0].Get(i) - exact) <= test.slack;
      for (const float f : {nearest, nearest * (1 - 0x1p-21F), nearest * (1 + 0x1p-21F)}) {
        rounded.Set(0, static_cast<double>(f));
        const double want = rounded.Get(0);
        const double got = outputs[0].Get(i);
        ok = ok || got == want || (std::isnan(got) && std::isnan(want));
      }
      ASSERT_TRUE(ok) << InfoOf(test.op).name << " of " << inputs[0].Get(i) << ": "
                      << outputs[0].Get(i) << ", exact " << exact;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Types, HalfUnary,
                         ::testing::Values(DataType::kBFloat16, DataType::kFloat16),
                         [](const auto& param_info) {
                           return std::string(DataTypeName(param_info.param));
                         });

}  // namespace
}  // namespace torch_tensorrt::core::kernels
