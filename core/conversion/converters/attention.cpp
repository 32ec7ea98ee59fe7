// Scaled dot-product attention, kept whole.
#include <algorithm>
#include <cmath>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

// x as [B, H, S, D]. `rank` is the largest of the operands' ranks, to which all are broadcast.
TensorId AsHeads(ConversionContext& ctx, TensorId x, int64_t rank) {
  while (ctx.ok() && ctx.Rank(x) < rank) x = ctx.Unsqueeze(x, 0);
  if (ctx.Rank(x) == 2) return ctx.Unsqueeze(ctx.Unsqueeze(x, 0), 0);
  return ctx.Rank(x) == 3 ? ctx.Unsqueeze(x, 1) : x;
}

// Batch (and, with heads, head) dims of the three operands broadcast together.
TensorId ExpandBatch(ConversionContext& ctx, TensorId x, const SymInt& batch) {
  if (!ctx.Dim(x, 0).Equals(1) || batch.Equals(1)) return x;
  SymDims dims = ctx.Dims(x);
  dims[0] = batch;
  return ctx.Expand(x, dims);
}

TensorId MaskOf(ConversionContext& ctx, TensorId mask, int64_t query_rank, DataType type) {
  if (mask == ir::kNone) return mask;
  if (query_rank == 3 && ctx.Rank(mask) == 3) mask = ctx.Unsqueeze(mask, 1);
  ctx.Require(ctx.Rank(mask) <= 4, "attn_mask of rank ", ctx.Rank(mask));
  const DataType mask_type = ctx.Type(mask);
  const bool usable =
      mask_type == DataType::kBool || mask_type == DataType::kFloat32 || mask_type == type;
  return usable ? mask : ctx.Cast(mask, type);
}

TensorId Attention(ConversionContext& ctx, const Args& args) {
  const TensorId query = args.Tensor("query");
  int64_t rank = ctx.Rank(query);
  for (const char* name : {"key", "value"}) rank = std::max(rank, ctx.Rank(args.Tensor(name)));
  ctx.Require(args.Double("dropout_p", 0) == 0, "dropout_p is not 0");
  ctx.Require(rank >= 2 && rank <= 4, "attention on rank ", rank);
  TensorId q = AsHeads(ctx, query, rank);
  TensorId k = AsHeads(ctx, args.Tensor("key"), rank);
  TensorId v = AsHeads(ctx, args.Tensor("value"), rank);
  const TensorId mask = MaskOf(ctx, args.OptTensor("attn_mask"), rank, ctx.Type(q));
  if (!ctx.ok()) return ir::kNone;
  SymInt batch = ctx.Dim(q, 0);
  for (TensorId x : {k, v}) {
    if (batch.Equals(1)) batch = ctx.Dim(x, 0);
  }
  q = ExpandBatch(ctx, q, batch);
  k = ExpandBatch(ctx, k, batch);
  v = ExpandBatch(ctx, v, batch);
  double scale = 0;
  if (args.Has("scale")) {
    scale = args.Double("scale");
  } else {
    const SymInt width = ctx.Dim(q, 3);
    ctx.Require(width.is_constant() && width.constant() > 0, "a head width of ", width,
                " needs an explicit scale");
    if (!ctx.ok()) return ir::kNone;
    scale = 1 / std::sqrt(static_cast<double>(width.constant()));
  }
  std::vector<TensorId> inputs{q, k, v};
  if (mask != ir::kNone) inputs.push_back(mask);
  const TensorId out = ctx.Add(LayerKind::kAttention, inputs,
                               {{"scale", scale}, {"causal", args.Bool("is_causal")}});
  if (rank == 3) return ctx.Squeeze(out, 1);
  return rank == 2 ? ctx.Squeeze(ctx.Squeeze(out, 0), 0) : out;
}

Values Sdpa(ConversionContext& ctx, const Args& args) { return Out(Attention(ctx, args)); }

// Results after the first serve the backward pass; reading one is refused where it is read.
template <int results>
Values WithStatistics(ConversionContext& ctx, const Args& args) {
  Values out(results);
  out[0] = Value::Tensor(Attention(ctx, args));
  return out;
}

// As above with attn_bias for the mask.
template <int results>
Values WithBias(ConversionContext& ctx, const Args& args) {
  ArgMap renamed;
  for (const char* name : {"query", "key", "value", "dropout_p", "is_causal", "scale"}) {
    renamed[name] = args.Get(name);
  }
  renamed["attn_mask"] = args.Get("attn_bias");
  return WithStatistics<results>(ctx, Args(&ctx, &renamed));
}

constexpr ConverterEntry kTable[] = {
    {"aten.scaled_dot_product_attention.default", &Sdpa},
    {"aten._scaled_dot_product_flash_attention_for_cpu.default", &WithStatistics<2>},
    {"aten._scaled_dot_product_flash_attention.default", &WithStatistics<9>},
    {"aten._scaled_dot_product_efficient_attention.default", &WithBias<4>},
    {"aten._scaled_dot_product_cudnn_attention.default", &WithBias<9>},
    {"aten._scaled_dot_product_fused_attention_overrideable.default", &WithBias<9>},
};

}  // namespace

ConverterTable AttentionConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
