#include "core/conversion/bounds.h"

#include "core/types/sym_compare.h"

namespace torch_tensorrt::core::conversion {

bool IsNonNegative(const ConversionContext& ctx, const SymInt& value) {
  if (value.is_constant()) return value.constant() >= 0;
  return core::IsNonNegative(value, ctx.network().symbol_ranges());
}

SymInt TightMin(const ConversionContext& ctx, const SymInt& a, const SymInt& b) {
  if (IsNonNegative(ctx, b - a)) return a;
  if (IsNonNegative(ctx, a - b)) return b;
  return Min(a, b);
}

SymInt TightMax(const ConversionContext& ctx, const SymInt& a, const SymInt& b) {
  if (IsNonNegative(ctx, a - b)) return a;
  if (IsNonNegative(ctx, b - a)) return b;
  return Max(a, b);
}

namespace {

// -1, 1 (or 0), or nullopt when the ranges do not tell.
std::optional<int> SignOf(const ConversionContext& ctx, const SymInt& value) {
  if (IsNonNegative(ctx, value)) return 1;
  if (IsNonNegative(ctx, SymInt(-1) - value)) return -1;
  return std::nullopt;
}

}  // namespace

SymInt ClampBound(ConversionContext& ctx, const SymInt& bound, const SymInt& size) {
  const auto sign = SignOf(ctx, bound);
  if (!sign) {
    ctx.Fail(Unsupported("bound ", bound, " may be negative or not"));
    return 0;
  }
  if (*sign > 0) return TightMin(ctx, bound, size);
  return TightMax(ctx, bound + size, 0);
}

SymInt WrapIndex(ConversionContext& ctx, const SymInt& index, const SymInt& size) {
  const auto sign = SignOf(ctx, index);
  if (!sign) {
    ctx.Fail(Unsupported("index ", index, " may be negative or not"));
    return 0;
  }
  const SymInt wrapped = *sign > 0 ? index : index + size;
  const SymInt room = size - wrapped - 1;
  if ((wrapped.is_constant() && wrapped.constant() < 0) ||
      (room.is_constant() && room.constant() < 0)) {
    ctx.Fail(InvalidArgument("index ", index, " is out of range for size ", size));
  }
  return wrapped;
}

TensorId SliceBounds(ConversionContext& ctx, TensorId x, int64_t axis, const SymInt& start,
                     const SymInt& end, int64_t step) {
  ctx.Require(step >= 1, "step ", step);
  if (!ctx.ok()) return ir::kNone;
  const SymInt size = ctx.Dim(x, axis);
  const SymInt from = ClampBound(ctx, start, size);
  const bool whole = end.is_constant() && end.constant() == INT64_MAX;
  const SymInt to = whole ? size : ClampBound(ctx, end, size);
  const SymInt length = TightMax(ctx, to - from, 0);
  return ctx.Slice(x, axis, from, step == 1 ? length : CeilDiv(length, step), step);
}

}  // namespace torch_tensorrt::core::conversion
