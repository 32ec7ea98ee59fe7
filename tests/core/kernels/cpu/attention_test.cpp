// cpu.attention against the reference kernel: the tiled way (many queries) and the direct way
// (few).
#include "tests/core/kernels/cpu/against_reference.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

struct Case {
  int64_t batch, heads, kv_heads, queries, keys, depth, value_depth;
};

constexpr Case kCases[] = {
    {1, 1, 1, 1, 1, 1, 1},       {2, 3, 3, 7, 7, 8, 8},        {1, 4, 2, 31, 257, 7, 5},
    {2, 2, 1, 1, 33, 64, 64},    {1, 8, 2, 1, 700, 32, 32},    {3, 3, 3, 49, 49, 32, 32},
    {1, 2, 2, 130, 600, 40, 24}, {1, 1, 1, 5, 0, 8, 8},        {0, 2, 2, 3, 3, 8, 8},
    {1, 4, 4, 4, 65, 17, 33},    {1, 2, 2, 70, 300, 128, 128}, {1, 1, 1, 70, 4200, 16, 16},
};

Attributes AttributesOf(const Case& c, bool causal) {
  return {{"scale", 1 / std::sqrt(static_cast<double>(c.depth))}, {"causal", causal}};
}

struct Inputs {
  TestTensor q, k, v;
};

Inputs MakeInputs(const Case& c, DataType type) {
  return {RandomTensor(type, {c.batch, c.heads, c.queries, c.depth}, 1),
          RandomTensor(type, {c.batch, c.kv_heads, c.keys, c.depth}, 2),
          RandomTensor(type, {c.batch, c.kv_heads, c.keys, c.value_depth}, 3)};
}

Dims OutDims(const Case& c) { return {c.batch, c.heads, c.queries, c.value_depth}; }

TEST(CpuAttention, PlainAndCausal) {
  for (const DataType type : kNarrow) {
    for (const Case& c : kCases) {
      const Inputs in = MakeInputs(c, type);
      for (const bool causal : {false, true}) {
        ExpectAgrees("attention", "Attention", AttributesOf(c, causal),
                     {in.q.view, in.k.view, in.v.view}, type, OutDims(c));
      }
    }
  }
}

TEST(CpuAttention, ReadsAndWritesHeadsBehindPositions) {
  for (const Case& c : kCases) {
    const TestTensor q =
        RandomTensor(DataType::kFloat32, {c.batch, c.queries, c.heads, c.depth}, 4);
    const TestTensor k =
        RandomTensor(DataType::kFloat32, {c.batch, c.keys, c.kv_heads, c.depth}, 5);
    const TestTensor v =
        RandomTensor(DataType::kFloat32, {c.batch, c.keys, c.kv_heads, c.value_depth}, 6);
    Attributes attrs = AttributesOf(c, false);
    attrs.Set("out_bshd", true);
    ExpectAgrees("attention", "Attention", attrs,
                 {Transposed(q.view, 1, 2), Transposed(k.view, 1, 2), Transposed(v.view, 1, 2)},
                 DataType::kFloat32, {c.batch, c.queries, c.heads, c.value_depth});
  }
}

TEST(CpuAttention, MasksOfEveryKindAndBroadcast) {
  for (const DataType type : kNarrow) {
    for (const Case& c : kCases) {
      // The large ones take seconds; float32 shows how masks are walked block by block.
      if (type != DataType::kFloat32 && c.queries * c.keys > 20000) continue;
      const Inputs in = MakeInputs(c, type);
      const Dims shapes[] = {{c.batch, 1, c.queries, c.keys},
                             {c.heads, 1, c.keys},
                             {c.queries, c.keys},
                             {1, 1},
                             {c.batch, c.heads, c.queries, 1}};
      std::vector<DataType> mask_types = {DataType::kBool, DataType::kFloat32};
      if (type != DataType::kFloat32) mask_types.push_back(type);
      for (const Dims& dims : shapes) {
        for (const DataType mask_type : mask_types) {
          const TestTensor mask = RandomTensor(mask_type, dims, 7);
          // Some entries hide their key; the first row hides every key.
          for (int64_t i = 0; i < mask.view.numel(); ++i) {
            const bool hide = i % 3 == 0 || i < dims.back();
            const bool is_bool = mask_type == DataType::kBool;
            if (!is_bool && !hide) continue;
            reference::WriteElement(mask.view.data, mask_type, i,
                                    is_bool ? (hide ? 0.0 : 1.0) : -static_cast<double>(INFINITY));
          }
          Attributes attrs = AttributesOf(c, false);
          for (const bool hidden_nan : {false, true}) {
            attrs.Set("hidden_nan", hidden_nan);
            ExpectAgrees("attention", "Attention", attrs,
                         {in.q.view, in.k.view, in.v.view, mask.view}, type, OutDims(c));
          }
        }
      }
    }
  }
}

TEST(CpuAttention, MaskReadAcrossRowsAndCausalTogether) {
  const Case c{1, 2, 2, 33, 40, 16, 16};
  const Inputs in = MakeInputs(c, DataType::kFloat32);
  const TestTensor mask = RandomTensor(DataType::kFloat32, {40, 33}, 8);
  ExpectAgrees("attention", "Attention", AttributesOf(c, true),
               {in.q.view, in.k.view, in.v.view, Transposed(mask.view, 0, 1)}, DataType::kFloat32,
               OutDims(c));
}

TEST(CpuAttention, NanAndInfinityReachTheirRows) {
  for (const Case& c : {Case{1, 2, 2, 40, 300, 16, 16}, Case{1, 2, 2, 2, 300, 16, 16}}) {
    const Inputs in = MakeInputs(c, DataType::kFloat32);
    in.q.view.as<float>()[16] = std::numeric_limits<float>::quiet_NaN();
    in.k.view.as<float>()[5 * 16] = std::numeric_limits<float>::infinity();
    ExpectAgrees("attention", "Attention", AttributesOf(c, false),
                 {in.q.view, in.k.view, in.v.view}, DataType::kFloat32, OutDims(c));
  }
}

TEST(CpuAttention, RefusesWhatItCannotRead) {
  const Case c{1, 2, 2, 8, 8, 8, 8};
  const Inputs in = MakeInputs(c, DataType::kFloat32);
  const TestTensor out(DataType::kFloat32, OutDims(c));
  const auto run = [&](const TensorView& q, const TensorView& k) {
    return RunKernel("cpu.attention", AttributesOf(c, false), {q, k, in.v.view}, {out.view}).code();
  };
  EXPECT_EQ(run(Transposed(in.q.view, 2, 3), in.k.view), StatusCode::kUnsupported);
  const TestTensor odd = RandomTensor(DataType::kFloat32, {1, 2, 8, 9}, 9);
  EXPECT_EQ(run(in.q.view, odd.view), StatusCode::kInvalidArgument);
  const TestTensor half = RandomTensor(DataType::kFloat16, {1, 2, 8, 8}, 9);
  EXPECT_EQ(run(in.q.view, half.view), StatusCode::kUnsupported);
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
