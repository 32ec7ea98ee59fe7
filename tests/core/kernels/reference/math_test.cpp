// Reference kernels that compute: pointwise, reductions, softmax, matmul, convolution,
// normalisation, attention.
#include "tests/core/kernels/kernel_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using enum DataType;
using std::numeric_limits;
using Values = std::vector<double>;

const double kNan = numeric_limits<double>::quiet_NaN();
const double kInf = numeric_limits<double>::infinity();

Values Binary(PointwiseOp op, DataType type, const Values& a, const Values& b, DataType out_type) {
  const TestTensor x(type, {static_cast<int64_t>(a.size())}, a);
  const TestTensor y(type, {static_cast<int64_t>(b.size())}, b);
  return Output("ref.Elementwise", {{"op", op}}, {x.view, y.view}, out_type,
                {static_cast<int64_t>(a.size())});
}

TEST(ReferencePointwise, DivisionsRoundAsTorch) {
  const Values a = {7, -7, 7, -7, 6};
  const Values b = {2, 2, -2, -2, 3};
  for (const DataType type : {kInt8, kInt32, kInt64, kFloat32, kFloat64}) {
    ExpectNear(Binary(PointwiseOp::kFloorDiv, type, a, b, type), {3, -4, -4, 3, 2}, 0);
    ExpectNear(Binary(PointwiseOp::kTruncDiv, type, a, b, type), {3, -3, -3, 3, 2}, 0);
    ExpectNear(Binary(PointwiseOp::kRemainder, type, a, b, type), {1, 1, -1, -1, 0}, 0);
    ExpectNear(Binary(PointwiseOp::kFmod, type, a, b, type), {1, -1, 1, -1, 0}, 0);
  }
}

TEST(ReferencePointwise, IntegersWrapAndNeverTrap) {
  ExpectNear(Binary(PointwiseOp::kAdd, kInt8, {127, -128}, {1, -1}, kInt8), {-128, 127}, 0);
  ExpectNear(Binary(PointwiseOp::kMul, kUInt8, {16}, {17}, kUInt8), {16}, 0);
  ExpectNear(Binary(PointwiseOp::kFloorDiv, kInt32, {-2147483648.0, 5}, {-1, 0}, kInt32),
             {-2147483648.0, 0}, 0);
  ExpectNear(Binary(PointwiseOp::kShiftRight, kUInt8, {255, 255}, {8, 4}, kUInt8), {0, 15}, 0);
  ExpectNear(Binary(PointwiseOp::kPow, kInt64, {-1, 2, 0, 3}, {-3, -1, 0, 4}, kInt64),
             {-1, 0, 1, 81}, 0);
}

TEST(ReferencePointwise, NanPropagatesThroughExtrema) {
  ExpectNear(Binary(PointwiseOp::kMaximum, kFloat32, {1, kNan, 2}, {kNan, 1, 3}, kFloat32),
             {kNan, kNan, 3}, 0);
  ExpectNear(Binary(PointwiseOp::kLt, kFloat32, {1, kNan}, {2, 1}, kBool), {1, 0}, 0);
}

TEST(ReferencePointwise, RoundsHalfToEven) {
  const TestTensor x(kFloat32, {5}, {0.5, 1.5, 2.5, -0.5, -1.5});
  ExpectNear(Output("ref.Unary", {{"op", PointwiseOp::kRound}}, {x.view}, kFloat32, {5}),
             {0, 2, 2, 0, -2}, 0);
}

TEST(ReferencePointwise, CastTruncatesAndTestsForZero) {
  const TestTensor x(kFloat32, {5}, {-1.9, 1.9, 0, kNan, 300});
  ExpectNear(Output("ref.Cast", {{"to", kInt32}}, {x.view}, kInt32, {5}),
             {-1, 1, 0, -2147483648.0, 300}, 0);
  ExpectNear(Output("ref.Cast", {{"to", kUInt8}}, {x.view}, kUInt8, {5}), {255, 1, 0, 0, 44}, 0);
  ExpectNear(Output("ref.Cast", {{"to", kBool}}, {x.view}, kBool, {5}), {1, 1, 0, 1, 1}, 0);
}

TEST(ReferencePointwise, SelectBroadcastsRank0AndEmpty) {
  const TestTensor condition(kBool, {2, 1}, {1, 0});
  const TestTensor a(kInt64, {}, {5});
  const TestTensor b(kInt64, {3}, {1, 2, 3});
  ExpectNear(Output("ref.Select", {}, {condition.view, a.view, b.view}, kInt64, {2, 3}),
             {5, 5, 5, 1, 2, 3}, 0);
  const TestTensor none(kInt64, {0});
  ExpectNear(Output("ref.Select", {}, {a.view, a.view, none.view}, kInt64, {0}), {}, 0);
}

TEST(ReferencePointwise, FillAndIota) {
  ExpectNear(Output("ref.Fill", {{"value", 2.5}}, {}, kBFloat16, {2, 2}), {2.5, 2.5, 2.5, 2.5}, 0);
  ExpectNear(Output("ref.Iota", {{"start", int64_t{3}}, {"step", int64_t{-2}}}, {}, kInt32, {3}),
             {3, 1, -1}, 0);
}

TEST(ReferenceFused, RunsReductionsAndBothStores) {
  const std::string text =
      "loop 2\nin f32 [0, 1]\nin i64 [-1, 0]\nout f32\nout f32 row\n%0 = f32 load 0\n"
      "%1 = i64 load 1\n%2 = f32 Cast %1\n%3 = f32 Mul %0 %2\n%4 = f32 reduce.sum %3\n"
      "%5 = f32 Sub %3 %4\n%6 = f32 store 0 %5\n%7 = f32 storerow 1 %4\n";
  const TestTensor x(kFloat32, {2, 3}, {1, 2, 3, 4, 5, 6});
  const TestTensor s(kInt64, {3}, {1, 0, -1});
  const TestTensor out(kFloat32, {2, 3});
  const TestTensor rows(kFloat32, {2});
  const Status status =
      RunKernel("ref.Fused", {{"program", ProgramText{text}}, {"domain", Dims{2, 3}}},
                {x.view, s.view}, {out.view, rows.view});
  ASSERT_TRUE(status.ok()) << status.ToString();
  ExpectNear(out.values(), {3, 2, -1, 6, 2, -4}, 0);
  ExpectNear(rows.values(), {-2, -2}, 0);
  const Status wrong =
      RunKernel("ref.Fused", {{"program", ProgramText{text}}, {"domain", Dims{2, 4}}},
                {x.view, s.view}, {out.view, rows.view});
  EXPECT_EQ(wrong.code(), StatusCode::kInvalidArgument);
}

TEST(ReferenceReduce, KindsAxesAndNan) {
  const TestTensor x(kFloat32, {2, 3}, {1, kNan, 3, 4, 5, 6});
  ExpectNear(Output("ref.Reduce", {{"kind", "max"}, {"axes", Dims{1}}}, {x.view}, kFloat32, {2}),
             {kNan, 6}, 0);
  ExpectNear(Output("ref.Reduce", {{"kind", "sum"}, {"axes", Dims{0}}}, {x.view}, kFloat32, {3}),
             {5, kNan, 9}, 0);
  ExpectNear(
      Output("ref.ArgReduce", {{"kind", "argmax"}, {"axis", int64_t{1}}}, {x.view}, kInt64, {2}),
      {1, 2}, 0);
  const TestTensor none(kFloat32, {2, 0});
  const Attributes over_none{{"kind", "max"}, {"axes", Dims{1}}};
  const TestTensor out(kFloat32, {2});
  EXPECT_EQ(RunKernel("ref.Reduce", over_none, {none.view}, {out.view}).code(),
            StatusCode::kInvalidArgument);
  ExpectNear(
      Output("ref.Reduce", {{"kind", "mean"}, {"axes", Dims{1}}}, {none.view}, kFloat32, {2}),
      {kNan, kNan}, 0);
}

TEST(ReferenceScan, CummaxTakesTheLastOfEquals) {
  const TestTensor x(kFloat32, {5}, {1, 3, 3, kNan, 4});
  const TestTensor values(kFloat32, {5});
  const TestTensor positions(kInt64, {5});
  ASSERT_TRUE(RunKernel("ref.Scan", {{"kind", "max"}, {"axis", int64_t{0}}}, {x.view},
                        {values.view, positions.view})
                  .ok());
  ExpectNear(values.values(), {1, 3, 3, kNan, kNan}, 0);
  ExpectNear(positions.values(), {0, 1, 2, 3, 3}, 0);
}

TEST(ReferenceSoftmax, AnyAxisAndLog) {
  const TestTensor x(kFloat64, {2, 2}, {0, std::log(3.0), 0, std::log(3.0)});
  ExpectNear(Output("ref.Softmax", {{"axis", int64_t{1}}}, {x.view}, kFloat64, {2, 2}),
             {0.25, 0.75, 0.25, 0.75}, 1e-15);
  ExpectNear(
      Output("ref.Softmax", {{"axis", int64_t{0}}, {"log", true}}, {x.view}, kFloat64, {2, 2}),
      {-std::log(2.0), -std::log(2.0), -std::log(2.0), -std::log(2.0)}, 1e-15);
}

TEST(ReferenceMatrixMultiply, TransposesBatchesBiasAndEpilogue) {
  const TestTensor a(kFloat32, {2, 3}, {1, 2, 3, 4, 5, 6});
  const TestTensor b(kFloat32, {2, 1, 3}, {1, 0, -1, 2, 2, 2});
  const TestTensor bias(kFloat32, {1}, {10});
  ExpectNear(Output("ref.MatrixMultiply", {{"transpose_b", true}, {"has_bias", true}},
                    {a.view, b.view, bias.view}, kFloat32, {2, 2, 1}),
             {8, 8, 22, 40}, 0);
  const std::string epilogue =
      "loop 3\nin f32 acc [0, 1, 2]\nout f32\n%0 = f32 load 0\n%1 = f32 Neg %0\n"
      "%2 = f32 store 0 %1\n";
  ExpectNear(
      Output("ref.MatrixMultiply", {{"transpose_b", true}, {"epilogue", ProgramText{epilogue}}},
             {a.view, b.view}, kFloat32, {2, 2, 1}),
      {2, 2, -12, -30}, 0);
  const TestTensor wrong(kFloat32, {2, 2});
  const TestTensor out(kFloat32, {2, 2});
  EXPECT_EQ(RunKernel("ref.MatrixMultiply", {}, {a.view, wrong.view}, {out.view}).code(),
            StatusCode::kInvalidArgument);
}

TEST(ReferenceMatrixMultiply, EmptyInnerDimGivesZeros) {
  const TestTensor a(kFloat32, {2, 0});
  const TestTensor b(kFloat32, {0, 1});
  ExpectNear(Output("ref.MatrixMultiply", {}, {a.view, b.view}, kFloat32, {2, 1}), {0, 0}, 0);
}

TEST(ReferenceConvolution, LayoutsAgreeAndGroupsSplit) {
  const Attributes attrs{{"stride", Dims{1}},
                         {"padding", Dims{1, 0}},
                         {"dilation", Dims{1}},
                         {"groups", int64_t{2}},
                         {"has_bias", true}};
  const TestTensor x(kFloat32, {1, 2, 3}, {1, 2, 3, 4, 5, 6});
  const TestTensor w(kFloat32, {2, 1, 2}, {1, 10, 2, 1});
  const TestTensor bias(kFloat32, {2}, {0, 100});
  const Values want = {10, 21, 32, 104, 113, 116};
  ExpectNear(Output("ref.Convolution", attrs, {x.view, w.view, bias.view}, kFloat32, {1, 2, 3}),
             want, 0);
  Attributes last = attrs;
  last.Set("channels_last", true);
  const TestTensor out(kFloat32, {1, 3, 2});
  ASSERT_TRUE(RunKernel("ref.Convolution", last,
                        {Transposed(x.view, 1, 2), Transposed(w.view, 1, 2), bias.view}, {out.view})
                  .ok());
  ExpectNear(reference::ReadAll<double>(Transposed(out.view, 1, 2)), want, 0);
}

TEST(ReferenceConvolution, DeconvolutionSpreads) {
  const Attributes attrs{
      {"stride", Dims{2}}, {"padding", Dims{0, 0}}, {"dilation", Dims{1}}, {"groups", int64_t{1}}};
  const TestTensor x(kFloat32, {1, 1, 2}, {1, 2});
  const TestTensor w(kFloat32, {1, 1, 3}, {1, 10, 100});
  ExpectNear(Output("ref.Deconvolution", attrs, {x.view, w.view}, kFloat32, {1, 1, 5}),
             {1, 10, 102, 20, 200}, 0);
}

TEST(ReferenceNormalization, KindsByHand) {
  const TestTensor x(kFloat64, {1, 4}, {1, 3, 5, 7});
  const double s5 = 1 / std::sqrt(5.0);
  ExpectNear(
      Output("ref.Normalization", {{"kind", "layer"}, {"eps", 0.0}, {"norm_rank", int64_t{1}}},
             {x.view}, kFloat64, {1, 4}),
      {-3 * s5, -s5, s5, 3 * s5}, 1e-15);
  ExpectNear(Output("ref.Normalization", {{"kind", "group"}, {"eps", 0.0}, {"groups", int64_t{2}}},
                    {x.view}, kFloat64, {1, 4}),
             {-1, 1, -1, 1}, 1e-15);
  const double r = 1 / std::sqrt(21.0);
  const TestTensor weight(kFloat64, {4}, {1, 1, 1, 2});
  ExpectNear(
      Output("ref.Normalization",
             {{"kind", "rms"}, {"eps", 0.0}, {"norm_rank", int64_t{1}}, {"has_weight", true}},
             {x.view, weight.view}, kFloat64, {1, 4}),
      {r, 3 * r, 5 * r, 14 * r}, 1e-15);
  const TestTensor mean(kFloat64, {4}, {1, 1, 1, 1});
  const TestTensor variance(kFloat64, {4}, {1, 4, 4, 9});
  ExpectNear(Output("ref.Normalization", {{"kind", "batch"}, {"eps", 0.0}},
                    {x.view, mean.view, variance.view}, kFloat64, {1, 4}),
             {0, 1, 2, 2}, 1e-15);
}

TEST(ReferenceAttention, MaskedRowsGiveZeroAndCausalIsTopLeft) {
  const TestTensor q(kFloat32, {1, 2, 2, 1}, {0, 0, 0, 0});
  const TestTensor k(kFloat32, {1, 1, 3, 1}, {1, 2, 3});
  const TestTensor v(kFloat32, {1, 1, 3, 1}, {3, 5, 100});
  ExpectNear(Output("ref.Attention", {{"scale", 1.0}, {"causal", true}}, {q.view, k.view, v.view},
                    kFloat32, {1, 2, 2, 1}),
             {3, 4, 3, 4}, 0);
  const TestTensor mask(kBool, {2, 3}, {0, 0, 0, 1, 1, 0});
  ExpectNear(Output("ref.Attention", {{"scale", 1.0}}, {q.view, k.view, v.view, mask.view},
                    kFloat32, {1, 2, 2, 1}),
             {0, 4, 0, 4}, 0);
}

TEST(ReferenceRotary, RotatesHalvesOrPairs) {
  const TestTensor x(kFloat32, {1, 4}, {1, 2, 3, 4});
  const TestTensor cos(kFloat32, {4}, {0, 0, 0, 1});
  const TestTensor sin(kFloat32, {4}, {1, 1, 1, 0});
  ExpectNear(Output("ref.RotaryEmbedding", {}, {x.view, cos.view, sin.view}, kFloat32, {1, 4}),
             {-3, -4, 1, 4}, 0);
  ExpectNear(Output("ref.RotaryEmbedding", {{"interleaved", true}}, {x.view, cos.view, sin.view},
                    kFloat32, {1, 4}),
             {-2, 1, -4, 4}, 0);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
