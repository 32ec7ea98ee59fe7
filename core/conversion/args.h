// Args: the arguments of one operator by schema name, defaults filled. A wrong kind of value
// becomes a sticky error of the context that names the argument; the accessor then returns a
// harmless value.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/conversion/context.h"
#include "core/conversion/value.h"

namespace torch_tensorrt::core::conversion {

using ArgMap = std::map<std::string, Value, std::less<>>;

class Args {
 public:
  // Both must outlive this.
  Args(ConversionContext* ctx, const ArgMap* map) : ctx_(*ctx), map_(*map) {}

  // Present and not None.
  bool Has(std::string_view name) const;
  // None when absent.
  const Value& Get(std::string_view name) const;

  TensorId Tensor(std::string_view name) const;
  // kNone when absent or None.
  TensorId OptTensor(std::string_view name) const;
  std::vector<TensorId> Tensors(std::string_view name) const;
  SymInt Sym(std::string_view name) const;
  SymInt Sym(std::string_view name, const SymInt& fallback) const;
  // A known integer; Unsupported when it is symbolic.
  int64_t Int(std::string_view name) const;
  int64_t Int(std::string_view name, int64_t fallback) const;
  double Double(std::string_view name) const;
  double Double(std::string_view name, double fallback) const;
  bool Bool(std::string_view name, bool fallback = false) const;
  std::string Str(std::string_view name, std::string fallback) const;
  std::optional<DataType> Type(std::string_view name) const;
  // A list, or one number as a list; empty when absent or None.
  SymDims Syms(std::string_view name) const;
  core::Dims Ints(std::string_view name) const;
  std::vector<double> Doubles(std::string_view name) const;
  const Value::List& List(std::string_view name) const;

 private:
  void Wrong(std::string_view name, std::string_view expected) const;

  ConversionContext& ctx_;
  const ArgMap& map_;
};

}  // namespace torch_tensorrt::core::conversion
