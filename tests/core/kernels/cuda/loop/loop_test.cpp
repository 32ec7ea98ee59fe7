// The printed loop kernels against the reference interpreter.
#include <gtest/gtest.h>

#include "core/kernels/cuda/loop/printer.h"
#include "tests/core/kernels/cpu/loop/loop_test_util.h"
#include "tests/core/kernels/cuda/cuda_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using loop::ReduceOp;

double ToleranceOf(const loop::Program& program) {
  double tolerance = 2e-6;
  for (const loop::Output& output : program.outputs) {
    if (output.dtype == DataType::kFloat16) tolerance = std::max(tolerance, 2e-3);
    if (output.dtype == DataType::kBFloat16) tolerance = std::max(tolerance, 1.6e-2);
  }
  return tolerance;
}

// Inputs of the domain's dims where the map says so, dense, random.
void ExpectLoop(const loop::Program& program, const Dims& domain, const std::string& what,
                double scale = 1) {
  ASSERT_TRUE(program.Verify().ok()) << what << program.Verify().ToString();
  std::vector<TestTensor> tensors;
  std::vector<TensorView> inputs;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    Dims dims;
    for (size_t d = 0; d < domain.size(); ++d) {
      const auto dim = program.inputs[i].map[d];
      if (dim < 0) continue;
      if (dims.size() <= static_cast<size_t>(dim)) dims.resize(static_cast<size_t>(dim) + 1, 1);
      dims[static_cast<size_t>(dim)] = domain[d];
    }
    tensors.push_back(RandomTensor(program.inputs[i].dtype, dims, static_cast<uint32_t>(i) + 3));
    if (scale != 1) {
      std::vector<double> values = tensors.back().values();
      for (double& v : values) v *= scale;
      tensors.back() = TestTensor(program.inputs[i].dtype, dims, values);
    }
    inputs.push_back(tensors.back().view);
  }
  std::vector<std::pair<DataType, Dims>> outputs;
  for (const loop::Output& output : program.outputs) {
    Dims dims = domain;
    if (output.row) dims.pop_back();
    outputs.emplace_back(output.dtype, std::move(dims));
  }
  const Attributes attributes{{"program", ProgramText{program.ToString()}}, {"domain", domain}};
  ExpectSameAs("ref.Fused", "cuda.loop", attributes, inputs, outputs, ToleranceOf(program), what);
}

bool OnlyIntegers(PointwiseOp op) {
  return (op >= PointwiseOp::kBitAnd && op <= PointwiseOp::kShiftRight) || op == PointwiseOp::kGcd;
}
bool AlsoIntegers(PointwiseOp op) {
  using enum PointwiseOp;
  return op <= kBitNot || op == kShiftLeft || op == kShiftRight || op == kNeg || op == kAbs ||
         op == kSign || op == kRelu || op == kClamp || op == kSelect || op == kFloor || op == kGcd;
}

// Outputs of one kernel that registers hold without spilling.
constexpr int kOpsAtOnce = 9;

// Many operations of one type in one program, one output each.
loop::Program AllOps(DataType dtype, int first, int last) {
  ProgramWriter writer(1);
  const int a = writer.Load(dtype);
  const int b = writer.Load(dtype);
  const int c = writer.Load(DataType::kBool);
  const DataType store = IsHalf(dtype) ? DataType::kFloat32 : dtype;
  for (int i = first; i < last; ++i) {
    const auto op = static_cast<PointwiseOp>(i);
    if (op == PointwiseOp::kCast) continue;
    if (IsFloat(dtype) ? OnlyIntegers(op) : !AlsoIntegers(op)) continue;
    if (!IsFloat(dtype) && (op == PointwiseOp::kAtan2 || op == PointwiseOp::kDiv)) continue;
    std::vector<int> args = {a, b};
    args.resize(static_cast<size_t>(std::min(InfoOf(op).arity, 2)));
    if (op == PointwiseOp::kSelect) args = {c, a, b};
    const int r = writer.Op(op, args, 0.5, 1.25);
    writer.Store(r, InfoOf(op).result == ResultType::kBool ? DataType::kBool : store);
  }
  if (writer.program().outputs.empty()) writer.Store(a, store);
  return writer.program();
}

TEST(CudaLoop, CopiesTogether) {
  TRT_NEED_HOST_GPU();
  ExpectLoop(loop::CopyProgram(3, DataType::kFloat16, 12), {5, 7, 33}, "twelve copies");
  ExpectLoop(loop::CopyProgram(2, DataType::kInt64, 2), {31, 8}, "two copies");
}

TEST(CudaLoop, EveryOperation) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {DataType::kFloat32, DataType::kFloat64}) {
    for (int first = 0; first < kPointwiseOpCount; first += kOpsAtOnce) {
      ExpectLoop(AllOps(dtype, first, std::min(first + kOpsAtOnce, kPointwiseOpCount)), {301},
                 StrCat(DataTypeName(dtype), " ", first));
    }
  }
  for (const DataType dtype :
       {DataType::kInt64, DataType::kInt32, DataType::kInt16, DataType::kInt8, DataType::kUInt8}) {
    for (int first = 0; first < static_cast<int>(PointwiseOp::kExp); first += 20) {
      ExpectLoop(AllOps(dtype, first, first + 20), {301}, StrCat(DataTypeName(dtype), first));
    }
  }
}

TEST(CudaLoop, SpecialValues) {
  TRT_NEED_HOST_GPU();
  const double inf = INFINITY;
  const std::vector<double> values = {NAN, inf, -inf, 0.0, -0.0, 1, -1, 1e-40, 3e38, -88, 89, 0.5};
  std::vector<double> a;
  std::vector<double> b;
  for (const double x : values) {
    for (const double y : values) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  const Dims dims = {static_cast<int64_t>(a.size())};
  const TestTensor ta(DataType::kFloat32, dims, a);
  const TestTensor tb(DataType::kFloat32, dims, b);
  const TestTensor tc(DataType::kBool, dims, b);
  for (int first = 0; first < kPointwiseOpCount; first += kOpsAtOnce) {
    const loop::Program p =
        AllOps(DataType::kFloat32, first, std::min(first + kOpsAtOnce, kPointwiseOpCount));
    std::vector<std::pair<DataType, Dims>> outputs;
    for (const loop::Output& output : p.outputs) outputs.emplace_back(output.dtype, dims);
    ExpectSameAs("ref.Fused", "cuda.loop",
                 {{"program", ProgramText{p.ToString()}}, {"domain", dims}},
                 {ta.view, tb.view, tc.view}, outputs, 2e-6);
  }
}

TEST(CudaLoop, Casts) {
  TRT_NEED_HOST_GPU();
  for (int from = 0; from < kDataTypeCount; ++from) {
    ProgramWriter writer(1);
    const int a = writer.Load(static_cast<DataType>(from));
    for (int to = 0; to < kDataTypeCount; ++to) {
      const auto type = static_cast<DataType>(to);
      const int r = writer.Cast(a, IsHalf(type) ? DataType::kFloat32 : type);
      writer.Store(r, type);
    }
    ExpectLoop(writer.program(), {37}, StrCat("from ", from));
    ExpectLoop(writer.program(), {37}, StrCat("large, from ", from), 1e10);
  }
}

TEST(CudaLoop, BroadcastsTransposesAndVectors) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {DataType::kFloat16, DataType::kFloat32}) {
    ProgramWriter writer(3);
    const int x = writer.Load(dtype);
    const int bias = writer.Load(dtype, {-1, -1, 0});
    const int turned = writer.Load(dtype, {1, 2, 0});
    const int row = writer.Load(dtype, {0, -1, -1});
    const int position = writer.Cast(writer.Iota(DataType::kInt64, 1), DataType::kFloat32);
    int r = writer.Op(PointwiseOp::kAdd, {x, bias});
    r = writer.Op(PointwiseOp::kMul, {r, turned});
    r = writer.Op(PointwiseOp::kAdd, {r, writer.Op(PointwiseOp::kMul, {row, position})});
    writer.Store(r, dtype);
    writer.Store(writer.Op(PointwiseOp::kGt, {r, x}), DataType::kBool);
    for (const Dims& domain : {Dims{3, 5, 16}, Dims{1, 7, 33}, Dims{2, 1, 257}, Dims{0, 4, 4},
                               Dims{2, 3, 1}, Dims{1, 1, 1}}) {
      ExpectLoop(writer.program(), domain, ToString(domain));
    }
  }
}

TEST(CudaLoop, MisalignedAndStridedTensors) {
  TRT_NEED_HOST_GPU();
  ProgramWriter writer(2);
  const int a = writer.Load(DataType::kFloat16);
  const int b = writer.Load(DataType::kFloat16);
  writer.Store(writer.Op(PointwiseOp::kAdd, {a, b}), DataType::kFloat16);
  TestTensor base = RandomTensor(DataType::kFloat16, {40, 70}, 1);
  TensorView shifted = reference::Shifted(base.view, 3);  // not aligned
  shifted.dims[0] = 20;
  shifted.dims[1] = 32;
  TensorView every_other = base.view;
  every_other.dims[0] = 20;
  every_other.dims[1] = 32;
  every_other.strides[1] = 2;
  const Attributes attributes{{"program", ProgramText{writer.program().ToString()}},
                              {"domain", Dims{20, 32}}};
  ExpectSameAs("ref.Fused", "cuda.loop", attributes, {shifted, every_other},
               {{DataType::kFloat16, {20, 32}}}, 0);
}

loop::Program SoftmaxLike(DataType dtype) {
  ProgramWriter writer(2);
  const int x = writer.Load(dtype);
  const int max = writer.Reduce(ReduceOp::kMax, x);
  const int e = writer.Op(PointwiseOp::kExp, {writer.Op(PointwiseOp::kSub, {x, max})});
  const int sum = writer.Reduce(ReduceOp::kSum, e);
  writer.Store(writer.Op(PointwiseOp::kDiv, {e, sum}), dtype);
  writer.Store(max, DataType::kFloat32, true);
  return writer.program();
}

loop::Program NormLike(DataType dtype) {
  ProgramWriter writer(2);
  const int x = writer.Load(dtype);
  const int residual = writer.Load(dtype);
  const int weight = writer.Load(dtype, {-1, 0});
  const int s = writer.Op(PointwiseOp::kAdd, {x, residual});
  const int mean = writer.Reduce(ReduceOp::kMean, s);
  const int d = writer.Op(PointwiseOp::kSub, {s, mean});
  const int variance = writer.Reduce(ReduceOp::kMean, writer.Op(PointwiseOp::kMul, {d, d}));
  const int eps = writer.Const(DataType::kFloat32, 1e-5);
  const int r = writer.Op(PointwiseOp::kRsqrt, {writer.Op(PointwiseOp::kAdd, {variance, eps})});
  const int y = writer.Op(PointwiseOp::kMul, {writer.Op(PointwiseOp::kMul, {d, r}), weight});
  writer.Store(s, dtype);
  writer.Store(y, dtype);
  return writer.program();
}

// Rows of a few lanes, of a warp, of a block, and longer than registers hold.
TEST(CudaLoop, Rows) {
  TRT_NEED_HOST_GPU();
  for (const Dims& domain : {Dims{5, 1}, Dims{70, 7}, Dims{33, 31}, Dims{9, 257}, Dims{40, 256},
                             Dims{3, 1024}, Dims{2, 3001}, Dims{2, 16384}, Dims{1, 70001}}) {
    ExpectLoop(SoftmaxLike(DataType::kFloat32), domain, "softmax " + ToString(domain));
    ExpectLoop(NormLike(DataType::kFloat16), domain, "norm " + ToString(domain));
  }
}

TEST(CudaLoop, EveryReduction) {
  TRT_NEED_HOST_GPU();
  for (const DataType dtype : {DataType::kFloat32, DataType::kInt32, DataType::kUInt8}) {
    ProgramWriter writer(2);
    const int x = writer.Load(dtype);
    for (const ReduceOp op : {ReduceOp::kSum, ReduceOp::kMax, ReduceOp::kMin, ReduceOp::kProd}) {
      writer.Store(writer.Reduce(op, x), dtype, true);
    }
    writer.Store(writer.Reduce(ReduceOp::kAny, x), DataType::kBool, true);
    writer.Store(writer.Reduce(ReduceOp::kAll, x), DataType::kBool, true);
    ExpectLoop(writer.program(), {7, 45}, std::string(DataTypeName(dtype)));
    ExpectLoop(writer.program(), {1, 4000}, std::string(DataTypeName(dtype)));
  }
}

TEST(CudaLoop, RefusesWhatDoesNotFit) {
  const loop::Program program = SoftmaxLike(DataType::kFloat32);
  const TestTensor x(DataType::kFloat32, {3, 4});
  const TestTensor row(DataType::kFloat32, {3});
  const TensorView outputs[] = {x.view, row.view};
  EXPECT_FALSE(cuda::PlanLoop(program, {3, 5}, std::span(&x.view, 1), outputs, 4).ok());
  EXPECT_FALSE(cuda::PlanLoop(program, {3, 0}, std::span(&x.view, 1), outputs, 4).ok());
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
