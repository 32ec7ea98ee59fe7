// The inside of SymInt, shared by the sym_*.cpp files of this folder; nobody else includes it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/types/sym_int.h"

namespace torch_tensorrt::core {
namespace sym_detail {

enum class AtomKind { kSymbol, kFloorDiv, kMod, kMin, kMax };

// A factor that the polynomial form does not look into.
struct Atom {
  AtomKind kind = AtomKind::kSymbol;
  std::string name;  // kSymbol
  SymInt lhs;        // others
  SymInt rhs;
};

struct Term {
  int64_t coefficient = 0;
  std::vector<std::shared_ptr<const Atom>> factors;  // sorted by text; powers repeat
};

// Whether a / b has a value that an int64 holds.
constexpr bool CanDivide(int64_t a, int64_t b) { return b != 0 && (b != -1 || a != INT64_MIN); }

// REQUIRES: CanDivide(a, b).
inline int64_t FloorDivInt(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

// REQUIRES: CanDivide(a, b).
inline int64_t ModInt(int64_t a, int64_t b) { return a - FloorDivInt(a, b) * b; }

// "floordiv", "mod", ...; "" for a symbol.
std::string_view FunctionName(AtomKind kind);
// Canonical text of a factor.
std::string AtomText(const Atom& atom);
// The function of `kind` applied to two values.
// REQUIRES: kind is no symbol.
SymInt Apply(AtomKind kind, const SymInt& a, const SymInt& b);

// Terms by their factors' text; the empty key is the constant term.
using Terms = std::map<std::string, Term>;

}  // namespace sym_detail

// Sum of terms. Never purely constant.
struct SymInt::Node {
  sym_detail::Terms terms;
  std::string text;
};

// Access to Node for free functions, which may not name SymInt's private constructor.
class SymIntBuilder {
 public:
  static sym_detail::Terms TermsOf(const SymInt& value);
  static SymInt Make(sym_detail::Terms terms);
  static SymInt FromAtom(sym_detail::Atom atom);
  // Null for a constant.
  static const SymInt::Node* NodeOf(const SymInt& value) { return value.node_.get(); }
};

}  // namespace torch_tensorrt::core
