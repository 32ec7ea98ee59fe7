// Network::ToString. One item a line, names as in the network:
//   symbol <name> <min> <opt> <max>
//   input %<name> : <dtype>[<dims>]
//   %<out>[, %<out>...] = <Kind>(%<in>, ...) {<attr>=<value>, ...} [data <values> | digest <hex>] :
//   <types> [layer "<name>"] [at "<source>"] output "<name>" %<tensor>
// Names of other than [A-Za-z0-9_.$/:-] characters are quoted. Attribute values are as in
// core/types/attributes.h.
#include <algorithm>
#include <cstdio>
#include <string>

#include "core/ir/network.h"
#include "core/types/half.h"
#include "core/util/hash.h"

namespace torch_tensorrt::core::ir {
namespace {

bool IsPlain(std::string_view name) {
  if (name.empty()) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alnum || std::string_view("_.$/:-").find(c) != std::string_view::npos;
  });
}

std::string TensorText(const Tensor& tensor) {
  return "%" + (IsPlain(tensor.name) ? tensor.name : core::ToString(AttrValue(tensor.name)));
}

// Tells constants apart; fast, because the engine cache prints networks to know them again.
uint64_t Digest(const Weights& weights) {
  return ContentHash({weights.as<std::byte>(), weights.bytes()});
}

std::string ValueText(const Weights& weights, int64_t i) {
  auto hex = [](double v) { return core::ToString(AttrValue(v)); };
  switch (weights.dtype) {
    case DataType::kFloat32:
      return hex(static_cast<double>(weights.as<float>()[i]));
    case DataType::kFloat64:
      return hex(weights.as<double>()[i]);
    case DataType::kFloat16:
      return hex(static_cast<double>(Float16ToFloat(weights.as<uint16_t>()[i])));
    case DataType::kBFloat16:
      return hex(static_cast<double>(BFloat16ToFloat(weights.as<uint16_t>()[i])));
    case DataType::kInt64:
      return std::to_string(weights.as<int64_t>()[i]);
    case DataType::kInt32:
      return std::to_string(weights.as<int32_t>()[i]);
    case DataType::kInt16:
      return std::to_string(weights.as<int16_t>()[i]);
    case DataType::kInt8:
      return std::to_string(weights.as<int8_t>()[i]);
    case DataType::kUInt8:
    case DataType::kBool:
      return std::to_string(weights.as<uint8_t>()[i]);
  }
  return "";
}

std::string WeightsText(const Weights& weights, int64_t inline_elements) {
  const int64_t count = NumElements(weights.dims);
  if (count > inline_elements) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), " digest %016llx",
                  static_cast<unsigned long long>(Digest(weights)));
    return buffer;
  }
  std::string out = " data [";
  for (int64_t i = 0; i < count; ++i) out += StrCat(i == 0 ? "" : ", ", ValueText(weights, i));
  return out + "]";
}

}  // namespace

std::string Network::ToString(int64_t inline_elements) const {
  std::string out;
  for (const Symbol& symbol : symbols_) {
    out += StrCat("symbol ", symbol.name, " ", symbol.min, " ", symbol.opt, " ", symbol.max, "\n");
  }
  auto type_text = [this](TensorId id) {
    return ir::ToString(TensorType{tensor(id).dtype, tensor(id).dims});
  };
  for (TensorId id : inputs_) {
    out += StrCat("input ", TensorText(tensor(id)), " : ", type_text(id), "\n");
  }
  for (LayerId layer_id : order_) {
    const Layer& layer = *this->layer(layer_id);
    for (size_t i = 0; i < layer.outputs.size(); ++i) {
      out += StrCat(i == 0 ? "" : ", ", TensorText(tensor(layer.outputs[i])));
    }
    out += StrCat(" = ", InfoOf(layer.kind).name, "(");
    for (size_t i = 0; i < layer.inputs.size(); ++i) {
      out += StrCat(i == 0 ? "" : ", ", TensorText(tensor(layer.inputs[i])));
    }
    out += ')';
    std::string separator = " {";
    for (const auto& [name, value] : layer.attrs.map()) {
      out += StrCat(separator, name, "=", core::ToString(value));
      separator = ", ";
    }
    if (!layer.attrs.empty()) out += '}';
    if (layer.kind == LayerKind::kConstant)
      out += WeightsText(layer.weights.Made(), inline_elements);
    for (size_t i = 0; i < layer.outputs.size(); ++i) {
      out += StrCat(i == 0 ? " : " : ", ", type_text(layer.outputs[i]));
    }
    if (layer.name != tensor(layer.outputs[0]).name) {
      out += " layer " + core::ToString(AttrValue(layer.name));
    }
    if (!layer.source.empty()) out += " at " + core::ToString(AttrValue(layer.source));
    out += '\n';
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    out += StrCat("output ", core::ToString(AttrValue(output_names_[i])), " ",
                  TensorText(tensor(outputs_[i])), "\n");
  }
  return out;
}

}  // namespace torch_tensorrt::core::ir
