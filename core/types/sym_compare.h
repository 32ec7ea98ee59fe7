// What can be proved about symbolic integers when the ranges of their symbols are known.
#pragma once

#include "core/types/sym_int.h"

namespace torch_tensorrt::core {

// Whether `value` is at least 0 wherever it is defined (no divisor is zero). Looks further than
// value.Bounds(ranges): it relates terms of a sum, as in s - mod(x, s) >= 1. "false" means that no
// proof was found. Thread-safe.
bool IsNonNegative(const SymInt& value, const SymbolRanges& ranges);

}  // namespace torch_tensorrt::core
