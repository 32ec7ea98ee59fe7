// The fast algorithm of "cpu.convolution" against sums in double precision and against the direct
// algorithm.
#include "core/kernels/cpu/gemm/winograd.h"

#include <cmath>
#include <limits>

#include "core/kernels/cpu/gemm/pack.h"
#include "tests/core/kernels/cpu/gemm/gemm_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

struct Case {
  int64_t batch = 1, h = 8, w = 8, in = 16, out = 16;
  Dims padding{1, 1, 1, 1};
  bool bias = true;
};

std::string Describe(const Case& c) {
  return StrCat("n", c.batch, " ", c.h, "x", c.w, " ", c.in, "->", c.out, " p", c.padding[0], ",",
                c.padding[1], ",", c.padding[2], ",", c.padding[3]);
}

Attributes AttributesOf(const Case& c, std::string algorithm) {
  return {{"stride", Dims{1, 1}},
          {"padding", c.padding},
          {"dilation", Dims{1, 1}},
          {"groups", int64_t{1}},
          {"kernel", Dims{3, 3}},
          {"has_bias", c.bias},
          {"channels_last", true},
          {"in_channels", c.in},
          {"out_channels", c.out},
          {"b_dtype", DataType::kFloat32},
          {"algorithm", std::move(algorithm)}};
}

// Operands of one convolution and both algorithms' results.
struct BothWays {
  explicit BothWays(const Case& c)
      : x(DataType::kFloat32, {c.batch, c.h, c.w, c.in}),
        w(DataType::kFloat32, {c.out, 3, 3, c.in}),
        bias(DataType::kFloat32, {c.out}),
        packed(DataType::kUInt8,
               {PackedConvolutionBytes(DataType::kFloat32, TapsOf({3, 3}, {1, 1}, c.in, 1), c.out,
                                       1)}),
        fast(DataType::kFloat32, OutDims(c)),
        direct(DataType::kFloat32, OutDims(c)) {
    std::mt19937 random(5);
    x.Randomise(random);
    w.Randomise(random);
    bias.Randomise(random);
  }
  static Dims OutDims(const Case& c) {
    return {c.batch, c.h + c.padding[0] + c.padding[2] - 2, c.w + c.padding[1] + c.padding[3] - 2,
            c.out};
  }
  Status Compute(const Case& c) {
    PackConvolution(w.view.data, DataType::kFloat32, TapsOf({3, 3}, {1, 1}, c.in, 1), c.out, 1,
                    packed.view.data);
    std::vector<TensorView> inputs{x.view, packed.view};
    if (c.bias) inputs.push_back(bias.view);
    TRT_RETURN_IF_ERROR(
        RunKernel("cpu.convolution", AttributesOf(c, "winograd"), inputs, {fast.view}));
    return RunKernel("cpu.convolution", AttributesOf(c, "direct"), inputs, {direct.view});
  }
  double Exact(const Case& c, int64_t n, int64_t oh, int64_t ow, int64_t o) const {
    double sum = c.bias ? double{bias.Get(o)} : 0.0;
    for (int64_t kh = 0; kh < 3; ++kh) {
      for (int64_t kw = 0; kw < 3; ++kw) {
        const int64_t ih = oh - c.padding[0] + kh;
        const int64_t iw = ow - c.padding[1] + kw;
        if (ih < 0 || ih >= c.h || iw < 0 || iw >= c.w) continue;
        for (int64_t i = 0; i < c.in; ++i) {
          sum += double{x.Get(((n * c.h + ih) * c.w + iw) * c.in + i)} *
                 double{w.Get(((o * 3 + kh) * 3 + kw) * c.in + i)};
        }
      }
    }
    return sum;
  }

  TestTensor x, w, bias, packed, fast, direct;
};

void Check(const Case& c) {
  BothWays run(c);
  const Status status = run.Compute(c);
  ASSERT_TRUE(status.ok()) << status.ToString() << " " << Describe(c);
  ASSERT_TRUE(run.fast.GuardIntact()) << Describe(c);
  const TensorView& y = run.fast.view;
  int64_t at = 0;
  for (int64_t n = 0; n < y.dims[0]; ++n) {
    for (int64_t i = 0; i < y.dims[1]; ++i) {
      for (int64_t j = 0; j < y.dims[2]; ++j) {
        for (int64_t o = 0; o < c.out; ++o, ++at) {
          const double want = run.Exact(c, n, i, j, o);
          ASSERT_NEAR(run.fast.Get(at), want, SumTolerance(DataType::kFloat32, 9 * c.in, want))
              << Describe(c) << " at " << n << "," << i << "," << j << "," << o;
        }
      }
    }
  }
}

TEST(WinogradTest, SizesAndPaddings) {
  for (int64_t h : {1, 2, 7, 8}) {
    for (int64_t w : {1, 5, 8, 31}) {
      for (const Dims& padding : {Dims{1, 1, 1, 1}, Dims{2, 2, 2, 2}, Dims{0, 3, 2, 1}}) {
        Case c;
        c.h = h;
        c.w = w;
        c.padding = padding;
        c.bias = h != 7;
        if (h + padding[0] + padding[2] < 3 || w + padding[1] + padding[3] < 3) continue;
        Check(c);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(WinogradTest, Channels) {
  for (int64_t in : {1, 7, 16, 33, 257, 600}) {
    for (int64_t out : {1, 15, 17, 33, 80}) {
      Case c;
      c.in = in;
      c.out = out;
      c.h = c.w = 5;
      Check(c);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(WinogradTest, SeveralChunksAndBatches) {
  Case c;
  c.batch = 3;
  c.h = 40;
  c.w = 31;
  c.in = 640;
  c.out = 33;
  Check(c);
}

TEST(WinogradTest, EmptyBatchAndNoPixels) {
  Case c;
  c.batch = 0;
  Check(c);
  c.batch = 1;
  c.h = 2;
  c.padding = {0, 0, 0, 0};
  Check(c);
}

// One plain float32 sum, term by term.
double PlainSum(const BothWays& run, const Case& c, int64_t oh, int64_t ow, int64_t o) {
  float sum = c.bias ? run.bias.Get(o) : 0.0F;
  for (int64_t kh = 0; kh < 3; ++kh) {
    for (int64_t kw = 0; kw < 3; ++kw) {
      const int64_t ih = oh - c.padding[0] + kh;
      const int64_t iw = ow - c.padding[1] + kw;
      if (ih < 0 || ih >= c.h || iw < 0 || iw >= c.w) continue;
      for (int64_t i = 0; i < c.in; ++i) {
        sum +=
            run.x.Get((ih * c.w + iw) * c.in + i) * run.w.Get(((o * 3 + kh) * 3 + kw) * c.in + i);
      }
    }
  }
  return double{sum};
}

// Fewer products a sum make up for what the transforms round.
TEST(WinogradTest, RoundsLessThanAPlainSum) {
  for (int64_t in : {64, 512}) {
    Case c;
    c.h = c.w = 14;
    c.in = in;
    c.out = 32;
    BothWays run(c);
    ASSERT_TRUE(run.Compute(c).ok());
    double fast = 0;
    double plain = 0;
    for (int64_t at = 0; at < run.fast.view.numel(); ++at) {
      const int64_t oh = at / (14 * 32);
      const double want = run.Exact(c, 0, oh, at / 32 % 14, at % 32);
      fast += std::pow(run.fast.Get(at) - want, 2);
      plain += std::pow(PlainSum(run, c, oh, at / 32 % 14, at % 32) - want, 2);
    }
    EXPECT_LE(std::sqrt(fast), std::sqrt(plain)) << in << " channels";
  }
}

// Infinities, NaNs and sums that overflow only inside a tile reach exactly the pixels that they
// reach in the direct product.
TEST(WinogradTest, WhatIsNotFiniteStaysWhereItBelongs) {
  for (float value :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38F}) {
    Case c;
    c.in = 24;
    BothWays run(c);
    run.x.Set((3 * 8 + 4) * c.in + 5, value);
    run.x.Set((3 * 8 + 6) * c.in + 5, value);
    ASSERT_TRUE(run.Compute(c).ok());
    for (int64_t at = 0; at < run.fast.view.numel(); ++at) {
      const float got = run.fast.Get(at);
      const float want = run.direct.Get(at);
      ASSERT_TRUE(std::isnan(want) ? std::isnan(got) : got == want || std::abs(got - want) < 1e-4F)
          << "value " << value << " at " << at << ": " << got << ", directly " << want;
      if (at / c.out / 8 == 0) {
        ASSERT_TRUE(std::isfinite(got)) << at;
      }
    }
  }
}

TEST(WinogradTest, ChosenOnlyWhereItPays) {
  ConvolutionParams params;
  params.kernel_h = params.kernel_w = 3;
  params.pad_top = params.pad_left = params.pad_bottom = params.pad_right = 1;
  params.in_channels = params.out_channels = 64;
  EXPECT_TRUE(CanUseWinograd(params, DataType::kFloat32, true));
  EXPECT_FALSE(CanUseWinograd(params, DataType::kBFloat16, true));
  EXPECT_TRUE(PrefersWinograd(params, {1, 1, 56, 56, 1, 56, 56}));
  EXPECT_FALSE(PrefersWinograd(params, {1, 1, 1, 1, 1, 1, 1}));
  params.in_channels = 3;
  EXPECT_FALSE(PrefersWinograd(params, {1, 1, 224, 224, 1, 224, 224}));
  params.stride_w = 2;
  EXPECT_FALSE(CanUseWinograd(params, DataType::kFloat32, true));
}

// A thread with tiles of its own transforms all weights, so it needs many tiles.
TEST(WinogradTest, ThreadsHaveTilesOfTheirOwnWhereThereAreManyTiles) {
  ConvolutionParams params;
  params.in_channels = params.out_channels = 64;
  const ConvolutionSize image{1, 1, 56, 56, 1, 56, 56};
  for (int threads : {1, 2, 7}) {
    const WinogradPlan plan = PlanWinograd(params, image, threads);
    EXPECT_TRUE(plan.own_tiles);
    EXPECT_EQ(plan.slots, threads);
    EXPECT_GE(plan.chunk_tiles * plan.slots, plan.tiles);
    EXPECT_EQ(plan.scratch_bytes(),
              static_cast<size_t>(threads) * (plan.input_bytes + plan.slot_bytes));
  }
  const WinogradPlan few = PlanWinograd(params, {1, 1, 7, 7, 1, 7, 7}, 2);
  EXPECT_FALSE(few.own_tiles);
  EXPECT_EQ(few.scratch_bytes(), few.input_bytes + 2 * few.slot_bytes);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
