// Values and bounds of symbolic integers.
#include <algorithm>

#include "core/types/sym_int_node.h"
#include "core/util/checked.h"

namespace torch_tensorrt::core {

using sym_detail::Atom;
using sym_detail::AtomKind;
using sym_detail::AtomText;
using sym_detail::CanDivide;
using sym_detail::FloorDivInt;
using sym_detail::ModInt;

namespace {

int64_t SaturatingMul(int64_t a, int64_t b) {
  if (auto v = CheckedMul(a, b)) return *v;
  return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
}
int64_t SaturatingAdd(int64_t a, int64_t b) {
  if (auto v = CheckedAdd(a, b)) return *v;
  return a > 0 ? INT64_MAX : INT64_MIN;
}

SymRange MulRange(const SymRange& a, const SymRange& b) {
  const int64_t v[] = {SaturatingMul(a.min, b.min), SaturatingMul(a.min, b.max),
                       SaturatingMul(a.max, b.min), SaturatingMul(a.max, b.max)};
  return {*std::min_element(v, v + 4), *std::max_element(v, v + 4)};
}

SymRange AtomBounds(const Atom& atom, const SymbolRanges& ranges) {
  if (atom.kind == AtomKind::kSymbol) {
    auto it = ranges.find(atom.name);
    return it == ranges.end() ? SymRange{} : it->second;
  }
  const SymRange a = atom.lhs.Bounds(ranges);
  SymRange b = atom.rhs.Bounds(ranges);
  const bool division = atom.kind == AtomKind::kFloorDiv || atom.kind == AtomKind::kMod;
  // Where the divisor is zero there is no value to bound.
  if (division && b.min >= 0) b = {std::max<int64_t>(b.min, 1), std::max<int64_t>(b.max, 1)};
  switch (atom.kind) {
    case AtomKind::kFloorDiv: {
      if (b.min <= 0) return {INT64_MIN, INT64_MAX};
      const int64_t v[] = {FloorDivInt(a.min, b.min), FloorDivInt(a.min, b.max),
                           FloorDivInt(a.max, b.min), FloorDivInt(a.max, b.max)};
      return {*std::min_element(v, v + 4), *std::max_element(v, v + 4)};
    }
    case AtomKind::kMod: {
      if (b.min <= 0) return {std::min<int64_t>(b.min + 1, 0), std::max<int64_t>(b.max - 1, 0)};
      if (a.min >= 0 && a.max < b.min) return a;
      return {0, a.min >= 0 ? std::min(a.max, b.max - 1) : b.max - 1};
    }
    case AtomKind::kMin:
      return {std::min(a.min, b.min), std::min(a.max, b.max)};
    case AtomKind::kMax:
      return {std::max(a.min, b.min), std::max(a.max, b.max)};
    case AtomKind::kSymbol:
      break;
  }
  return {};
}

Result<int64_t> EvaluateAtom(const Atom& atom, const SymbolLookup& lookup) {
  if (atom.kind == AtomKind::kSymbol) {
    if (auto value = lookup(atom.name)) return *value;
    return InvalidArgument("[shape] symbol ", atom.name, " has no value");
  }
  TRT_ASSIGN_OR_RETURN(const int64_t a, atom.lhs.Evaluate(lookup));
  TRT_ASSIGN_OR_RETURN(const int64_t b, atom.rhs.Evaluate(lookup));
  if (atom.kind == AtomKind::kMin) return std::min(a, b);
  if (atom.kind == AtomKind::kMax) return std::max(a, b);
  if (b == 0) return InvalidArgument("[shape] division by zero in ", AtomText(atom));
  if (!CanDivide(a, b)) return InvalidArgument("[shape] overflow in ", AtomText(atom));
  return atom.kind == AtomKind::kFloorDiv ? FloorDivInt(a, b) : ModInt(a, b);
}

}  // namespace

Result<int64_t> SymInt::Evaluate(const SymbolLookup& lookup) const {
  if (is_constant()) return constant_;
  int64_t sum = 0;
  for (const auto& [key, term] : node_->terms) {
    std::optional<int64_t> product = term.coefficient;
    for (const auto& factor : term.factors) {
      TRT_ASSIGN_OR_RETURN(const int64_t value, EvaluateAtom(*factor, lookup));
      if (product) product = CheckedMul(*product, value);
    }
    const auto next = product ? CheckedAdd(sum, *product) : std::nullopt;
    if (!next) return InvalidArgument("[shape] overflow in ", node_->text);
    sum = *next;
  }
  return sum;
}

SymRange SymInt::Bounds(const SymbolRanges& ranges) const {
  if (is_constant()) return {constant_, constant_};
  SymRange sum{0, 0};
  for (const auto& [key, term] : node_->terms) {
    SymRange product{term.coefficient, term.coefficient};
    for (const auto& factor : term.factors) {
      product = MulRange(product, AtomBounds(*factor, ranges));
    }
    sum = {SaturatingAdd(sum.min, product.min), SaturatingAdd(sum.max, product.max)};
  }
  return sum;
}

void SymInt::CollectSymbols(std::set<std::string>* out) const {
  if (is_constant()) return;
  for (const auto& [key, term] : node_->terms) {
    for (const auto& factor : term.factors) {
      if (factor->kind == AtomKind::kSymbol) {
        out->insert(factor->name);
      } else {
        factor->lhs.CollectSymbols(out);
        factor->rhs.CollectSymbols(out);
      }
    }
  }
}

}  // namespace torch_tensorrt::core
