#include "core/types/data_type.h"

#include <array>

namespace torch_tensorrt::core {
namespace {
constexpr std::array<std::string_view, kDataTypeCount> kNames = {
    "f32", "f16", "bf16", "f64", "i64", "i32", "i16", "i8", "u8", "bool"};
}  // namespace

std::string_view DataTypeName(DataType type) {
  const auto i = static_cast<size_t>(type);
  return i < kNames.size() ? kNames[i] : std::string_view("?");
}

std::optional<DataType> ParseDataType(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

}  // namespace torch_tensorrt::core
