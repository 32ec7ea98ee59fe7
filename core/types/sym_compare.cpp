#include "core/types/sym_compare.h"

#include <cstdlib>

#include "core/types/sym_int_node.h"

namespace torch_tensorrt::core {
namespace {

using sym_detail::Atom;
using sym_detail::AtomKind;
using sym_detail::Term;

// Every level replaces one factor by something simpler; deeper sums than this are not tried.
constexpr int kMaxDepth = 4;

bool AtLeastZero(const SymInt& value, const SymbolRanges& ranges) {
  return value.Bounds(ranges).min >= 0;
}

// A bound of `scale * factor`, up to the sign: when `upper`, every entry is >= it, else <= it.
// REQUIRES: scale > 0.
std::vector<SymInt> BoundsOf(const Atom& factor, int64_t scale, bool upper,
                             const SymbolRanges& ranges) {
  const SymInt& a = factor.lhs;
  const SymInt& b = factor.rhs;
  std::vector<SymInt> out;
  switch (factor.kind) {
    case AtomKind::kMod:  // in [0, b) for a divisor that is defined and not negative
      if (upper && AtLeastZero(b, ranges)) out.push_back((b - 1) * scale);
      if (upper && AtLeastZero(a, ranges) && AtLeastZero(b, ranges)) out.push_back(a * scale);
      break;
    case AtomKind::kFloorDiv:
      if (b.is_constant() && b.constant() > 0 && scale % b.constant() == 0) {
        const SymInt multiple = scale / b.constant();
        out.push_back(upper ? a * multiple : (a - b + 1) * multiple);
      } else if (upper && AtLeastZero(a, ranges) && AtLeastZero(b, ranges)) {
        out.push_back(a * scale);
      }
      break;
    case AtomKind::kMin:
    case AtomKind::kMax:
      if (upper == (factor.kind == AtomKind::kMin)) out = {a * scale, b * scale};
      break;
    case AtomKind::kSymbol:
      break;
  }
  return out;
}

// Product of all factors of `term` but the one at `left_out`, without the coefficient.
SymInt Others(const Term& term, size_t left_out) {
  SymInt product = 1;
  for (size_t i = 0; i < term.factors.size(); ++i) {
    if (i != left_out) product = product * SymIntBuilder::FromAtom(*term.factors[i]);
  }
  return product;
}

// Lower bounds of `value` that replace one factor of one term.
std::vector<SymInt> Weaken(const SymInt& value, const SymbolRanges& ranges) {
  for (const auto& [key, term] : SymIntBuilder::TermsOf(value)) {
    const bool negative = term.coefficient < 0;
    if (term.coefficient == INT64_MIN) continue;
    const int64_t scale = std::abs(term.coefficient);
    for (size_t i = 0; i < term.factors.size(); ++i) {
      const Atom& factor = *term.factors[i];
      if (factor.kind == AtomKind::kSymbol) continue;
      const SymInt others = Others(term, i);
      if (!AtLeastZero(others, ranges)) continue;
      const SymInt whole = others * SymIntBuilder::FromAtom(factor) * SymInt(term.coefficient);
      std::vector<SymInt> out;
      for (const SymInt& bound : BoundsOf(factor, scale, negative, ranges)) {
        out.push_back(value - whole + (negative ? bound * SymInt(-1) : bound) * others);
      }
      if (!out.empty()) return out;
    }
  }
  return {};
}

bool Prove(const SymInt& value, const SymbolRanges& ranges, int depth) {
  if (AtLeastZero(value, ranges)) return true;
  if (depth == 0) return false;
  for (const SymInt& weaker : Weaken(value, ranges)) {
    if (Prove(weaker, ranges, depth - 1)) return true;
  }
  return false;
}

}  // namespace

bool IsNonNegative(const SymInt& value, const SymbolRanges& ranges) {
  return Prove(value, ranges, kMaxDepth);
}

}  // namespace torch_tensorrt::core
