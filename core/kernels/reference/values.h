// Reading and writing elements of any dtype as the two types reference kernels compute in: double
// for floats, int64_t for integers and bool. Both hold every value of their dtypes exactly.
#pragma once

#include <cstdint>
#include <vector>

#include "core/kernels/reference/strided.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::kernels::reference {

// One element of any dtype; which member counts follows from IsFloat(dtype).
struct Value {
  double f = 0;
  int64_t i = 0;
};

// Calls f(T{}) with T = double for float dtypes and int64_t for the others.
template <typename F>
auto DispatchAll(DataType dtype, F&& f) {
  return IsFloat(dtype) ? f(double{}) : f(int64_t{});
}

// Element `offset` of `data`. T is double or int64_t; a dtype of the other class converts as Cast
// does.
template <typename T>
T ReadElement(const void* data, DataType dtype, int64_t offset);
// Rounds or wraps `value` to dtype.
template <typename T>
void WriteElement(void* data, DataType dtype, int64_t offset, T value);

Value ReadValue(const void* data, DataType dtype, int64_t offset);
void WriteValue(void* data, DataType dtype, int64_t offset, const Value& value);

// Float to integer as torch: towards zero; what no int64 holds gives INT64_MIN.
int64_t TruncateToInt(double value);
// As TruncateToInt, for a destination of dtype `to`: what an i32 cannot hold gives INT32_MIN.
int64_t TruncateTo(DataType to, double value);
// `value` wrapped to an integer dtype; != 0 for bool.
int64_t WrapTo(DataType dtype, int64_t value);
// `value` rounded to a float dtype.
double RoundTo(DataType dtype, double value);

// All elements in row-major order.
template <typename T>
std::vector<T> ReadAll(const TensorView& view);
// REQUIRES: values.size() == view.numel().
template <typename T>
void WriteAll(const TensorView& view, const std::vector<T>& values);

// `view` as dims [outer, n, inner] around `axis`, for kernels over dense values.
struct AxisSplit {
  int64_t outer = 1;
  int64_t n = 1;
  int64_t inner = 1;
};
AxisSplit SplitAt(const TensorView& view, int64_t axis);

}  // namespace torch_tensorrt::core::kernels::reference
