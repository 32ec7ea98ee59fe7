// cuda.gemm and cuda.batched_gemm on the HostGpu against the reference.
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
          const cuda::Tile tile = cuda::ChooseTile(gpu, dtype, m, n, k, 1, false);
          EXPECT_LE(tile.shared_bytes(), gpu.shared_per_block);
          EXPECT_GE(tile.stages, tile.wgmma ? 3 : 2);
          EXPECT_EQ(tile.m % tile.split, 0);
        }
      }
    }
  }
  EXPECT_GT(cuda::ChooseTile(gpu, DataType::kFloat16, 128, 768, 3072, 1, false).split, 1);
  EXPECT_EQ(cuda::ChooseTile(gpu, DataType::kFloat16, 8192, 8192, 8192, 1, false).split, 1);
  EXPECT_FALSE(cuda::ChooseTile(gpu, DataType::kFloat32, 512, 512, 512, 1, false).wgmma);
  gpu.compute_major = 8;
  gpu.shared_per_block = 99 * 1024;
  const cuda::Tile tile = cuda::ChooseTile(gpu, DataType::kFloat16, 4096, 4096, 512, 1, false);
  EXPECT_FALSE(tile.wgmma);
  EXPECT_LE(tile.shared_bytes(), gpu.shared_per_block);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
