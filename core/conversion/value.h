// Value: an argument or a result of an ATen operator, as the converters see it.
//
// Integers are SymInts, known or not. A list holds values of any kind (tensors with gaps, sizes).
// Value type; tensors are ids of one network.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/ir/network.h"
#include "core/types/data_type.h"
#include "core/types/sym_int.h"

namespace torch_tensorrt::core::conversion {

using ir::TensorId;

struct TensorRef {
  TensorId id = ir::kNone;
};

struct Value {
  using List = std::vector<Value>;
  std::variant<std::monostate, TensorRef, SymInt, double, bool, std::string, DataType, List> v;

  Value() = default;  // None
  template <typename T>
  explicit Value(T value) : v(std::move(value)) {}
  static Value Tensor(TensorId id) { return Value(TensorRef{id}); }

  bool is_none() const { return std::holds_alternative<std::monostate>(v); }
  // Null when the value is of another kind.
  template <typename T>
  const T* get() const {
    return std::get_if<T>(&v);
  }
  bool is_tensor() const { return std::holds_alternative<TensorRef>(v); }
};

using Values = std::vector<Value>;

// "f32[2, s0]", "3", "[1, s0]", "None" ...
std::string Describe(const Value& value, const ir::Network& network);

}  // namespace torch_tensorrt::core::conversion
