// Reductions inside loops.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/kernels/cpu/loop/executor.h"
#include "tests/core/kernels/cpu/loop/loop_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

using loop::ReduceOp;
using testing::Filled;
using testing::ProgramWriter;
using testing::RunProgram;
using testing::Tensor;

constexpr DataType kF32 = DataType::kFloat32;
constexpr double kInf = std::numeric_limits<double>::infinity();

double Reduced(ReduceOp op, const Tensor& in, int64_t begin, int64_t n) {
  double sum = 0, product = 1, high = -kInf, low = kInf;
  bool any = false, all = true;
  for (int64_t i = begin; i < begin + n; ++i) {
    const double x = in.Get(i);
    sum += x;
    product *= x;
    high = std::isnan(x) || x > high ? x : high;
    low = std::isnan(x) || x < low ? x : low;
    any = any || x != 0;
    all = all && x != 0;
    if (std::isnan(x)) return x;
  }
  switch (op) {
    case ReduceOp::kSum:
      return sum;
    case ReduceOp::kMean:
      return sum / static_cast<double>(n);
    case ReduceOp::kMax:
      return high;
    case ReduceOp::kMin:
      return low;
    case ReduceOp::kProd:
      return product;
    case ReduceOp::kAny:
      return any ? 1 : 0;
    case ReduceOp::kAll:
      return all ? 1 : 0;
  }
  return 0;
}

TEST(LoopExecutor, EveryReductionOfEveryType) {
  const DataType types[] = {kF32,
                            DataType::kFloat64,
                            DataType::kInt64,
                            DataType::kInt32,
                            DataType::kInt16,
                            DataType::kInt8,
                            DataType::kUInt8,
                            DataType::kBool};
  const ReduceOp ops[] = {ReduceOp::kSum,  ReduceOp::kMean, ReduceOp::kMax, ReduceOp::kMin,
                          ReduceOp::kProd, ReduceOp::kAny,  ReduceOp::kAll};
  int ran = 0;
  for (DataType type : types) {
    for (ReduceOp op : ops) {
      const bool logical = op == ReduceOp::kAny || op == ReduceOp::kAll;
      if (type == DataType::kBool && !logical) continue;
      if (op == ReduceOp::kMean && !IsFloat(type)) continue;
      ++ran;
      ProgramWriter writer(2);
      writer.Store(writer.Reduce(op, writer.Load(type)), logical ? DataType::kBool : type, true);
      for (int64_t n : {1, 7, 33, 100, 4500}) {
        if (op == ReduceOp::kProd && n > 7) continue;
        const auto in = Filled({{type, {3, n}}});
        const auto out = Filled({{logical ? DataType::kBool : type, {3}}});
        ASSERT_TRUE(RunProgram(writer.program(), {3, n}, in, out).ok());
        for (int64_t r = 0; r < 3; ++r) {
          double exact = Reduced(op, in[0], r * n, n);
          if (!IsFloat(type) && SizeOf(type) < 4 && !logical) {
            const int64_t wrapped = static_cast<int64_t>(exact);
            if (type == DataType::kInt16) exact = static_cast<int16_t>(wrapped);
            if (type == DataType::kInt8) exact = static_cast<int8_t>(wrapped);
            if (type == DataType::kUInt8) exact = static_cast<uint8_t>(wrapped);
          }
          const double bound = IsFloat(type) ? 2e-6 * (std::abs(exact) + std::sqrt(n)) : 0;
          ASSERT_NEAR(out[0].Get(r), exact, bound)
              << loop::ReduceOpName(op) << " " << DataTypeName(type) << " " << n;
        }
      }
    }
  }
  EXPECT_EQ(ran, 7 + 7 + 5 * 6 + 2);
}

TEST(LoopExecutor, ReductionsKeepNanAndHandleEmptyRows) {
  for (ReduceOp op : {ReduceOp::kMax, ReduceOp::kMin, ReduceOp::kSum}) {
    ProgramWriter writer(2);
    writer.Store(writer.Reduce(op, writer.Load(kF32)), kF32, true);
    for (int64_t n : {3, 40, 5000}) {
      for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
        auto in = Filled({{kF32, {2, n}}});
        in[0].Set(n + at, std::nan(""));
        const auto out = Filled({{kF32, {2}}});
        ASSERT_TRUE(RunProgram(writer.program(), {2, n}, in, out).ok());
        EXPECT_FALSE(std::isnan(out[0].Get(0)));
        EXPECT_TRUE(std::isnan(out[0].Get(1))) << loop::ReduceOpName(op) << n << " " << at;
      }
    }
    const auto in = Filled({{kF32, {2, 0}}});
    const auto out = Filled({{kF32, {2}}});
    ASSERT_TRUE(RunProgram(writer.program(), {2, 0}, in, out).ok());
    EXPECT_EQ(out[0].Get(1), op == ReduceOp::kSum ? 0 : op == ReduceOp::kMax ? -kInf : kInf);
  }
}

// A long f32 sum is as accurate as pairwise summation.
TEST(LoopExecutor, LongSumIsAccurate) {
  const int64_t n = 1 << 20;
  ProgramWriter writer(1);
  writer.Store(writer.Reduce(ReduceOp::kSum, writer.Load(kF32)), kF32, true);
  std::vector<Tensor> in;
  in.emplace_back(kF32, Dims{n});
  for (int64_t i = 0; i < n; ++i) in[0].Set(i, 0.1);
  const auto out = Filled({{kF32, {}}});
  ASSERT_TRUE(RunProgram(writer.program(), {n}, in, out).ok());
  const double exact = static_cast<double>(0.1F) * static_cast<double>(n);
  EXPECT_NEAR(out[0].Get(0), exact, exact * 1e-6);
}

TEST(LoopExecutor, ReducesABroadcastRow) {
  ProgramWriter writer(2);
  const int x = writer.Load(kF32);
  const int sum = writer.Reduce(ReduceOp::kSum, x);
  writer.Store(sum, kF32, true);
  writer.Store(sum, kF32);
  const auto in = Filled({{kF32, {4, 1}}});
  const auto out = Filled({{kF32, {4}}, {kF32, {4, 33}}});
  ASSERT_TRUE(RunProgram(writer.program(), {4, 33}, in, out).ok());
  for (int64_t r = 0; r < 4; ++r) {
    EXPECT_NEAR(out[0].Get(r), 33 * in[0].Get(r), 1e-4);
    EXPECT_EQ(out[1].Get(r * 33 + 32), out[0].Get(r));
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
