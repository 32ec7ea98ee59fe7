#include "core/kernels/cpu/loop/executor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/kernels/kernel.h"
#include "tests/core/kernels/cpu/loop/loop_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

using loop::ReduceOp;
using testing::Filled;
using testing::ProgramWriter;
using testing::RunProgram;
using testing::Tensor;

constexpr DataType kF32 = DataType::kFloat32;

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
