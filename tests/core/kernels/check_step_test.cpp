#include "core/kernels/check_step.h"

#include <gtest/gtest.h>

#include "core/types/limits.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr DataType kFloat = DataType::kFloat32;
constexpr DataType kInt = DataType::kInt64;

alignas(64) std::byte memory[1 << 16];

TensorView View(const Dims& dims, DataType dtype = kFloat) { return MakeView(memory, dtype, dims); }

// The check at load and the check before Prepare, as an engine makes them.
bool Takes(std::string_view id, const Attributes& attributes, const std::vector<TensorView>& inputs,
           const std::vector<TensorView>& outputs) {
  const KernelEntry* entry = FindKernel(id);
  if (entry == nullptr || !CheckStepAttributes(*entry, attributes).ok()) return false;
  return CheckStep(*entry, {attributes, inputs, outputs}).ok();
}

TEST(CheckStep, OutputsAreWhatTheLayerGives) {
  const Attributes last{{"axis", int64_t{1}}};
  for (const char* id : {"cpu.softmax", "ref.Softmax", "cuda.ref.Softmax"}) {
    if (FindKernel(id) == nullptr) continue;  // a build without that target
    EXPECT_TRUE(Takes(id, last, {View({4, 8})}, {View({4, 8})})) << id;
    EXPECT_FALSE(Takes(id, last, {View({4, 8})}, {View({2, 8})})) << id;
    EXPECT_FALSE(Takes(id, last, {View({4, 8})}, {View({4, 4})})) << id;
    EXPECT_FALSE(Takes(id, last, {View({4, 8})}, {View({4, 8}, DataType::kFloat16)})) << id;
    EXPECT_FALSE(Takes(id, last, {View({4, 8})}, {View({4, 8}), View({4, 8})})) << id;
  }
  const Attributes first{{"axis", int64_t{0}}};
  EXPECT_TRUE(Takes("cpu.gather", first, {View({9, 4}), View({3}, kInt)}, {View({3, 4})}));
  EXPECT_FALSE(Takes("cpu.gather", first, {View({9, 4}), View({3}, kInt)}, {View({2, 4})}));
  EXPECT_FALSE(Takes("cpu.gather", first, {View({9, 4}), View({3}, kInt)}, {View({3, 4}, kInt)}));
  const Attributes scale{{"scale", 1.0}};
  const std::vector<TensorView> qkv(3, View({1, 2, 3, 4}));
  EXPECT_TRUE(Takes("cpu.attention", scale, qkv, {View({1, 2, 3, 4})}));
  EXPECT_FALSE(Takes("cpu.attention", scale, qkv, {View({1, 3, 2, 4})}));
}

TEST(CheckStep, AxesAndWindowsFit) {
  for (const int64_t axis : {int64_t{-1}, int64_t{2}, INT64_MAX, INT64_MIN}) {
    const Attributes attributes{{"axis", axis}};
    const std::vector<TensorView> sorted{View({4, 8}), View({4, 8}, kInt)};
    EXPECT_FALSE(Takes("ref.Sort", attributes, {View({4, 8})}, sorted)) << axis;
    EXPECT_FALSE(Takes("ref.Gather", attributes, {View({9, 4}), View({3}, kInt)}, {View({3, 4})}))
        << axis;
  }
  const auto pooled = [](Dims kernel, Dims dilation, const Dims& out) {
    const Attributes attributes{{"kind", std::string("max")},
                                {"kernel", std::move(kernel)},
                                {"stride", Dims{1, 1}},
                                {"padding", Dims{0, 0, 0, 0}},
                                {"dilation", std::move(dilation)}};
    return Takes("cpu.pool", attributes, {View({1, 2, 8, 8})}, {View(out)});
  };
  EXPECT_TRUE(pooled({3, 3}, {1, 1}, {1, 2, 6, 6}));
  EXPECT_FALSE(pooled({3, 3}, {1, 1}, {3, 2, 6, 6}));
  EXPECT_FALSE(pooled({3, 3}, {0, 1}, {1, 2, 8, 6}));
  EXPECT_FALSE(pooled({-3, -3}, {1, 1}, {1, 2, 12, 12}));
  EXPECT_FALSE(pooled({int64_t{1} << 40, 3}, {1, 1}, {1, 2, 6, 6}));
}

TEST(CheckStep, PackedWeightsAreADenseConstant) {
  const Attributes attributes{{"n", int64_t{16}}, {"k", int64_t{4}}, {"b_dtype", kFloat}};
  TensorView packed = View({256}, DataType::kUInt8);
  EXPECT_TRUE(Takes("cpu.gemm", attributes, {View({2, 4}), packed}, {View({2, 16})}));
  packed.strides[0] = 0;
  EXPECT_FALSE(Takes("cpu.gemm", attributes, {View({2, 4}), packed}, {View({2, 16})}));
  packed.strides[0] = 1;
  packed.data = memory + 4;
  EXPECT_FALSE(Takes("cpu.gemm", attributes, {View({2, 4}), packed}, {View({2, 16})}));
  packed.data = nullptr;
  EXPECT_FALSE(Takes("cpu.gemm", attributes, {View({2, 4}), packed}, {View({2, 16})}));
}

TEST(CheckStep, SizesThatOverflowAreRefused) {
  Attributes attributes{{"n", kMaxElements}, {"k", kMaxElements}, {"b_dtype", kFloat}};
  const TensorView packed = View({0}, DataType::kUInt8);
  EXPECT_FALSE(
      Takes("cpu.gemm", attributes, {View({0, kMaxElements}), packed}, {View({0, kMaxElements})}));
  attributes.Set("n", INT64_MIN);
  EXPECT_FALSE(CheckStepAttributes(*FindKernel("cpu.gemm"), attributes).ok());
}

TEST(CheckStep, AttributesAreTheLayersAndOfItsTypes) {
  const KernelEntry& softmax = *FindKernel("ref.Softmax");
  EXPECT_TRUE(CheckStepAttributes(softmax, {{"axis", int64_t{0}}}).ok());
  EXPECT_FALSE(CheckStepAttributes(softmax, {}).ok());
  EXPECT_FALSE(CheckStepAttributes(softmax, {{"axis", SymInt(1)}}).ok());
  EXPECT_FALSE(CheckStepAttributes(softmax, {{"axis", int64_t{0}}, {"axes", Dims{0}}}).ok());
}

// A result of more dims than a view has room for, on the way to one that has not.
TEST(CheckStep, IndexedRankIsBounded) {
  const TensorView data = View(Dims(15, 1));
  const TensorView index = View(Dims(16, 1), kInt);
  const TensorView values = View({1});
  const Attributes attributes{{"dims", Dims{0}}};
  EXPECT_FALSE(Takes("ref.IndexPut", attributes, {data, values, index}, {data}));
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
