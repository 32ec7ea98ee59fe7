#include "core/kernels/cpu/loop/executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/kernels/kernel.h"
#include "tests/core/kernels/cpu/loop/loop_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

using loop::ReduceOp;
using testing::ProgramWriter;
using testing::RunProgram;
using testing::Tensor;

constexpr DataType kF32 = DataType::kFloat32;
constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<Tensor> Filled(std::vector<std::pair<DataType, Dims>> specs) {
  std::vector<Tensor> tensors;
  uint64_t seed = 1;
  for (const auto& [dtype, dims] : specs) {
    tensors.emplace_back(dtype, dims);
    tensors.back().Fill(seed++);
  }
  return tensors;
}

// Sizes around the vector width and the tile size.
const int64_t kSizes[] = {0, 1, 7, 31, 33, 257, 1024, 1025, 5000};

TEST(LoopExecutor, AddOfEverySize) {
  ProgramWriter writer(1);
  const int a = writer.Load(kF32);
  const int b = writer.Load(kF32);
  writer.Store(writer.Op(PointwiseOp::kAdd, {a, b}), kF32);
  for (int64_t n : kSizes) {
    const auto in = Filled({{kF32, {n}}, {kF32, {n}}});
    const auto out = Filled({{kF32, {n}}});
    ASSERT_TRUE(RunProgram(writer.program(), {n}, in, out).ok());
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(out[0].data<float>()[i], in[0].data<float>()[i] + in[1].data<float>()[i]) << i;
    }
  }
}

// out[m, n] = (x[m, n] * scale[m] + bias[n]) in every combination of 16-bit types, over odd shapes.
TEST(LoopExecutor, RowAndColumnBroadcasts) {
  for (DataType type : {kF32, DataType::kBFloat16, DataType::kFloat16, DataType::kFloat64}) {
    ProgramWriter writer(2);
    const int x = writer.Load(type);
    const int scale = writer.Load(type, {0, -1});
    const int bias = writer.Load(type, {-1, 0});
    const int scaled = writer.Op(PointwiseOp::kMul, {x, scale});
    writer.Store(writer.Op(PointwiseOp::kAdd, {bias, scaled}), type);
    for (int64_t m : {1, 7, 300}) {
      for (int64_t n : {1, 3, 33, 257, 2000}) {
        const auto in = Filled({{type, {m, n}}, {type, {m}}, {type, {n}}});
        const auto out = Filled({{type, {m, n}}});
        ASSERT_TRUE(RunProgram(writer.program(), {m, n}, in, out).ok());
        for (int64_t i = 0; i < m * n; ++i) {
          const double exact = in[0].Get(i) * in[1].Get(i / n) + in[2].Get(i % n);
          const double bound = type == kF32                  ? 1e-6
                               : type == DataType::kFloat64  ? 1e-15
                               : type == DataType::kBFloat16 ? 0x1p-8
                                                             : 0x1p-11;
          ASSERT_NEAR(out[0].Get(i), exact, bound * (std::abs(exact) + 1)) << m << "x" << n;
        }
      }
    }
  }
}

TEST(LoopExecutor, SizeOneBroadcastsAtRunTime) {
  ProgramWriter writer(2);
  const int a = writer.Load(kF32);
  const int b = writer.Load(kF32);
  writer.Store(writer.Op(PointwiseOp::kSub, {a, b}), kF32);
  const auto in = Filled({{kF32, {5, 1}}, {kF32, {1, 9}}});
  const auto out = Filled({{kF32, {5, 9}}});
  ASSERT_TRUE(RunProgram(writer.program(), {5, 9}, in, out).ok());
  for (int64_t i = 0; i < 45; ++i)
    EXPECT_EQ(out[0].Get(i), static_cast<float>(in[0].Get(i / 9) - in[1].Get(i % 9)));
}

TEST(LoopExecutor, RankZero) {
  ProgramWriter writer(0);
  writer.Store(writer.Op(PointwiseOp::kNeg, {writer.Load(kF32)}), kF32);
  const auto in = Filled({{kF32, {}}});
  const auto out = Filled({{kF32, {}}});
  ASSERT_TRUE(RunProgram(writer.program(), {}, in, out).ok());
  EXPECT_EQ(out[0].Get(0), -in[0].Get(0));
}

// A transposed read, a strided write and an outer dim that does not collapse.
TEST(LoopExecutor, TransposedReadAndStridedWrite) {
  for (DataType type : {kF32, DataType::kFloat16, DataType::kInt8, DataType::kInt64}) {
    const int64_t n = 3, m = 70, k = 45;
    ProgramWriter writer(3);
    const int a = writer.Load(type, {0, 2, 1});
    writer.Store(a, type);
    writer.Store(a, type);
    auto in = Filled({{type, {n, k, m}}});
    std::vector<Tensor> out;
    out.emplace_back(type, Dims{n, m, k});
    out.emplace_back(type, Dims{n, m, k}, Dims{m * k * 2, 2 * k, 2}, n * m * k * 2);
    ASSERT_TRUE(RunProgram(writer.program(), {n, m, k}, in, out).ok());
    for (int64_t b = 0; b < n; ++b) {
      for (int64_t r = 0; r < m; ++r) {
        for (int64_t c = 0; c < k; ++c) {
          const double want = in[0].Get((b * k + c) * m + r);
          ASSERT_EQ(out[0].Get((b * m + r) * k + c), want);
          ASSERT_EQ(out[1].Get(((b * m + r) * k + c) * 2), want);
        }
      }
    }
  }
}

TEST(LoopExecutor, IotaAlongEachDim) {
  for (int dim = 0; dim < 3; ++dim) {
    ProgramWriter writer(3);
    const int position = writer.Iota(DataType::kInt64, dim);
    const int offset = writer.Load(DataType::kInt64);
    writer.Store(writer.Op(PointwiseOp::kAdd, {position, offset}), DataType::kInt64);
    const auto in = Filled({{DataType::kInt64, {4, 33, 1500}}});
    const auto out = Filled({{DataType::kInt64, {4, 33, 1500}}});
    ASSERT_TRUE(RunProgram(writer.program(), {4, 33, 1500}, in, out).ok());
    for (int64_t i = 0; i < 4 * 33 * 1500; ++i) {
      const int64_t index[3] = {i / (33 * 1500), i / 1500 % 33, i % 1500};
      ASSERT_EQ(out[0].data<int64_t>()[i], in[0].data<int64_t>()[i] + index[dim]);
    }
  }
}

// Softmax: two reductions, recomputed where the row exceeds a tile.
TEST(LoopExecutor, SoftmaxOfShortAndLongRows) {
  ProgramWriter writer(2);
  const int x = writer.Load(kF32);
  const int e = writer.Op(PointwiseOp::kExp,
                          {writer.Op(PointwiseOp::kSub, {x, writer.Reduce(ReduceOp::kMax, x)})});
  writer.Store(writer.Op(PointwiseOp::kDiv, {e, writer.Reduce(ReduceOp::kSum, e)}), kF32);
  for (int64_t n : {1, 7, 33, 257, 4096, 4097, 10000}) {
    const int64_t m = n > 1000 ? 3 : 50;
    const auto in = Filled({{kF32, {m, n}}});
    const auto out = Filled({{kF32, {m, n}}});
    ASSERT_TRUE(RunProgram(writer.program(), {m, n}, in, out).ok());
    for (int64_t r = 0; r < m; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < n; ++c) sum += std::exp(in[0].Get(r * n + c));
      for (int64_t c = 0; c < n; ++c) {
        const double exact = std::exp(in[0].Get(r * n + c)) / sum;
        ASSERT_NEAR(out[0].Get(r * n + c), exact, exact * 3e-6) << n;
      }
    }
  }
}

// Row statistics through StoreRow and the normalised row, as f16: mean and variance of long and
// short rows.
TEST(LoopExecutor, LayerNormWithRowOutputs) {
  const DataType type = DataType::kFloat16;
  ProgramWriter writer(3);
  const int x = writer.Load(type);
  const int mean = writer.Reduce(ReduceOp::kMean, x);
  const int centred = writer.Op(PointwiseOp::kSub, {x, mean});
  const int variance =
      writer.Reduce(ReduceOp::kMean, writer.Op(PointwiseOp::kMul, {centred, centred}));
  const int scale = writer.Op(PointwiseOp::kRsqrt,
                              {writer.Op(PointwiseOp::kAdd, {variance, writer.Const(kF32, 1e-5)})});
  writer.Store(writer.Op(PointwiseOp::kMul, {centred, scale}), type);
  writer.Store(mean, kF32, true);
  writer.Store(scale, type, true);
  for (int64_t n : {31, 768, 9001}) {
    const auto in = Filled({{type, {2, 5, n}}});
    const auto out = Filled({{type, {2, 5, n}}, {kF32, {2, 5}}, {type, {2, 5}}});
    ASSERT_TRUE(RunProgram(writer.program(), {2, 5, n}, in, out).ok());
    for (int64_t r = 0; r < 10; ++r) {
      double sum = 0, square = 0;
      for (int64_t c = 0; c < n; ++c) sum += in[0].Get(r * n + c);
      const double m = sum / static_cast<double>(n);
      for (int64_t c = 0; c < n; ++c) square += std::pow(in[0].Get(r * n + c) - m, 2);
      const double s = 1 / std::sqrt(square / static_cast<double>(n) + 1e-5);
      ASSERT_NEAR(out[1].Get(r), m, 1e-6);
      ASSERT_NEAR(out[2].Get(r), s, s * 0x1p-10);
      for (int64_t c = 0; c < n; ++c) {
        ASSERT_NEAR(out[0].Get(r * n + c), (in[0].Get(r * n + c) - m) * s, 2e-3) << n;
      }
    }
  }
}

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

TEST(LoopExecutor, ConstantsAndDeadCode) {
  ProgramWriter writer(2);
  writer.Op(PointwiseOp::kExp, {writer.Load(kF32)});  // dead
  writer.Store(writer.Op(PointwiseOp::kAdd, {writer.Const(kF32, 2), writer.Const(kF32, 3)}), kF32);
  const auto in = Filled({{kF32, {4, 9}}});
  const auto out = Filled({{kF32, {4, 9}}});
  ASSERT_TRUE(RunProgram(writer.program(), {4, 9}, in, out).ok());
  for (int64_t i = 0; i < 36; ++i) EXPECT_EQ(out[0].Get(i), 5);
}

TEST(LoopExecutor, RefusesWhatDoesNotFit) {
  ProgramWriter writer(1);
  writer.Store(writer.Op(PointwiseOp::kNeg, {writer.Load(kF32)}), kF32);
  const auto good = Filled({{kF32, {4}}});
  const auto short_out = Filled({{kF32, {3}}});
  const auto wrong_type = Filled({{DataType::kInt32, {4}}});
  EXPECT_EQ(RunProgram(writer.program(), {4}, good, short_out).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(RunProgram(writer.program(), {4}, wrong_type, good).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(RunProgram(writer.program(), {4}, short_out, good).code(),
            StatusCode::kInvalidArgument);
  ProgramWriter integers(1);
  integers.Store(integers.Op(PointwiseOp::kExp, {integers.Load(DataType::kInt32)}),
                 DataType::kInt32);
  EXPECT_EQ(RunProgram(integers.program(), {4}, wrong_type, wrong_type).code(),
            StatusCode::kUnsupported);
}

TEST(LoopKernel, RunsFromAttributes) {
  ProgramWriter writer(1);
  const int x = writer.Load(kF32);
  writer.Store(writer.Op(PointwiseOp::kMul, {x, x}), kF32);
  Attributes attributes;
  attributes.Set("program", ProgramText{writer.program().ToString()}).Set("domain", Dims{9});
  auto kernel = CpuLoopKernels()[0].create(attributes);
  ASSERT_TRUE(kernel.ok()) << kernel.status().ToString();
  const auto in = Filled({{kF32, {9}}});
  const auto out = Filled({{kF32, {9}}});
  const TensorView in_view = in[0].view();
  const TensorView out_view = out[0].view();
  auto prepared = (*kernel)->Prepare({attributes, {&in_view, 1}, {&out_view, 1}});
  ASSERT_TRUE(prepared.ok()) << prepared.status().ToString();
  std::vector<std::byte> scratch(prepared->scratch_bytes + 1);
  ASSERT_TRUE(
      (*kernel)->Run({{&in_view, 1}, {&out_view, 1}, scratch.data(), prepared->state.get()}).ok());
  for (int64_t i = 0; i < 9; ++i)
    EXPECT_EQ(out[0].data<float>()[i], in[0].data<float>()[i] * in[0].data<float>()[i]);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
