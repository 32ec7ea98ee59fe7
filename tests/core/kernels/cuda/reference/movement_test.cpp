// "cuda.ref.*" kernels that move data, against the CPU's reference kernels.
#include <gtest/gtest.h>

#include "tests/core/kernels/cuda/cuda_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

constexpr DataType kI64 = DataType::kInt64;

void Check(const std::string& kind, const Attributes& attributes,
           const std::vector<TensorView>& inputs,
           const std::vector<std::pair<DataType, Dims>>& outputs, double tolerance = 0) {
  ExpectSameAs("ref." + kind, "cuda.ref." + kind, attributes, inputs, outputs, tolerance, kind);
}

TEST(CudaMovement, ViewsCopied) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {DataType::kFloat16, DataType::kBool, kI64}) {
    const TestTensor x = RandomTensor(dtype, {3, 7, 16}, 1);
    Check("Copy", {}, {Transposed(x.view, 0, 2)}, {{dtype, {16, 7, 3}}});
    Check("Reshape", {{"dims", Dims{21, 16}}}, {x.view}, {{dtype, {21, 16}}});
    Check("Reshape", {{"dims", Dims{8, 42}}}, {Transposed(x.view, 0, 2)}, {{dtype, {8, 42}}});
    Check("Transpose", {{"perm", Dims{2, 0, 1}}}, {x.view}, {{dtype, {16, 3, 7}}});
    Check("Expand", {{"dims", Dims{2, 3, 7, 16}}}, {x.view}, {{dtype, {2, 3, 7, 16}}});
    Check("Slice",
          {{"starts", Dims{2, 1, 15}}, {"sizes", Dims{3, 3, 5}}, {"steps", Dims{-1, 2, -3}}},
          {x.view}, {{dtype, {3, 3, 5}}});
    Check("Concat", {{"axis", int64_t{1}}}, {x.view, x.view, x.view}, {{dtype, {3, 21, 16}}});
    for (const std::string mode : {"constant", "reflect", "replicate", "circular"}) {
      Check("Pad", {{"pads", Dims{0, 2, 3, 1, 1, 5}}, {"mode", mode}, {"value", 2.0}}, {x.view},
            {{dtype, {4, 10, 24}}});
    }
    Check("Pad", {{"pads", Dims{0, -2, -3, 1, 1, -5}}, {"mode", "constant"}}, {x.view},
          {{dtype, {4, 6, 8}}});
  }
}

TEST(CudaMovement, Gathers) {
  TRT_NEED_HOST_GPU();
  const TestTensor x = RandomTensor(DataType::kFloat16, {4, 5, 6}, 1);
  const TestTensor index(kI64, {2, 3}, {0, 3, -1, 2, 2, 1});
  for (const int64_t axis : {0, 1, 2}) {
    Dims dims = {4, 5, 6};
    dims.erase(dims.begin() + axis);
    dims.insert(dims.begin() + axis, {2, 3});
    Check("Gather", {{"axis", axis}, {"allow_negative", true}}, {x.view, index.view},
          {{DataType::kFloat16, dims}});
  }
  const TestTensor positions(DataType::kInt32, {4, 2, 6}, std::vector<double>(48, 3));
  Check("GatherElements", {{"axis", int64_t{1}}}, {x.view, positions.view},
        {{DataType::kFloat16, {4, 2, 6}}});
}

TEST(CudaMovement, IndexOutOfRangeIsReportedAndReadsZero) {
  TRT_NEED_HOST_GPU();
  const TestTensor x = RandomTensor(DataType::kFloat32, {4, 2}, 1);
  const TestTensor index(kI64, {2}, {1, 4});
  const TestTensor out(DataType::kFloat32, {2, 2}, {7, 7, 7, 7});
  int32_t error = 0;
  ASSERT_TRUE(RunCudaKernel("cuda.ref.Gather", {{"axis", int64_t{0}}}, {x.view, index.view},
                            {out.view}, &error)
                  .ok());
  EXPECT_EQ(error, 1);
  EXPECT_EQ(out.values()[2], 0);
  EXPECT_EQ(out.values()[0], x.values()[2]);
}

TEST(CudaMovement, ScattersWithEqualTargets) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {DataType::kFloat32, DataType::kInt8}) {
    const TestTensor x = RandomTensor(dtype, {4, 5}, 1);
    const TestTensor src = RandomTensor(dtype, {3, 5}, 2);
    const TestTensor index(kI64, {3, 5}, {0, 1, 2, 3, 0, 0, 1, -1, 3, 1, 2, 1, 2, 3, 0});
    for (const std::string reduce : {"none", "sum", "prod", "mean", "amax", "amin"}) {
      for (const bool include_self : {true, false}) {
        if (dtype == DataType::kInt8 && (include_self || reduce == "none")) continue;
        Check("ScatterElements",
              {{"axis", int64_t{0}}, {"reduce", reduce}, {"include_self", include_self}},
              {x.view, index.view, src.view}, {{dtype, {4, 5}}}, 1e-6);
      }
    }
  }
}

TEST(CudaMovement, IndexAndIndexPut) {
  TRT_NEED_HOST_GPU();
  const DataType dtype = DataType::kFloat32;
  const TestTensor x = RandomTensor(dtype, {4, 5, 6}, 1);
  const TestTensor a(kI64, {3, 1}, {0, -1, 2});
  const TestTensor b(kI64, {2}, {4, 1});
  Check("Index", {{"dims", Dims{0, 1}}}, {x.view, a.view, b.view}, {{dtype, {3, 2, 6}}});
  Check("Index", {{"dims", Dims{1, 2}}}, {x.view, b.view, b.view}, {{dtype, {4, 2}}});
  Check("Index", {{"dims", Dims{0, 2}}}, {x.view, a.view, b.view}, {{dtype, {3, 2, 5}}});
  const TestTensor values = RandomTensor(dtype, {3, 2, 6}, 2);
  const TestTensor row = RandomTensor(dtype, {5}, 2);
  const TestTensor same(kI64, {3, 1}, {1, 1, 1});
  for (const bool accumulate : {false, true}) {
    const Attributes attributes{{"dims", Dims{0, 1}}, {"accumulate", accumulate}};
    Check("IndexPut", attributes, {x.view, values.view, a.view, b.view}, {{dtype, {4, 5, 6}}},
          1e-6);
    Check("IndexPut", attributes, {x.view, values.view, same.view, b.view}, {{dtype, {4, 5, 6}}},
          1e-6);
    Check("IndexPut", {{"dims", Dims{0, 2}}, {"accumulate", accumulate}},
          {x.view, row.view, a.view, b.view}, {{dtype, {4, 5, 6}}}, 1e-6);
  }
}

TEST(CudaMovement, SortsAreStableAndPutNanLast) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {DataType::kFloat32, DataType::kInt8}) {
    const TestTensor x = RandomTensor(dtype, {3, 300, 2}, 1);
    const std::vector<std::pair<DataType, Dims>> outputs = {{dtype, {3, 300, 2}},
                                                            {kI64, {3, 300, 2}}};
    for (const bool descending : {false, true}) {
      Check("Sort", {{"axis", int64_t{1}}, {"descending", descending}}, {x.view}, outputs);
    }
    Check("TopK", {{"axis", int64_t{1}}, {"k", int64_t{7}}, {"largest", true}}, {x.view},
          {{dtype, {3, 7, 2}}, {kI64, {3, 7, 2}}});
    TestTensor line = RandomTensor(dtype, {2, 1500}, 1);
    reference::WriteElement(line.view.data, dtype, 77, IsFloat(dtype) ? NAN : 5.0);
    for (const bool largest : {false, true}) {
      Check("TopK", {{"axis", int64_t{1}}, {"largest", largest}}, {line.view},
            {{dtype, {2, 20}}, {kI64, {2, 20}}});
    }
  }
  const TestTensor x(DataType::kFloat32, {6}, {1, NAN, -INFINITY, 1, NAN, 0});
  Check("Sort", {{"axis", int64_t{0}}}, {x.view}, {{DataType::kFloat32, {6}}, {kI64, {6}}});
  Check("TopK", {{"axis", int64_t{0}}, {"largest", true}}, {x.view},
        {{DataType::kFloat32, {3}}, {kI64, {3}}});
}

TEST(CudaMovement, NonZeroFindsElementsInOrder) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {DataType::kFloat16, DataType::kBool, kI64}) {
    for (const int64_t columns : {1, 7, 600}) {
      std::vector<double> values(static_cast<size_t>(4 * columns));
      int64_t count = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = (i * i) % 7 < 3 ? 1 : 0;
        count += static_cast<int64_t>(values[i]);
      }
      const TestTensor x(dtype, {4, columns}, values);
      Check("NonZero", {{"count", count}}, {x.view}, {{kI64, {count, 2}}});
      Check("NonZero", {{"count", count}}, {Transposed(x.view, 0, 1)}, {{kI64, {count, 2}}});
      for (const int64_t wrong : {count - 1, count + 1}) {
        const TestTensor out(kI64, {wrong, 2});
        int32_t error = 0;
        ASSERT_TRUE(
            RunCudaKernel("cuda.ref.NonZero", {{"count", wrong}}, {x.view}, {out.view}, &error)
                .ok());
        EXPECT_EQ(error, 1) << columns;
      }
    }
  }
  const TestTensor n(kI64, {}, {7});
  Check("ReadSize", {{"symbol", "u"}}, {n.view}, {{kI64, {}}});
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
