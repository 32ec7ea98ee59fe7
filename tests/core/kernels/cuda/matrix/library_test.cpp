// Products by cuBLASLt: which results it can finish, and, on a GPU with the library, that every
// algorithm it offers gives the product.
#include "core/kernels/cuda/matrix/library.h"

#include "tests/core/kernels/cuda/matrix/matrix_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using cuda::LibraryState;
using cuda::Product;
using cuda::ResultStage;

// What an epilogue with this text leaves for the library.
std::optional<cuda::PlainResult> PlainOf(const std::string& body, bool bias) {
  Attributes attributes;
  if (bias) attributes.Set("has_bias", true);
  if (!body.empty()) attributes.Set("epilogue", ProgramText{"loop 2\nin f32 acc [0, 1]\n" + body});
  const auto stage = ResultStage::Create(attributes, 2);
  EXPECT_TRUE(stage.ok()) << body << stage.status().ToString();
  return stage.ok() ? stage->Plain() : std::nullopt;
}

// relu(acc + residual)
constexpr const char* kAddRelu =
    "in f16 [0, 1]\nout f16\n%0 = f32 load 0\n%1 = f32 load 1\n%2 = f32 Add %1 %0\n"
    "%3 = f32 Relu %2\n%4 = f32 store 0 %3\n";

TEST(CudaLibrary, FinishesBiasAddendAndRelu) {
  const auto nothing = PlainOf("", false);
  ASSERT_TRUE(nothing.has_value());
  EXPECT_EQ(nothing->bias, -1);
  EXPECT_EQ(nothing->addend, -1);
  EXPECT_FALSE(nothing->relu);
  const auto added = PlainOf(kAddRelu, true);
  ASSERT_TRUE(added.has_value());
  EXPECT_EQ(added->bias, 2);
  EXPECT_EQ(added->addend, 3);
  EXPECT_TRUE(added->relu);
}

TEST(CudaLibrary, LeavesOtherResults) {
  EXPECT_FALSE(
      PlainOf("out f16\n%0 = f32 load 0\n%1 = f32 GeluErf %0\n%2 = f32 store 0 %1\n", true));
  // One value a row, and a product of the sum.
  EXPECT_FALSE(
      PlainOf("in f16 [0, -1]\nout f16\n%0 = f32 load 0\n%1 = f32 load 1\n"
              "%2 = f32 Add %0 %1\n%3 = f32 store 0 %2\n",
              false));
  EXPECT_FALSE(
      PlainOf("in f16 [0, 1]\nout f16\n%0 = f32 load 0\n%1 = f32 load 1\n"
              "%2 = f32 Mul %0 %1\n%3 = f32 store 0 %2\n",
              false));
}

TEST(CudaLibrary, EveryOfferGivesTheProduct) {
  const auto gpu = OpenTestGpu();
  if (!gpu->cublaslt().ok()) GTEST_SKIP() << gpu->cublaslt().status().ToString();
  const DataType f16 = DataType::kFloat16;
  const int64_t m = 40, n = 136, k = 72;
  const TestTensor a = RandomTensor(f16, {m, k}, 1), w = RandomTensor(f16, {n, k}, 2);
  const TestTensor bias = RandomTensor(f16, {n}, 3), residual = RandomTensor(f16, {m, n}, 4);
  const Attributes attributes{
      {"has_bias", true},
      {"epilogue", ProgramText{StrCat("loop 2\nin f32 acc [0, 1]\n", kAddRelu)}}};
  Attributes reference = attributes;
  reference.Set("transpose_b", true);
  const std::vector<TensorView> inputs{a.view, w.view, bias.view, residual.view};
  Product product;
  product.dtype = f16;
  product.m = m;
  product.n = product.out_row = n;
  product.k = product.a.row = product.b.row = k;
  product.b_constant = true;
  const auto stage = ResultStage::Create(attributes, 2);
  ASSERT_TRUE(stage.ok() && stage->Plain().has_value());
  const TestTensor out(f16, {m, n}, std::vector<double>(static_cast<size_t>(m * n), 77));
  const auto want = Output("ref.MatrixMultiply", reference, inputs, f16, {m, n});
  OnGpu memory(*gpu);
  const auto on_gpu = memory.UploadAll(inputs);
  ASSERT_TRUE(on_gpu.ok());
  auto offers = LibraryState::Offers(*gpu, product, *stage, inputs, out.view, 4);
  ASSERT_FALSE(offers.empty());
  for (auto& offer : offers) {
    const auto outs = memory.UploadAll({out.view});
    ASSERT_TRUE(outs.ok() && offer->Reserve(*gpu).ok());
    RunArgs args{*on_gpu, *outs};
    args.gpu = gpu.get();
    ASSERT_TRUE(offer->Run(args, *stage, (*on_gpu)[0].data, (*on_gpu)[1].data).ok());
    ASSERT_TRUE(gpu->Synchronize(nullptr).ok());
    const TestTensor got(f16, {m, n});
    ASSERT_TRUE(gpu->CopyToHost(got.view.data, (*outs)[0].data, SpanBytes(got.view)).ok());
    ExpectNear(got.values(), want, MatrixTolerance(f16), "offer");
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
