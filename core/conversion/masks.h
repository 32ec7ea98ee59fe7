// Elements found by their values: where a mask is set, and how many there are.
#pragma once

#include <vector>

#include "core/conversion/args.h"

namespace torch_tensorrt::core::conversion {

// bool, and the bytes that PyTorch takes for one.
inline bool IsMaskType(DataType type) {
  return type == DataType::kBool || type == DataType::kUInt8;
}

// Makes `value`, one i64, the value of `size` when that is a symbol that nothing else gives. Fails
// when `size` needs a symbol that nothing gives and is none itself.
void ComputeSize(ConversionContext& ctx, TensorId value, const SymInt& size);

// Indices of the elements of `x` that are not zero, in row-major order: i64 [count, rank]. `count`
// says how many there are, by a symbol that this computes where nothing else gives it; else the
// engine refuses another number when it runs.
TensorId NonZero(ConversionContext& ctx, TensorId x, const SymInt& count);
// The same as positions in the flattened `x`: i64 [count].
TensorId FlatNonZero(ConversionContext& ctx, TensorId x, const SymInt& count);

}  // namespace torch_tensorrt::core::conversion
