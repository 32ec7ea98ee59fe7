// Clamping of indices and slice bounds, known or symbolic, as Python does it.
#pragma once

#include "core/conversion/context.h"

namespace torch_tensorrt::core::conversion {

// Whether a value is certainly at least 0, by the ranges of the network's symbols.
bool IsNonNegative(const ConversionContext& ctx, const SymInt& value);
// min and max without a clamp that the ranges make superfluous.
SymInt TightMin(const ConversionContext& ctx, const SymInt& a, const SymInt& b);
SymInt TightMax(const ConversionContext& ctx, const SymInt& a, const SymInt& b);
// A slice bound of a dim of `size`: negative counts from the end, the result is within [0, size].
// Fails when the sign of a symbolic bound is not certain.
SymInt ClampBound(ConversionContext& ctx, const SymInt& bound, const SymInt& size);
// An index of a dim of `size`: negative counts from the end. Fails as above, or when out of range.
SymInt WrapIndex(ConversionContext& ctx, const SymInt& index, const SymInt& size);
// x[start:end:step] along axis, for step >= 1.
TensorId SliceBounds(ConversionContext& ctx, TensorId x, int64_t axis, const SymInt& start,
                     const SymInt& end, int64_t step);

}  // namespace torch_tensorrt::core::conversion
