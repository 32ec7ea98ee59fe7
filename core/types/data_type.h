// Element types of tensors. The numeric values are stored in plan files: never renumber.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace torch_tensorrt::core {

enum class DataType : uint8_t {
  kFloat32 = 0,
  kFloat16 = 1,
  kBFloat16 = 2,
  kFloat64 = 3,
  kInt64 = 4,
  kInt32 = 5,
  kInt16 = 6,
  kInt8 = 7,
  kUInt8 = 8,
  kBool = 9,
};
inline constexpr int kDataTypeCount = 10;

// Bytes of one element.
constexpr size_t SizeOf(DataType type) {
  switch (type) {
    case DataType::kFloat32:
    case DataType::kInt32:
      return 4;
    case DataType::kFloat16:
    case DataType::kBFloat16:
    case DataType::kInt16:
      return 2;
    case DataType::kFloat64:
    case DataType::kInt64:
      return 8;
    case DataType::kInt8:
    case DataType::kUInt8:
    case DataType::kBool:
      return 1;
  }
  return 0;
}

constexpr bool IsFloat(DataType type) {
  return type == DataType::kFloat32 || type == DataType::kFloat16 || type == DataType::kBFloat16 ||
         type == DataType::kFloat64;
}
// f16 and bf16: stored in 16 bits, computed in f32.
constexpr bool IsHalf(DataType type) {
  return type == DataType::kFloat16 || type == DataType::kBFloat16;
}
constexpr bool IsInteger(DataType type) { return !IsFloat(type) && type != DataType::kBool; }
constexpr bool IsUnsigned(DataType type) {
  return type == DataType::kUInt8 || type == DataType::kBool;
}

// Short names: f32 f16 bf16 f64 i64 i32 i16 i8 u8 bool.
std::string_view DataTypeName(DataType type);
std::optional<DataType> ParseDataType(std::string_view name);

}  // namespace torch_tensorrt::core
