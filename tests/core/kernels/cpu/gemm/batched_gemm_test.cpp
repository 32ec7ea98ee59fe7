#include "tests/core/kernels/cpu/gemm/gemm_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

struct Case {
  DataType dtype = DataType::kFloat32;
  Dims a_batch{2, 3}, b_batch{2, 3}, batch{2, 3};
  int64_t m = 5, n = 20, k = 33;
  bool transpose_a = false, transpose_b = false, bias = false;
};

Dims Join(Dims batch, int64_t x, int64_t y) {
  batch.push_back(x);
  batch.push_back(y);
  return batch;
}

// Element offset of `index` (over `batch`) in a dense stack with dims `own`, broadcast.
int64_t MatrixIndex(const Dims& own, const Dims& batch, int64_t index) {
  int64_t at = 0;
  int64_t scale = 1;
  for (size_t i = 0; i < batch.size(); ++i) {
    const size_t d = batch.size() - 1 - i;
    const int64_t position = index % batch[d];
    index /= batch[d];
    if (i >= own.size()) continue;
    const int64_t size = own[own.size() - 1 - i];
    at += (size == 1 ? 0 : position) * scale;
    scale *= size;
  }
  return at;
}

void CheckBatched(const Case& c) {
  std::mt19937 random(21);
  TestTensor a(c.dtype, c.transpose_a ? Join(c.a_batch, c.k, c.m) : Join(c.a_batch, c.m, c.k));
  TestTensor b(c.dtype, c.transpose_b ? Join(c.b_batch, c.n, c.k) : Join(c.b_batch, c.k, c.n));
  TestTensor y(c.dtype, Join(c.batch, c.m, c.n)), bias(c.dtype, {c.n});
  a.Randomise(random);
  b.Randomise(random);
  bias.Randomise(random);
  std::vector<TensorView> inputs{a.view, b.view};
  if (c.bias) inputs.push_back(bias.view);
  const Status status = RunKernel(
      "cpu.batched_gemm",
      {{"transpose_a", c.transpose_a}, {"transpose_b", c.transpose_b}, {"has_bias", c.bias}},
      inputs, {y.view});
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_TRUE(y.GuardIntact());
  const std::vector<double> as = a.ToDoubles(), bs = b.ToDoubles();
  int64_t batches = 1;
  for (int64_t d : c.batch) batches *= d;
  for (int64_t i = 0; i < batches; ++i) {
    const double* am = as.data() + MatrixIndex(c.a_batch, c.batch, i) * c.m * c.k;
    const double* bm = bs.data() + MatrixIndex(c.b_batch, c.batch, i) * c.k * c.n;
    for (int64_t r = 0; r < c.m; ++r) {
      for (int64_t j = 0; j < c.n; ++j) {
        double want = c.bias ? double{bias.Get(j)} : 0.0;
        for (int64_t k = 0; k < c.k; ++k) {
          want += am[c.transpose_a ? k * c.m + r : r * c.k + k] *
                  bm[c.transpose_b ? j * c.k + k : k * c.n + j];
        }
        ASSERT_NEAR(y.Get((i * c.m + r) * c.n + j), want, SumTolerance(c.dtype, c.k, want))
            << DataTypeName(c.dtype) << " batch " << i << " m " << c.m << " n " << c.n << " k "
            << c.k << " transposed " << c.transpose_a << c.transpose_b << " at " << r << "," << j;
      }
    }
  }
}

TEST(BatchedGemmTest, SizesTypesAndTransposes) {
  for (DataType dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
    for (int transposes = 0; transposes < 4; ++transposes) {
      for (int64_t m : {1, 7, 16, 31}) {
        for (int64_t n : {1, 15, 16, 33}) {
          for (int64_t k : {0, 1, 7, 8, 33}) {
            Case c;
            c.dtype = dtype;
            c.transpose_a = (transposes & 1) != 0;
            c.transpose_b = (transposes & 2) != 0;
            c.m = m;
            c.n = n;
            c.k = k;
            c.bias = (m + n + k) % 2 == 0;
            CheckBatched(c);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

TEST(BatchedGemmTest, Broadcasting) {
  Case c;
  c.b_batch = {};
  CheckBatched(c);
  c.b_batch = {2, 1};
  CheckBatched(c);
  c.a_batch = {1, 3};
  CheckBatched(c);
  c.a_batch = {};
  c.b_batch = {2, 3};
  CheckBatched(c);
  c.a_batch = c.b_batch = c.batch = {};
  CheckBatched(c);
  c.a_batch = c.b_batch = c.batch = {0};
  CheckBatched(c);
}

TEST(BatchedGemmTest, LargeEnoughToShareOneProduct) {
  Case c;
  c.a_batch = c.b_batch = c.batch = {1};
  c.m = 161;
  c.n = 213;
  c.k = 350;
  CheckBatched(c);
  c.transpose_b = true;
  CheckBatched(c);
  c.transpose_a = true;
  c.dtype = DataType::kBFloat16;
  CheckBatched(c);
}

TEST(BatchedGemmTest, HeadsAsStridedViews) {
  // q and k as [B, S, H, D] seen as [B, H, S, D].
  std::mt19937 random(22);
  const int64_t batch = 2, seq = 37, heads = 3, depth = 16;
  TestTensor q(DataType::kFloat32, {batch, seq, heads, depth});
  TestTensor k(DataType::kFloat32, {batch, seq, heads, depth});
  TestTensor y(DataType::kFloat32, {batch, heads, seq, seq});
  q.Randomise(random);
  k.Randomise(random);
  TensorView qv = q.view, kv = k.view;
  for (TensorView* v : {&qv, &kv}) {
    std::swap(v->dims[1], v->dims[2]);
    std::swap(v->strides[1], v->strides[2]);
  }
  const Status status = RunKernel("cpu.batched_gemm", {{"transpose_b", true}}, {qv, kv}, {y.view});
  ASSERT_TRUE(status.ok()) << status.ToString();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t i = 0; i < seq; ++i) {
        for (int64_t j = 0; j < seq; ++j) {
          double want = 0;
          for (int64_t d = 0; d < depth; ++d) {
            want += double{q.Get(((b * seq + i) * heads + h) * depth + d)} *
                    double{k.Get(((b * seq + j) * heads + h) * depth + d)};
          }
          ASSERT_NEAR(y.Get(((b * heads + h) * seq + i) * seq + j), want, 1e-5);
        }
      }
    }
  }
}

TEST(BatchedGemmTest, RefusalsNameTheReason) {
  TestTensor a(DataType::kFloat32, {2, 4, 8}), b(DataType::kFloat32, {2, 8, 6});
  TestTensor y(DataType::kFloat32, {2, 4, 7}), d(DataType::kFloat64, {2, 8, 6});
  EXPECT_EQ(RunKernel("cpu.batched_gemm", {}, {a.view, b.view}, {y.view}).code(),
            StatusCode::kInvalidArgument);
  const Status status = RunKernel("cpu.batched_gemm", {}, {a.view, d.view}, {y.view});
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("f64"), std::string::npos);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
