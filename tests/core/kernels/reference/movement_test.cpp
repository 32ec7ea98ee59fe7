// Reference kernels that move or pick data: layout changes, indexing, padding, pooling, resizing,
// sorting.
#include "tests/core/kernels/kernel_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using enum DataType;
using Values = std::vector<double>;

const double kNan = std::numeric_limits<double>::quiet_NaN();

TestTensor Range(DataType dtype, const Dims& dims) {
  Values values;
  for (int64_t i = 0; i < NumElements(dims); ++i) values.push_back(static_cast<double>(i));
  return TestTensor(dtype, dims, values);
}

TEST(ReferenceMovement, EveryDtypeSurvivesEveryLayoutChange) {
  for (int t = 0; t < kDataTypeCount - 1; ++t) {
    const auto type = static_cast<DataType>(t);
    const TestTensor x = Range(type, {2, 3});
    const TensorView turned = Transposed(x.view, 0, 1);
    ExpectNear(Output("ref.Copy", {}, {turned}, type, {3, 2}), {0, 3, 1, 4, 2, 5}, 0);
    ExpectNear(Output("ref.Reshape", {}, {turned}, type, {6}), {0, 3, 1, 4, 2, 5}, 0);
    ExpectNear(Output("ref.Transpose", {{"perm", Dims{1, 0}}}, {x.view}, type, {3, 2}),
               {0, 3, 1, 4, 2, 5}, 0);
    ExpectNear(
        Output("ref.Slice", {{"starts", Dims{1, 2}}, {"sizes", Dims{1, 2}}, {"steps", Dims{1, -2}}},
               {x.view}, type, {1, 2}),
        {5, 3}, 0);
    ExpectNear(Output("ref.Concat", {{"axis", int64_t{1}}}, {x.view, x.view}, type, {2, 6}),
               {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}, 0);
  }
}

TEST(ReferenceMovement, SliceOutsideIsRefused) {
  const TestTensor x = Range(kFloat32, {4});
  const TestTensor out(kFloat32, {3});
  const Attributes attrs{{"starts", Dims{2}}, {"sizes", Dims{3}}, {"steps", Dims{1}}};
  EXPECT_EQ(RunKernel("ref.Slice", attrs, {x.view}, {out.view}).code(),
            StatusCode::kInvalidArgument);
}

TEST(ReferencePad, Modes) {
  const TestTensor x = Range(kInt32, {3});
  const auto pad = [&](const std::string& mode, const Dims& pads, int64_t size) {
    return Output("ref.Pad", {{"mode", mode}, {"pads", pads}, {"value", 9.0}}, {x.view}, kInt32,
                  {size});
  };
  ExpectNear(pad("constant", {1, 2}, 6), {9, 0, 1, 2, 9, 9}, 0);
  ExpectNear(pad("constant", {-1, 0}, 2), {1, 2}, 0);
  ExpectNear(pad("reflect", {2, 2}, 7), {2, 1, 0, 1, 2, 1, 0}, 0);
  ExpectNear(pad("replicate", {2, 1}, 6), {0, 0, 0, 1, 2, 2}, 0);
  ExpectNear(pad("circular", {1, 2}, 6), {2, 0, 1, 2, 0, 1}, 0);
  const TestTensor out(kInt32, {7});
  EXPECT_EQ(RunKernel("ref.Pad", {{"mode", "reflect"}, {"pads", Dims{3, 1}}}, {x.view}, {out.view})
                .code(),
            StatusCode::kInvalidArgument);
}

TEST(ReferenceGather, WrapsAndRefuses) {
  const TestTensor x = Range(kFloat32, {3, 2});
  const TestTensor index(kInt64, {2}, {-1, 0});
  ExpectNear(Output("ref.Gather", {{"axis", int64_t{0}}, {"allow_negative", true}},
                    {x.view, index.view}, kFloat32, {2, 2}),
             {4, 5, 0, 1}, 0);
  const TestTensor out(kFloat32, {2, 2});
  const Status refused =
      RunKernel("ref.Gather", {{"axis", int64_t{0}}}, {x.view, index.view}, {out.view});
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("index -1"), std::string::npos) << refused.message();
  const TestTensor far(kInt64, {2}, {3, 0});
  EXPECT_EQ(RunKernel("ref.Gather", {{"axis", int64_t{0}}, {"allow_negative", true}},
                      {x.view, far.view}, {out.view})
                .code(),
            StatusCode::kInvalidArgument);
}

TEST(ReferenceScatter, ReducesWithAndWithoutSelf) {
  const TestTensor data(kInt32, {3}, {10, 20, 30});
  const TestTensor index(kInt64, {3}, {0, 0, 2});
  const TestTensor src(kInt32, {3}, {1, 2, -3});
  const auto scatter = [&](const std::string& reduce, bool self) {
    return Output("ref.ScatterElements",
                  {{"axis", int64_t{0}}, {"reduce", reduce}, {"include_self", self}},
                  {data.view, index.view, src.view}, kInt32, {3});
  };
  ExpectNear(scatter("none", true), {2, 20, -3}, 0);
  ExpectNear(scatter("sum", true), {13, 20, 27}, 0);
  ExpectNear(scatter("prod", false), {2, 20, -3}, 0);
  ExpectNear(scatter("mean", true), {4, 20, 13}, 0);
  ExpectNear(scatter("amin", true), {1, 20, -3}, 0);
  ExpectNear(scatter("amax", false), {2, 20, -3}, 0);
}

TEST(ReferenceIndex, PlacesJointDimsAsNumPy) {
  const TestTensor x = Range(kFloat32, {2, 2, 3});
  const TestTensor i(kInt64, {2}, {1, 0});
  const TestTensor j(kInt64, {2}, {-1, 0});
  ExpectNear(
      Output("ref.Index", {{"dims", Dims{1, 2}}}, {x.view, i.view, j.view}, kFloat32, {2, 2}),
      {5, 0, 11, 6}, 0);
  ExpectNear(
      Output("ref.Index", {{"dims", Dims{0, 2}}}, {x.view, i.view, j.view}, kFloat32, {2, 2}),
      {8, 11, 0, 3}, 0);
  ExpectNear(Output("ref.Index", {{"dims", Dims{1}}}, {x.view, i.view}, kFloat32, {2, 2, 3}),
             {3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8}, 0);
  const TestTensor zeros(kInt64, {3}, {0, 0, 0});
  const TestTensor one(kFloat32, {}, {1});
  const TestTensor data(kFloat32, {2}, {5, 6});
  ExpectNear(Output("ref.IndexPut", {{"dims", Dims{0}}, {"accumulate", true}},
                    {data.view, one.view, zeros.view}, kFloat32, {2}),
             {8, 6}, 0);
}

TEST(ReferencePool, CeilModePaddingNanAndIndices) {
  const TestTensor x(kFloat32, {1, 1, 5}, {1, 2, 3, 4, 10});
  const Attributes attrs{{"kind", "avg"},     {"kernel", Dims{3}},
                         {"stride", Dims{2}}, {"padding", Dims{1, 1}},
                         {"ceil_mode", true}, {"count_include_pad", false}};
  ExpectNear(Output("ref.Pool", attrs, {x.view}, kFloat32, {1, 1, 3}), {1.5, 3, 7}, 1e-6);
  Attributes padded = attrs;
  padded.Set("count_include_pad", true);
  ExpectNear(Output("ref.Pool", padded, {x.view}, kFloat32, {1, 1, 3}), {1, 3, 14.0 / 3}, 1e-6);
  const TestTensor y(kFloat32, {1, 1, 4}, {1, kNan, -5, -6});
  const TestTensor values(kFloat32, {1, 1, 2});
  const TestTensor positions(kInt64, {1, 1, 2});
  const Attributes max{{"kind", "max"},
                       {"kernel", Dims{2}},
                       {"stride", Dims{2}},
                       {"padding", Dims{0, 0}},
                       {"with_indices", true}};
  ASSERT_TRUE(RunKernel("ref.Pool", max, {y.view}, {values.view, positions.view}).ok());
  ExpectNear(values.values(), {kNan, -5}, 0);
  ExpectNear(positions.values(), {1, 2}, 0);
  ExpectNear(Output("ref.AdaptivePool", {{"kind", "avg"}, {"sizes", Dims{2}}}, {x.view}, kFloat32,
                    {1, 1, 2}),
             {2, 17.0 / 3}, 1e-6);
}

TEST(ReferenceResize, Modes) {
  const TestTensor x(kFloat64, {1, 1, 2}, {0, 4});
  const auto resize = [&](const std::string& mode, bool align, int64_t size) {
    return Output("ref.Resize", {{"mode", mode}, {"sizes", Dims{size}}, {"align_corners", align}},
                  {x.view}, kFloat64, {1, 1, size});
  };
  ExpectNear(resize("nearest", false, 3), {0, 0, 4}, 0);
  ExpectNear(resize("nearest-exact", false, 4), {0, 0, 4, 4}, 0);
  ExpectNear(resize("linear", false, 4), {0, 1, 3, 4}, 1e-12);
  ExpectNear(resize("linear", true, 5), {0, 1, 2, 3, 4}, 1e-12);
  const TestTensor constant(kFloat64, {1, 1, 3}, {2, 2, 2});
  ExpectNear(Output("ref.Resize", {{"mode", "cubic"}, {"sizes", Dims{7}}}, {constant.view},
                    kFloat64, {1, 1, 7}),
             Values(7, 2.0), 1e-12);
}

TEST(ReferenceSort, NanIsGreatestAndEqualsKeepOrder) {
  const TestTensor x(kFloat32, {5}, {2, kNan, 1, 2, -1});
  const auto sort = [&](const std::string& id, const Attributes& attrs, int64_t n, Values values,
                        Values positions) {
    const TestTensor out(kFloat32, {n});
    const TestTensor at(kInt64, {n});
    ASSERT_TRUE(RunKernel(id, attrs, {x.view}, {out.view, at.view}).ok());
    ExpectNear(out.values(), values, 0);
    ExpectNear(at.values(), positions, 0);
  };
  sort("ref.Sort", {{"axis", int64_t{0}}}, 5, {-1, 1, 2, 2, kNan}, {4, 2, 0, 3, 1});
  sort("ref.Sort", {{"axis", int64_t{0}}, {"descending", true}}, 5, {kNan, 2, 2, 1, -1},
       {1, 0, 3, 2, 4});
  sort("ref.TopK", {{"axis", int64_t{0}}, {"largest", false}}, 2, {-1, 1}, {4, 2});
}

TEST(ReferenceIndexing, NonZeroFindsElementsInOrder) {
  const TestTensor x(kFloat32, {2, 3}, {0, -0.0, kNan, 4, 0, 1});
  ExpectNear(Output("ref.NonZero", {{"count", int64_t{3}}}, {x.view}, kInt64, {3, 2}),
             {0, 2, 1, 0, 1, 2}, 0);
  ExpectNear(
      Output("ref.NonZero", {{"count", int64_t{3}}}, {Transposed(x.view, 0, 1)}, kInt64, {3, 2}),
      {0, 1, 2, 0, 2, 1}, 0);
  for (const int64_t wrong : {0, 2, 4}) {
    const TestTensor out(kInt64, {wrong, 2});
    const Status status = RunKernel("ref.NonZero", {{"count", wrong}}, {x.view}, {out.view});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("3 elements are not zero"), std::string::npos);
  }
}

TEST(ReferenceIndexing, ReadSizeGivesWhatItIsGiven) {
  const TestTensor n(kInt64, {}, {7});
  ExpectNear(Output("ref.ReadSize", {{"symbol", "u"}}, {n.view}, kInt64, {}), {7}, 0);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
