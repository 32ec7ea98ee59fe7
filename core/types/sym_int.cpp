#include "core/types/sym_int.h"

#include <algorithm>

#include "core/types/sym_int_node.h"

namespace torch_tensorrt::core {

using sym_detail::Atom;
using sym_detail::AtomKind;
using sym_detail::AtomText;
using sym_detail::CanDivide;
using sym_detail::FloorDivInt;
using sym_detail::ModInt;
using sym_detail::Term;
using sym_detail::Terms;

namespace {

std::string MonomialText(const Term& term) {
  std::string out;
  for (const auto& factor : term.factors) {
    if (!out.empty()) out += '*';
    out += AtomText(*factor);
  }
  return out;
}

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

}  // namespace

Terms SymIntBuilder::TermsOf(const SymInt& value) {
  if (!value.is_constant()) return value.node_->terms;
  Terms terms;
  if (value.constant() != 0) terms[""] = Term{value.constant(), {}};
  return terms;
}

SymInt SymIntBuilder::Make(Terms terms) {
  if (terms.empty()) return SymInt(0);
  if (terms.size() == 1 && terms.begin()->first.empty()) {
    return SymInt(terms.begin()->second.coefficient);
  }
  auto node = std::make_shared<SymInt::Node>();
  node->text = TermsText(terms);
  node->terms = std::move(terms);
  return SymInt(std::shared_ptr<const SymInt::Node>(std::move(node)));
}

SymInt SymIntBuilder::FromAtom(Atom atom) {
  Term term{1, {std::make_shared<const Atom>(std::move(atom))}};
  Terms terms;
  std::string key = MonomialText(term);
  terms.emplace(std::move(key), std::move(term));
  return Make(std::move(terms));
}

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

namespace {

// a // b for b > 0: terms divisible by the divisor leave the division, (4*s+3)//2 = 2*s + 3//2.
SymInt DivideByConstant(const SymInt& a, const SymInt& b) {
  const int64_t divisor = b.constant();
  Terms whole;
  Terms rest;
  for (const auto& [key, term] : SymIntBuilder::TermsOf(a)) {
    const int64_t c = term.coefficient;
    const bool even = c % divisor == 0;
    const int64_t q = key.empty() ? FloorDivInt(c, divisor) : c / divisor;
    if (key.empty() || even) AddTerm(&whole, key, Term{q, term.factors}, 1);
    const int64_t r = key.empty() ? ModInt(c, divisor) : (even ? 0 : c);
    if (r != 0) rest[key] = Term{r, term.factors};
  }
  const bool constant_rest = rest.empty() || (rest.size() == 1 && rest.begin()->first.empty());
  SymInt outer = SymIntBuilder::Make(std::move(whole));
  if (constant_rest) return outer;
  const SymInt inner = SymIntBuilder::Make(std::move(rest));
  return outer + SymIntBuilder::FromAtom(Atom{AtomKind::kFloorDiv, "", inner, b});
}

// term / divisor when nothing remains.
std::optional<Term> ExactQuotient(const Term& term, const Term& divisor) {
  if (term.coefficient % divisor.coefficient != 0) return std::nullopt;
  Term q{term.coefficient / divisor.coefficient, term.factors};
  for (const auto& factor : divisor.factors) {
    auto it = std::find_if(q.factors.begin(), q.factors.end(),
                           [&](const auto& f) { return AtomText(*f) == AtomText(*factor); });
    if (it == q.factors.end()) return std::nullopt;
    q.factors.erase(it);
  }
  return q;
}

// (x*b)//b = x when every term holds b's monomial (b a single term, b != 0 by contract).
std::optional<SymInt> ExactQuotient(const SymInt& a, const SymInt& b) {
  const Terms divisor = SymIntBuilder::TermsOf(b);
  if (divisor.size() != 1 || divisor.begin()->second.coefficient <= 0) return std::nullopt;
  Terms quotient;
  for (const auto& [key, term] : SymIntBuilder::TermsOf(a)) {
    const std::optional<Term> q = ExactQuotient(term, divisor.begin()->second);
    if (!q) return std::nullopt;
    AddTerm(&quotient, MonomialText(*q), *q, 1);
  }
  return SymIntBuilder::Make(std::move(quotient));
}

}  // namespace

SymInt FloorDiv(const SymInt& a, const SymInt& b) {
  if (b.Equals(1)) return a;
  if (a.is_constant() && b.is_constant() && CanDivide(a.constant(), b.constant())) {
    return FloorDivInt(a.constant(), b.constant());
  }
  if (b.is_constant() && b.constant() > 0) return DivideByConstant(a, b);
  if (!b.is_constant()) {
    if (a == b) return 1;
    if (const std::optional<SymInt> exact = ExactQuotient(a, b)) return *exact;
  }
  return SymIntBuilder::FromAtom(Atom{AtomKind::kFloorDiv, "", a, b});
}

SymInt Mod(const SymInt& a, const SymInt& b) {
  if (b.Equals(1) || (!b.is_constant() && a == b)) return 0;
  if (a.is_constant() && b.is_constant() && CanDivide(a.constant(), b.constant())) {
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
        product = product * sym_detail::Apply(factor->kind, factor->lhs.Substitute(values),
                                              factor->rhs.Substitute(values));
      }
    }
    sum = sum + product;
  }
  return sum;
}

}  // namespace torch_tensorrt::core
