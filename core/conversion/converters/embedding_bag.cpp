// Bags of embedding rows, summed, averaged or maximised.
#include <limits>

#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

enum Mode : int64_t { kSum, kMean, kMax };

// The bag of each index: how many bags begin at or before it, less one. [indices] of i64.
TensorId BagOf(ConversionContext& ctx, TensorId offsets, const SymInt& indices) {
  const TensorId place = ctx.Unsqueeze(ctx.Iota(indices, 0, 1, DataType::kInt64), 1);
  const TensorId begun = ctx.Binary(Op::kGe, place, ctx.Cast(offsets, DataType::kInt64));
  const TensorId count =
      ctx.Reduce("sum", ctx.Cast(begun, DataType::kInt64), {1}, /*keepdim=*/false);
  return ctx.Binary(Op::kSub, count, ctx.Scalar(SymInt(1), DataType::kInt64));
}

TensorId AddInto(ConversionContext& ctx, const SymDims& dims, TensorId rows, TensorId bag) {
  const TensorId zeros = ctx.Fill(dims, ctx.Type(rows), Value(0.0));
  return ctx.Add(LayerKind::kIndexPut, {zeros, rows, bag},
                 {{"dims", core::Dims{0}}, {"accumulate", true}});
}

// Results after the first serve the backward pass and are None.
Values EmbeddingBag(ConversionContext& ctx, const Args& args) {
  const TensorId weight = args.Tensor("weight");
  const TensorId indices = args.Tensor("indices");
  TensorId offsets = args.Tensor("offsets");
  const int64_t mode = args.Int("mode", kSum);
  const int64_t padding = args.Int("padding_idx", -1);
  ctx.Require(mode >= kSum && mode <= kMax, "mode ", mode);
  ctx.Require(ctx.Rank(indices) == 1 && ctx.Rank(offsets) == 1, "indices that are not in a row");
  if (!ctx.ok()) return {};
  SymInt bags = ctx.Dim(offsets, 0);
  if (args.Bool("include_last_offset")) {
    bags = bags - 1;
    offsets = ctx.Slice(offsets, 0, 0, bags);
  }
  const DataType type = ctx.Type(weight);
  const DataType compute = ComputeTypeOf(type);
  const TensorId bag = BagOf(ctx, offsets, ctx.Dim(indices, 0));
  const SymDims dims{bags, ctx.Dim(weight, 1)};
  TensorId rows =
      ctx.Cast(ctx.Add(LayerKind::kGather, {weight, indices}, {{"axis", int64_t{0}}}), compute);
  const TensorId scale = args.OptTensor("per_sample_weights");
  if (scale != ir::kNone) {
    rows = ctx.Binary(Op::kMul, rows, ctx.Unsqueeze(ctx.Cast(scale, compute), 1));
  }
  TensorId used = ctx.Fill({ctx.Dim(indices, 0)}, compute, Value(1.0));
  if (padding >= 0) {
    const TensorId real =
        ctx.Binary(Op::kNe, indices, ctx.Scalar(SymInt(padding), ctx.Type(indices)));
    used = ctx.Cast(real, compute);
    const double neutral = mode == kMax ? -std::numeric_limits<double>::infinity() : 0;
    rows = ctx.Select(ctx.Unsqueeze(real, 1), rows, ctx.Scalar(neutral, compute));
  }
  const TensorId counts = ctx.Unsqueeze(AddInto(ctx, {bags}, used, bag), 1);
  const TensorId zero = ctx.Scalar(0.0, compute);
  TensorId out;
  if (mode == kMax) {
    const TensorId spread = ctx.Expand(ctx.Unsqueeze(bag, 1), ctx.Dims(rows));
    const TensorId most =
        ctx.Add(LayerKind::kScatterElements, {ctx.Fill(dims, compute, Value(0.0)), spread, rows},
                {{"axis", int64_t{0}}, {"reduce", std::string("amax")}, {"include_self", false}});
    out = ctx.Select(ctx.Binary(Op::kGt, counts, zero), most, zero);
  } else {
    out = AddInto(ctx, dims, rows, bag);
    if (mode == kMean) {
      const TensorId one = ctx.Scalar(1.0, compute);
      out = ctx.Binary(Op::kDiv, out, ctx.Binary(Op::kMaximum, counts, one));
    }
  }
  return {Value::Tensor(ctx.Cast(out, type)), Value(), Value(), Value()};
}

constexpr ConverterEntry kTable[] = {
    {"aten._embedding_bag.default", &EmbeddingBag},
    {"aten._embedding_bag_forward_only.default", &EmbeddingBag},
};

}  // namespace

ConverterTable EmbeddingBagConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
