// The kernels of rows/ and tiled copies, against the CPU's reference kernels.
#include <gtest/gtest.h>

#include "tests/core/kernels/cuda/cuda_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

constexpr DataType kF32 = DataType::kFloat32;
constexpr DataType kF16 = DataType::kFloat16;

TEST(CudaRows, GatherOfRows) {
  TRT_NEED_HOST_GPU();
  const TestTensor table = RandomTensor(kF16, {50, 24}, 1);
  const TestTensor index(DataType::kInt64, {3, 2}, {0, 49, 7, 7, -1, 20});
  const Attributes wraps{{"axis", int64_t{0}}, {"allow_negative", true}};
  ExpectSameAs("ref.Gather", "cuda.gather", wraps, {table.view, index.view}, {{kF16, {3, 2, 24}}},
               0);
  const TensorView shifted = reference::Shifted(table.view, 1);  // not 16-byte aligned
  TensorView fewer = shifted;
  fewer.dims[0] = 49;
  const TestTensor inside(DataType::kInt32, {2}, {48, 3});
  ExpectSameAs("ref.Gather", "cuda.gather", wraps, {fewer, inside.view}, {{kF16, {2, 24}}}, 0);
  const TestTensor middle = RandomTensor(kF32, {3, 5, 4}, 1);
  const TestTensor three(DataType::kInt64, {3}, {4, 0, 2});
  ExpectSameAs("ref.Gather", "cuda.gather", {{"axis", int64_t{1}}}, {middle.view, three.view},
               {{kF32, {3, 3, 4}}}, 0);
  const TestTensor odd = RandomTensor(kF16, {5, 3}, 1);  // falls back
  ExpectSameAs("ref.Gather", "cuda.gather", {{"axis", int64_t{0}}}, {odd.view, three.view},
               {{kF16, {3, 3}}}, 0);
}

TEST(CudaRows, GatherReportsIndices) {
  TRT_NEED_HOST_GPU();
  const TestTensor table = RandomTensor(kF32, {4, 4}, 1);
  const TestTensor index(DataType::kInt64, {2}, {-1, 1});
  const TestTensor out(kF32, {2, 4}, std::vector<double>(8, 7));
  int32_t error = 0;
  ASSERT_TRUE(RunCudaKernel("cuda.gather", {{"axis", int64_t{0}}}, {table.view, index.view},
                            {out.view}, &error)
                  .ok());
  EXPECT_EQ(error, 1);
  EXPECT_EQ(out.values()[3], 0);
  EXPECT_EQ(out.values()[4], table.values()[4]);
}

TEST(CudaRows, Reductions) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {kF32, kF16}) {
    const double tolerance = dtype == kF16 ? 2e-3 : 2e-6;
    const TestTensor x = RandomTensor(dtype, {3, 49, 264}, 1);
    for (const std::string kind : {"sum", "mean", "max", "min"}) {
      ExpectSameAs("ref.Reduce", "cuda.reduce", {{"kind", kind}, {"axes", Dims{1}}}, {x.view},
                   {{dtype, {3, 264}}}, tolerance, kind);
    }
    ExpectSameAs("ref.Reduce", "cuda.reduce", {{"kind", "mean"}, {"axes", Dims{1, 2}}}, {x.view},
                 {{dtype, {3}}}, tolerance);
    ExpectSameAs("ref.Reduce", "cuda.reduce", {{"kind", "max"}, {"axes", Dims{2}}}, {x.view},
                 {{dtype, {3, 49}}}, tolerance);
    ExpectSameAs("ref.Reduce", "cuda.reduce", {{"kind", "sum"}, {"axes", Dims{0, 2}}}, {x.view},
                 {{dtype, {49}}}, tolerance);
    // Few columns of many rows, which blocks share; a number of rows that no slices divide.
    for (const int64_t rows : {1152, 509}) {
      const TestTensor tall = RandomTensor(dtype, {2, rows, 40}, 1);
      for (const std::string kind : {"sum", "mean", "max"}) {
        ExpectSameAs("ref.Reduce", "cuda.reduce", {{"kind", kind}, {"axes", Dims{1}}}, {tall.view},
                     {{dtype, {2, 40}}}, dtype == kF16 ? 2e-3 : 1e-5, kind);
      }
    }
    const TestTensor odd = RandomTensor(dtype, {5, 7, 3}, 1);
    ExpectSameAs("ref.Reduce", "cuda.reduce", {{"kind", "sum"}, {"axes", Dims{1}}}, {odd.view},
                 {{dtype, {5, 3}}}, tolerance);
  }
}

TEST(CudaRows, Pooling) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {kF32, kF16}) {
    const double tolerance = dtype == kF16 ? 2e-3 : 2e-6;
    const TestTensor x = RandomTensor(dtype, {2, 9, 11, 16}, 1);
    for (const std::string kind : {"max", "avg"}) {
      for (const bool counted : {false, true}) {
        const Attributes attributes{{"kind", kind},
                                    {"kernel", Dims{3, 2}},
                                    {"stride", Dims{2, 2}},
                                    {"dilation", Dims{1, 2}},
                                    {"channels_last", true},
                                    {"padding", Dims{1, 1, 1, 0}},
                                    {"count_include_pad", counted}};
        ExpectSameAs("ref.Pool", "cuda.pool", attributes, {x.view}, {{dtype, {2, 5, 5, 16}}},
                     tolerance);
      }
      for (const bool last : {false, true}) {
        const Dims dims = last ? Dims{2, 1, 1, 16} : Dims{2, 9, 1, 1};
        ExpectSameAs("ref.AdaptivePool", "cuda.adaptive_pool",
                     {{"kind", kind}, {"sizes", Dims{1, 1}}, {"channels_last", last}}, {x.view},
                     {{dtype, dims}}, tolerance);
      }
    }
  }
}

TEST(CudaRows, TurnedCopies) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {kF16, kF32, DataType::kBool, DataType::kInt64}) {
    const TestTensor x = RandomTensor(dtype, {3, 40, 5, 70}, 1);
    ExpectSameAs("ref.Transpose", "cuda.ref.Transpose", {{"perm", Dims{0, 2, 3, 1}}}, {x.view},
                 {{dtype, {3, 5, 70, 40}}}, 0);
    ExpectSameAs("ref.Transpose", "cuda.ref.Transpose", {{"perm", Dims{3, 2, 1, 0}}}, {x.view},
                 {{dtype, {70, 5, 40, 3}}}, 0);
    ExpectSameAs("ref.Transpose", "cuda.ref.Transpose", {{"perm", Dims{2, 3, 0, 1}}}, {x.view},
                 {{dtype, {5, 70, 3, 40}}}, 0);
  }
}

TEST(CudaRows, TurnedCopiesOfNothing) {
  TRT_NEED_HOST_GPU();
  for (const Dims& dims : {Dims{0, 40, 70}, Dims{3, 40, 0}, Dims{3, 0, 70}}) {
    const TestTensor x(kF32, dims);
    ExpectSameAs("ref.Transpose", "cuda.ref.Transpose", {{"perm", Dims{0, 2, 1}}}, {x.view},
                 {{kF32, {dims[0], dims[2], dims[1]}}}, 0);
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
