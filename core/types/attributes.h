// Attributes: the named, typed parameters of a layer or of a kernel step.
//
// A small sorted map from name to value. Getters return a default when the name is absent, so
// adding an attribute keeps old plans readable; a present value of another type is a programming
// error caught by the layer table's verifier, and reads as the default. Value type.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/types/data_type.h"
#include "core/types/pointwise_op.h"
#include "core/types/sym_int.h"

namespace torch_tensorrt::core {

// A fused loop nest (core/loop) as its encoded text; see loop::Program::Parse.
struct ProgramText {
  std::string text;
  bool operator==(const ProgramText&) const = default;
};

using AttrValue = std::variant<bool, int64_t, double, std::string, DataType, PointwiseOp, SymInt,
                               Dims, SymDims, std::vector<double>, ProgramText>;

class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<const std::string, AttrValue>> init) : map_(init) {}

  Attributes& Set(std::string name, AttrValue value) {
    map_[std::move(name)] = std::move(value);
    return *this;
  }
  void Erase(const std::string& name) { map_.erase(name); }
  bool Has(std::string_view name) const { return map_.find(name) != map_.end(); }

  template <typename T>
  T Get(std::string_view name, T fallback) const {
    auto it = map_.find(name);
    if (it == map_.end()) return fallback;
    const T* value = std::get_if<T>(&it->second);
    return value != nullptr ? *value : fallback;
  }
  bool Bool(std::string_view name, bool fallback = false) const {
    return Get<bool>(name, fallback);
  }
  int64_t Int(std::string_view name, int64_t fallback = 0) const {
    return Get<int64_t>(name, fallback);
  }
  double Double(std::string_view name, double fallback = 0) const {
    return Get<double>(name, fallback);
  }
  std::string Str(std::string_view name, std::string fallback = "") const {
    return Get<std::string>(name, std::move(fallback));
  }
  Dims Ints(std::string_view name) const { return Get<Dims>(name, {}); }
  // A SymDims attribute; a Dims attribute converts.
  SymDims Syms(std::string_view name) const;

  const std::map<std::string, AttrValue, std::less<>>& map() const { return map_; }
  bool empty() const { return map_.empty(); }
  bool operator==(const Attributes& other) const = default;

  // A copy where every SymInt / SymDims is evaluated to int64_t / Dims.
  Result<Attributes> Resolve(const SymbolLookup& lookup) const;
  void CollectSymbols(std::set<std::string>* out) const;
  // True when some attribute holds a non-constant symbolic value.
  bool IsDynamic() const;

 private:
  std::map<std::string, AttrValue, std::less<>> map_;
};

// Text of one value: true, 12, 0x1.8p+1 (doubles round-trip in hexadecimal), "text", dtype:f32,
// op:Add, sym:<expr>, [1, 2], sym[s0, 2], f[0x1p+0], prog"...".
std::string ToString(const AttrValue& value);

}  // namespace torch_tensorrt::core
