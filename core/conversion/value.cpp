#include "core/conversion/value.h"

namespace torch_tensorrt::core::conversion {
namespace {

struct Describer {
  const ir::Network& network;

  std::string operator()(std::monostate) const { return "None"; }
  std::string operator()(TensorRef ref) const {
    const ir::Tensor& tensor = network.tensor(ref.id);
    return ir::ToString(ir::TensorType{tensor.dtype, tensor.dims});
  }
  std::string operator()(const SymInt& value) const { return value.ToString(); }
  std::string operator()(double value) const { return StrCat(value); }
  std::string operator()(bool value) const { return value ? "True" : "False"; }
  std::string operator()(const std::string& value) const { return "'" + value + "'"; }
  std::string operator()(DataType value) const { return std::string(DataTypeName(value)); }
  std::string operator()(const Value::List& list) const {
    std::string out = "[";
    for (size_t i = 0; i < list.size(); ++i) {
      out += (i == 0 ? "" : ", ") + Describe(list[i], network);
    }
    return out + "]";
  }
};

}  // namespace

std::string Describe(const Value& value, const ir::Network& network) {
  return std::visit(Describer{network}, value.v);
}

}  // namespace torch_tensorrt::core::conversion
