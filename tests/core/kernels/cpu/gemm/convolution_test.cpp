#include <algorithm>

#include "core/kernels/cpu/gemm/pack.h"
#include "tests/core/kernels/cpu/gemm/gemm_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

struct Case {
  DataType dtype = DataType::kFloat32;
  int64_t batch = 2, h = 9, w = 11, in = 6, out = 20, groups = 1;
  Dims kernel{3, 3}, stride{1, 1}, padding{1, 1, 1, 1}, dilation{1, 1};
  bool bias = true;
  bool one_dim = false;  // no height: only the last entry of each list counts
  bool planar = false;   // the image lies plane by plane
};

std::string Describe(const Case& c) {
  return StrCat(DataTypeName(c.dtype), " n", c.batch, " ", c.h, "x", c.w, " ", c.in, "->", c.out,
                " g", c.groups, " k", c.kernel[0], "x", c.kernel[1], " s", c.stride[0], ",",
                c.stride[1], " p", c.padding[0], ",", c.padding[1], ",", c.padding[2], ",",
                c.padding[3], " d", c.dilation[0], ",", c.dilation[1], c.planar ? " planar" : "");
}

int64_t OutSize(int64_t in, int64_t pads, int64_t k, int64_t s, int64_t d) {
  return (in + pads - d * (k - 1) - 1) / s + 1;
}

double Expected(const Case& c, const double* x, const double* w, int64_t n, int64_t oh, int64_t ow,
                int64_t o) {
  const int64_t per_group = c.in / c.groups;
  const int64_t group = o / (c.out / c.groups);
  double sum = 0;
  for (int64_t kh = 0; kh < c.kernel[0]; ++kh) {
    for (int64_t kw = 0; kw < c.kernel[1]; ++kw) {
      const int64_t ih = oh * c.stride[0] - c.padding[0] + kh * c.dilation[0];
      const int64_t iw = ow * c.stride[1] - c.padding[1] + kw * c.dilation[1];
      if (ih < 0 || ih >= c.h || iw < 0 || iw >= c.w) continue;
      const double* pixel = x + ((n * c.h + ih) * c.w + iw) * c.in + group * per_group;
      const double* tap = w + ((o * c.kernel[0] + kh) * c.kernel[1] + kw) * per_group;
      for (int64_t i = 0; i < per_group; ++i) sum += pixel[i] * tap[i];
    }
  }
  return sum;
}

Attributes AttributesOf(const Case& c) {
  Dims padding = c.padding, kernel = c.kernel, stride = c.stride, dilation = c.dilation;
  if (c.one_dim) {
    padding = {c.padding[1], c.padding[3]};
    kernel = {c.kernel[1]};
    stride = {c.stride[1]};
    dilation = {c.dilation[1]};
  }
  return {{"stride", stride},      {"padding", padding},  {"dilation", dilation},
          {"groups", c.groups},    {"kernel", kernel},    {"has_bias", c.bias},
          {"channels_last", true}, {"in_channels", c.in}, {"out_channels", c.out},
          {"b_dtype", c.dtype}};
}

// The same values [N, ..., C] as [N, C, ...] in memory.
TestTensor ToPlanes(const TestTensor& x) {
  const auto rank = static_cast<size_t>(x.view.rank);
  TestTensor planes(x.view.dtype, Dims(x.view.dims.begin(), x.view.dims.begin() + x.view.rank));
  const int64_t channels = x.view.dims[rank - 1];
  const int64_t pixels = x.view.dims[0] == 0 ? 0 : x.view.numel() / x.view.dims[0] / channels;
  for (int64_t i = 0; i < x.view.numel(); ++i) {
    const int64_t n = i / channels / pixels;
    planes.Set((n * channels + i % channels) * pixels + i / channels % pixels, x.Get(i));
  }
  planes.view.strides[0] = channels * pixels;
  planes.view.strides[rank - 1] = pixels;
  for (size_t d = rank - 1, stride = 1; d-- > 1;) {
    planes.view.strides[d] = static_cast<int64_t>(stride);
    stride *= static_cast<size_t>(x.view.dims[d]);
  }
  return planes;
}

void CheckConvolution(const Case& c, bool depthwise = false) {
  std::mt19937 random(11);
  const int64_t oh =
      OutSize(c.h, c.padding[0] + c.padding[2], c.kernel[0], c.stride[0], c.dilation[0]);
  const int64_t ow =
      OutSize(c.w, c.padding[1] + c.padding[3], c.kernel[1], c.stride[1], c.dilation[1]);
  const Dims x_dims = c.one_dim ? Dims{c.batch, c.w, c.in} : Dims{c.batch, c.h, c.w, c.in};
  const Dims y_dims = c.one_dim ? Dims{c.batch, ow, c.out} : Dims{c.batch, oh, ow, c.out};
  TestTensor x(c.dtype, x_dims), y(c.dtype, y_dims), bias(c.dtype, {c.out});
  TestTensor w(c.dtype, {c.out, c.kernel[0], c.kernel[1], c.in / c.groups});
  x.Randomise(random);
  w.Randomise(random);
  bias.Randomise(random);
  const Dims kernel = c.one_dim ? Dims{c.kernel[1]} : c.kernel;
  const ConvolutionTaps taps =
      TapsOf(kernel, c.one_dim ? Dims{c.dilation[1]} : c.dilation, c.in, c.groups);
  TestTensor packed(DataType::kUInt8,
                    {depthwise ? PackedDepthwiseBytes(kernel, c.out)
                               : PackedConvolutionBytes(c.dtype, taps, c.out, c.groups)});
  if (depthwise) {
    PackDepthwise(w.view.data, c.dtype, kernel, c.out, packed.view.data);
  } else {
    PackConvolution(w.view.data, c.dtype, taps, c.out, c.groups, packed.view.data);
  }
  const TestTensor planes = ToPlanes(x);
  std::vector<TensorView> inputs{c.planar ? planes.view : x.view, packed.view};
  if (c.bias) inputs.push_back(bias.view);
  const Status status = RunKernel(depthwise ? "cpu.depthwise_convolution" : "cpu.convolution",
                                  AttributesOf(c), inputs, {y.view});
  ASSERT_TRUE(status.ok()) << status.ToString() << " " << Describe(c);
  ASSERT_TRUE(packed.GuardIntact() && y.GuardIntact()) << Describe(c);
  const std::vector<double> xs = x.ToDoubles();
  const std::vector<double> ws = w.ToDoubles();
  int64_t at = 0;
  for (int64_t n = 0; n < c.batch; ++n) {
    for (int64_t i = 0; i < oh; ++i) {
      for (int64_t j = 0; j < ow; ++j) {
        for (int64_t o = 0; o < c.out; ++o, ++at) {
          const double want =
              Expected(c, xs.data(), ws.data(), n, i, j, o) + (c.bias ? double{bias.Get(o)} : 0.0);
          const int64_t k = c.kernel[0] * c.kernel[1] * c.in / c.groups;
          ASSERT_NEAR(y.Get(at), want, SumTolerance(c.dtype, k, want))
              << Describe(c) << " at " << n << "," << i << "," << j << "," << o;
        }
      }
    }
  }
}

constexpr DataType kTypes[] = {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16};

// Every combination of filter, stride, padding and dilation over small images. `dtype` alternates
// between the half types: all of them beside float32 would take half as long again.
template <typename Body>
void ForEachGeometry(const Body& body) {
  int count = 0;
  for (const Dims& kernel : {Dims{1, 1}, Dims{3, 3}, Dims{1, 5}, Dims{4, 2}}) {
    for (const Dims& stride : {Dims{1, 1}, Dims{2, 2}, Dims{3, 1}}) {
      for (const Dims& padding : {Dims{0, 0, 0, 0}, Dims{1, 1, 1, 1}, Dims{2, 0, 1, 3}}) {
        for (const Dims& dilation : {Dims{1, 1}, Dims{2, 2}, Dims{1, 2}}) {
          Case c;
          c.kernel = kernel;
          c.stride = stride;
          c.padding = padding;
          c.dilation = dilation;
          c.bias = stride[0] != 2;
          c.dtype = ++count % 2 == 0 ? DataType::kFloat16 : DataType::kBFloat16;
          body(c);
        }
      }
    }
  }
}

TEST(ConvolutionTest, Geometry) {
  ForEachGeometry([](Case c) {
    for (DataType dtype : {DataType::kFloat32, c.dtype}) {
      c.dtype = dtype;
      for (int64_t in : {3, 50}) {
        c.in = in;
        c.groups = 1;
        CheckConvolution(c);
        if (testing::Test::HasFatalFailure()) return;
      }
      c.in = 6;
      c.groups = 2;
      CheckConvolution(c);
      if (testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(ConvolutionTest, PlanesOfAnImage) {
  ForEachGeometry([](Case c) {
    c.dtype = DataType::kFloat32;
    c.planar = true;
    for (int64_t in : {1, 3, 4}) {
      for (int64_t w : {1, 11, 70}) {
        c.in = in;
        c.w = w;
        if (OutSize(w, c.padding[1] + c.padding[3], c.kernel[1], 1, c.dilation[1]) < 1) continue;
        CheckConvolution(c);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

TEST(ConvolutionTest, PlanesOfASignal) {
  Case c;
  c.one_dim = c.planar = true;
  c.h = 1;
  c.w = 301;
  c.in = 2;
  c.kernel = {1, 5};
  c.stride = {1, 2};
  c.padding = {0, 1, 0, 3};
  CheckConvolution(c);
}

TEST(ConvolutionTest, Channels) {
  for (DataType dtype : kTypes) {
    for (int64_t in : {1, 7, 16, 33, 65}) {
      for (int64_t out : {1, 15, 17, 64}) {
        Case c;
        c.dtype = dtype;
        c.in = in;
        c.out = out;
        CheckConvolution(c);
        c.kernel = {1, 1};
        c.padding = {0, 0, 0, 0};
        CheckConvolution(c);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(ConvolutionTest, Groups) {
  for (DataType dtype : kTypes) {
    for (int64_t groups : {1, 2, 5, 10}) {
      Case c;
      c.dtype = dtype;
      c.groups = groups;
      c.in = 30;
      c.out = 50;
      CheckConvolution(c);
      c.kernel = {1, 1};
      CheckConvolution(c);
      c.padding = {0, 0, 0, 0};
      CheckConvolution(c);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ConvolutionTest, OneDimension) {
  for (DataType dtype : kTypes) {
    for (int64_t stride : {1, 2}) {
      Case c;
      c.dtype = dtype;
      c.one_dim = true;
      c.h = 1;
      c.w = 41;
      c.in = 12;
      c.kernel = {1, 3};
      c.stride = {1, stride};
      c.padding = {0, 1, 0, 1};
      CheckConvolution(c);
      c.dilation = {1, 4};
      CheckConvolution(c);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ConvolutionTest, LargeEnoughForSeveralBlocks) {
  Case c;
  c.h = c.w = 23;
  c.in = 70;
  c.out = 300;
  CheckConvolution(c);
  c.in = 400;
  c.out = 40;
  c.batch = 1;
  CheckConvolution(c);
  c.dtype = DataType::kBFloat16;
  CheckConvolution(c);
}

TEST(ConvolutionTest, FilterLargerThanImage) {
  Case c;
  c.h = c.w = 2;
  c.kernel = {7, 7};
  c.padding = {3, 3, 3, 3};
  for (int64_t in : {3, 64}) {
    c.in = in;
    CheckConvolution(c);
  }
  c.in = c.out = c.groups = 24;
  CheckConvolution(c, true);
}

TEST(ConvolutionTest, EmptyBatch) {
  Case c;
  c.batch = 0;
  CheckConvolution(c);
  c.in = c.out = c.groups = 8;
  CheckConvolution(c, true);
}

TEST(DepthwiseTest, Geometry) {
  ForEachGeometry([](Case c) {
    for (DataType dtype : {DataType::kFloat32, c.dtype}) {
      c.dtype = dtype;
      for (int64_t channels : {7, 16, 37}) {
        c.in = c.out = c.groups = channels;
        CheckConvolution(c, true);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

// Filters that slide: lines of every length, so that each number of pixels at a time is used, with
// and without the image's edges in reach.
TEST(DepthwiseTest, SlidingFilters) {
  for (int64_t taps : {3, 5, 7}) {
    for (int64_t width : {1, 2, 3, 4, 6, 7, 8, 9, 13, 14, 15, 16, 22, 31, 33}) {
      for (int64_t pad : {int64_t{0}, taps / 2, taps - 1}) {
        if (width + 2 * pad < taps) continue;
        Case c;
        c.h = 4;
        c.w = width;
        c.in = c.out = c.groups = width % 2 == 0 ? 35 : 16;
        c.kernel = {2, taps};
        c.padding = {1, pad, 0, pad};
        CheckConvolution(c, true);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(DepthwiseTest, OneDimension) {
  Case c;
  c.one_dim = true;
  c.h = 1;
  c.w = 33;
  c.in = c.out = c.groups = 20;
  c.kernel = {1, 5};
  c.padding = {0, 2, 0, 2};
  CheckConvolution(c, true);
}

TEST(ConvolutionTest, RefusalsNameTheReason) {
  TestTensor x(DataType::kFloat32, {1, 5, 5, 5}), y(DataType::kFloat32, {1, 5, 5, 8});
  Case c;
  c.in = 5;
  c.out = 8;
  c.bias = false;
  const ConvolutionTaps taps = TapsOf(c.kernel, c.dilation, c.in, c.groups);
  TestTensor packed(DataType::kUInt8, {PackedConvolutionBytes(c.dtype, taps, c.out, c.groups)});
  Attributes attributes = AttributesOf(c);
  EXPECT_TRUE(RunKernel("cpu.convolution", attributes, {x.view, packed.view}, {y.view}).ok());
  TensorView nchw = x.view;
  std::swap(nchw.strides[1], nchw.strides[3]);
  EXPECT_EQ(RunKernel("cpu.convolution", attributes, {nchw, packed.view}, {y.view}).code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(RunKernel("cpu.convolution", attributes, {x.view, packed.view}, {x.view}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      RunKernel("cpu.depthwise_convolution", attributes, {x.view, packed.view}, {y.view}).code(),
      StatusCode::kUnsupported);
  attributes.Set("kernel", Dims{3, 3, 3, 3});
  EXPECT_EQ(RunKernel("cpu.convolution", attributes, {x.view, packed.view}, {y.view}).code(),
            StatusCode::kUnsupported);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
