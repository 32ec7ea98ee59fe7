// cuda.convolution and cuda.depthwise_convolution on the HostGpu against the reference.
#include "tests/core/kernels/cuda/matrix/matrix_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

struct ConvolutionCase {
  DataType dtype;
  Dims x;  // [N, H, W, C] or [N, W, C]
  int64_t out_channels;
  Dims kernel, stride, padding, dilation;
  int64_t groups = 1;
  bool epilogue = false;
  std::vector<SpecialValue> x_values = {}, w_values = {};
};

Dims OutputDims(const ConvolutionCase& c) {
  Dims dims{c.x[0]};
  const size_t spatial = c.kernel.size();
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t room =
        c.x[d + 1] + c.padding[d] + c.padding[spatial + d] - c.dilation[d] * (c.kernel[d] - 1) - 1;
    dims.push_back(room / c.stride[d] + 1);
  }
  dims.push_back(c.out_channels);
  return dims;
}

// [O, taps] -> [taps, O].
TestTensor TapsFirst(const TestTensor& w, int64_t channels, int64_t taps) {
  const std::vector<double> from = w.values();
  std::vector<double> values(from.size());
  for (int64_t o = 0; o < channels; ++o) {
    for (int64_t t = 0; t < taps; ++t) {
      values[static_cast<size_t>(t * channels + o)] = from[static_cast<size_t>(o * taps + t)];
    }
  }
  return TestTensor(w.view.dtype, {taps, channels}, values);
}

void ExpectConvolution(const ConvolutionCase& c) {
  const int64_t in_channels = c.x.back();
  const int64_t taps = NumElements(c.kernel);
  const bool depthwise = c.groups > 1 && c.groups == in_channels && c.groups == c.out_channels;
  Dims w_dims{c.out_channels};
  w_dims.insert(w_dims.end(), c.kernel.begin(), c.kernel.end());
  w_dims.push_back(in_channels / c.groups);
  const Dims out_dims = OutputDims(c);
  const TestTensor x = RandomTensor(c.dtype, c.x, 1);
  const TestTensor w = RandomTensor(c.dtype, w_dims, 2);
  SetValues(x, c.x_values);
  SetValues(w, c.w_values);
  const TestTensor bias = RandomTensor(c.dtype, {c.out_channels}, 3);
  const TestTensor residual = RandomTensor(c.dtype, out_dims, 4);
  const TestTensor packed = depthwise
                                ? TapsFirst(w, c.out_channels, taps)
                                : PaddedRows(w, c.out_channels, taps * in_channels / c.groups);
  Attributes reference{{"stride", c.stride}, {"padding", c.padding}, {"dilation", c.dilation},
                       {"groups", c.groups}, {"has_bias", true},     {"channels_last", true}};
  std::vector<TensorView> inputs{x.view, packed.view, bias.view};
  std::vector<TensorView> plain{x.view, w.view, bias.view};
  if (c.epilogue) {
    reference.Set("epilogue", ReluAdd(static_cast<int>(out_dims.size()), c.dtype));
    inputs.push_back(residual.view);
    plain.push_back(residual.view);
  }
  Attributes attributes = reference;
  attributes.Set("out_channels", c.out_channels)
      .Set("in_channels", in_channels)
      .Set("kernel", c.kernel)
      .Set("b_dtype", c.dtype);
  ExpectAgree(depthwise ? "cuda.depthwise_convolution" : "cuda.convolution", "ref.Convolution",
              attributes, inputs, reference, plain, c.dtype, out_dims,
              StrCat(DataTypeName(c.dtype), " ", ToString(c.x), " kernel ", ToString(c.kernel),
                     " groups ", c.groups));
}

TEST(CudaConvolutionTest, Windows) {
  TRT_NEED_HOST_GPU();
  ExpectConvolution(
      {DataType::kFloat16, {1, 7, 6, 16}, 24, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, true});
  ExpectConvolution({DataType::kBFloat16, {2, 9, 7, 12}, 9, {3, 2}, {2, 1}, {2, 0, 1, 1}, {2, 2}});
  ExpectConvolution({DataType::kFloat32, {1, 6, 6, 4}, 8, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}});
}

TEST(CudaConvolutionTest, Float32KeepsInfinities) {
  TRT_NEED_HOST_GPU();
  ConvolutionCase c{DataType::kFloat32, {2, 6, 5, 4}, 8, {3, 3}, {2, 1}, {1, 1, 1, 1}, {1, 1}};
  c.x_values = {{0, INFINITY}, {50, -INFINITY}, {111, NAN}, {239, INFINITY}};
  c.w_values = {{0, 1.0}, {2, 0.0}, {40, INFINITY}};
  ExpectConvolution(c);
  c.groups = 2;
  c.w_values = {{0, 0.0}, {19, -INFINITY}, {130, NAN}};
  ExpectConvolution(c);
  // TF32 rounds it to infinity.
  c.x_values = {{121, 3.4028e38}};
  c.w_values = {};
  ExpectConvolution(c);
}

TEST(CudaConvolutionTest, FewChannels) {
  TRT_NEED_HOST_GPU();
  ExpectConvolution({DataType::kFloat16, {1, 11, 10, 3}, 16, {7, 7}, {2, 2}, {3, 3, 3, 3}, {1, 1}});
}

TEST(CudaConvolutionTest, PaddedChannels) {
  TRT_NEED_HOST_GPU();
  const DataType dtype = DataType::kFloat16;
  const TestTensor x = RandomTensor(dtype, {1, 9, 8, 3}, 1);
  const TestTensor w = RandomTensor(dtype, {8, 3, 3, 3}, 2);
  // Each tap's three weights and a zero; rows of 36 padded to 40.
  const std::vector<double> from = w.values();
  std::vector<double> values(8 * 40, 0.0);
  for (size_t o = 0; o < 8; ++o) {
    for (size_t i = 0; i < 27; ++i) values[o * 40 + i / 3 * 4 + i % 3] = from[o * 27 + i];
  }
  const TestTensor packed(dtype, {8, 40}, values);
  const Attributes reference{{"stride", Dims{2, 2}},
                             {"padding", Dims{1, 1, 1, 1}},
                             {"dilation", Dims{1, 1}},
                             {"groups", int64_t{1}},
                             {"channels_last", true}};
  Attributes attributes = reference;
  attributes.Set("out_channels", int64_t{8})
      .Set("in_channels", int64_t{3})
      .Set("padded_channels", int64_t{4})
      .Set("kernel", Dims{3, 3})
      .Set("b_dtype", dtype);
  ExpectAgree("cuda.convolution", "ref.Convolution", attributes, {x.view, packed.view}, reference,
              {x.view, w.view}, dtype, {1, 5, 4, 8}, "padded");
}

TEST(CudaConvolutionTest, PointwiseOfFewPixels) {
  TRT_NEED_HOST_GPU();
  ExpectConvolution(
      {DataType::kFloat16, {1, 1, 1, 72}, 24, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, true});
  ExpectConvolution(
      {DataType::kFloat32, {3, 2, 1, 40}, 9, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, true});
}

TEST(CudaConvolutionTest, PointwiseGroupsAndOneDimension) {
  TRT_NEED_HOST_GPU();
  ExpectConvolution(
      {DataType::kFloat16, {1, 5, 5, 32}, 40, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, true});
  ExpectConvolution(
      {DataType::kFloat16, {1, 5, 6, 32}, 16, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2, true});
  ExpectConvolution({DataType::kFloat16, {2, 19, 8}, 8, {5}, {2}, {2, 2}, {1}});
}

// The image is stored plane by plane, or with its last dim first.
void ExpectFirstConvolution(DataType dtype, const Dims& x_dims, int64_t filters,
                            const Attributes& windows, const Dims& out_dims, const Dims& perm) {
  const int64_t channels = x_dims.back();
  const Dims kernel = windows.Ints("kernel");
  Dims w_dims{filters};
  w_dims.insert(w_dims.end(), kernel.begin(), kernel.end());
  w_dims.push_back(channels);
  const int64_t k = NumElements(kernel) * channels;
  Dims stored;
  for (const int64_t d : perm) stored.push_back(x_dims[static_cast<size_t>(d)]);
  const TestTensor memory = RandomTensor(dtype, stored, 1);
  TensorView x = memory.view;
  for (size_t d = 0; d < perm.size(); ++d) {
    x.dims[static_cast<size_t>(perm[d])] = memory.view.dims[d];
    x.strides[static_cast<size_t>(perm[d])] = memory.view.strides[d];
  }
  const TestTensor w = RandomTensor(dtype, w_dims, 2);
  const TestTensor bias = RandomTensor(dtype, {filters}, 3);
  const TestTensor residual = RandomTensor(dtype, out_dims, 4);
  const TestTensor packed = TapsFirst(w, filters, k);
  Attributes reference = windows;
  reference.Set("groups", int64_t{1})
      .Set("has_bias", true)
      .Set("channels_last", true)
      .Set("epilogue", ReluAdd(static_cast<int>(out_dims.size()), dtype));
  Attributes attributes = reference;
  attributes.Set("out_channels", filters).Set("in_channels", channels).Set("b_dtype", dtype);
  ExpectAgree("cuda.first_convolution", "ref.Convolution", attributes,
              {x, packed.view, bias.view, residual.view}, reference,
              {x, w.view, bias.view, residual.view}, dtype, out_dims,
              StrCat("first ", DataTypeName(dtype), " ", ToString(x_dims)));
}

TEST(CudaFirstConvolutionTest, PlanesAndPixels) {
  TRT_NEED_HOST_GPU();
  const Attributes windows{{"stride", Dims{2, 2}},
                           {"padding", Dims{1, 1, 1, 1}},
                           {"dilation", Dims{1, 1}},
                           {"kernel", Dims{3, 3}}};
  ExpectFirstConvolution(DataType::kFloat16, {2, 33, 31, 3}, 16, windows, {2, 17, 16, 16},
                         {0, 3, 1, 2});
  ExpectFirstConvolution(DataType::kFloat32, {1, 7, 8, 4}, 32, windows, {1, 4, 4, 32},
                         {0, 1, 2, 3});
  const Attributes uneven{{"stride", Dims{1, 3}},
                          {"padding", Dims{2, 0, 0, 1}},
                          {"dilation", Dims{2, 1}},
                          {"kernel", Dims{3, 2}}};
  ExpectFirstConvolution(DataType::kBFloat16, {3, 9, 10, 1}, 8, uneven, {3, 7, 4, 8}, {3, 2, 1, 0});
  const Attributes line{
      {"stride", Dims{2}}, {"padding", Dims{1, 2}}, {"dilation", Dims{1}}, {"kernel", Dims{5}}};
  ExpectFirstConvolution(DataType::kFloat16, {2, 19, 2}, 24, line, {2, 9, 24}, {0, 2, 1});
}

TEST(CudaFirstConvolutionTest, TwoPixelsOfAThread) {
  TRT_NEED_HOST_GPU();
  const Attributes windows{{"stride", Dims{1, 1}},
                           {"padding", Dims{0, 0, 0, 0}},
                           {"dilation", Dims{1, 1}},
                           {"kernel", Dims{2, 2}}};
  // More pixels than the threads of the HostGpu's multiprocessors twice over.
  ExpectFirstConvolution(DataType::kFloat32, {1, 602, 604, 1}, 8, windows, {1, 601, 603, 8},
                         {0, 3, 1, 2});
}

TEST(CudaFirstConvolutionTest, WhatItRefuses) {
  const kernels::KernelEntry* entry = FindKernel("cuda.first_convolution");
  ASSERT_NE(entry, nullptr);
  Attributes attributes{{"stride", Dims{1, 1}},       {"padding", Dims{0, 0, 0, 0}},
                        {"dilation", Dims{1, 1}},     {"groups", int64_t{1}},
                        {"out_channels", int64_t{8}}, {"in_channels", int64_t{3}},
                        {"kernel", Dims{3, 3}}};
  EXPECT_TRUE(entry->create(attributes).ok());
  attributes.Set("out_channels", int64_t{12});
  EXPECT_EQ(entry->create(attributes).status().code(), StatusCode::kUnsupported);
  attributes.Set("out_channels", int64_t{8}).Set("kernel", Dims{300, 300});
  EXPECT_EQ(entry->create(attributes).status().code(), StatusCode::kUnsupported);
}

TEST(CudaDepthwiseTest, WindowsOfOneChannel) {
  TRT_NEED_HOST_GPU();
  ExpectConvolution(
      {DataType::kFloat16, {2, 9, 13, 24}, 24, {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 24, true});
  ExpectConvolution({DataType::kFloat32, {1, 7, 3, 5}, 5, {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}, 5});
  ExpectConvolution({DataType::kBFloat16, {1, 20, 12}, 12, {3}, {1}, {2, 2}, {2}, 12});
}

TEST(CudaDepthwiseTest, PaddingAroundNothing) {
  TRT_NEED_HOST_GPU();
  ExpectConvolution(
      {DataType::kFloat16, {1, 0, 3, 8}, 8, {3, 3}, {1, 1}, {2, 1, 2, 1}, {1, 1}, 8, true});
  ExpectConvolution({DataType::kFloat32, {2, 4, 0, 4}, 4, {3, 3}, {1, 1}, {1, 2, 1, 2}, {1, 1}, 4});
}

TEST(CudaDepthwiseTest, DataAtOddAddresses) {
  TRT_NEED_HOST_GPU();
  const DataType dtype = DataType::kFloat16;
  const TestTensor storage = RandomTensor(dtype, {1 + 5 * 6 * 8}, 1);
  const TestTensor w = RandomTensor(dtype, {9, 8}, 2);
  TensorView x = MakeView(storage.view.as<uint16_t>() + 1, dtype, {1, 5, 6, 8});
  const TestTensor copy(dtype, {1, 5, 6, 8}, reference::ReadAll<double>(x));
  const Attributes attributes{{"stride", Dims{1, 1}},       {"padding", Dims{1, 1, 1, 1}},
                              {"dilation", Dims{1, 1}},     {"groups", int64_t{8}},
                              {"out_channels", int64_t{8}}, {"in_channels", int64_t{8}},
                              {"kernel", Dims{3, 3}},       {"b_dtype", dtype}};
  const TestTensor odd(dtype, {1, 5, 6, 8});
  const TestTensor even(dtype, {1, 5, 6, 8});
  const Status first =
      RunCudaKernel("cuda.depthwise_convolution", attributes, {x, w.view}, {odd.view});
  const Status second =
      RunCudaKernel("cuda.depthwise_convolution", attributes, {copy.view, w.view}, {even.view});
  ASSERT_TRUE(first.ok() && second.ok()) << first.ToString() << second.ToString();
  ExpectNear(odd.values(), even.values(), 0);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
