#include "core/types/sym_int.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "core/util/checked.h"

namespace torch_tensorrt::core {
namespace {

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

int64_t FloorDivInt(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

int64_t ModInt(int64_t a, int64_t b) { return a - FloorDivInt(a, b) * b; }

std::string_view FunctionName(AtomKind kind) {
  switch (kind) {
    case AtomKind::kSymbol:
      return "";
    case AtomKind::kFloorDiv:
      return "floordiv";
    case AtomKind::kMod:
      return "mod";
    case AtomKind::kMin:
      return "min";
    case AtomKind::kMax:
      return "max";
  }
  return "";
}

std::string AtomText(const Atom& atom) {
  if (atom.kind == AtomKind::kSymbol) return atom.name;
  return StrCat(FunctionName(atom.kind), "(", atom.lhs.ToString(), ",", atom.rhs.ToString(), ")");
}

std::string MonomialText(const Term& term) {
  std::string out;
  for (const auto& factor : term.factors) {
    if (!out.empty()) out += '*';
    out += AtomText(*factor);
  }
  return out;
}

}  // namespace

// Sum of terms keyed by monomial text; the empty key is the constant term. Never purely constant.
struct SymInt::Node {
  std::map<std::string, Term> terms;
  std::string text;
};

namespace {

using Terms = std::map<std::string, Term>;

std::string TermsText(const Terms& terms) {
  std::string out;
  auto append = [&out](const std::string& key, int64_t c) {
    if (!out.empty() && c >= 0) out += '+';
    if (key.empty()) {
      out += std::to_string(c);
    } else if (c == 1) {
      out += key;
    } else if (c == -1) {
      out += "-" + key;
    } else {
      out += std::to_string(c) + "*" + key;
    }
  };
  for (const auto& [key, term] : terms) {
    if (!key.empty()) append(key, term.coefficient);
  }
  auto constant = terms.find("");
  if (constant != terms.end()) append("", constant->second.coefficient);
  return out;
}

int64_t WrappingMul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

void AddTerm(Terms* terms, const std::string& key, const Term& term, int64_t scale) {
  Term& slot = (*terms)[key];
  if (slot.factors.empty()) slot.factors = term.factors;
  slot.coefficient = WrappingAdd(slot.coefficient, WrappingMul(term.coefficient, scale));
  if (slot.coefficient == 0) terms->erase(key);
}

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
  const SymRange b = atom.rhs.Bounds(ranges);
  switch (atom.kind) {
    case AtomKind::kFloorDiv: {
      if (b.min <= 0) return {INT64_MIN, INT64_MAX};
      const int64_t v[] = {FloorDivInt(a.min, b.min), FloorDivInt(a.min, b.max),
                           FloorDivInt(a.max, b.min), FloorDivInt(a.max, b.max)};
      return {*std::min_element(v, v + 4), *std::max_element(v, v + 4)};
    }
    case AtomKind::kMod:
      if (b.min <= 0) return {INT64_MIN, INT64_MAX};
      return {0, a.min >= 0 ? std::min(a.max, b.max - 1) : b.max - 1};
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
  if (b == -1 && a == INT64_MIN) return InvalidArgument("[shape] overflow in ", AtomText(atom));
  return atom.kind == AtomKind::kFloorDiv ? FloorDivInt(a, b) : ModInt(a, b);
}

SymInt Combine(AtomKind kind, const SymInt& a, const SymInt& b) {
  switch (kind) {
    case AtomKind::kFloorDiv:
      return FloorDiv(a, b);
    case AtomKind::kMod:
      return Mod(a, b);
    case AtomKind::kMin:
      return Min(a, b);
    case AtomKind::kMax:
      return Max(a, b);
    case AtomKind::kSymbol:
      break;
  }
  return a;
}

}  // namespace

// Access to Node for the free helpers below, which may not name SymInt's private constructor.
class SymIntBuilder {
 public:
  static Terms TermsOf(const SymInt& value) {
    if (!value.is_constant()) return value.node_->terms;
    Terms terms;
    if (value.constant() != 0) terms[""] = Term{value.constant(), {}};
    return terms;
  }
  static SymInt Make(Terms terms) {
    if (terms.empty()) return SymInt(0);
    if (terms.size() == 1 && terms.begin()->first.empty()) {
      return SymInt(terms.begin()->second.coefficient);
    }
    auto node = std::make_shared<SymInt::Node>();
    node->text = TermsText(terms);
    node->terms = std::move(terms);
    return SymInt(std::shared_ptr<const SymInt::Node>(std::move(node)));
  }
  static SymInt FromAtom(Atom atom) {
    Term term{1, {std::make_shared<const Atom>(std::move(atom))}};
    Terms terms;
    std::string key = MonomialText(term);
    terms.emplace(std::move(key), std::move(term));
    return Make(std::move(terms));
  }
};

SymInt SymInt::Symbol(std::string_view name) {
  return SymIntBuilder::FromAtom(Atom{AtomKind::kSymbol, std::string(name), {}, {}});
}

SymInt operator+(const SymInt& a, const SymInt& b) {
  if (a.is_constant() && b.is_constant()) return WrappingAdd(a.constant(), b.constant());
  Terms terms = SymIntBuilder::TermsOf(a);
  for (const auto& [key, term] : SymIntBuilder::TermsOf(b)) AddTerm(&terms, key, term, 1);
  return SymIntBuilder::Make(std::move(terms));
}

SymInt operator-(const SymInt& a, const SymInt& b) { return a + b * SymInt(-1); }

SymInt operator*(const SymInt& a, const SymInt& b) {
  if (a.is_constant() && b.is_constant()) return WrappingMul(a.constant(), b.constant());
  Terms product;
  for (const auto& [ka, ta] : SymIntBuilder::TermsOf(a)) {
    for (const auto& [kb, tb] : SymIntBuilder::TermsOf(b)) {
      Term term{WrappingMul(ta.coefficient, tb.coefficient), ta.factors};
      term.factors.insert(term.factors.end(), tb.factors.begin(), tb.factors.end());
      std::sort(term.factors.begin(), term.factors.end(),
                [](const auto& x, const auto& y) { return AtomText(*x) < AtomText(*y); });
      AddTerm(&product, MonomialText(term), term, 1);
    }
  }
  return SymIntBuilder::Make(std::move(product));
}

SymInt FloorDiv(const SymInt& a, const SymInt& b) {
  if (b.Equals(1)) return a;
  if (a.is_constant() && b.is_constant() && b.constant() != 0) {
    return FloorDivInt(a.constant(), b.constant());
  }
  if (b.is_constant() && b.constant() > 0) {
    // Terms divisible by the divisor leave the division: (4*s+3)//2 = 2*s + 3//2.
    Terms whole;
    Terms rest;
    for (const auto& [key, term] : SymIntBuilder::TermsOf(a)) {
      const int64_t c = term.coefficient;
      const int64_t q = key.empty() ? FloorDivInt(c, b.constant()) : c / b.constant();
      if (key.empty() || c % b.constant() == 0) AddTerm(&whole, key, Term{q, term.factors}, 1);
      const int64_t r = key.empty() ? ModInt(c, b.constant()) : (c % b.constant() == 0 ? 0 : c);
      if (r != 0) rest[key] = Term{r, term.factors};
    }
    const bool constant_rest = rest.empty() || (rest.size() == 1 && rest.begin()->first.empty());
    const SymInt outer = SymIntBuilder::Make(std::move(whole));
    if (constant_rest) return outer;
    const SymInt inner = SymIntBuilder::Make(std::move(rest));
    return outer + SymIntBuilder::FromAtom(Atom{AtomKind::kFloorDiv, "", inner, b});
  }
  if (!b.is_constant()) {
    // (x*b)//b = x when every term holds b's monomial (b a single term, b != 0 by contract).
    if (a == b) return 1;
    const Terms divisor = SymIntBuilder::TermsOf(b);
    if (divisor.size() == 1 && divisor.begin()->second.coefficient > 0) {
      const Term& d = divisor.begin()->second;
      Terms quotient;
      bool exact = true;
      for (const auto& [key, term] : SymIntBuilder::TermsOf(a)) {
        Term q{term.coefficient / d.coefficient, term.factors};
        exact = exact && term.coefficient % d.coefficient == 0;
        for (const auto& factor : d.factors) {
          auto it = std::find_if(q.factors.begin(), q.factors.end(),
                                 [&](const auto& f) { return AtomText(*f) == AtomText(*factor); });
          if (it == q.factors.end()) {
            exact = false;
            break;
          }
          q.factors.erase(it);
        }
        if (!exact) break;
        AddTerm(&quotient, MonomialText(q), q, 1);
      }
      if (exact) return SymIntBuilder::Make(std::move(quotient));
    }
  }
  return SymIntBuilder::FromAtom(Atom{AtomKind::kFloorDiv, "", a, b});
}

SymInt Mod(const SymInt& a, const SymInt& b) {
  if (b.Equals(1) || (!b.is_constant() && a == b)) return 0;
  if (a.is_constant() && b.is_constant() && b.constant() != 0) {
    return ModInt(a.constant(), b.constant());
  }
  if (b.is_constant() && b.constant() > 0) {
    Terms rest;
    for (const auto& [key, term] : SymIntBuilder::TermsOf(a)) {
      const int64_t r = ModInt(term.coefficient, b.constant());
      if (r != 0) rest[key] = Term{r, term.factors};
    }
    const SymInt reduced = SymIntBuilder::Make(std::move(rest));
    if (reduced.is_constant()) return ModInt(reduced.constant(), b.constant());
    return SymIntBuilder::FromAtom(Atom{AtomKind::kMod, "", reduced, b});
  }
  return SymIntBuilder::FromAtom(Atom{AtomKind::kMod, "", a, b});
}

SymInt Min(const SymInt& a, const SymInt& b) {
  const SymInt difference = a - b;
  if (difference.is_constant()) return difference.constant() <= 0 ? a : b;
  return a.ToString() < b.ToString() ? SymIntBuilder::FromAtom(Atom{AtomKind::kMin, "", a, b})
                                     : SymIntBuilder::FromAtom(Atom{AtomKind::kMin, "", b, a});
}

SymInt Max(const SymInt& a, const SymInt& b) {
  const SymInt difference = a - b;
  if (difference.is_constant()) return difference.constant() >= 0 ? a : b;
  return a.ToString() < b.ToString() ? SymIntBuilder::FromAtom(Atom{AtomKind::kMax, "", a, b})
                                     : SymIntBuilder::FromAtom(Atom{AtomKind::kMax, "", b, a});
}

bool operator==(const SymInt& a, const SymInt& b) {
  if (a.is_constant() != b.is_constant()) return false;
  if (a.is_constant()) return a.constant() == b.constant();
  return a.node_ == b.node_ || a.node_->text == b.node_->text;
}

std::ostream& operator<<(std::ostream& out, const SymInt& value) { return out << value.ToString(); }

std::string SymInt::ToString() const {
  return is_constant() ? std::to_string(constant_) : node_->text;
}

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

SymInt SymInt::Substitute(const std::map<std::string, SymInt, std::less<>>& values) const {
  if (is_constant()) return *this;
  SymInt sum = 0;
  for (const auto& [key, term] : node_->terms) {
    SymInt product = term.coefficient;
    for (const auto& factor : term.factors) {
      if (factor->kind == AtomKind::kSymbol) {
        auto it = values.find(factor->name);
        product = product * (it == values.end() ? Symbol(factor->name) : it->second);
      } else {
        product = product * Combine(factor->kind, factor->lhs.Substitute(values),
                                    factor->rhs.Substitute(values));
      }
    }
    sum = sum + product;
  }
  return sum;
}

namespace {

constexpr size_t kMaxTextLength = 4096;
constexpr int kMaxDepth = 64;

// Recursive descent over: sum := ['-'] product (('+'|'-') product)* ; product := atom ('*' atom)* ;
// atom := integer | name | function '(' sum ',' sum ')' | '(' sum ')' | '-' atom.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<SymInt> ParseAll() {
    TRT_ASSIGN_OR_RETURN(SymInt value, Sum(0));
    SkipSpace();
    if (pos_ != text_.size()) return Error("trailing characters");
    return value;
  }

 private:
  Status Error(std::string_view what) const {
    return InvalidArgument("[shape] cannot parse '", text_, "' at ", pos_, ": ", what);
  }
  void SkipSpace() {
    while (pos_ < text_.size() && text_[pos_] == ' ') ++pos_;
  }
  bool Take(char c) {
    SkipSpace();
    if (pos_ >= text_.size() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }

  Result<SymInt> Sum(int depth) {
    if (depth > kMaxDepth) return Error("nested too deep");
    TRT_ASSIGN_OR_RETURN(SymInt value, Product(depth));
    while (true) {
      if (Take('+')) {
        TRT_ASSIGN_OR_RETURN(SymInt next, Product(depth));
        value = value + next;
      } else if (Take('-')) {
        TRT_ASSIGN_OR_RETURN(SymInt next, Product(depth));
        value = value - next;
      } else {
        return value;
      }
    }
  }

  Result<SymInt> Product(int depth) {
    TRT_ASSIGN_OR_RETURN(SymInt value, AtomValue(depth));
    while (Take('*')) {
      TRT_ASSIGN_OR_RETURN(SymInt next, AtomValue(depth));
      value = value * next;
    }
    return value;
  }

  Result<SymInt> AtomValue(int depth) {
    if (depth > kMaxDepth) return Error("nested too deep");
    if (Take('-')) {
      TRT_ASSIGN_OR_RETURN(SymInt value, AtomValue(depth + 1));
      return value * SymInt(-1);
    }
    if (Take('(')) {
      TRT_ASSIGN_OR_RETURN(SymInt value, Sum(depth + 1));
      if (!Take(')')) return Error("expected ')'");
      return value;
    }
    SkipSpace();
    if (pos_ >= text_.size()) return Error("unexpected end");
    const auto c = static_cast<unsigned char>(text_[pos_]);
    if (std::isdigit(c) != 0) return Integer();
    if (std::isalpha(c) != 0 || c == '_') return Name(depth);
    return Error("unexpected character");
  }

  Result<SymInt> Integer() {
    int64_t value = 0;
    while (pos_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[pos_])) != 0) {
      const auto next = CheckedMul(value, 10);
      const auto sum = next ? CheckedAdd(*next, text_[pos_] - '0') : std::nullopt;
      if (!sum) return Error("integer overflow");
      value = *sum;
      ++pos_;
    }
    return SymInt(value);
  }

  Result<SymInt> Name(int depth) {
    const size_t begin = pos_;
    auto is_name = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
    };
    while (pos_ < text_.size() && is_name(text_[pos_])) ++pos_;
    const std::string_view name = text_.substr(begin, pos_ - begin);
    if (!Take('(')) return SymInt::Symbol(name);
    TRT_ASSIGN_OR_RETURN(SymInt a, Sum(depth + 1));
    if (!Take(',')) return Error("expected ','");
    TRT_ASSIGN_OR_RETURN(SymInt b, Sum(depth + 1));
    if (!Take(')')) return Error("expected ')'");
    for (AtomKind kind : {AtomKind::kFloorDiv, AtomKind::kMod, AtomKind::kMin, AtomKind::kMax}) {
      if (name == FunctionName(kind)) return Combine(kind, a, b);
    }
    return Error(StrCat("unknown function ", name));
  }

  std::string_view text_;
  size_t pos_ = 0;
};

template <typename T>
std::string JoinDims(const std::vector<T>& dims) {
  std::ostringstream out;
  out << '[';
  for (size_t i = 0; i < dims.size(); ++i) out << (i == 0 ? "" : ", ") << dims[i];
  out << ']';
  return out.str();
}

}  // namespace

Result<SymInt> SymInt::Parse(std::string_view text) {
  if (text.size() > kMaxTextLength) return InvalidArgument("[shape] expression text too long");
  return Parser(text).ParseAll();
}

SymInt NumElements(const SymDims& dims) {
  SymInt product = 1;
  for (const SymInt& dim : dims) product = product * dim;
  return product;
}

int64_t NumElements(const Dims& dims) {
  int64_t product = 1;
  for (int64_t dim : dims) product *= dim;
  return product;
}

bool IsStatic(const SymDims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](const SymInt& d) { return d.is_constant(); });
}

Dims ToStatic(const SymDims& dims) {
  Dims out;
  out.reserve(dims.size());
  for (const SymInt& dim : dims) out.push_back(dim.constant());
  return out;
}

SymDims ToSymbolic(const Dims& dims) { return SymDims(dims.begin(), dims.end()); }

std::string ToString(const SymDims& dims) { return JoinDims(dims); }
std::string ToString(const Dims& dims) { return JoinDims(dims); }

}  // namespace torch_tensorrt::core
