#include "core/kernels/cpu/loop/epilogue.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/core/kernels/cpu/loop/loop_test_util.h"

namespace torch_tensorrt::core::kernels {
namespace {

using testing::ProgramWriter;
using testing::Tensor;
using testing::Views;

constexpr DataType kF32 = DataType::kFloat32;

// Runs the epilogue over the whole output in tiles of tile_rows x tile_cols, as a GEMM would.
Status RunTiles(const loop::Program& program, const Dims& domain, const Tensor& acc,
                const std::vector<Tensor>& inputs, const Tensor& output, int64_t tile_rows,
                int64_t tile_cols) {
  TRT_ASSIGN_OR_RETURN(auto compiled, CompileLoop(program));
  const std::vector<TensorView> in = Views(inputs);
  TRT_ASSIGN_OR_RETURN(auto plan, PrepareEpilogue(*compiled, domain, in, output.view()));
  compiled.reset();  // the plan does not need it
  const int64_t n = domain.back();
  const int64_t m = NumElements(domain) / n;
  for (int64_t r = 0; r < m; r += tile_rows) {
    for (int64_t c = 0; c < n; c += tile_cols) {
      RunEpilogueTile(*plan, in, output.view(), acc.data<float>() + r * n + c, n, r,
                      std::min(tile_rows, m - r), c, std::min(tile_cols, n - c));
    }
  }
  return Status::Ok();
}

double Bound(DataType type) {
  if (type == DataType::kBFloat16) return 0x1p-8;
  return type == DataType::kFloat16 ? 0x1p-10 : 2e-6;
}

double Act(PointwiseOp op, double x) {
  const double sigmoid = 1 / (1 + std::exp(-x));
  switch (op) {
    case PointwiseOp::kRelu:
      return x < 0 ? 0 : x;
    case PointwiseOp::kGeluErf:
      return 0.5 * x * std::erfc(-x * 0.70710678118654752440);
    case PointwiseOp::kGeluTanh:
      return x / (1 + std::exp(-1.5957691216057308 * (x + 0.044715 * x * x * x)));
    case PointwiseOp::kSilu:
      return x * sigmoid;
    case PointwiseOp::kSigmoid:
      return sigmoid;
    case PointwiseOp::kTanh:
      return std::tanh(x);
    default:
      return std::exp(x);  // has no one-pass form: takes the general path
  }
}

// relu(act(acc + bias) + residual), each part present or not, in every type, over odd tiles.
TEST(Epilogue, ChainsOfEveryTypeAndActivation) {
  const int64_t m = 37, n = 45;
  const PointwiseOp acts[] = {PointwiseOp::kRelu, PointwiseOp::kGeluErf, PointwiseOp::kGeluTanh,
                              PointwiseOp::kSilu, PointwiseOp::kSigmoid, PointwiseOp::kTanh,
                              PointwiseOp::kExp};
  for (DataType type : {kF32, DataType::kBFloat16, DataType::kFloat16}) {
    for (PointwiseOp act : acts) {
      for (int parts = 0; parts < 8; ++parts) {
        ProgramWriter writer(2);
        int x = writer.Load(kF32, {0, 1}, true);
        std::vector<Tensor> inputs;
        const bool bias = (parts & 1) != 0, residual = (parts & 2) != 0, relu = (parts & 4) != 0;
        if (bias) {
          x = writer.Op(PointwiseOp::kAdd, {writer.Load(type, {-1, 0}), x});
          inputs.emplace_back(type, Dims{n});
          inputs.back().Fill(3);
        }
        x = writer.Op(act, {x});
        if (residual) {
          x = writer.Op(PointwiseOp::kAdd, {x, writer.Load(type)});
          inputs.emplace_back(type, Dims{m, n});
          inputs.back().Fill(4);
        }
        if (relu) x = writer.Op(PointwiseOp::kRelu, {x});
        writer.Store(x, type);
        Tensor acc(kF32, {m, n});
        acc.Fill(9);
        Tensor out(type, {m, n});
        ASSERT_TRUE(RunTiles(writer.program(), {m, n}, acc, inputs, out, 6, 16).ok());
        for (int64_t i = 0; i < m * n; ++i) {
          double want = acc.Get(i) + (bias ? inputs[0].Get(i % n) : 0);
          want = Act(act, want) + (residual ? inputs.back().Get(i) : 0);
          if (relu && want < 0) want = 0;
          ASSERT_NEAR(out.Get(i), want, Bound(type) * (std::abs(want) + 2))
              << DataTypeName(type) << " " << InfoOf(act).name << " " << parts << " at " << i;
        }
      }
    }
  }
}

// bf16 results come from shorter polynomials: they have to stay next to the correctly rounded ones.
TEST(Epilogue, NarrowActivationsRoundAlmostCorrectly) {
  const int64_t n = 20011;
  for (const PointwiseOp act :
       {PointwiseOp::kGeluErf, PointwiseOp::kGeluTanh, PointwiseOp::kSilu, PointwiseOp::kSigmoid}) {
    ProgramWriter writer(2);
    writer.Store(writer.Op(act, {writer.Load(kF32, {0, 1}, true)}), DataType::kBFloat16);
    Tensor acc(kF32, {1, n});
    for (int64_t i = 0; i < n; ++i) {
      acc.data<float>()[i] = static_cast<float>(i - n / 2) * (i % 2 == 0 ? 9e-4F : 9e-6F);
    }
    const Tensor out(DataType::kBFloat16, {1, n});
    ASSERT_TRUE(RunTiles(writer.program(), {1, n}, acc, {}, out, 1, 4096).ok());
    for (int64_t i = 0; i < n; ++i) {
      const double want = Act(act, acc.Get(i));
      ASSERT_NEAR(out.Get(i), want, 1.04 * 0x1p-8 * std::abs(want) + 0x1p-120)
          << InfoOf(act).name << " of " << acc.Get(i);
    }
    for (const float special : {INFINITY, -INFINITY, NAN, 0.0F, -0.0F, 3e38F, -3e38F}) {
      acc.data<float>()[0] = special;
      ASSERT_TRUE(RunTiles(writer.program(), {1, n}, acc, {}, out, 1, n).ok());
      const double x = static_cast<double>(special);
      const double got = out.Get(0);
      if (std::isnan(x) || (x == -INFINITY && act != PointwiseOp::kSigmoid)) {
        // -inf times 0, as in torch.
        EXPECT_TRUE(std::isnan(got)) << InfoOf(act).name << " of " << x;
      } else if (act == PointwiseOp::kSigmoid) {
        EXPECT_EQ(got, x > 0 ? 1 : (x < 0 ? 0 : 0.5)) << x;
      } else if (std::isinf(x) || x <= 0) {
        EXPECT_EQ(got, x > 0 ? x : 0) << InfoOf(act).name << " of " << x;
      } else {
        EXPECT_NEAR(got, x, x * 0x1p-8) << InfoOf(act).name;
      }
    }
  }
}

// A gate per batch item and channel, and a residual shared by the batch: rows do not collapse into
// one dim.
TEST(Epilogue, RowsThatDoNotCollapse) {
  const int64_t b = 3, h = 7, c = 33;
  ProgramWriter writer(3);
  const int acc_load = writer.Load(kF32, {0, 1, 2}, true);
  const int gate = writer.Load(kF32, {0, -1, 1});
  const int shared = writer.Load(kF32, {-1, 0, 1});
  const int per_row = writer.Load(kF32, {0, 1, -1});
  int x = writer.Op(PointwiseOp::kMul, {acc_load, gate});
  x = writer.Op(PointwiseOp::kAdd, {x, shared});
  writer.Store(writer.Op(PointwiseOp::kMul, {per_row, x}), kF32);
  std::vector<Tensor> inputs;
  inputs.emplace_back(kF32, Dims{b, c});
  inputs.emplace_back(kF32, Dims{h, c});
  inputs.emplace_back(kF32, Dims{b, h});
  for (size_t i = 0; i < 3; ++i) inputs[i].Fill(i + 1);
  Tensor acc(kF32, {b, h, c});
  acc.Fill(9);
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{5, 16}, {21, 33}, {1, 1}}) {
    Tensor out(kF32, {b, h, c});
    ASSERT_TRUE(RunTiles(writer.program(), {b, h, c}, acc, inputs, out, rows, cols).ok());
    for (int64_t i = 0; i < b * h * c; ++i) {
      const int64_t bi = i / (h * c), hi = i / c % h, ci = i % c;
      const double want = (acc.Get(i) * inputs[0].Get(bi * c + ci) + inputs[1].Get(hi * c + ci)) *
                          inputs[2].Get(bi * h + hi);
      ASSERT_NEAR(out.Get(i), want, 1e-5) << i;
    }
  }
}

TEST(Epilogue, TileLargerThanTheArena) {
  const int64_t m = 70, n = 3000;
  ProgramWriter writer(2);
  const int x = writer.Load(kF32, {0, 1}, true);
  const int bias = writer.Load(DataType::kFloat16, {-1, 0});
  writer.Store(writer.Op(PointwiseOp::kMul, {writer.Op(PointwiseOp::kExp, {x}), bias}), kF32);
  std::vector<Tensor> inputs;
  inputs.emplace_back(DataType::kFloat16, Dims{n});
  inputs[0].Fill(1);
  Tensor acc(kF32, {m, n});
  acc.Fill(2);
  Tensor out(kF32, {m, n});
  ASSERT_TRUE(RunTiles(writer.program(), {m, n}, acc, inputs, out, m, n).ok());
  for (int64_t i = 0; i < m * n; ++i) {
    const double want = std::exp(acc.Get(i)) * inputs[0].Get(i % n);
    ASSERT_NEAR(out.Get(i), want, 1e-5 * (1 + std::abs(want)));
  }
}

TEST(Epilogue, CopyAndInPlace) {
  for (DataType type : {kF32, DataType::kBFloat16, DataType::kFloat16}) {
    const auto compiled = CompileLoop(CopyEpilogueProgram(2, type));
    ASSERT_TRUE(compiled.ok()) << compiled.status().ToString();
    Tensor out(type, {9, 21});
    const auto plan = PrepareEpilogue(**compiled, {9, 21}, {}, out.view());
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ((*plan)->IsPlainCopy(), type == kF32);
    EXPECT_EQ((*plan)->CanRunInPlace(), type == kF32);
    EXPECT_EQ((*plan)->OutputRowStride(), 21);
    Tensor acc(kF32, {9, 21});
    acc.Fill(5);
    RunEpilogueTile(**plan, {}, out.view(), acc.data<float>(), 21, 0, 9, 0, 21);
    Tensor want(type, {1});
    for (int64_t i = 0; i < 9 * 21; ++i) {
      want.Set(0, acc.Get(i));
      ASSERT_EQ(out.Get(i), want.Get(0));
    }
  }
  // The output as accumulator.
  ProgramWriter writer(2);
  const int x = writer.Load(kF32, {0, 1}, true);
  writer.Store(writer.Op(PointwiseOp::kMul, {x, writer.Op(PointwiseOp::kAdd, {x, x})}), kF32);
  Tensor out(kF32, {9, 21});
  out.Fill(6);
  Tensor before(kF32, {9, 21});
  before.Fill(6);
  ASSERT_TRUE(RunTiles(writer.program(), {9, 21}, out, {}, out, 4, 8).ok());
  for (int64_t i = 0; i < 9 * 21; ++i) {
    ASSERT_FLOAT_EQ(out.data<float>()[i], 2 * before.data<float>()[i] * before.data<float>()[i]);
  }
}

TEST(Epilogue, OutputWithGapsAndASingleColumn) {
  ProgramWriter writer(2);
  const int x = writer.Load(kF32, {0, 1}, true);
  writer.Store(writer.Op(PointwiseOp::kAdd, {x, writer.Load(kF32, {-1, 0})}), kF32);
  for (int64_t n : {1, 10}) {
    Tensor acc(kF32, {5, n});
    acc.Fill(1);
    std::vector<Tensor> inputs;
    inputs.emplace_back(kF32, Dims{n});
    inputs[0].Fill(2);
    Tensor out(kF32, {5, n}, {30, 1}, 150);
    ASSERT_TRUE(RunTiles(writer.program(), {5, n}, acc, inputs, out, 2, 8).ok());
    for (int64_t i = 0; i < 5 * n; ++i) {
      const float want = acc.data<float>()[i] + inputs[0].data<float>()[i % n];
      ASSERT_EQ(out.data<float>()[i / n * 30 + i % n], want);
    }
  }
}

TEST(Epilogue, RefusesReductions) {
  ProgramWriter writer(2);
  const int x = writer.Load(kF32, {0, 1}, true);
  writer.Store(writer.Op(PointwiseOp::kSub, {x, writer.Reduce(loop::ReduceOp::kMax, x)}), kF32);
  const auto compiled = CompileLoop(writer.program());
  ASSERT_TRUE(compiled.ok());
  Tensor out(kF32, {9, 21});
  EXPECT_EQ(PrepareEpilogue(**compiled, {9, 21}, {}, out.view()).status().code(),
            StatusCode::kUnsupported);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels
