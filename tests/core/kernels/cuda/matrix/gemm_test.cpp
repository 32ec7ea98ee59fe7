// cuda.gemm and cuda.batched_gemm on the HostGpu against the reference.
#include <cmath>
#include <limits>

#include "core/kernels/cuda/matrix/tile.h"
#include "tests/core/kernels/cuda/matrix/matrix_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

struct GemmCase {
  DataType dtype;
  Dims lead;  // dims of a before k
  int64_t n, k;
  bool has_bias = false;
  bool epilogue = false;
};

void ExpectGemm(const GemmCase& c) {
  Dims a_dims = c.lead;
  a_dims.push_back(c.k);
  Dims out_dims = c.lead;
  out_dims.push_back(c.n);
  const TestTensor a = RandomTensor(c.dtype, a_dims, 1);
  const TestTensor w = RandomTensor(c.dtype, {c.n, c.k}, 2);
  const TestTensor bias = RandomTensor(c.dtype, {c.n}, 3);
  const TestTensor residual = RandomTensor(c.dtype, out_dims, 4);
  const TestTensor packed = PaddedRows(w, c.n, c.k);
  Attributes attributes{{"n", c.n}, {"k", c.k}};
  Attributes reference{{"transpose_b", true}};
  std::vector<TensorView> inputs{a.view, packed.view};
  std::vector<TensorView> plain{a.view, w.view};
  if (c.has_bias) {
    attributes.Set("has_bias", true);
    reference.Set("has_bias", true);
    inputs.push_back(bias.view);
    plain.push_back(bias.view);
  }
  if (c.epilogue) {
    const ProgramText program = ReluAdd(static_cast<int>(out_dims.size()), c.dtype);
    attributes.Set("epilogue", program);
    reference.Set("epilogue", program);
    inputs.push_back(residual.view);
    plain.push_back(residual.view);
  }
  ExpectAgree("cuda.gemm", "ref.MatrixMultiply", attributes, inputs, reference, plain, c.dtype,
              out_dims,
              StrCat(DataTypeName(c.dtype), " ", ToString(a_dims), " x ", c.n,
                     c.has_bias ? " bias" : "", c.epilogue ? " epilogue" : ""));
}

TEST(CudaGemmTest, WarpgroupTiles) {
  TRT_NEED_HOST_GPU();
  ExpectGemm({DataType::kFloat16, {33}, 72, 104, true, true});
  ExpectGemm({DataType::kFloat16, {2, 9}, 31, 64, true, false});
  ExpectGemm({DataType::kBFloat16, {70}, 40, 200, false, true});
}

TEST(CudaGemmTest, RowsOfAnyLength) {
  TRT_NEED_HOST_GPU();
  ExpectGemm({DataType::kFloat16, {12}, 7, 33, true, false});
  ExpectGemm({DataType::kFloat16, {9}, 16, 36, false, false});
}

TEST(CudaGemmTest, Float32KeepsItsPrecision) {
  TRT_NEED_HOST_GPU();
  ExpectGemm({DataType::kFloat32, {17}, 24, 60, true, true});
}

constexpr double kLargest = std::numeric_limits<float>::max();

// Products of infinities by exact and inexact numbers, by zero and by each other; NaN; numbers that
// TF32 rounds to infinity, whose products do and do not overflow.
void SetSpecialRows(const TestTensor& x, int64_t k) {
  SetValues(x, {{1 * k + 5, INFINITY},
                {2 * k + 9, -INFINITY},
                {3 * k, NAN},
                {4 * k + k - 1, kLargest},
                {5 * k + 2, -kLargest},
                {6 * k + 5, -INFINITY},
                {6 * k + 6, INFINITY}});
}

TEST(CudaGemmTest, Float32KeepsInfinities) {
  TRT_NEED_HOST_GPU();
  const int64_t m = 17;
  const int64_t n = 13;
  const int64_t k = 60;
  for (const bool special_weights : {false, true}) {
    const TestTensor a = RandomTensor(DataType::kFloat32, {m, k}, 1);
    const TestTensor w = RandomTensor(DataType::kFloat32, {n, k}, 2);
    SetSpecialRows(special_weights ? w : a, k);
    const TestTensor& other = special_weights ? a : w;
    // The reference does not overflow where float32 does: nothing is added to what overflows.
    for (int64_t row = 0; row < (special_weights ? m : n); ++row) {
      const double small = 0.25 * static_cast<double>(row % 3 - 1);
      SetValues(other, {{row * k + 2, small}, {row * k + k - 1, small}});
    }
    SetValues(other, {{5, 1.0}, {9, 0.5}, {k - 1, 3.0}, {k + 5, 0.0}, {2 * k + 2, 3.0}});
    SetValues(other, {{3 * k + 5, INFINITY}, {4 * k + 5, -INFINITY}});
    SetValues(special_weights ? w : a, {{8 * k + 5, INFINITY}});
    const TestTensor packed = PaddedRows(w, n, k);
    ExpectAgree("cuda.gemm", "ref.MatrixMultiply", {{"n", n}, {"k", k}}, {a.view, packed.view},
                {{"transpose_b", true}}, {a.view, w.view}, DataType::kFloat32, {m, n},
                special_weights ? "weights" : "rows");
  }
}

TEST(CudaBatchedGemmTest, Float32KeepsInfinities) {
  TRT_NEED_HOST_GPU();
  const TestTensor a = RandomTensor(DataType::kFloat32, {2, 9, 36}, 1);
  const TestTensor b = RandomTensor(DataType::kFloat32, {2, 8, 36}, 2);
  SetSpecialRows(a, 36);
  SetValues(b, {{8 * 36 + 3, -INFINITY}, {9 * 36, NAN}, {5, 1.0}, {9, 2.0}});
  ExpectSameAs("ref.MatrixMultiply", "cuda.batched_gemm", {{"transpose_b", true}}, {a.view, b.view},
               {{DataType::kFloat32, {2, 9, 8}}}, MatrixTolerance(DataType::kFloat32), "rows");
  const TensorView columns = Transposed(b.view, 1, 2);  // k apart: any strides
  ExpectSameAs("ref.MatrixMultiply", "cuda.batched_gemm", {}, {a.view, columns},
               {{DataType::kFloat32, {2, 9, 8}}}, MatrixTolerance(DataType::kFloat32), "strided");
}

TEST(CudaGemmTest, FewRows) {
  TRT_NEED_HOST_GPU();
  ExpectGemm({DataType::kFloat16, {1}, 37, 264, true, true});
  ExpectGemm({DataType::kBFloat16, {3}, 16, 520, false, false});
  ExpectGemm({DataType::kFloat32, {2, 4}, 9, 36, true, false});
}

TEST(CudaGemmTest, EmptyOutput) {
  TRT_NEED_HOST_GPU();
  ExpectGemm({DataType::kFloat16, {0}, 8, 16, false, false});
}

TEST(CudaBatchedGemmTest, StridesAndBroadcasting) {
  TRT_NEED_HOST_GPU();
  const DataType dtype = DataType::kFloat16;
  const TestTensor a = RandomTensor(dtype, {2, 3, 17, 40}, 1);
  const TestTensor b = RandomTensor(dtype, {3, 40, 24}, 2);
  const TestTensor shared = RandomTensor(dtype, {24, 40}, 3);
  ExpectSameAs("ref.MatrixMultiply", "cuda.batched_gemm", {}, {a.view, b.view},
               {{dtype, {2, 3, 17, 24}}}, MatrixTolerance(dtype), "a b");
  ExpectSameAs("ref.MatrixMultiply", "cuda.batched_gemm", {{"transpose_b", true}},
               {a.view, shared.view}, {{dtype, {2, 3, 17, 24}}}, MatrixTolerance(dtype), "a b^T");
  ExpectSameAs("ref.MatrixMultiply", "cuda.batched_gemm", {{"transpose_a", true}},
               {Transposed(a.view, 2, 3), b.view}, {{dtype, {2, 3, 17, 24}}},
               MatrixTolerance(dtype), "transposed view");
}

TEST(TileTest, FitsTheGpuAndSharesOutSmallProducts) {
  device::cuda::GpuInfo gpu;
  gpu.compute_major = 9;
  gpu.multiprocessors = 132;
  gpu.shared_per_block = 227 * 1024;
  for (const int64_t m : {1, 64, 128, 197, 4096, 100352}) {
    for (const int64_t n : {1, 64, 768, 3072}) {
      for (const int64_t k : {0, 8, 768, 4096}) {
        for (const DataType dtype : {DataType::kFloat32, DataType::kBFloat16}) {
          const cuda::Tile tile = cuda::ChooseTile(gpu, dtype, m, n, k, 1, false).tile;
          EXPECT_LE(tile.shared_bytes(), gpu.shared_per_block);
          EXPECT_GE(tile.stages, tile.wgmma ? 3 : 2);
          EXPECT_EQ(tile.m % tile.split, 0);
        }
      }
    }
  }
  EXPECT_GT(cuda::ChooseTile(gpu, DataType::kFloat16, 128, 768, 3072, 1, false).tile.split, 1);
  EXPECT_EQ(cuda::ChooseTile(gpu, DataType::kFloat16, 8192, 8192, 8192, 1, false).tile.split, 1);
  EXPECT_FALSE(cuda::ChooseTile(gpu, DataType::kFloat32, 512, 512, 512, 1, false).tile.wgmma);
  gpu.compute_major = 8;
  gpu.shared_per_block = 99 * 1024;
  const cuda::Tile tile = cuda::ChooseTile(gpu, DataType::kFloat16, 4096, 4096, 512, 1, false).tile;
  EXPECT_FALSE(tile.wgmma);
  EXPECT_LE(tile.shared_bytes(), gpu.shared_per_block);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
