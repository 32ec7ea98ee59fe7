// Convolutions and transposed convolutions of one to three spatial dims against the reference
// kernels.
#include <limits>
#include <optional>

#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/transposed.h"
#include "tests/core/kernels/cpu/gemm/gemm_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

struct Case {
  Dims image, kernel, stride, padding, dilation;  // per spatial dim; padding: begins, then ends
  int64_t batch = 2, in = 6, out = 10, groups = 1;
  Dims output_padding{};  // of a transposed convolution
  DataType dtype = DataType::kFloat32;
  bool bias = true;
  bool epilogue = false;
  bool transposed = true;
};

std::string Describe(const Case& c) {
  return StrCat(DataTypeName(c.dtype), c.transposed ? " transposed n" : " n", c.batch, " ",
                ToString(c.image), " ", c.in, "->", c.out, " g", c.groups, " k", ToString(c.kernel),
                " s", ToString(c.stride), " p", ToString(c.padding), " d", ToString(c.dilation),
                " op", ToString(c.output_padding));
}

Dims OutputDims(const Case& c) {
  Dims out{c.batch};
  const size_t n = c.image.size();
  for (size_t d = 0; d < n; ++d) {
    const int64_t pads = c.padding[d] + c.padding[n + d];
    const int64_t extent = c.dilation[d] * (c.kernel[d] - 1) + 1;
    const int64_t room = c.image[d] + pads - extent;
    out.push_back(c.transposed
                      ? (c.image[d] - 1) * c.stride[d] - pads + extent + c.output_padding[d]
                      : (room < 0 ? 0 : room / c.stride[d] + 1));
  }
  out.push_back(c.out);
  return out;
}

bool IsPossible(const Case& c) {
  const Dims out = OutputDims(c);
  for (size_t d = 0; d < c.image.size(); ++d) {
    if (out[d + 1] < (c.image[d] == 0 ? 0 : 1)) return false;
  }
  return true;
}

Attributes AttributesOf(const Case& c) {
  return {{"stride", c.stride},     {"padding", c.padding},
          {"dilation", c.dilation}, {"groups", c.groups},
          {"kernel", c.kernel},     {"has_bias", c.bias},
          {"channels_last", true},  {"in_channels", c.in},
          {"out_channels", c.out},  {"output_padding", c.output_padding},
          {"b_dtype", c.dtype}};
}

TestTensor PackWeights(const Case& c, const TestTensor& w, bool depthwise) {
  if (depthwise) {
    TestTensor packed(DataType::kUInt8, {PackedDepthwiseBytes(c.kernel, c.out)});
    const auto order = c.transposed ? DepthwiseOrder(c.kernel, c.stride.back(), c.dilation.back())
                                    : std::vector<int64_t>{};
    PackDepthwise(w.view.data, c.dtype, c.kernel, c.out, packed.view.data, order);
    return packed;
  }
  if (!c.transposed) {
    const ConvolutionTaps taps = TapsOf(c.kernel, c.dilation, c.in, c.groups);
    TestTensor packed(DataType::kUInt8, {PackedConvolutionBytes(c.dtype, taps, c.out, c.groups)});
    PackConvolution(w.view.data, c.dtype, taps, c.out, c.groups, packed.view.data);
    return packed;
  }
  const auto products = TransposedProducts(c.kernel, c.stride, c.dilation);
  const TransposedShape shape{c.in, c.out, c.groups};
  TestTensor packed(DataType::kUInt8, {PackedTransposedBytes(c.dtype, products, shape)});
  PackTransposed(w.view.data, c.dtype, products, shape, packed.view.data);
  return packed;
}

void CheckEqual(const Case& c, const TestTensor& got, const TestTensor& want, int64_t terms) {
  for (int64_t i = 0; i < got.view.numel(); ++i) {
    if (std::isnan(want.Get(i)) || std::isinf(want.Get(i))) {
      ASSERT_TRUE(got.Get(i) == want.Get(i) || (std::isnan(got.Get(i)) && std::isnan(want.Get(i))))
          << Describe(c) << " at " << i << ": " << got.Get(i) << ", not " << want.Get(i);
      continue;
    }
    // Both are rounded to the type.
    const double more = 1 + std::abs(double{want.Get(i)});
    ASSERT_NEAR(got.Get(i), want.Get(i), 2 * SumTolerance(c.dtype, terms, more))
        << Describe(c) << " at " << i;
  }
}

void Check(const Case& c, bool depthwise = false, std::optional<float> special = std::nullopt) {
  std::mt19937 random(17);
  Dims x_dims{c.batch};
  x_dims.insert(x_dims.end(), c.image.begin(), c.image.end());
  x_dims.push_back(c.in);
  Dims w_dims{c.transposed ? c.in : c.out};
  w_dims.insert(w_dims.end(), c.kernel.begin(), c.kernel.end());
  w_dims.push_back((c.transposed ? c.out : c.in) / c.groups);
  const Dims y_dims = OutputDims(c);
  TestTensor x(c.dtype, x_dims), w(c.dtype, w_dims), bias(c.dtype, {c.out});
  TestTensor residual(c.dtype, y_dims), y(c.dtype, y_dims), want(c.dtype, y_dims);
  for (TestTensor* t : {&x, &w, &bias, &residual}) t->Randomise(random);
  if (special.has_value()) x.Set(x.view.numel() / 2, *special);
  const TestTensor packed = PackWeights(c, w, depthwise);
  Attributes attributes = AttributesOf(c);
  std::vector<TensorView> inputs{x.view, packed.view};
  if (c.bias) inputs.push_back(bias.view);
  if (c.epilogue) {
    inputs.push_back(residual.view);
    attributes.Set("epilogue", ReluAddProgram(static_cast<int>(x_dims.size()), c.dtype));
  }
  const std::string id = StrCat(depthwise ? "cpu.depthwise_convolution" : "cpu.convolution",
                                c.transposed ? "_transposed" : "");
  const Status status = RunKernel(id, attributes, inputs, {y.view});
  ASSERT_TRUE(status.ok()) << status.ToString() << " " << Describe(c);
  ASSERT_TRUE(packed.GuardIntact() && y.GuardIntact()) << Describe(c);
  inputs[1] = w.view;
  const Status reference = RunKernel(c.transposed ? "ref.Deconvolution" : "ref.Convolution",
                                     attributes, inputs, {want.view});
  ASSERT_TRUE(reference.ok()) << reference.ToString() << " " << Describe(c);
  CheckEqual(c, y, want, NumElements(c.kernel) * c.in / c.groups);
}

constexpr DataType kTypes[] = {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16};

// Runs body on every combination of filter, stride, padding and dilation over an image of these
// sizes; what is not possible is left out.
template <typename Body>
void ForEachGeometry(const Dims& image, bool transposed, const Body& body) {
  const size_t n = image.size();
  int count = 0;
  for (int64_t kernel : {1, 2, 3, 4}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t padding : {0, 1, 2}) {
        for (int64_t dilation : {1, 2, 3}) {
          Case c;
          c.image = image;
          c.transposed = transposed;
          c.kernel = Dims(n, kernel);
          c.kernel.back() = kernel % 3 + 2;
          c.stride = Dims(n, stride);
          c.stride[0] = count % 2 + 1;
          c.padding = Dims(2 * n, padding);
          c.padding.back() = count % 3;
          c.dilation = Dims(n, dilation);
          c.dilation[0] = 1;
          c.output_padding = Dims(n, stride == 3 ? 1 : 0);
          c.dtype = kTypes[++count % 3];
          c.bias = count % 2 == 0;
          c.epilogue = count % 5 == 0;
          if (IsPossible(c)) body(c);
          if (testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(ConvolutionSpatialTest, Geometry) {
  for (const Dims& image : {Dims{17}, Dims{7, 6}, Dims{3, 4, 5}}) {
    for (bool transposed : {false, true}) {
      ForEachGeometry(image, transposed, [](Case c) {
        Check(c);
        c.groups = 2;
        Check(c);
        c.groups = c.out = c.in;
        Check(c, true);
      });
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ConvolutionSpatialTest, OddSizes) {
  for (bool transposed : {false, true}) {
    for (DataType dtype : kTypes) {
      for (int64_t size : {0, 1, 7, 31, 33}) {
        Case c{{size, 3}, {4, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}};
        if (!transposed) c.padding = Dims{2, 1, 2, 1};
        c.output_padding = Dims{0, 1};
        c.transposed = transposed;
        c.dtype = dtype;
        if (transposed ? size > 0 : true) Check(c);
        c.image = Dims{2, size, 3};
        c.kernel = Dims{2, 3, 3};
        c.stride = Dims{1, 2, 2};
        c.padding = Dims{0, 1, 1, 0, 1, 1};
        c.dilation = Dims{1, 1, 1};
        c.output_padding = Dims{0, 0, 1};
        if (size > 0) Check(c);
        if (HasFatalFailure()) return;
      }
      Case empty{{5}, {3}, {2}, {1, 1}, {1}, 0};
      empty.output_padding = Dims{0};
      empty.transposed = transposed;
      Check(empty);
    }
  }
}

TEST(ConvolutionSpatialTest, Channels) {
  for (bool transposed : {false, true}) {
    for (int64_t in : {1, 7, 31, 33, 130}) {
      for (int64_t out : {1, 7, 33, 64}) {
        Case c{{3, 4, 5}, {2, 3, 3}, {2, 2, 2}, {0, 1, 1, 0, 1, 1}, {1, 1, 1}, 1, in, out};
        c.output_padding = Dims{0, 1, 0};
        c.transposed = transposed;
        c.dtype = kTypes[(in + out) % 3];
        c.epilogue = out == 33;
        Check(c);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(ConvolutionSpatialTest, GroupsAndDepthwise) {
  for (DataType dtype : kTypes) {
    Case c{{3, 5, 6}, {3, 3, 3}, {1, 2, 1}, {1, 1, 1, 1, 1, 1}, {1, 1, 2}, 2, 20, 20};
    c.output_padding = Dims{0, 0, 0};
    c.dtype = dtype;
    for (int64_t groups : {2, 5, 20}) {
      c.groups = groups;
      for (bool transposed : {false, true}) {
        c.transposed = transposed;
        Check(c);
      }
    }
    for (int64_t channels : {1, 7, 16, 33, 130}) {
      c.in = c.out = c.groups = channels;
      for (bool transposed : {false, true}) {
        c.transposed = transposed;
        c.epilogue = channels == 33;
        Check(c, true);
      }
    }
    if (HasFatalFailure()) return;
  }
}

TEST(ConvolutionSpatialTest, ManyBlocks) {
  for (bool transposed : {false, true}) {
    for (bool epilogue : {false, true}) {
      for (DataType dtype : {DataType::kFloat32, DataType::kBFloat16}) {
        Case c{{33, 31}, {4, 4}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1, 40, 72};
        c.output_padding = Dims{0, 0};
        c.transposed = transposed;
        c.dtype = dtype;
        c.epilogue = epilogue;
        Check(c);
        c.kernel = Dims{3, 3};
        Check(c);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// A filter smaller than its stride leaves pixels that get the bias alone.
TEST(ConvolutionSpatialTest, StrideBeyondTheFilter) {
  for (DataType dtype : kTypes) {
    Case c{{5, 6}, {1, 2}, {3, 4}, {0, 0, 0, 0}, {1, 1}};
    c.output_padding = Dims{1, 2};
    c.dtype = dtype;
    Check(c);
    c.epilogue = true;
    c.bias = false;
    Check(c);
  }
}

TEST(ConvolutionSpatialTest, SpecialValuesReachOnlyTheirPixels) {
  for (float special :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (int64_t kernel : {1, 2, 3, 4}) {
      for (DataType dtype : kTypes) {
        Case c{{5, 5}, {kernel, kernel}, {2, 2}, {0, 0, 0, 0}, {1, 1}};
        c.output_padding = Dims{1, 1};
        c.dtype = dtype;
        Check(c, false, special);
        c.transposed = false;
        Check(c, false, special);
        c.in = c.groups = c.out;
        Check(c, true, special);
        c.transposed = true;
        Check(c, true, special);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(ConvolutionSpatialTest, RefusalsNameTheReason) {
  Case c{{4, 4}, {2, 2}, {2, 2}, {0, 0, 0, 0}, {1, 1}};
  c.output_padding = Dims{0, 0};
  c.bias = false;
  TestTensor x(c.dtype, {2, 4, 4, c.in}), w(c.dtype, {c.in, 2, 2, c.out});
  TestTensor y(c.dtype, {2, 8, 8, c.out}), small(c.dtype, {2, 7, 8, c.out});
  const TestTensor packed = PackWeights(c, w, false);
  const char* id = "cpu.convolution_transposed";
  const auto run = [&](const Case& with, const TestTensor& weights, const TestTensor& out) {
    return RunKernel(id, AttributesOf(with), {x.view, weights.view}, {out.view}).code();
  };
  EXPECT_TRUE(RunKernel(id, AttributesOf(c), {x.view, packed.view}, {y.view}).ok());
  EXPECT_EQ(run(c, packed, small), StatusCode::kInvalidArgument);
  EXPECT_EQ(run(c, w, y), StatusCode::kInvalidArgument);
  Case strides = c;
  strides.stride = Dims{100, 100};
  EXPECT_EQ(run(strides, packed, y), StatusCode::kInvalidArgument);
  Case four = c;
  four.kernel = four.stride = four.dilation = Dims{1, 1, 1, 1};
  EXPECT_EQ(run(four, packed, y), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
