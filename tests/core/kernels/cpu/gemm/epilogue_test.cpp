// Products and convolutions with a loop program run on their results.
#include <algorithm>

#include "core/kernels/cpu/gemm/pack.h"
#include "tests/core/kernels/cpu/gemm/gemm_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

TEST(EpilogueTest, Gemm) {
  std::mt19937 random(31);
  for (DataType dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
    for (int64_t m : {1, 6, 37, 200}) {
      for (int64_t n : {5, 16, 300}) {
        const int64_t k = 401;
        TestTensor a(dtype, {m, k}), b(dtype, {k, n}), bias(dtype, {n});
        TestTensor residual(dtype, {m, n}), y(dtype, {m, n});
        for (TestTensor* t : {&a, &b, &bias, &residual}) t->Randomise(random);
        TestTensor packed(DataType::kUInt8, {PackedBytes(dtype, n, 1, k)});
        PackMatrix({b.view.data, dtype, 1, n}, dtype, n, 1, k, packed.view.data);
        const Status status = RunKernel("cpu.gemm",
                                        {{"n", n},
                                         {"k", k},
                                         {"b_dtype", dtype},
                                         {"has_bias", true},
                                         {"epilogue", ReluAddProgram(2, dtype)}},
                                        {a.view, packed.view, bias.view, residual.view}, {y.view});
        ASSERT_TRUE(status.ok()) << status.ToString();
        ASSERT_TRUE(y.GuardIntact());
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            double sum = bias.Get(j);
            for (int64_t x = 0; x < k; ++x) {
              sum += double{a.Get(i * k + x)} * double{b.Get(x * n + j)};
            }
            const double want = std::max(sum, 0.0) + double{residual.Get(i * n + j)};
            ASSERT_NEAR(y.Get(i * n + j), want, SumTolerance(dtype, k, std::abs(want) + 1))
                << DataTypeName(dtype) << " m " << m << " n " << n << " at " << i << "," << j;
          }
        }
      }
    }
  }
}

TEST(EpilogueTest, BatchedGemm) {
  std::mt19937 random(32);
  const int64_t batch = 3, m = 21, n = 34, k = 18;
  TestTensor a(DataType::kFloat32, {batch, m, k}), b(DataType::kFloat32, {batch, k, n});
  TestTensor residual(DataType::kFloat32, {batch, m, n}), y(DataType::kFloat32, {batch, m, n});
  for (TestTensor* t : {&a, &b, &residual}) t->Randomise(random);
  const Status status =
      RunKernel("cpu.batched_gemm", {{"epilogue", ReluAddProgram(3, DataType::kFloat32)}},
                {a.view, b.view, residual.view}, {y.view});
  ASSERT_TRUE(status.ok()) << status.ToString();
  for (int64_t i = 0; i < batch * m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t x = 0; x < k; ++x) {
        sum += double{a.Get(i * k + x)} * double{b.Get((i / m * k + x) * n + j)};
      }
      ASSERT_NEAR(y.Get(i * n + j), std::max(sum, 0.0) + double{residual.Get(i * n + j)}, 1e-5);
    }
  }
}

// A filter of one tap per channel group: groups, both kernels, every output type.
TEST(EpilogueTest, Convolution) {
  std::mt19937 random(33);
  for (DataType dtype : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
    for (int64_t groups : {1, 2, 24}) {
      const int64_t size = 9, channels = 24, per_group = channels / groups;
      const Dims kernel{1, 1};
      TestTensor x(dtype, {1, size, size, channels}), w(dtype, {channels, 1, 1, per_group});
      TestTensor residual(dtype, {1, size, size, channels}), y(dtype, {1, size, size, channels});
      for (TestTensor* t : {&x, &w, &residual}) t->Randomise(random);
      const bool depthwise = groups == channels;
      const ConvolutionTaps taps = TapsOf(kernel, {1, 1}, channels, groups);
      TestTensor packed(DataType::kUInt8,
                        {depthwise ? PackedDepthwiseBytes(kernel, channels)
                                   : PackedConvolutionBytes(dtype, taps, channels, groups)});
      if (depthwise) {
        PackDepthwise(w.view.data, dtype, kernel, channels, packed.view.data);
      } else {
        PackConvolution(w.view.data, dtype, taps, channels, groups, packed.view.data);
      }
      const Status status = RunKernel(depthwise ? "cpu.depthwise_convolution" : "cpu.convolution",
                                      {{"stride", Dims{1, 1}},
                                       {"padding", Dims{0, 0, 0, 0}},
                                       {"dilation", Dims{1, 1}},
                                       {"groups", groups},
                                       {"kernel", kernel},
                                       {"in_channels", channels},
                                       {"out_channels", channels},
                                       {"b_dtype", dtype},
                                       {"epilogue", ReluAddProgram(4, dtype)}},
                                      {x.view, packed.view, residual.view}, {y.view});
      ASSERT_TRUE(status.ok()) << status.ToString();
      for (int64_t p = 0; p < size * size; ++p) {
        for (int64_t o = 0; o < channels; ++o) {
          double sum = 0;
          for (int64_t i = 0; i < per_group; ++i) {
            sum += double{x.Get(p * channels + o / per_group * per_group + i)} *
                   double{w.Get(o * per_group + i)};
          }
          const double want = std::max(sum, 0.0) + double{residual.Get(p * channels + o)};
          ASSERT_NEAR(y.Get(p * channels + o), want, SumTolerance(dtype, 24, std::abs(want) + 1))
              << DataTypeName(dtype) << " groups " << groups << " at " << p << "," << o;
        }
      }
    }
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
