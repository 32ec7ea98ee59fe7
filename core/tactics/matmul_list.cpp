#include "core/kernels/cpu/gemm/pack.h"
#include "core/tactics/lists.h"
#include "core/tactics/operands.h"

namespace torch_tensorrt::core::tactics {
namespace {

Operand PackedWeights(const TacticQuery& query, const ir::Weights& b, int64_t n, int64_t k,
                      bool transpose) {
  const auto fill = [weights = b, n, k, transpose](void* to) {
    const ir::Weights made = weights.Made();
    const kernels::PackSource source{made.data.get(), made.dtype, transpose ? k : 1,
                                     transpose ? 1 : n};
    kernels::PackMatrix(source, made.dtype, n, 1, k, to);
  };
  return PackedOperand(StrCat("packed.", WeightsName(query), transpose ? ".t" : ""),
                       DataType::kUInt8, {kernels::PackedBytes(b.dtype, n, 1, k)}, fill);
}

// a [..., K] times constant weights [K, N]: weights packed at build time, any number of rows.
Result<StepSpec> DescribePacked(const TacticQuery& query) {
  const ir::Layer& layer = query.layer;
  const ir::Weights* b = query.network.weights(layer.inputs[1]);
  const ir::Tensor& a = query.network.tensor(layer.inputs[0]);
  if (b == nullptr) return Unsupported("the second operand is no constant");
  if (b->dims.size() != 2) return Unsupported("constant operand of rank ", b->dims.size());
  if (!kernels::CanPack(b->dtype) || a.dtype != b->dtype) {
    return Unsupported("dtypes ", DataTypeName(a.dtype), " x ", DataTypeName(b->dtype));
  }
  if (layer.attrs.Bool("transpose_a")) return Unsupported("first operand transposed");
  const bool transpose = layer.attrs.Bool("transpose_b");
  const int64_t n = transpose ? b->dims[0] : b->dims[1];
  const int64_t k = transpose ? b->dims[1] : b->dims[0];
  if (n == 0 || k == 0) return Unsupported("empty weights");
  StepSpec spec{"cpu.gemm", Attributes(), {}};
  spec.attributes.Set("n", n).Set("k", k).Set("b_dtype", b->dtype);
  if (layer.attrs.Bool("has_bias")) spec.attributes.Set("has_bias", true);
  if (layer.attrs.Has("epilogue")) {
    spec.attributes.Set("epilogue", layer.attrs.Get<ProgramText>("epilogue", {}));
  }
  spec.operands.push_back({0, LayoutNeed::kRows});
  spec.operands.push_back(PackedWeights(query, *b, n, k, transpose));
  AddExtraOperands(query, LayoutNeed::kAny, &spec);
  return spec;
}

// Both operands made at run time: batched product of strided matrices.
Result<StepSpec> DescribeBatched(const TacticQuery& query) {
  const ir::Tensor& a = query.network.tensor(query.layer.inputs[0]);
  const ir::Tensor& b = query.network.tensor(query.layer.inputs[1]);
  if (!kernels::CanPack(a.dtype) || a.dtype != b.dtype) {
    return Unsupported("dtypes ", DataTypeName(a.dtype), " x ", DataTypeName(b.dtype));
  }
  StepSpec spec{"cpu.batched_gemm", query.layer.attrs, {}};
  spec.operands.push_back({0, LayoutNeed::kMatrices});
  spec.operands.push_back({1, LayoutNeed::kMatrices});
  AddExtraOperands(query, LayoutNeed::kAny, &spec);
  return spec;
}

}  // namespace

std::span<const Tactic> MatrixMultiplyTactics() {
  static constexpr Tactic kList[] = {{"cpu.gemm", DescribePacked},
                                     {"cpu.batched_gemm", DescribeBatched},
                                     {"ref", DescribeReference}};
  return kList;
}

}  // namespace torch_tensorrt::core::tactics
