// Group normalisation of channels-last tensors, against the CPU's reference kernel.
#include <gtest/gtest.h>

#include "tests/core/kernels/cuda/cuda_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

struct Case {
  int64_t images, pixels, channels, groups;
};

// Vectors of 8, 4, 2 and 1 channels, one slice and several, a last slice that is shorter.
constexpr Case kCases[] = {{2, 7, 64, 8},   {1, 300, 40, 4},   {3, 1, 12, 3},   {2, 1100, 6, 2},
                           {1, 33, 96, 32}, {1, 257, 640, 32}, {300, 40, 64, 8}};

double ToleranceFor(DataType type) {
  return type == DataType::kFloat32 ? 1e-5 : (type == DataType::kFloat16 ? 2e-3 : 2e-2);
}

Attributes AttributesFor(const Case& c, bool affine) {
  return {{"kind", "group"},      {"eps", 1e-5},        {"groups", c.groups},
          {"has_weight", affine}, {"has_bias", affine}, {"channels_last", true},
          {"silu", affine}};
}

void ExpectGroupNorm(const Case& c, bool affine, const TensorView& x, double tolerance) {
  const TestTensor w = RandomTensor(x.dtype, {c.channels}, 2);
  const TestTensor b = RandomTensor(x.dtype, {c.channels}, 3);
  std::vector<TensorView> inputs = {x};
  if (affine) inputs.insert(inputs.end(), {w.view, b.view});
  ExpectSameAs("ref.Normalization", "cuda.ref.Normalization", AttributesFor(c, affine), inputs,
               {{x.dtype, {c.images, c.pixels, c.channels}}}, tolerance,
               StrCat(c.pixels, " x ", c.channels, " in ", c.groups));
}

TEST(CudaGroupNorm, ChannelsLast) {
  TRT_NEED_HOST_GPU();
  for (const DataType type : {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16}) {
    for (const Case& c : kCases) {
      const TestTensor x = RandomTensor(type, {c.images, c.pixels, c.channels}, 1);
      ExpectGroupNorm(c, c.pixels % 2 == 1, x.view, ToleranceFor(type));
    }
  }
}

TEST(CudaGroupNorm, MeanFarFromZeroCostsNoDigits) {
  TRT_NEED_HOST_GPU();
  const Case c{1, 500, 16, 2};
  const TestTensor x = RandomTensor(DataType::kFloat32, {c.images, c.pixels, c.channels}, 5);
  for (int64_t i = 0; i < x.view.numel(); ++i) x.view.as<float>()[i] += 3000.0F;
  ExpectGroupNorm(c, false, x.view, 1e-3);  // the input itself has 2.4e-4 between neighbours
}

TEST(CudaGroupNorm, NanAndInfinityStayInTheirGroup) {
  TRT_NEED_HOST_GPU();
  const Case c{2, 40, 16, 4};
  const TestTensor x = RandomTensor(DataType::kFloat32, {c.images, c.pixels, c.channels}, 6);
  x.view.as<float>()[5] = INFINITY;                         // image 0, group 1
  x.view.as<float>()[(40 + 39) * 16 + 15] = std::nanf("");  // image 1, group 3
  ExpectGroupNorm(c, true, x.view, 1e-5);
}

TEST(CudaGroupNorm, Unaligned) {
  TRT_NEED_HOST_GPU();
  const Case c{1, 20, 32, 4};
  const TestTensor x = RandomTensor(DataType::kFloat16, {21, 32}, 7);
  TensorView shifted = reference::Shifted(x.view, 1);
  shifted = MakeView(shifted.data, DataType::kFloat16, {1, 20, 32});
  ExpectGroupNorm(c, true, shifted, ToleranceFor(DataType::kFloat16));
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
