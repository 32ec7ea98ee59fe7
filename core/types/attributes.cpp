#include "core/types/attributes.h"

#include <cstdio>

namespace torch_tensorrt::core {
namespace {

std::string HexDouble(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%a", value);
  return buffer;
}

std::string Quote(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

struct Printer {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(int64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const { return HexDouble(v); }
  std::string operator()(const std::string& v) const { return Quote(v); }
  std::string operator()(DataType v) const { return StrCat("dtype:", DataTypeName(v)); }
  std::string operator()(PointwiseOp v) const { return StrCat("op:", InfoOf(v).name); }
  std::string operator()(const SymInt& v) const { return StrCat("sym:", v); }
  std::string operator()(const Dims& v) const { return core::ToString(v); }
  std::string operator()(const SymDims& v) const { return "sym" + core::ToString(v); }
  std::string operator()(const std::vector<double>& v) const {
    std::string out = "f[";
    for (size_t i = 0; i < v.size(); ++i) out += (i == 0 ? "" : ", ") + HexDouble(v[i]);
    return out + "]";
  }
  std::string operator()(const ProgramText& v) const { return "prog" + Quote(v.text); }
};

}  // namespace

std::string ToString(const AttrValue& value) { return std::visit(Printer{}, value); }

SymDims Attributes::Syms(std::string_view name) const {
  auto it = map_.find(name);
  if (it == map_.end()) return {};
  if (const auto* syms = std::get_if<SymDims>(&it->second)) return *syms;
  if (const auto* ints = std::get_if<Dims>(&it->second)) return ToSymbolic(*ints);
  return {};
}

Result<Attributes> Attributes::Resolve(const SymbolLookup& lookup) const {
  Attributes out;
  for (const auto& [name, value] : map_) {
    if (const auto* sym = std::get_if<SymInt>(&value)) {
      TRT_ASSIGN_OR_RETURN(const int64_t v, sym->Evaluate(lookup));
      out.Set(name, v);
    } else if (const auto* syms = std::get_if<SymDims>(&value)) {
      Dims dims;
      for (const SymInt& s : *syms) {
        TRT_ASSIGN_OR_RETURN(const int64_t v, s.Evaluate(lookup));
        dims.push_back(v);
      }
      out.Set(name, std::move(dims));
    } else {
      out.Set(name, value);
    }
  }
  return out;
}

void Attributes::CollectSymbols(std::set<std::string>* out) const {
  for (const auto& [name, value] : map_) {
    if (const auto* number = std::get_if<SymInt>(&value)) number->CollectSymbols(out);
    const auto* list = std::get_if<SymDims>(&value);
    if (list == nullptr) continue;
    for (const SymInt& item : *list) item.CollectSymbols(out);
  }
}

bool Attributes::IsDynamic() const {
  for (const auto& [name, value] : map_) {
    if (const auto* sym = std::get_if<SymInt>(&value)) {
      if (!sym->is_constant()) return true;
    } else if (const auto* syms = std::get_if<SymDims>(&value)) {
      if (!IsStatic(*syms)) return true;
    }
  }
  return false;
}

}  // namespace torch_tensorrt::core
