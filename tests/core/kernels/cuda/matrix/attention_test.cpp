// cuda.attention on the HostGpu against the reference.
#include <cmath>

#include "tests/core/kernels/cuda/matrix/matrix_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

struct AttentionCase {
  DataType dtype;
  int64_t batch, heads, key_heads, queries, keys, depth, value_depth;
  bool causal = false;
  bool bshd = false;
};

// `mask`: empty, or broadcastable to [B, H, S, T].
void ExpectAttention(const AttentionCase& c, const std::vector<TensorView>& mask = {},
                     double scale = 0.2) {
  const TestTensor q = RandomTensor(c.dtype, {c.batch, c.queries, c.heads, c.depth}, 1);
  const TestTensor k = RandomTensor(c.dtype, {c.batch, c.key_heads, c.keys, c.depth}, 2);
  const TestTensor v = RandomTensor(c.dtype, {c.batch, c.key_heads, c.keys, c.value_depth}, 3);
  std::vector<TensorView> inputs{Transposed(q.view, 1, 2), k.view, v.view};
  inputs.insert(inputs.end(), mask.begin(), mask.end());
  const Dims out = c.bshd ? Dims{c.batch, c.queries, c.heads, c.value_depth}
                          : Dims{c.batch, c.heads, c.queries, c.value_depth};
  Attributes attributes{{"scale", scale}, {"causal", c.causal}, {"out_bshd", c.bshd}};
  for (const bool hidden_nan : {false, true}) {
    if (hidden_nan && mask.empty()) break;
    attributes.Set("hidden_nan", hidden_nan);
    ExpectSameAs("ref.Attention", "cuda.attention", attributes, inputs, {{c.dtype, out}},
                 MatrixTolerance(c.dtype),
                 StrCat(DataTypeName(c.dtype), " heads ", c.heads, "/", c.key_heads, " queries ",
                        c.queries, " keys ", c.keys, " depth ", c.depth, "/", c.value_depth));
  }
}

TEST(CudaAttentionTest, CausalAndGrouped) {
  TRT_NEED_HOST_GPU();
  ExpectAttention({DataType::kFloat16, 1, 2, 2, 70, 70, 64, 64, true, true});
  ExpectAttention({DataType::kBFloat16, 2, 4, 2, 33, 90, 56, 40, true, false});
}

// Enough queries and keys for attention_stream.cu.
TEST(CudaAttentionTest, ManyQueriesAndKeys) {
  TRT_NEED_HOST_GPU();
  ExpectAttention({DataType::kFloat16, 1, 2, 2, 150, 333, 64, 64, false, true});
  ExpectAttention({DataType::kFloat16, 2, 4, 2, 140, 140, 80, 80, true, true});
  ExpectAttention({DataType::kBFloat16, 1, 4, 4, 65, 257, 128, 128, false, false});
  ExpectAttention({DataType::kFloat16, 1, 4, 2, 130, 200, 40, 24, true, false});
  ExpectAttention({DataType::kFloat16, 8, 2, 1, 128, 129, 96, 112, true, true});
}

TEST(CudaAttentionTest, WideHeads) {
  TRT_NEED_HOST_GPU();
  ExpectAttention({DataType::kFloat16, 1, 2, 2, 70, 77, 160, 160, false, true});
  ExpectAttention({DataType::kBFloat16, 1, 2, 1, 9, 130, 256, 160, true, false});
  ExpectAttention({DataType::kFloat16, 1, 1, 1, 65, 65, 136, 250});
}

// Masks of flags are read by pairs where rows allow, and where a whole tile of keys is left.
class ManyMaskedKeys : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Keys, ManyMaskedKeys, ::testing::Values(128, 150, 151));

TEST_P(ManyMaskedKeys, AreLeftOut) {
  TRT_NEED_HOST_GPU();
  const int64_t s = 66;
  const int64_t t = GetParam();
  const AttentionCase c{DataType::kFloat16, 2, 3, 3, s, t, 32, 32, false, false};
  std::vector<double> visible(static_cast<size_t>(s * t));
  std::vector<double> added(visible.size());
  for (size_t i = 0; i < visible.size(); ++i) {
    visible[i] = i >= static_cast<size_t>(t) && i % 3 != 0 ? 1 : 0;  // the first query sees nothing
    added[i] = i % 5 == 0 ? -INFINITY : static_cast<double>(i % 7) - 3;
  }
  const TestTensor flags(DataType::kBool, {s, t}, visible);
  const TestTensor values(DataType::kFloat16, {1, 1, s, t}, added);
  ExpectAttention(c, {flags.view});
  ExpectAttention(c, {values.view});
}

TEST(CudaAttentionTest, FewQueries) {
  TRT_NEED_HOST_GPU();
  ExpectAttention({DataType::kFloat16, 1, 8, 2, 1, 130, 96, 96, false, true});
}

TEST(CudaAttentionTest, Float32KeepsItsPrecision) {
  TRT_NEED_HOST_GPU();
  ExpectAttention({DataType::kFloat32, 1, 2, 1, 35, 70, 64, 40, true, true});
  ExpectAttention({DataType::kFloat32, 1, 1, 1, 2, 33, 13, 45});
}

TEST(CudaAttentionTest, AnyScaleAndDepth) {
  TRT_NEED_HOST_GPU();
  ExpectAttention({DataType::kFloat16, 1, 2, 1, 9, 31, 33, 7}, {}, -0.3);
  ExpectAttention({DataType::kFloat16, 1, 1, 1, 3, 7, 16, 16}, {}, 0.0);
}

TEST(CudaAttentionTest, Masks) {
  TRT_NEED_HOST_GPU();
  const AttentionCase c{DataType::kFloat16, 2, 3, 3, 18, 40, 32, 32, false, false};
  // The first query sees nothing and gives zeros; a row of equal, very low values is uniform.
  std::vector<double> visible(18 * 40);
  std::vector<double> added(18 * 40);
  for (size_t i = 0; i < visible.size(); ++i) {
    visible[i] = i >= 40 && i % 3 != 0 ? 1 : 0;
    added[i] = i < 40 ? -INFINITY : i < 80 ? -3.4e38 : static_cast<double>(i % 7) - 3;
  }
  const TestTensor flags(DataType::kBool, {18, 40}, visible);
  const TestTensor values(DataType::kFloat32, {1, 1, 18, 40}, added);
  ExpectAttention(c, {flags.view});
  ExpectAttention(c, {values.view});
}

// Scores of +-inf from queries and keys, infinite values that are and are not seen, NaN.
TEST(CudaAttentionTest, Float32KeepsInfinities) {
  TRT_NEED_HOST_GPU();
  const DataType f32 = DataType::kFloat32;
  const int64_t s = 20;
  const int64_t d = 16;
  const TestTensor q = RandomTensor(f32, {1, 2, s, d}, 1);
  const TestTensor k = RandomTensor(f32, {1, 1, s, d}, 2);
  const TestTensor v = RandomTensor(f32, {1, 1, s, 40}, 3);
  std::vector<double> seen(static_cast<size_t>(s * s), 1.0);
  for (size_t i = 0; i < seen.size(); i += 3) seen[i] = 0.0;
  const TestTensor mask(DataType::kBool, {s, s}, seen);
  const auto expect = [&](const std::string& what) {
    for (const bool causal : {false, true}) {
      const std::vector<TensorView> inputs{q.view, k.view, v.view};
      if (!causal) {
        ExpectSameAs("ref.Attention", "cuda.attention", {{"scale", 0.25}},
                     {q.view, k.view, v.view, mask.view}, {{f32, {1, 2, s, 40}}},
                     MatrixTolerance(f32), what + " masked");
      }
      ExpectSameAs("ref.Attention", "cuda.attention", {{"scale", 0.25}, {"causal", causal}}, inputs,
                   {{f32, {1, 2, s, 40}}}, MatrixTolerance(f32), what);
    }
  };
  SetValues(v, {{40 * 7 + 3, INFINITY}, {40 * 9 + 30, -INFINITY}, {40 * 19 + 39, NAN}});
  expect("values");
  SetValues(v, {{40 * 7 + 3, 0.5}, {40 * 9 + 30, 0.5}, {40 * 19 + 39, 0.5}});
  // Key 5 gives -inf or, where the query is negative there, +inf. Query 3 is infinite.
  SetValues(k, {{d * 5 + 2, -INFINITY}, {d * 11 + 1, 1e38}, {d * 12, NAN}});
  SetValues(q, {{d * 3 + 4, INFINITY}, {d * 4 + 1, 0.0}, {d * 6 + 2, 1.0}, {d * 7 + 2, 0.0}});
  expect("scores");
}

TEST(CudaAttentionTest, RefusesWhatItCannotDo) {
  const TestTensor wide = RandomTensor(DataType::kFloat16, {1, 1, 4, 264}, 1);
  const TestTensor f64 = RandomTensor(DataType::kFloat64, {1, 1, 4, 32}, 1);
  for (const TestTensor* x : {&wide, &f64}) {
    const TestTensor out(x->view.dtype, {1, 1, 4, x->view.dims[3]});
    const Status status =
        RunCudaKernel("cuda.attention", {{"scale", 1.0}}, {x->view, x->view, x->view}, {out.view});
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status.ToString();
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
