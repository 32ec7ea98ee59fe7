// cpu.copy, cpu.concat, cpu.gather, cpu.nonzero, cpu.pad, cpu.pool and cpu.resize against the
// reference kernels.
#include <algorithm>
#include <numeric>

#include "tests/core/kernels/cpu/against_reference.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

TensorView Permuted(const TensorView& view, const std::vector<size_t>& perm) {
  TensorView out = view;
  for (size_t d = 0; d < perm.size(); ++d) {
    out.dims[d] = view.dims[perm[d]];
    out.strides[d] = view.strides[perm[d]];
  }
  return out;
}

// Every step-th index of dim `dim` from `start`.
TensorView Sliced(TensorView view, size_t dim, int64_t start, int64_t count, int64_t step) {
  view.data =
      view.as<std::byte>() + start * view.strides[dim] * static_cast<int64_t>(SizeOf(view.dtype));
  view.dims[dim] = count;
  view.strides[dim] *= step;
  return view;
}

TEST(CpuCopy, EveryPermutationOfEveryDtype) {
  for (int t = 0; t < kDataTypeCount; ++t) {
    const auto type = static_cast<DataType>(t);
    const TestTensor x = RandomTensor(type, {3, 33, 5, 17}, 1);
    std::vector<size_t> perm = {0, 1, 2, 3};
    do {
      const TensorView view = Permuted(x.view, perm);
      ExpectAgrees("copy", "Copy", {}, {view}, type, DimsOf(view));
    } while (std::next_permutation(perm.begin(), perm.end()));
  }
}

TEST(CpuCopy, SlicesFlipsBroadcastsScalarsAndNothing) {
  const DataType type = DataType::kInt16;
  const TestTensor x = RandomTensor(type, {4, 33, 7, 20}, 2);
  TensorView broadcast = Sliced(x.view, 0, 0, 1, 1);
  broadcast.dims[0] = 5;
  broadcast.strides[0] = 0;
  TensorView inner = Sliced(x.view, 3, 2, 1, 1);
  inner.dims[3] = 31;
  inner.strides[3] = 0;
  const TensorView views[] = {Sliced(x.view, 1, 1, 16, 2),
                              Sliced(x.view, 0, 3, 4, -1),
                              Sliced(Permuted(x.view, {3, 1, 2, 0}), 0, 1, 6, 3),
                              broadcast,
                              inner,
                              Sliced(x.view, 1, 0, 0, 1)};
  for (const TensorView& view : views) ExpectAgrees("copy", "Copy", {}, {view}, type, DimsOf(view));
  TensorView scalar = x.view;
  scalar.rank = 0;
  ExpectAgrees("copy", "Copy", {}, {scalar}, type, {});
  const TestTensor plane = RandomTensor(DataType::kFloat32, {300, 257}, 3);
  ExpectAgrees("copy", "Copy", {}, {Transposed(plane.view, 0, 1)}, DataType::kFloat32, {257, 300});
}

TEST(CpuConcat, DenseStridedAndEmptyInputs) {
  for (const DataType type :
       {DataType::kFloat32, DataType::kBFloat16, DataType::kBool, DataType::kInt64}) {
    const TestTensor x = RandomTensor(type, {3, 5, 7}, 4);
    for (size_t axis = 0; axis < 3; ++axis) {
      const TensorView part = Sliced(x.view, axis, 1, 2, 1);
      const TensorView none = Sliced(x.view, axis, 0, 0, 1);
      Dims dims = {3, 5, 7};
      dims[axis] += 2;
      const Attributes attrs{{"axis", static_cast<int64_t>(axis)}};
      ExpectAgrees("concat", "Concat", attrs, {x.view, part, none}, type, dims);
      dims[axis] = 2 * DimsOf(x.view)[axis];
      ExpectAgrees("concat", "Concat", attrs, {x.view, x.view}, type, dims);
    }
  }
  const TestTensor x = RandomTensor(DataType::kFloat32, {2, 2}, 4);
  const TestTensor out(DataType::kFloat32, {2, 3});
  EXPECT_EQ(RunKernel("cpu.concat", {{"axis", int64_t{1}}}, {x.view, x.view}, {out.view}).code(),
            StatusCode::kInvalidArgument);
}

TEST(CpuGather, AxesIndexTypesAndRefusals) {
  const TestTensor x = RandomTensor(DataType::kFloat16, {5, 31, 7}, 5);
  for (int64_t axis = 0; axis < 3; ++axis) {
    for (const DataType type : {DataType::kInt64, DataType::kInt32}) {
      const TestTensor index(type, {2, 3}, {0, 4, 2, 1, -1, -5});
      Dims dims = DimsOf(x.view);
      dims.erase(dims.begin() + axis);
      dims.insert(dims.begin() + axis, {2, 3});
      ExpectAgrees("gather", "Gather", {{"axis", axis}, {"allow_negative", true}},
                   {x.view, index.view}, DataType::kFloat16, dims);
      const TestTensor out(DataType::kFloat16, dims);
      const Status refused =
          RunKernel("cpu.gather", {{"axis", axis}}, {x.view, index.view}, {out.view});
      EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    }
  }
}

TEST(CpuPad, ModesDtypesAndCrops) {
  const Dims pads[] = {{0, 0, 0, 0, 0, 0},  {0, 1, 2, 0, 3, 1},   {0, 2, 0, 0, 1, 0},
                       {1, 0, 0, 1, 0, 0},  {0, -1, 3, 0, 2, -4}, {-1, 1, -2, 0, -1, 1},
                       {0, -5, 0, 0, 2, 0}, {1, 0, 6, 2, 4, 6}};
  for (const char* mode : {"constant", "reflect", "replicate", "circular"}) {
    for (int t = 0; t < kDataTypeCount; ++t) {
      const auto type = static_cast<DataType>(t);
      const TestTensor x = RandomTensor(type, {3, 5, 7}, 6);
      for (const Dims& p : pads) {
        const Attributes attrs{{"mode", std::string(mode)}, {"pads", p}, {"value", 3.0}};
        ExpectAgrees("pad", "Pad", attrs, {x.view}, type,
                     {3 + p[0] + p[3], 5 + p[1] + p[4], 7 + p[2] + p[5]});
      }
    }
  }
}

TEST(CpuPad, NothingAndRefusals) {
  const TestTensor none(DataType::kFloat32, {2, 0, 3});
  const Attributes attrs{{"mode", "constant"}, {"pads", Dims{0, 1, 0, 0, 1, 2}}, {"value", -0.5}};
  ExpectAgrees("pad", "Pad", attrs, {none.view}, DataType::kFloat32, {2, 2, 5});
  const TestTensor x = RandomTensor(DataType::kFloat32, {2, 4, 3}, 7);
  const TestTensor out(DataType::kFloat32, {2, 3, 4});
  const auto code = [&](const Attributes& with, const TensorView& in) {
    return RunKernel("cpu.pad", with, {in}, {out.view}).code();
  };
  const Attributes nothing{{"mode", "constant"}, {"pads", Dims(6, 0)}};
  EXPECT_EQ(code(nothing, Transposed(x.view, 1, 2)), StatusCode::kUnsupported);
  const Attributes far{{"mode", "reflect"}, {"pads", Dims{2, 0, 0, 0, 0, 0}}};
  EXPECT_EQ(code(far, x.view), StatusCode::kInvalidArgument);
}

TEST(CpuPool, WindowsLayoutsAndNan) {
  const struct {
    int64_t kernel, stride, padding, dilation, out;
  } windows[] = {
      {3, 2, 1, 1, 4}, {2, 2, 0, 1, 4}, {3, 1, 1, 2, 5}, {3, 3, 1, 1, 3}, {7, 7, 0, 1, 1}};
  for (const DataType type : kNarrow) {
    for (size_t spatial = 1; spatial <= 3; ++spatial) {
      for (const auto& w : windows) {
        for (const bool last : {false, true}) {
          Dims in = {2, 33};
          Dims out = {2, 33};
          in.insert(last ? in.begin() + 1 : in.end(), spatial, 7);
          out.insert(last ? out.begin() + 1 : out.end(), spatial, w.out);
          const TestTensor x = RandomTensor(type, in, 6);
          reference::WriteElement(x.view.data, type, 40, std::nan(""));
          for (const char* kind : {"max", "avg"}) {
            if (w.dilation != 1 && std::string(kind) == "avg") continue;
            ExpectAgrees("pool", "Pool",
                         {{"kind", std::string(kind)},
                          {"kernel", Dims(spatial, w.kernel)},
                          {"stride", Dims(spatial, w.stride)},
                          {"padding", Dims(2 * spatial, w.padding)},
                          {"dilation", Dims(spatial, w.dilation)},
                          {"channels_last", last},
                          {"count_include_pad", w.padding == 0}},
                         {x.view}, type, out);
          }
        }
      }
    }
  }
}

TEST(CpuPool, RowsLongerThanTheBuffer) {
  const TestTensor x = RandomTensor(DataType::kFloat32, {1, 2, 3, 2500}, 7);
  ExpectAgrees("pool", "Pool",
               {{"kind", "avg"},
                {"kernel", Dims{2, 2}},
                {"stride", Dims{1, 1}},
                {"padding", Dims{0, 0, 0, 0}}},
               {x.view}, DataType::kFloat32, {1, 2, 2, 2499});
}

TEST(CpuResize, ModesAndLayouts) {
  const Dims sizes[] = {{4, 13}, {18, 16}, {1, 3}, {9, 300}};
  for (const DataType type : kNarrow) {
    for (const Dims& size : sizes) {
      for (const bool last : {false, true}) {
        const TestTensor x = RandomTensor(type, last ? Dims{2, 9, 8, 5} : Dims{2, 5, 9, 8}, 8);
        // Neighbours of weight 0 count.
        reference::WriteElement(x.view.data, type, 43, std::nan(""));
        reference::WriteElement(x.view.data, type, 400, double{INFINITY});
        const Dims out = last ? Dims{2, size[0], size[1], 5} : Dims{2, 5, size[0], size[1]};
        for (const char* mode : {"nearest", "nearest-exact", "linear"}) {
          for (const bool align : {false, true}) {
            ExpectAgrees("resize", "Resize",
                         {{"mode", std::string(mode)},
                          {"sizes", size},
                          {"align_corners", align},
                          {"channels_last", last}},
                         {x.view}, type, out);
          }
        }
      }
    }
  }
}

TEST(CpuNonZero, AnyShapeAndShare) {
  for (const Dims& dims : {Dims{}, Dims{0}, Dims{7}, Dims{1, 33}, Dims{5, 0, 2}, Dims{40001},
                           Dims{31, 257, 9}, Dims{3, 1, 1, 20011}}) {
    for (const int64_t every : {1, 2, 13, 5000, 1 << 20}) {
      std::vector<double> values(static_cast<size_t>(NumElements(dims)));
      int64_t count = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<int64_t>(i + 1) % every == 0 ? 1 : 0;
        count += static_cast<int64_t>(values[i]);
      }
      for (const DataType type : {DataType::kBool, DataType::kInt8}) {
        const TestTensor x(type, dims, values);
        ExpectAgrees("nonzero", "NonZero", {{"count", count}}, {x.view}, DataType::kInt64,
                     {count, std::ssize(dims)});
      }
    }
  }
}

TEST(CpuNonZero, AnotherNumberIsRefused) {
  const TestTensor x(DataType::kBool, {3}, {1, 0, 1});
  const TestTensor out(DataType::kInt64, {1, 1});
  EXPECT_EQ(RunKernel("cpu.nonzero", {{"count", int64_t{1}}}, {x.view}, {out.view}).code(),
            StatusCode::kInvalidArgument);
  const TestTensor wide(DataType::kFloat32, {3}, {1, 0, 1});
  EXPECT_EQ(RunKernel("cpu.nonzero", {{"count", int64_t{1}}}, {wide.view}, {out.view}).code(),
            StatusCode::kUnsupported);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
