// Operators whose results have as many elements as some values say.
#include "core/conversion/families.h"
#include "core/conversion/masks.h"

namespace torch_tensorrt::core::conversion {
namespace {

// The first dim of the result, as the caller states it.
SymInt CountOf(ConversionContext& ctx, const Args& args) {
  const SymDims result = args.Syms("result");
  ctx.Require(!result.empty(), "nothing names the size of its result, which depends on values");
  return result.empty() ? SymInt(0) : result[0];
}

Values NonZeroOf(ConversionContext& ctx, const Args& args) {
  return Out(NonZero(ctx, args.Tensor("self"), CountOf(ctx, args)));
}

Values MaskedSelect(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  const TensorId mask = args.Tensor("mask");
  const auto dims = ir::BroadcastDims(ctx.Dims(x), ctx.Dims(mask));
  if (!dims.ok()) ctx.Fail(dims.status());
  ctx.Require(IsMaskType(ctx.Type(mask)), "a mask of dtype ", DataTypeName(ctx.Type(mask)));
  if (!ctx.ok()) return {};
  const TensorId places = FlatNonZero(ctx, ctx.Expand(mask, *dims), CountOf(ctx, args));
  const TensorId flat = ctx.Reshape(ctx.Expand(x, *dims), {NumElements(*dims)});
  return Out(ctx.Add(LayerKind::kGather, {flat, places}, {{"axis", int64_t{0}}}));
}

// i as often as repeats[i] says. Where the running sum of the repeats reaches p, the result goes up
// by one at p: the sum of these steps up to a position is its value. Repeats that are negative, or
// not as many together as the result has elements, give a step outside, which the engine refuses.
Values RepeatInterleave(ConversionContext& ctx, const Args& args) {
  const SymInt count = CountOf(ctx, args);
  const TensorId repeats = ctx.Cast(args.Tensor("repeats"), DataType::kInt64);
  ctx.Require(ctx.Rank(repeats) == 1, "repeats of rank ", ctx.Rank(repeats));
  if (!ctx.ok()) return {};
  const TensorId total = ctx.Reduce("sum", repeats, {0}, false);
  const TensorId zero = ctx.Scalar(SymInt(0), DataType::kInt64);
  const TensorId negative =
      ctx.Reduce("any", ctx.Binary(PointwiseOp::kLt, repeats, zero), {0}, false);
  ComputeSize(ctx, ctx.Binary(PointwiseOp::kMaximum, total, zero), count);
  const TensorId wrong =
      ctx.Binary(PointwiseOp::kLogicalOr, negative,
                 ctx.Binary(PointwiseOp::kNe, total, ctx.Scalar(count, DataType::kInt64)));
  const TensorId ends =
      ctx.Add(LayerKind::kScan, {repeats}, {{"kind", std::string("sum")}, {"axis", int64_t{0}}});
  const TensorId outside = ctx.Scalar(count + 1, DataType::kInt64);
  const TensorId places = ctx.Select(wrong, outside, ends);
  const TensorId steps = ctx.Add(LayerKind::kIndexPut,
                                 {ctx.Fill({count + 1}, DataType::kInt64, Value(SymInt(0))),
                                  ctx.Scalar(SymInt(1), DataType::kInt64), places},
                                 {{"dims", core::Dims{0}}, {"accumulate", true}});
  const TensorId values = ctx.Add(LayerKind::kScan, {ctx.Slice(steps, 0, 0, count)},
                                  {{"kind", std::string("sum")}, {"axis", int64_t{0}}});
  return Out(ctx.Cast(values, ctx.Type(args.Tensor("repeats"))));
}

constexpr ConverterEntry kTable[] = {
    {"aten.nonzero.default", &NonZeroOf},
    {"aten.masked_select.default", &MaskedSelect},
    {"aten.repeat_interleave.Tensor", &RepeatInterleave},
};

}  // namespace

ConverterTable SelectionConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
