#include "core/conversion/args.h"

namespace torch_tensorrt::core::conversion {

const Value& Args::Get(std::string_view name) const {
  static const Value none;
  auto it = map_.find(name);
  return it == map_.end() ? none : it->second;
}

bool Args::Has(std::string_view name) const { return !Get(name).is_none(); }

void Args::Wrong(std::string_view name, std::string_view expected) const {
  ctx_.Fail(Unsupported("argument ", name, " must be ", expected, ", is ",
                        Describe(Get(name), ctx_.network())));
}

TensorId Args::OptTensor(std::string_view name) const {
  const Value& value = Get(name);
  if (value.is_none()) return ir::kNone;
  if (const auto* ref = value.get<TensorRef>()) return ref->id;
  Wrong(name, "a tensor");
  return ir::kNone;
}

TensorId Args::Tensor(std::string_view name) const {
  const TensorId id = OptTensor(name);
  if (id == ir::kNone) Wrong(name, "a tensor");
  return id;
}

const Value::List& Args::List(std::string_view name) const {
  static const Value::List empty;
  const Value& value = Get(name);
  if (value.is_none()) return empty;
  if (const auto* list = value.get<Value::List>()) return *list;
  Wrong(name, "a list");
  return empty;
}

std::vector<TensorId> Args::Tensors(std::string_view name) const {
  std::vector<TensorId> out;
  for (const Value& item : List(name)) {
    const auto* ref = item.get<TensorRef>();
    if (ref == nullptr) {
      Wrong(name, "a list of tensors");
      return out;
    }
    out.push_back(ref->id);
  }
  return out;
}

SymInt Args::Sym(std::string_view name) const {
  const Value& value = Get(name);
  if (const auto* sym = value.get<SymInt>()) return *sym;
  if (const auto* flag = value.get<bool>()) return *flag ? 1 : 0;
  Wrong(name, "an integer");
  return 0;
}

SymInt Args::Sym(std::string_view name, const SymInt& fallback) const {
  return Has(name) ? Sym(name) : fallback;
}

int64_t Args::Int(std::string_view name) const {
  const SymInt value = Sym(name);
  if (value.is_constant()) return value.constant();
  Wrong(name, "known when the engine is built");
  return 0;
}

int64_t Args::Int(std::string_view name, int64_t fallback) const {
  return Has(name) ? Int(name) : fallback;
}

double Args::Double(std::string_view name) const {
  const Value& value = Get(name);
  if (const auto* number = value.get<double>()) return *number;
  return static_cast<double>(Int(name));
}

double Args::Double(std::string_view name, double fallback) const {
  return Has(name) ? Double(name) : fallback;
}

bool Args::Bool(std::string_view name, bool fallback) const {
  if (!Has(name)) return fallback;
  if (const auto* flag = Get(name).get<bool>()) return *flag;
  return Int(name) != 0;
}

std::string Args::Str(std::string_view name, std::string fallback) const {
  if (!Has(name)) return fallback;
  if (const auto* text = Get(name).get<std::string>()) return *text;
  Wrong(name, "a string");
  return fallback;
}

std::optional<DataType> Args::Type(std::string_view name) const {
  if (!Has(name)) return std::nullopt;
  if (const auto* type = Get(name).get<DataType>()) return *type;
  Wrong(name, "a supported dtype");
  return std::nullopt;
}

SymDims Args::Syms(std::string_view name) const {
  const Value& value = Get(name);
  if (value.is_none()) return {};
  if (value.get<SymInt>() != nullptr) return {Sym(name)};
  SymDims out;
  for (const Value& item : List(name)) {
    const auto* sym = item.get<SymInt>();
    if (sym == nullptr) {
      Wrong(name, "a list of integers");
      return out;
    }
    out.push_back(*sym);
  }
  return out;
}

core::Dims Args::Ints(std::string_view name) const {
  const SymDims syms = Syms(name);
  if (IsStatic(syms)) return ToStatic(syms);
  Wrong(name, "known when the engine is built");
  return core::Dims(syms.size(), 0);
}

std::vector<double> Args::Doubles(std::string_view name) const {
  std::vector<double> out;
  for (const Value& item : List(name)) {
    if (const auto* number = item.get<double>()) {
      out.push_back(*number);
    } else if (const auto* sym = item.get<SymInt>(); sym != nullptr && sym->is_constant()) {
      out.push_back(static_cast<double>(sym->constant()));
    } else {
      Wrong(name, "a list of numbers");
    }
  }
  return out;
}

}  // namespace torch_tensorrt::core::conversion
