#include "core/kernels/reference/values.h"

#include <cmath>
#include <type_traits>

#include "core/types/half.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

template <typename T, typename From>
T Convert(From value) {
  if constexpr (std::is_same_v<T, int64_t> && std::is_floating_point_v<From>) {
    return TruncateToInt(static_cast<double>(value));
  } else {
    return static_cast<T>(value);
  }
}

template <typename T>
int64_t AsInt(T value, DataType to) {
  if constexpr (std::is_floating_point_v<T>) {
    return TruncateTo(to, value);
  } else {
    return value;
  }
}

}  // namespace

int64_t TruncateToInt(double value) {
  if (!(value >= -0x1p63 && value < 0x1p63)) return INT64_MIN;
  return static_cast<int64_t>(value);
}

int64_t TruncateTo(DataType to, double value) {
  if (to == DataType::kInt32 && !(value > -0x1p31 - 1 && value < 0x1p31)) return INT32_MIN;
  return WrapTo(to, TruncateToInt(value));
}

int64_t WrapTo(DataType dtype, int64_t value) {
  switch (dtype) {
    case DataType::kInt32:
      return static_cast<int32_t>(value);
    case DataType::kInt16:
      return static_cast<int16_t>(value);
    case DataType::kInt8:
      return static_cast<int8_t>(value);
    case DataType::kUInt8:
      return static_cast<uint8_t>(value);
    case DataType::kBool:
      return value != 0 ? 1 : 0;
    default:
      return value;
  }
}

double RoundTo(DataType dtype, double value) {
  switch (dtype) {
    case DataType::kFloat32:
      return static_cast<double>(static_cast<float>(value));
    case DataType::kFloat16:
      return static_cast<double>(Float16ToFloat(FloatToFloat16(static_cast<float>(value))));
    case DataType::kBFloat16:
      return static_cast<double>(BFloat16ToFloat(FloatToBFloat16(static_cast<float>(value))));
    default:
      return value;
  }
}

template <typename T>
T ReadElement(const void* data, DataType dtype, int64_t offset) {
  switch (dtype) {
    case DataType::kFloat32:
      return Convert<T>(static_cast<const float*>(data)[offset]);
    case DataType::kFloat16:
      return Convert<T>(Float16ToFloat(static_cast<const uint16_t*>(data)[offset]));
    case DataType::kBFloat16:
      return Convert<T>(BFloat16ToFloat(static_cast<const uint16_t*>(data)[offset]));
    case DataType::kFloat64:
      return Convert<T>(static_cast<const double*>(data)[offset]);
    case DataType::kInt64:
      return Convert<T>(static_cast<const int64_t*>(data)[offset]);
    case DataType::kInt32:
      return Convert<T>(static_cast<const int32_t*>(data)[offset]);
    case DataType::kInt16:
      return Convert<T>(static_cast<const int16_t*>(data)[offset]);
    case DataType::kInt8:
      return Convert<T>(static_cast<const int8_t*>(data)[offset]);
    case DataType::kUInt8:
      return Convert<T>(static_cast<const uint8_t*>(data)[offset]);
    case DataType::kBool:
      return static_cast<const uint8_t*>(data)[offset] != 0 ? T{1} : T{0};
  }
  return T{};
}

template <typename T>
void WriteElement(void* data, DataType dtype, int64_t offset, T value) {
  const auto as_float = static_cast<float>(value);
  switch (dtype) {
    case DataType::kFloat32:
      static_cast<float*>(data)[offset] = as_float;
      return;
    case DataType::kFloat16:
      static_cast<uint16_t*>(data)[offset] = FloatToFloat16(as_float);
      return;
    case DataType::kBFloat16:
      static_cast<uint16_t*>(data)[offset] = FloatToBFloat16(as_float);
      return;
    case DataType::kFloat64:
      static_cast<double*>(data)[offset] = static_cast<double>(value);
      return;
    case DataType::kInt64:
      static_cast<int64_t*>(data)[offset] = AsInt(value, dtype);
      return;
    case DataType::kInt32:
      static_cast<int32_t*>(data)[offset] = static_cast<int32_t>(AsInt(value, dtype));
      return;
    case DataType::kInt16:
      static_cast<int16_t*>(data)[offset] = static_cast<int16_t>(AsInt(value, dtype));
      return;
    case DataType::kInt8:
      static_cast<int8_t*>(data)[offset] = static_cast<int8_t>(AsInt(value, dtype));
      return;
    case DataType::kUInt8:
      static_cast<uint8_t*>(data)[offset] = static_cast<uint8_t>(AsInt(value, dtype));
      return;
    case DataType::kBool:
      static_cast<uint8_t*>(data)[offset] = value != T{0} ? 1 : 0;
      return;
  }
}

Value ReadValue(const void* data, DataType dtype, int64_t offset) {
  if (IsFloat(dtype)) return {ReadElement<double>(data, dtype, offset), 0};
  return {0, ReadElement<int64_t>(data, dtype, offset)};
}

void WriteValue(void* data, DataType dtype, int64_t offset, const Value& value) {
  if (IsFloat(dtype)) {
    WriteElement(data, dtype, offset, value.f);
  } else {
    WriteElement(data, dtype, offset, value.i);
  }
}

template <typename T>
std::vector<T> ReadAll(const TensorView& view) {
  std::vector<T> out;
  out.reserve(At(view.numel()));
  for (Walker<1> w(view.dims.data(), view.rank, {view.strides.data()}); !w.done(); w.Next()) {
    out.push_back(ReadElement<T>(view.data, view.dtype, w.offset(0)));
  }
  return out;
}

template <typename T>
void WriteAll(const TensorView& view, const std::vector<T>& values) {
  size_t next = 0;
  for (Walker<1> w(view.dims.data(), view.rank, {view.strides.data()}); !w.done(); w.Next()) {
    WriteElement(view.data, view.dtype, w.offset(0), values[next++]);
  }
}

AxisSplit SplitAt(const TensorView& view, int64_t axis) {
  AxisSplit split;
  for (int d = 0; d < view.rank; ++d) {
    int64_t& part = d < axis ? split.outer : (d == axis ? split.n : split.inner);
    part *= view.dims[At(d)];
  }
  return split;
}

template double ReadElement<double>(const void*, DataType, int64_t);
template int64_t ReadElement<int64_t>(const void*, DataType, int64_t);
template void WriteElement<double>(void*, DataType, int64_t, double);
template void WriteElement<int64_t>(void*, DataType, int64_t, int64_t);
template std::vector<double> ReadAll<double>(const TensorView&);
template std::vector<int64_t> ReadAll<int64_t>(const TensorView&);
template void WriteAll<double>(const TensorView&, const std::vector<double>&);
template void WriteAll<int64_t>(const TensorView&, const std::vector<int64_t>&);

}  // namespace torch_tensorrt::core::kernels::reference
