// cpu.softmax, cpu.normalization, cpu.rotary and cpu.reduce against the reference kernels.
#include "tests/core/kernels/cpu/against_reference.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kSizes[] = {0, 1, 7, 31, 33, 257, 4100};

void Put(const TestTensor& tensor, int64_t at, double value) {
  reference::WriteElement(tensor.view.data, tensor.view.dtype, at, value);
}

TEST(CpuSoftmax, SizesTypesAndSpecialValues) {
  for (const DataType type : kNarrow) {
    for (const int64_t n : kSizes) {
      for (const bool log : {false, true}) {
        const Attributes attrs{{"axis", int64_t{1}}, {"log", log}};
        const TestTensor x = RandomTensor(type, {3, n}, 1);
        ExpectAgrees("softmax", "Softmax", attrs, {x.view}, type, {3, n});
        if (n < 7) continue;
        Put(x, 3, kInf);
        Put(x, n + 5, kNan);
        for (int64_t i = 0; i < n; i += 2) Put(x, 2 * n + i, -kInf);
        ExpectAgrees("softmax", "Softmax", attrs, {x.view}, type, {3, n});
      }
    }
  }
}

TEST(CpuSoftmax, RowsApartInMemoryAndRefusals) {
  const TestTensor x = RandomTensor(DataType::kFloat32, {5, 40}, 2);
  TensorView part = x.view;
  part.dims[1] = 33;
  ExpectAgrees("softmax", "Softmax", {{"axis", int64_t{1}}}, {part}, DataType::kFloat32, {5, 33});
  const TestTensor out(DataType::kFloat32, {40, 5});
  EXPECT_EQ(RunKernel("cpu.softmax", {{"axis", int64_t{1}}}, {Transposed(x.view, 0, 1)}, {out.view})
                .code(),
            StatusCode::kUnsupported);
  EXPECT_EQ(RunKernel("cpu.softmax", {{"axis", int64_t{0}}}, {x.view}, {x.view}).code(),
            StatusCode::kUnsupported);
}

TEST(CpuNormalization, LayerAndRms) {
  for (const DataType type : kNarrow) {
    for (const int64_t n : {1, 7, 31, 33, 257, 768, 5000}) {
      const TestTensor x = RandomTensor(type, {3, n}, 3);
      const TestTensor weight = RandomTensor(type, {n}, 4);
      const TestTensor bias = RandomTensor(DataType::kFloat32, {n}, 5);
      for (const char* kind : {"layer", "rms"}) {
        Attributes attrs{{"kind", std::string(kind)}, {"eps", 1e-5}, {"norm_rank", int64_t{1}}};
        ExpectAgrees("normalization", "Normalization", attrs, {x.view}, type, {3, n});
        attrs.Set("has_bias", true);
        ExpectAgrees("normalization", "Normalization", attrs, {x.view, bias.view}, type, {3, n});
        attrs.Set("has_weight", true);
        ExpectAgrees("normalization", "Normalization", attrs, {x.view, weight.view, bias.view},
                     type, {3, n});
      }
    }
  }
}

TEST(CpuNormalization, LargeMeanKeepsItsDigits) {
  // Variance 1 around a mean of 4096: a one-pass formula in f32 would lose all of it.
  const TestTensor x = RandomTensor(DataType::kFloat32, {2, 5000}, 6);
  for (int64_t i = 0; i < 10000; ++i) x.view.as<float>()[i] += 4096;
  ExpectAgrees("normalization", "Normalization",
               {{"kind", "layer"}, {"eps", 1e-5}, {"norm_rank", int64_t{1}}}, {x.view},
               DataType::kFloat32, {2, 5000}, 5e-4);
}

TEST(CpuNormalization, GroupInBothLayouts) {
  const struct {
    int64_t n, c, groups, s;
  } cases[] = {{1, 32, 32, 7},   {2, 64, 4, 45}, {3, 30, 5, 33},
               {1, 320, 32, 64}, {2, 12, 1, 1},  {0, 8, 2, 3}};
  for (const DataType type : kNarrow) {
    for (const auto& c : cases) {
      const TestTensor weight = RandomTensor(type, {c.c}, 7);
      const TestTensor bias = RandomTensor(type, {c.c}, 8);
      for (const bool last : {false, true}) {
        const Dims dims = last ? Dims{c.n, c.s, c.c} : Dims{c.n, c.c, c.s};
        const TestTensor x = RandomTensor(type, dims, 9);
        ExpectAgrees("normalization", "Normalization",
                     {{"kind", "group"},
                      {"eps", 1e-5},
                      {"groups", c.groups},
                      {"channels_last", last},
                      {"has_weight", true},
                      {"has_bias", true}},
                     {x.view, weight.view, bias.view}, type, dims);
      }
    }
  }
}

TEST(CpuRotary, BothKindsWithStridedHeads) {
  for (const DataType type : kNarrow) {
    for (const int64_t depth : {2, 8, 34, 64}) {
      const TestTensor x = RandomTensor(type, {2, 7, 3, depth}, 10);
      for (const DataType table : {type, DataType::kFloat32}) {
        const TestTensor cos = RandomTensor(table, {7, depth}, 11);
        const TestTensor sin = RandomTensor(table, {1, 7, depth}, 12);
        for (const bool interleaved : {false, true}) {
          ExpectAgrees("rotary", "RotaryEmbedding", {{"interleaved", interleaved}},
                       {Transposed(x.view, 1, 2), cos.view, sin.view}, type, {2, 3, 7, depth});
        }
      }
    }
  }
}

TEST(CpuReduce, EveryKindOverEverySetOfAxes) {
  const Dims shapes[] = {{5}, {3, 257}, {33, 31}, {2, 7, 5, 3}, {1, 49, 64}, {70, 300}, {2, 0, 3}};
  for (const DataType type : kNarrow) {
    for (const Dims& dims : shapes) {
      const TestTensor x = RandomTensor(type, dims, 13);
      for (unsigned set = 1; set < 1U << dims.size(); ++set) {
        Dims axes;
        Dims out;
        for (size_t d = 0; d < dims.size(); ++d) {
          if ((set >> d & 1) != 0) axes.push_back(static_cast<int64_t>(d));
          if ((set >> d & 1) == 0) out.push_back(dims[d]);
        }
        for (const char* kind : {"sum", "mean", "prod", "max", "min", "any", "all"}) {
          const std::string name = kind;
          if (NumElements(dims) == 0 && (name == "max" || name == "min")) continue;
          const bool truth = name == "any" || name == "all";
          ExpectAgrees("reduce", "Reduce", {{"kind", name}, {"axes", axes}}, {x.view},
                       truth ? DataType::kBool : type, out,
                       truth ? 0 : (type == DataType::kFloat32 ? 2e-4 : -1));
        }
      }
    }
  }
}

TEST(CpuReduce, NanWinsAndEmptyExtremaAreRefused) {
  const TestTensor x = RandomTensor(DataType::kFloat32, {4, 300}, 14);
  Put(x, 300 + 100, kNan);
  Put(x, 2 * 300 + 20, -kInf);
  for (const char* kind : {"max", "min", "sum"}) {
    for (const int64_t axis : {0, 1}) {
      ExpectAgrees("reduce", "Reduce", {{"kind", std::string(kind)}, {"axes", Dims{axis}}},
                   {x.view}, DataType::kFloat32, {axis == 0 ? 300 : 4}, 2e-4);
    }
  }
  const TestTensor none(DataType::kFloat32, {2, 0});
  const TestTensor out(DataType::kFloat32, {2});
  EXPECT_EQ(
      RunKernel("cpu.reduce", {{"kind", "max"}, {"axes", Dims{1}}}, {none.view}, {out.view}).code(),
      StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
