// The tiled way of cpu.attention with bf16 operands, on every machine: its products come from a
// family written here, with small tiles and a step of its own, which checks how it is called.
#include <array>
#include <utility>

#include "core/kernels/cpu/attention.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/types/half.h"
#include "tests/core/kernels/cpu/against_reference.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(AttentionCode, kAttentionCode, AttentionCodeFor)

namespace testing {
namespace {

constexpr int kRows = 4;
constexpr int kPanels = 2;
constexpr int kStep = 4;

thread_local int rows_begun = 0;
thread_local int ends = 0;

void Begin(int rows) { rows_begun = rows; }
void End() {
  rows_begun = 0;
  ++ends;
}

template <int kTileRows, int kTilePanels>
void Multiply(const MicroArgs& args) {
  ASSERT_EQ(rows_begun, kTileRows);
  ASSERT_EQ(args.taps, 1);
  ASSERT_EQ(args.run % kStep, 0);
  ASSERT_LE(args.columns, kTilePanels * kPanelColumns);
  for (int i = 0; i < kTileRows; ++i) {
    const auto* a = static_cast<const uint16_t*>(args.rows[i]) + args.offset;
    for (int64_t c = 0; c < args.columns; ++c) {
      const auto* b = reinterpret_cast<const uint16_t*>(static_cast<const char*>(args.b) +
                                                        c / kPanelColumns * args.b_panel) +
                      c % kPanelColumns * 2;
      float sum = args.accumulate ? args.c[i * args.c_stride + c] : 0.0F;
      for (int64_t k = 0; k < args.run; ++k) {
        sum += BFloat16ToFloat(a[k]) * BFloat16ToFloat(b[k / 2 * kPanelColumns * 2 + k % 2]);
      }
      args.c[i * args.c_stride + c] = sum;
    }
  }
}

const MicroFamily kFamily = {kRows,
                             kPanels,
                             {{&Multiply<1, 1>, &Multiply<2, 1>, &Multiply<3, 1>, &Multiply<4, 1>},
                              {&Multiply<1, 2>, &Multiply<2, 2>, &Multiply<3, 2>, &Multiply<4, 2>}},
                             &Begin,
                             &End,
                             kStep};

struct Case {
  int64_t batch, heads, kv_heads, queries, keys, depth, value_depth;
};

constexpr Case kCases[] = {{1, 1, 1, 1, 1, 1, 1},      {2, 3, 3, 7, 7, 8, 8},
                           {1, 4, 2, 31, 257, 7, 5},   {1, 2, 2, 49, 49, 32, 32},
                           {1, 1, 1, 5, 0, 8, 8},      {1, 2, 2, 70, 300, 80, 40},
                           {1, 1, 1, 9, 4200, 16, 16}, {1, 2, 1, 2, 33, 64, 17}};

AttentionProblem ProblemOf(const Case& c, bool causal) {
  AttentionProblem p;
  p.batch = c.batch;
  p.heads = c.heads;
  p.kv_heads = c.kv_heads;
  p.queries = c.queries;
  p.keys = c.keys;
  p.depth = c.depth;
  p.value_depth = c.value_depth;
  p.type = 2;  // bf16
  p.scale = 0.3F;
  p.causal = causal;
  return p;
}

void ExpectNarrowAgrees(const Case& c, bool causal, bool masked) {
  constexpr DataType kType = DataType::kBFloat16;
  const TestTensor q = RandomTensor(kType, {c.batch, c.heads, c.queries, c.depth}, 1);
  const TestTensor k = RandomTensor(kType, {c.batch, c.kv_heads, c.keys, c.depth}, 2);
  const TestTensor v = RandomTensor(kType, {c.batch, c.kv_heads, c.keys, c.value_depth}, 3);
  const TestTensor mask = RandomTensor(DataType::kFloat32, {1, 1, c.queries, c.keys}, 4);
  for (int64_t i = 0; i < mask.view.numel(); i += 3) mask.view.as<float>()[i] = -INFINITY;
  const TestTensor out(kType, {c.batch, c.heads, c.queries, c.value_depth});
  AttentionProblem p = ProblemOf(c, causal);
  AttentionTensors tensors{q.view, k.view, v.view, mask.view, out.view};
  std::vector<TensorView> inputs = {q.view, k.view, v.view};
  if (masked) {
    p.mask_type = 0;
    inputs.push_back(mask.view);
    for (int d = 0; d < 2; ++d) tensors.mask.strides[static_cast<size_t>(d)] = 0;
  }
  const TiledPlan plan = PlanTiled(p, GemmMicro(), &kFamily);
  ASSERT_TRUE(plan.narrow);
  ASSERT_EQ(plan.family, &kFamily);
  // NaN where nothing was written shows what is read without having been.
  std::vector<std::byte> memory(static_cast<size_t>(plan.slots * plan.slot_bytes + 64),
                                std::byte{0xff});
  auto* scratch =
      reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
  RunTiled(p, plan, AttentionCodeFor(CurrentIsa()), GemmMicro(), tensors, scratch);
  const std::vector<double> want =
      Output("ref.Attention", {{"scale", static_cast<double>(p.scale)}, {"causal", causal}}, inputs,
             kType, {c.batch, c.heads, c.queries, c.value_depth});
  std::vector<double> got;
  for (int64_t i = 0; i < out.view.numel(); ++i) {
    got.push_back(static_cast<double>(BFloat16ToFloat(out.view.as<const uint16_t>()[i])));
  }
  ExpectNear(got, want, ToleranceOf(kType),
             StrCat("queries ", c.queries, " keys ", c.keys, causal ? " causal" : "",
                    masked ? " masked" : ""));
}

TEST(NarrowAttention, AgreesWithTheReference) {
  for (const Case& c : kCases) {
    for (const bool causal : {false, true}) {
      for (const bool masked : {false, true}) ExpectNarrowAgrees(c, causal, masked);
    }
  }
  EXPECT_EQ(rows_begun, 0);
  EXPECT_GT(ends, 0);
}

TEST(NarrowAttention, OnlyForBf16) {
  AttentionProblem p = ProblemOf(kCases[1], false);
  EXPECT_TRUE(PlanTiled(p, GemmMicro(), &kFamily).narrow);
  EXPECT_FALSE(PlanTiled(p, GemmMicro(), nullptr).narrow);
  p.type = 1;
  EXPECT_FALSE(PlanTiled(p, GemmMicro(), &kFamily).narrow);
}

}  // namespace
}  // namespace testing
}  // namespace torch_tensorrt::core::kernels
