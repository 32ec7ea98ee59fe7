#include "core/kernels/cpu/gemm/pack.h"
#include "tests/core/kernels/cpu/gemm/gemm_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int64_t kOddSizes[] = {1, 7, 15, 16, 17, 31, 33, 257};

TestTensor PackWeights(const TestTensor& b, DataType dtype, int64_t n, int64_t k, bool transposed) {
  TestTensor packed(DataType::kUInt8, {PackedBytes(dtype, n, 1, k)});
  PackMatrix({b.view.data, b.view.dtype, transposed ? k : 1, transposed ? 1 : n}, dtype, n, 1, k,
             packed.view.data);
  EXPECT_TRUE(packed.GuardIntact());
  return packed;
}

double Expected(const TestTensor& a, const TestTensor& b, int64_t row, int64_t column, int64_t n,
                int64_t k) {
  double sum = 0;
  for (int64_t i = 0; i < k; ++i) sum += double{a.Get(row * k + i)} * double{b.Get(i * n + column)};
  return sum;
}

// c = a x b (+ bias) with everything of one type.
void CheckProduct(DataType dtype, int64_t m, int64_t n, int64_t k, bool has_bias,
                  std::mt19937& random) {
  TestTensor a(dtype, {m, k}), b(dtype, {k, n}), bias(dtype, {n}), c(dtype, {m, n});
  a.Randomise(random);
  b.Randomise(random);
  bias.Randomise(random);
  const TestTensor packed = PackWeights(b, dtype, n, k, false);
  Attributes attributes{{"n", n}, {"k", k}, {"b_dtype", dtype}, {"has_bias", has_bias}};
  std::vector<TensorView> inputs{a.view, packed.view};
  if (has_bias) inputs.push_back(bias.view);
  const Status status = RunKernel("cpu.gemm", attributes, inputs, {c.view});
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_TRUE(c.GuardIntact());
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double want = Expected(a, b, i, j, n, k) + (has_bias ? double{bias.Get(j)} : 0.0);
      ASSERT_NEAR(c.Get(i * n + j), want, SumTolerance(dtype, k, want))
          << DataTypeName(dtype) << " m " << m << " n " << n << " k " << k << " at " << i << ","
          << j;
    }
  }
}

TEST(GemmTest, EveryRowCountByOddSizes) {
  std::mt19937 random(1);
  for (int64_t m = 0; m <= 33; ++m) {
    for (int64_t n : kOddSizes) {
      for (int64_t k : kOddSizes) {
        if (n * k > 33 * 257 && m % 8 != 1) continue;
        CheckProduct(DataType::kFloat32, m, n, k, (m + n + k) % 2 == 0, random);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(GemmTest, HalfOfTheLastPanel) {
  std::mt19937 random(5);
  for (int64_t m = 1; m <= 29; ++m) {
    for (int64_t n : {17, 24, 40, 56}) {
      for (int64_t k : {1, 40, 600}) {  // the last in several slices
        CheckProduct(DataType::kFloat32, m, n, k, m % 2 == 0, random);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(GemmTest, HalfTypes) {
  std::mt19937 random(2);
  for (DataType dtype : {DataType::kFloat16, DataType::kBFloat16}) {
    for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 13, 14, 15, 31, 40}) {
      for (int64_t n : {1, 15, 33, 64}) {
        for (int64_t k : {1, 2, 7, 16, 33, 257}) {
          CheckProduct(dtype, m, n, k, (m + k) % 2 == 0, random);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(GemmTest, BlocksOfRowsColumnsAndDepth) {
  std::mt19937 random(3);
  CheckProduct(DataType::kFloat32, 301, 523, 1031, true, random);
  CheckProduct(DataType::kBFloat16, 301, 130, 1031, true, random);
  CheckProduct(DataType::kFloat16, 77, 290, 700, false, random);
}

// Rows a multiple of a page apart are copied before they are multiplied.
TEST(GemmTest, RowsThatShareCacheSets) {
  std::mt19937 random(8);
  CheckProduct(DataType::kFloat32, 45, 131, 2048, true, random);
  CheckProduct(DataType::kFloat32, 33, 200, 512, false, random);
  CheckProduct(DataType::kBFloat16, 45, 131, 4096, true, random);
  CheckProduct(DataType::kFloat16, 29, 97, 1024, false, random);
}

TEST(GemmTest, EmptyDepthGivesBias) {
  std::mt19937 random(4);
  CheckProduct(DataType::kFloat32, 9, 33, 0, true, random);
  CheckProduct(DataType::kFloat32, 9, 33, 0, false, random);
  CheckProduct(DataType::kBFloat16, 3, 5, 0, true, random);
  CheckProduct(DataType::kFloat32, 3, 0, 5, false, random);
}

TEST(GemmTest, WeightsStoredByColumn) {
  std::mt19937 random(5);
  for (DataType dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
    TestTensor w(dtype, {35, 21});  // [N, K]
    w.Randomise(random);
    TestTensor b(dtype, {21, 35});
    for (int64_t k = 0; k < 21; ++k) {
      for (int64_t n = 0; n < 35; ++n) b.Set(k * 35 + n, w.Get(n * 21 + k));
    }
    const TestTensor by_column = PackWeights(w, dtype, 35, 21, true);
    const TestTensor by_row = PackWeights(b, dtype, 35, 21, false);
    EXPECT_EQ(std::memcmp(by_column.view.data, by_row.view.data,
                          static_cast<size_t>(by_row.view.numel())),
              0);
  }
}

TEST(GemmTest, StridedRowsAndMixedTypes) {
  std::mt19937 random(6);
  for (DataType a_dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
    for (DataType b_dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
      TestTensor wide(a_dtype, {3, 7, 60}), b(b_dtype, {41, 19}), c(DataType::kFloat32, {3, 7, 19});
      wide.Randomise(random);
      b.Randomise(random);
      TensorView a = wide.view;  // columns 5..46 of each row
      a.dims[2] = 41;
      a.data = wide.view.as<char>() + 5 * SizeOf(a_dtype);
      const TestTensor packed = PackWeights(b, b_dtype, 19, 41, false);
      const Status status =
          RunKernel("cpu.gemm", {{"n", int64_t{19}}, {"k", int64_t{41}}, {"b_dtype", b_dtype}},
                    {a, packed.view}, {c.view});
      ASSERT_TRUE(status.ok()) << status.ToString();
      for (int64_t i = 0; i < 21; ++i) {
        for (int64_t j = 0; j < 19; ++j) {
          double want = 0;
          for (int64_t k = 0; k < 41; ++k) {
            want += double{wide.Get(i * 60 + 5 + k)} * double{b.Get(k * 19 + j)};
          }
          ASSERT_NEAR(c.Get(i * 19 + j), want, 1e-5);
        }
      }
    }
  }
}

TEST(GemmTest, TransposedA) {
  std::mt19937 random(7);
  for (DataType dtype : {DataType::kFloat32, DataType::kBFloat16}) {
    TestTensor a(dtype, {65, 23}), b(dtype, {65, 18}), c(DataType::kFloat32, {23, 18});
    a.Randomise(random);
    b.Randomise(random);
    const TestTensor packed = PackWeights(b, dtype, 18, 65, false);
    const Status status = RunKernel(
        "cpu.gemm",
        {{"n", int64_t{18}}, {"k", int64_t{65}}, {"b_dtype", dtype}, {"transpose_a", true}},
        {a.view, packed.view}, {c.view});
    ASSERT_TRUE(status.ok()) << status.ToString();
    for (int64_t i = 0; i < 23; ++i) {
      for (int64_t j = 0; j < 18; ++j) {
        double want = 0;
        for (int64_t k = 0; k < 65; ++k) {
          want += double{a.Get(k * 23 + i)} * double{b.Get(k * 18 + j)};
        }
        ASSERT_NEAR(c.Get(i * 18 + j), want, 1e-5);
      }
    }
  }
}

TEST(GemmTest, SpecialValuesStayInTheirRowAndColumn) {
  const float nan = std::nanf("");
  const float inf = INFINITY;
  std::mt19937 random(8);
  for (DataType dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
    // The depth is odd: values behind the last k must not leak in from the next row.
    TestTensor a(dtype, {9, 7}), b(dtype, {7, 17}), c(dtype, {9, 17});
    a.Randomise(random);
    b.Randomise(random);
    a.Set(2 * 7 + 3, nan);
    a.Set(5 * 7 + 0, inf);
    b.Set(4 * 17 + 16, -inf);
    const TestTensor packed = PackWeights(b, dtype, 17, 7, false);
    const Status status =
        RunKernel("cpu.gemm", {{"n", int64_t{17}}, {"k", int64_t{7}}, {"b_dtype", dtype}},
                  {a.view, packed.view}, {c.view});
    ASSERT_TRUE(status.ok()) << status.ToString();
    for (int64_t i = 0; i < 9; ++i) {
      for (int64_t j = 0; j < 17; ++j) {
        const double want = Expected(a, b, i, j, 17, 7);
        const float got = c.Get(i * 17 + j);
        if (std::isfinite(want)) {
          ASSERT_TRUE(std::isfinite(got)) << i << "," << j;
        } else {
          ASSERT_EQ(std::isnan(want), std::isnan(got)) << i << "," << j;
          if (!std::isnan(want)) {
            ASSERT_EQ(static_cast<float>(want), got);
          }
        }
      }
    }
  }
}

TEST(GemmTest, RefusalsNameTheReason) {
  TestTensor a(DataType::kFloat32, {4, 8}), c(DataType::kFloat32, {4, 6});
  TestTensor packed(DataType::kUInt8, {PackedBytes(DataType::kFloat32, 6, 1, 8)});
  const Attributes attributes{
      {"n", int64_t{6}}, {"k", int64_t{8}}, {"b_dtype", DataType::kFloat32}};
  TensorView strided = a.view;
  strided.dims[1] = 4;
  strided.strides[1] = 2;
  EXPECT_EQ(RunKernel("cpu.gemm", attributes, {strided, packed.view}, {c.view}).code(),
            StatusCode::kUnsupported);
  TestTensor wrong(DataType::kFloat32, {4, 9});
  const Status status = RunKernel("cpu.gemm", attributes, {wrong.view, packed.view}, {c.view});
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("[4, 9]"), std::string::npos);
  EXPECT_EQ(RunKernel("cpu.gemm", attributes, {a.view, a.view}, {c.view}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(RunKernel("cpu.gemm", {{"n", int64_t{6}}}, {a.view, packed.view}, {c.view}).code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
