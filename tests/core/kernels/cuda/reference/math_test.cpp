// "cuda.ref.*" kernels that compute, against the CPU's reference kernels.
#include <gtest/gtest.h>

#include "tests/core/kernels/cpu/loop/loop_test_util.h"
#include "tests/core/kernels/cuda/cuda_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

constexpr DataType kF32 = DataType::kFloat32;
constexpr DataType kF16 = DataType::kFloat16;

// Kind `kind` on both sides.
void Check(const std::string& kind, const Attributes& attributes,
           const std::vector<TensorView>& inputs,
           const std::vector<std::pair<DataType, Dims>>& outputs, double tolerance) {
  ExpectSameAs("ref." + kind, "cuda.ref." + kind, attributes, inputs, outputs, tolerance,
               StrCat(kind, " ", outputs.empty() ? "" : ToString(outputs[0].second)));
}

TEST(CudaReference, Pointwise) {
  TRT_NEED_HOST_GPU();
  const TestTensor a = RandomTensor(kF32, {3, 1, 33}, 1);
  const TestTensor b = RandomTensor(kF32, {5, 1}, 2);
  const TestTensor c(DataType::kBool, {3, 5, 33}, std::vector<double>(300, 1));
  Check("Elementwise", {{"op", PointwiseOp::kPow}}, {a.view, b.view}, {{kF32, {3, 5, 33}}}, 1e-5);
  Check("Elementwise", {{"op", PointwiseOp::kLt}}, {a.view, b.view},
        {{DataType::kBool, {3, 5, 33}}}, 0);
  Check("Select", {}, {c.view, a.view, b.view}, {{kF32, {3, 5, 33}}}, 0);
  Check("Unary", {{"op", PointwiseOp::kGeluErf}}, {Transposed(a.view, 0, 2)}, {{kF32, {33, 1, 3}}},
        1e-5);
  Check("Cast", {{"to", kF16}}, {a.view}, {{kF16, {3, 1, 33}}}, 0);
  Check("Cast", {{"to", DataType::kInt64}}, {a.view}, {{DataType::kInt64, {3, 1, 33}}}, 0);
  Check("Fill", {{"value", 2.5}}, {}, {{kF16, {7, 3}}}, 0);
  Check("Fill", {{"ivalue", int64_t{-3}}}, {}, {{DataType::kInt8, {7, 3}}}, 0);
  Check("Iota", {{"start", int64_t{5}}, {"step", int64_t{-2}}}, {}, {{DataType::kInt32, {31}}}, 0);
  Check("Iota", {{"fstart", 0.5}, {"fstep", 0.1}}, {}, {{kF32, {31}}}, 1e-7);
}

TEST(CudaReference, ReduceAndScan) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {kF16, DataType::kInt32}) {
    const TestTensor x = RandomTensor(dtype, {3, 7, 31}, 4);
    const double tolerance = dtype == kF16 ? 1e-3 : 1e-6;
    for (const std::string kind : {"sum", "max", "min", "prod"}) {
      Check("Reduce", {{"kind", kind}, {"axes", Dims{0, 2}}}, {x.view}, {{dtype, {7}}}, tolerance);
    }
    Check("Reduce", {{"kind", "mean"}, {"axes", Dims{1}}}, {Transposed(x.view, 0, 1)},
          {{kF32, {7, 31}}}, 1e-6);
    Check("Reduce", {{"kind", "any"}, {"axes", Dims{}}}, {x.view}, {{DataType::kBool, {}}}, 0);
    Check("ArgReduce", {{"kind", "argmax"}, {"axis", int64_t{1}}}, {x.view},
          {{DataType::kInt64, {3, 31}}}, 0);
    Check("ArgReduce", {{"kind", "argmin"}, {"axis", int64_t{2}}}, {x.view},
          {{DataType::kInt64, {3, 7}}}, 0);
    Check("Scan", {{"kind", "sum"}, {"axis", int64_t{1}}}, {x.view}, {{dtype, {3, 7, 31}}},
          tolerance);
    Check("Scan", {{"kind", "max"}, {"axis", int64_t{2}}}, {x.view},
          {{dtype, {3, 7, 31}}, {DataType::kInt64, {3, 7, 31}}}, 0);
  }
  const TestTensor x(kF32, {2, 3}, {NAN, 1, 2, 3, INFINITY, NAN});
  Check("Reduce", {{"kind", "max"}, {"axes", Dims{1}}}, {x.view}, {{kF32, {2}}}, 0);
  Check("ArgReduce", {{"kind", "argmax"}, {"axis", int64_t{1}}}, {x.view},
        {{DataType::kInt64, {2}}}, 0);
  Check("Scan", {{"kind", "logsumexp"}, {"axis", int64_t{0}}}, {x.view}, {{kF32, {2, 3}}}, 1e-6);
  const TestTensor empty(kF32, {3, 0});
  Check("Reduce", {{"kind", "sum"}, {"axes", Dims{1}}}, {empty.view}, {{kF32, {3}}}, 0);
  Check("Reduce", {{"kind", "mean"}, {"axes", Dims{1}}}, {empty.view}, {{kF32, {3}}}, 0);
}

TEST(CudaReference, SoftmaxAndNorms) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {kF32, kF16}) {
    const double tolerance = dtype == kF16 ? 2e-3 : 2e-6;
    const TestTensor x = RandomTensor(dtype, {3, 8, 33}, 5);
    const TestTensor w8 = RandomTensor(dtype, {8}, 6);
    const TestTensor b8 = RandomTensor(dtype, {8}, 7);
    const TestTensor w33 = RandomTensor(kF32, {33}, 8);
    const TestTensor w = RandomTensor(dtype, {8, 33}, 9);
    const TestTensor v8(dtype, {8}, {1, 2, 0.5, 1, 3, 1, 0.1, 2});
    for (const int64_t axis : {0, 1, 2}) {
      Check("Softmax", {{"axis", axis}}, {x.view}, {{dtype, {3, 8, 33}}}, tolerance);
    }
    Check("Softmax", {{"axis", int64_t{2}}, {"log", true}}, {x.view}, {{dtype, {3, 8, 33}}},
          tolerance);
    Check("Normalization", {{"kind", "rms"}, {"eps", 1e-6}, {"has_weight", true}},
          {x.view, w33.view}, {{dtype, {3, 8, 33}}}, tolerance);
    Check("Normalization",
          {{"kind", "layer"}, {"eps", 1e-5}, {"norm_rank", int64_t{2}}, {"has_weight", true}},
          {x.view, w.view}, {{dtype, {3, 8, 33}}}, tolerance);
    Check("Normalization",
          {{"kind", "group"},
           {"eps", 1e-5},
           {"groups", int64_t{2}},
           {"has_weight", true},
           {"has_bias", true}},
          {x.view, w8.view, b8.view}, {{dtype, {3, 8, 33}}}, tolerance);
    Check("Normalization",
          {{"kind", "group"},
           {"eps", 1e-5},
           {"groups", int64_t{4}},
           {"has_bias", true},
           {"channels_last", true}},
          {Transposed(x.view, 1, 2), b8.view}, {{dtype, {3, 33, 8}}}, tolerance);
    Check("Normalization",
          {{"kind", "batch"}, {"eps", 1e-5}, {"has_weight", true}, {"has_bias", true}},
          {x.view, b8.view, v8.view, w8.view, b8.view}, {{dtype, {3, 8, 33}}}, tolerance);
  }
}

// (acc + per-column bias) through GELU, plus a residual of the output's dims.
Attributes WithEpilogue(Attributes attributes, int rank, DataType dtype) {
  ProgramWriter writer(rank);
  const int acc = writer.Load(kF32, writer.Identity(), true);
  std::vector<int8_t> column(static_cast<size_t>(rank), -1);
  column.back() = 0;
  const int bias = writer.Load(kF32, column);
  const int residual = writer.Load(dtype);
  const int sum = writer.Op(PointwiseOp::kAdd, {acc, bias});
  const int gelu = writer.Op(PointwiseOp::kGeluErf, {sum});
  writer.Store(writer.Op(PointwiseOp::kAdd, {gelu, residual}), dtype);
  attributes.Set("epilogue", ProgramText{writer.program().ToString()});
  return attributes;
}

TEST(CudaReference, MatrixMultiply) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {kF32, kF16, DataType::kInt32}) {
    const double tolerance = dtype == kF16 ? 2e-3 : 1e-5;
    const TestTensor a = RandomTensor(dtype, {2, 1, 7, 31}, 1);
    const TestTensor b = RandomTensor(dtype, {3, 31, 5}, 2);
    const TestTensor bias = RandomTensor(dtype, {5}, 3);
    Check("MatrixMultiply", {{"has_bias", true}}, {a.view, b.view, bias.view},
          {{dtype, {2, 3, 7, 5}}}, tolerance);
    Check("MatrixMultiply", {{"transpose_b", true}}, {a.view, Transposed(b.view, 1, 2)},
          {{dtype, {2, 3, 7, 5}}}, tolerance);
    if (!IsFloat(dtype)) continue;
    const TestTensor columns = RandomTensor(kF32, {5}, 3);
    const TestTensor residual = RandomTensor(dtype, {2, 3, 7, 5}, 4);
    Check("MatrixMultiply", WithEpilogue({}, 4, dtype),
          {a.view, b.view, columns.view, residual.view}, {{dtype, {2, 3, 7, 5}}}, tolerance);
    // A residual whose rows are spread: outer dims stay apart.
    const TestTensor spread = RandomTensor(dtype, {3, 2, 7, 5}, 4);
    Check("MatrixMultiply", WithEpilogue({}, 4, dtype),
          {a.view, b.view, columns.view, Transposed(spread.view, 0, 1)}, {{dtype, {2, 3, 7, 5}}},
          tolerance);
  }
}

TEST(CudaReference, Convolutions) {
  TRT_NEED_HOST_GPU();
  const Attributes attributes{{"stride", Dims{2, 1}},
                              {"padding", Dims{1, 0, 1, 2}},
                              {"dilation", Dims{1, 2}},
                              {"groups", int64_t{2}},
                              {"has_bias", true}};
  for (const DataType dtype : {kF32, kF16}) {
    const double tolerance = dtype == kF16 ? 2e-3 : 1e-5;
    const TestTensor x = RandomTensor(dtype, {2, 4, 9, 8}, 1);
    const TestTensor w = RandomTensor(dtype, {6, 2, 3, 3}, 2);
    const TestTensor bias = RandomTensor(dtype, {6}, 3);
    Check("Convolution", attributes, {x.view, w.view, bias.view}, {{dtype, {2, 6, 5, 6}}},
          tolerance);
    Attributes last = attributes;
    last.Set("channels_last", true);
    const TestTensor xl = RandomTensor(dtype, {2, 9, 8, 4}, 1);
    const TestTensor wl = RandomTensor(dtype, {6, 3, 3, 2}, 2);
    const TestTensor columns = RandomTensor(kF32, {6}, 3);
    const TestTensor residual = RandomTensor(dtype, {2, 5, 6, 6}, 4);
    Check("Convolution", WithEpilogue(last, 4, dtype),
          {xl.view, wl.view, bias.view, columns.view, residual.view}, {{dtype, {2, 5, 6, 6}}},
          tolerance);
    const TestTensor wd = RandomTensor(dtype, {4, 3, 3, 3}, 2);
    Check("Deconvolution", attributes, {x.view, wd.view, bias.view}, {{dtype, {2, 6, 17, 10}}},
          tolerance);
    const TestTensor x1 = RandomTensor(dtype, {1, 3, 17}, 1);
    const TestTensor w1 = RandomTensor(dtype, {2, 3, 4}, 2);
    Check("Convolution", {{"stride", Dims{1}}, {"padding", Dims{0, 0}}, {"dilation", Dims{1}}},
          {x1.view, w1.view}, {{dtype, {1, 2, 14}}}, tolerance);
  }
}

TEST(CudaReference, AttentionAndRotary) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {kF32, kF16}) {
    const double tolerance = dtype == kF16 ? 2e-3 : 1e-5;
    const TestTensor q = RandomTensor(dtype, {2, 4, 5, 8}, 1);
    const TestTensor k = RandomTensor(dtype, {2, 2, 150, 8}, 2);
    const TestTensor v = RandomTensor(dtype, {2, 2, 150, 6}, 3);
    const TestTensor mask = RandomTensor(kF32, {5, 150}, 4);
    TestTensor hidden(DataType::kBool, {2, 1, 5, 150}, std::vector<double>(1500, 1));
    for (int i = 0; i < 300; ++i) hidden.view.as<uint8_t>()[i] = 0;  // whole rows
    Check("Attention", {{"scale", 0.35}}, {q.view, k.view, v.view}, {{dtype, {2, 4, 5, 6}}},
          tolerance);
    Check("Attention", {{"scale", 0.35}, {"causal", true}}, {q.view, k.view, v.view},
          {{dtype, {2, 4, 5, 6}}}, tolerance);
    Check("Attention", {{"scale", 0.35}, {"out_bshd", true}}, {q.view, k.view, v.view, mask.view},
          {{dtype, {2, 5, 4, 6}}}, tolerance);
    for (const bool hidden_nan : {false, true}) {
      Check("Attention", {{"scale", 0.35}, {"hidden_nan", hidden_nan}},
            {q.view, k.view, v.view, hidden.view}, {{dtype, {2, 4, 5, 6}}}, tolerance);
    }
    const TestTensor cos = RandomTensor(dtype, {5, 8}, 5);
    const TestTensor sin = RandomTensor(dtype, {2, 1, 5, 8}, 6);
    for (const bool interleaved : {false, true}) {
      Check("RotaryEmbedding", {{"interleaved", interleaved}}, {q.view, cos.view, sin.view},
            {{dtype, {2, 4, 5, 8}}}, tolerance);
    }
  }
}

TEST(CudaReference, PoolsAndResize) {
  TRT_NEED_HOST_GPU();
  const TestTensor x = RandomTensor(kF32, {2, 3, 9, 11}, 1);
  const TestTensor last = RandomTensor(kF16, {2, 9, 11, 3}, 1);
  const TestTensor wide = RandomTensor(kF16, {2, 9, 11, 24}, 1);  // vectors of channels
  const Attributes window{{"kernel", Dims{3, 2}},
                          {"stride", Dims{2, 2}},
                          {"padding", Dims{1, 1, 1, 0}},
                          {"dilation", Dims{1, 2}}};
  for (const std::string kind : {"max", "avg"}) {
    Attributes attributes = window;
    attributes.Set("kind", kind);
    Check("Pool", attributes, {x.view}, {{kF32, {2, 3, 5, 5}}}, 1e-6);
    attributes.Set("count_include_pad", false).Set("channels_last", true);
    Check("Pool", attributes, {last.view}, {{kF16, {2, 5, 5, 3}}}, 1e-3);
    Check("AdaptivePool", {{"kind", kind}, {"sizes", Dims{4, 5}}}, {x.view}, {{kF32, {2, 3, 4, 5}}},
          1e-6);
  }
  Attributes indexed = window;
  indexed.Set("kind", "max").Set("with_indices", true);
  Check("Pool", indexed, {x.view}, {{kF32, {2, 3, 5, 5}}, {DataType::kInt64, {2, 3, 5, 5}}}, 0);
  for (const std::string mode : {"nearest", "nearest-exact", "linear", "cubic"}) {
    Check("Resize", {{"mode", mode}, {"sizes", Dims{13, 7}}}, {x.view}, {{kF32, {2, 3, 13, 7}}},
          1e-5);
    Check("Resize",
          {{"mode", mode},
           {"sizes", Dims{18, 22}},
           {"scales", std::vector<double>{2, 2}},
           {"channels_last", true}},
          {last.view}, {{kF16, {2, 18, 22, 3}}}, 2e-3);
    Check("Resize", {{"mode", mode}, {"sizes", Dims{5, 17}}, {"channels_last", true}}, {wide.view},
          {{kF16, {2, 5, 17, 24}}}, 2e-3);
  }
  Check("Resize", {{"mode", "linear"}, {"sizes", Dims{4, 4}}, {"align_corners", true}}, {x.view},
        {{kF32, {2, 3, 4, 4}}}, 1e-5);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
