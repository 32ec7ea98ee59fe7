// The text form of symbolic integers, and of dims.
#include <algorithm>
#include <cctype>
#include <sstream>

#include "core/types/sym_int_node.h"
#include "core/util/checked.h"

namespace torch_tensorrt::core {

using sym_detail::AtomKind;

namespace sym_detail {

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

SymInt Apply(AtomKind kind, const SymInt& a, const SymInt& b) {
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

}  // namespace sym_detail

namespace {

constexpr size_t kMaxTextLength = 4096;
constexpr int kMaxDepth = 64;
// Products of sums multiply out: of the text that an expression may grow to on the way. What is
// longer than kMaxTextLength in the end can't be read again.
constexpr size_t kMaxGrownLength = 2 * kMaxTextLength;

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
      const size_t grown =
          TermCount(value) * TextLength(next) + TermCount(next) * TextLength(value);
      if (grown > kMaxGrownLength) return Error("expands to too many terms");
      value = value * next;
    }
    return value;
  }

  static size_t TermCount(const SymInt& value) {
    return value.is_constant() ? 1 : SymIntBuilder::NodeOf(value)->terms.size();
  }
  static size_t TextLength(const SymInt& value) {
    return value.is_constant() ? 1 : SymIntBuilder::NodeOf(value)->text.size();
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
      if (name != sym_detail::FunctionName(kind)) continue;
      if (TextLength(a) + TextLength(b) > kMaxGrownLength)
        return Error("expands to too many terms");
      return sym_detail::Apply(kind, a, b);
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
