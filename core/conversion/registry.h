// The table of converters and the way to run one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/conversion/args.h"
#include "core/conversion/context.h"

namespace torch_tensorrt::core::conversion {

// Adds the layers of one operator. Reports failure through the context; what it returns then is
// ignored. One Value per schema return.
using Converter = Values (*)(ConversionContext& ctx, const Args& args);

struct ConverterEntry {
  std::string_view target;  // "aten.add.Tensor"
  Converter convert;
};

// Null when the operator has no converter. Thread-safe.
const ConverterEntry* FindConverter(std::string_view target);
// All targets, sorted. Thread-safe.
std::vector<std::string_view> ConverterTargets();

// Runs the converter of `target`. Where the sizes of the result depend on values, an argument
// `result` beside those of the schema has its dims: a symbol in it that nothing else gives gets its
// value from what the operator finds. Errors read "[aten.op] reason: (self: f32[2, s0], dim: 3)".
// A converter that fails may leave layers behind that nothing uses.
Result<Values> Convert(ir::Network* network, std::string_view target, const ArgMap& args,
                       const std::string& name, const std::string& source);

}  // namespace torch_tensorrt::core::conversion
