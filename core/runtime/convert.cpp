#include <c10/util/Exception.h>

#include "core/runtime/torch_engine.h"

namespace torch_tensorrt::core::runtime {

at::ScalarType ToTorch(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return at::kFloat;
    case DataType::kFloat16:
      return at::kHalf;
    case DataType::kBFloat16:
      return at::kBFloat16;
    case DataType::kFloat64:
      return at::kDouble;
    case DataType::kInt64:
      return at::kLong;
    case DataType::kInt32:
      return at::kInt;
    case DataType::kInt16:
      return at::kShort;
    case DataType::kInt8:
      return at::kChar;
    case DataType::kUInt8:
      return at::kByte;
    case DataType::kBool:
      return at::kBool;
  }
  TORCH_CHECK(false, "unknown dtype");
}

DataType FromTorch(at::ScalarType type) {
  for (int i = 0; i < kDataTypeCount; ++i) {
    if (ToTorch(static_cast<DataType>(i)) == type) return static_cast<DataType>(i);
  }
  TORCH_CHECK_TYPE(false, "[tensorrt] engines do not take tensors of dtype ", type,
                   "; cast the tensor to a supported dtype before the call");
}

void ThrowStatus(const Status& status) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange:
      TORCH_CHECK_VALUE(false, status.ToString());
    case StatusCode::kUnsupported:
      TORCH_CHECK_NOT_IMPLEMENTED(false, status.ToString());
    case StatusCode::kResourceExhausted:
      TORCH_CHECK_WITH(OutOfMemoryError, false, status.ToString());
    case StatusCode::kOk:
    case StatusCode::kDataLoss:
    case StatusCode::kDeviceError:
    case StatusCode::kInternal:
      break;
  }
  TORCH_CHECK(false, status.ToString());
}

}  // namespace torch_tensorrt::core::runtime
