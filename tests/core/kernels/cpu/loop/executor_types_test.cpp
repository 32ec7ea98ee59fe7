// Integers, casts and comparisons inside loops.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/kernels/cpu/loop/executor.h"
#include "tests/core/kernels/cpu/loop/loop_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

using testing::Filled;
using testing::ProgramWriter;
using testing::RunProgram;
using testing::Tensor;

constexpr DataType kF32 = DataType::kFloat32;
constexpr double kInf = std::numeric_limits<double>::infinity();

// Operations on integers, with the corners that C++ leaves undefined.
template <typename T>
T EvalInt(PointwiseOp op, DataType type, T a, T b) {
  ProgramWriter writer(1);
  const int x = writer.Load(type);
  std::vector<int> args = {x};
  std::vector<Tensor> in;
  in.emplace_back(type, Dims{3});
  for (int64_t i = 0; i < 3; ++i) in[0].data<T>()[i] = a;
  if (InfoOf(op).arity == 2) {
    args.push_back(writer.Load(type));
    in.emplace_back(type, Dims{3});
    for (int64_t i = 0; i < 3; ++i) in[1].data<T>()[i] = b;
  }
  writer.Store(writer.Op(op, args), type);
  std::vector<Tensor> out;
  out.emplace_back(type, Dims{3});
  EXPECT_TRUE(RunProgram(writer.program(), {3}, in, out).ok());
  return out[0].data<T>()[2];
}

TEST(LoopExecutor, IntegerCorners) {
  constexpr auto kI32 = DataType::kInt32;
  constexpr auto kI64 = DataType::kInt64;
  const int32_t low = std::numeric_limits<int32_t>::min();
  EXPECT_EQ(EvalInt<int32_t>(PointwiseOp::kAdd, kI32, INT32_MAX, 1), low);
  EXPECT_EQ(EvalInt<int32_t>(PointwiseOp::kTruncDiv, kI32, low, -1), low);
  EXPECT_EQ(EvalInt<int32_t>(PointwiseOp::kTruncDiv, kI32, 5, 0), 0);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kRemainder, kI64, 5, 0), 0);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kRemainder, kI64, -7, 3), 2);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kRemainder, kI64, 7, -3), -2);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kFmod, kI64, -7, 3), -1);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kFloorDiv, kI64, -7, 3), -3);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kTruncDiv, kI64, -7, 3), -2);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kPow, kI64, 3, 4), 81);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kPow, kI64, -1, -3), -1);
  EXPECT_EQ(EvalInt<int64_t>(PointwiseOp::kPow, kI64, 2, -1), 0);
  EXPECT_EQ(EvalInt<int32_t>(PointwiseOp::kShiftLeft, kI32, 1, 40), 0);
  EXPECT_EQ(EvalInt<int32_t>(PointwiseOp::kShiftRight, kI32, -8, 40), -1);
  EXPECT_EQ(EvalInt<int32_t>(PointwiseOp::kShiftRight, kI32, -8, 1), -4);
  EXPECT_EQ(EvalInt<int32_t>(PointwiseOp::kAbs, kI32, low, 0), low);
  EXPECT_EQ(EvalInt<uint8_t>(PointwiseOp::kSub, DataType::kUInt8, 3, 5), 254);
  EXPECT_EQ(EvalInt<int8_t>(PointwiseOp::kMul, DataType::kInt8, 100, 3), 44);
  EXPECT_EQ(EvalInt<uint8_t>(PointwiseOp::kBitNot, DataType::kBool, 1, 0), 0);
  EXPECT_EQ(EvalInt<uint8_t>(PointwiseOp::kAdd, DataType::kBool, 1, 1), 1);
}

TEST(LoopExecutor, FloatDivisionCornersAsTorch) {
  const double nan = std::nan("");
  const double a[] = {1, -1, 0, 5, kInf, -7, 7, 5, 5.5};
  const double b[] = {0, 0, 0, kInf, 2, 2, -2, -kInf, 0.5};
  const double floor_div[] = {kInf, -kInf, nan, 0, nan, -4, -4, -1, 11};
  const double remainder[] = {nan, nan, nan, 5, nan, 1, -1, -kInf, 0};
  for (DataType type : {kF32, DataType::kFloat64}) {
    ProgramWriter writer(1);
    const int x = writer.Load(type);
    const int y = writer.Load(type);
    writer.Store(writer.Op(PointwiseOp::kFloorDiv, {x, y}), type);
    writer.Store(writer.Op(PointwiseOp::kRemainder, {x, y}), type);
    auto in = Filled({{type, {9}}, {type, {9}}});
    for (int i = 0; i < 9; ++i) {
      in[0].Set(i, a[i]);
      in[1].Set(i, b[i]);
    }
    const auto out = Filled({{type, {9}}, {type, {9}}});
    ASSERT_TRUE(RunProgram(writer.program(), {9}, in, out).ok());
    for (int i = 0; i < 9; ++i) {
      EXPECT_TRUE(out[0].Get(i) == floor_div[i] ||
                  (std::isnan(floor_div[i]) && std::isnan(out[0].Get(i))))
          << i;
      EXPECT_TRUE(out[1].Get(i) == remainder[i] ||
                  (std::isnan(remainder[i]) && std::isnan(out[1].Get(i))))
          << i;
    }
  }
}

TEST(LoopExecutor, CastsBetweenAllTypes) {
  const DataType types[] = {kF32,
                            DataType::kFloat16,
                            DataType::kBFloat16,
                            DataType::kFloat64,
                            DataType::kInt64,
                            DataType::kInt32,
                            DataType::kInt16,
                            DataType::kInt8,
                            DataType::kUInt8,
                            DataType::kBool};
  for (DataType from : types) {
    for (DataType to : types) {
      ProgramWriter writer(1);
      const DataType reg = IsHalf(to) ? kF32 : to;
      writer.Store(writer.Cast(writer.Load(from), reg), to);
      auto in = Filled({{from, {37}}});
      const auto out = Filled({{to, {37}}});
      ASSERT_TRUE(RunProgram(writer.program(), {37}, in, out).ok());
      for (int64_t i = 0; i < 37; ++i) {
        const double x = in[0].Get(i);
        Tensor want(to, Dims{1});
        want.Set(0, to == DataType::kBool ? x : IsFloat(to) ? x : std::trunc(x));
        if (to == DataType::kUInt8)
          want.data<uint8_t>()[0] = static_cast<uint8_t>(static_cast<int>(x));
        ASSERT_EQ(out[0].Get(i), want.Get(0)) << DataTypeName(from) << DataTypeName(to) << x;
      }
    }
  }
}

TEST(LoopExecutor, ComparisonsAndSelectWithScalars) {
  ProgramWriter writer(2);
  const int x = writer.Load(kF32);
  const int limit = writer.Load(kF32, {0, -1});
  const int above = writer.Op(PointwiseOp::kGt, {x, limit});
  const int not_above = writer.Op(PointwiseOp::kLogicalNot, {above});
  writer.Store(writer.Op(PointwiseOp::kSelect, {above, limit, x}), kF32);
  writer.Store(writer.Op(PointwiseOp::kSelect, {not_above, x, writer.Const(kF32, 9)}), kF32);
  writer.Store(above, DataType::kBool);
  for (int64_t n : {5, 33, 3000}) {
    const auto in = Filled({{kF32, {7, n}}, {kF32, {7}}});
    const auto out = Filled({{kF32, {7, n}}, {kF32, {7, n}}, {DataType::kBool, {7, n}}});
    ASSERT_TRUE(RunProgram(writer.program(), {7, n}, in, out).ok());
    for (int64_t i = 0; i < 7 * n; ++i) {
      const bool greater = in[0].Get(i) > in[1].Get(i / n);
      ASSERT_EQ(out[0].Get(i), greater ? in[1].Get(i / n) : in[0].Get(i));
      ASSERT_EQ(out[1].Get(i), greater ? 9 : in[0].Get(i));
      ASSERT_EQ(out[2].data<uint8_t>()[i], greater ? 1 : 0);
    }
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
