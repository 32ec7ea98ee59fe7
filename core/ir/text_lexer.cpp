#include "core/ir/text_lexer.h"

#include <charconv>
#include <cstdlib>

namespace torch_tensorrt::core::ir {
namespace {

constexpr size_t kMaxListLength = 1 << 20;

bool IsNameChar(char c) {
  const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alnum || std::string_view("_.$/:-").find(c) != std::string_view::npos;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

}  // namespace

Status Lexer::Error(std::string_view what) const {
  return InvalidArgument("[network text] ", what, " at column ", pos_ + 1, " of '", line_, "'");
}

void Lexer::SkipSpace() {
  while (pos_ < line_.size() && (line_[pos_] == ' ' || line_[pos_] == '\t')) ++pos_;
}

bool Lexer::Done() {
  SkipSpace();
  return pos_ >= line_.size();
}

bool Lexer::Take(std::string_view text) {
  SkipSpace();
  if (line_.substr(pos_, text.size()) != text) return false;
  pos_ += text.size();
  return true;
}

Status Lexer::Expect(std::string_view text) {
  return Take(text) ? Status::Ok() : Error(StrCat("expected '", text, "'"));
}

Result<std::string> Lexer::Name() {
  SkipSpace();
  if (pos_ < line_.size() && line_[pos_] == '"') return QuotedString();
  const size_t begin = pos_;
  while (pos_ < line_.size() && IsNameChar(line_[pos_])) ++pos_;
  if (pos_ == begin) return Error("expected a name");
  return std::string(line_.substr(begin, pos_ - begin));
}

Result<std::string> Lexer::QuotedString() {
  TRT_RETURN_IF_ERROR(Expect("\""));
  std::string out;
  while (pos_ < line_.size() && line_[pos_] != '"') {
    char c = line_[pos_++];
    if (c == '\\') {
      if (pos_ >= line_.size()) return Error("unfinished escape");
      c = line_[pos_++];
      if (c == 'n') c = '\n';
    }
    out += c;
  }
  TRT_RETURN_IF_ERROR(Expect("\""));
  return out;
}

std::string_view Lexer::Until(std::string_view stops) {
  SkipSpace();
  const size_t begin = pos_;
  int depth = 0;
  for (; pos_ < line_.size(); ++pos_) {
    const char c = line_[pos_];
    if (depth == 0 && stops.find(c) != std::string_view::npos) break;
    if (c == '(') ++depth;
    if (c == ')') --depth;
  }
  return Trim(line_.substr(begin, pos_ - begin));
}

Result<int64_t> Lexer::Integer() {
  const std::string_view text = Until(" ,]}");
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Error("expected an integer");
  return value;
}

Result<double> Lexer::Double() {
  const std::string text(Until(" ,]}"));
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) return Error("expected a number");
  return value;
}

Result<DataType> Lexer::Type() {
  SkipSpace();
  const size_t begin = pos_;
  while (pos_ < line_.size() && IsNameChar(line_[pos_])) ++pos_;
  if (const auto type = ParseDataType(line_.substr(begin, pos_ - begin))) return *type;
  return Error("expected a data type");
}

Result<SymDims> Lexer::Dims() {
  TRT_RETURN_IF_ERROR(Expect("["));
  SymDims dims;
  if (Take("]")) return dims;
  do {
    TRT_ASSIGN_OR_RETURN(SymInt dim, SymInt::Parse(Until(",]")));
    dims.push_back(std::move(dim));
    if (dims.size() > kMaxListLength) return Error("list too long");
  } while (Take(","));
  TRT_RETURN_IF_ERROR(Expect("]"));
  return dims;
}

Result<AttrValue> Lexer::Number() {
  const size_t begin = pos_;
  const std::string text(Until(",}"));
  if (text.find_first_of(".xpnaif") == std::string::npos) {
    pos_ = begin;
    TRT_ASSIGN_OR_RETURN(const int64_t value, Integer());
    return AttrValue(value);
  }
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size()) return Error("expected a number");
  return AttrValue(value);
}

Result<AttrValue> Lexer::Value() {
  SkipSpace();
  if (Take("true")) return AttrValue(true);
  if (Take("false")) return AttrValue(false);
  if (Take("dtype:")) {
    TRT_ASSIGN_OR_RETURN(const DataType type, Type());
    return AttrValue(type);
  }
  if (Take("op:")) {
    TRT_ASSIGN_OR_RETURN(const std::string name, Name());
    if (const auto op = ParsePointwiseOp(name)) return AttrValue(*op);
    return Error(StrCat("unknown op ", name));
  }
  if (Take("sym:")) {
    TRT_ASSIGN_OR_RETURN(SymInt value, SymInt::Parse(Until(",}")));
    return AttrValue(std::move(value));
  }
  if (Take("sym[")) {
    --pos_;
    TRT_ASSIGN_OR_RETURN(SymDims dims, Dims());
    return AttrValue(std::move(dims));
  }
  if (Take("f[")) {
    std::vector<double> values;
    if (Take("]")) return AttrValue(std::move(values));
    do {
      TRT_ASSIGN_OR_RETURN(const double value, Double());
      values.push_back(value);
      if (values.size() > kMaxListLength) return Error("list too long");
    } while (Take(","));
    TRT_RETURN_IF_ERROR(Expect("]"));
    return AttrValue(std::move(values));
  }
  if (Take("prog")) {
    TRT_ASSIGN_OR_RETURN(std::string text, QuotedString());
    return AttrValue(ProgramText{std::move(text)});
  }
  if (pos_ < line_.size() && line_[pos_] == '"') {
    TRT_ASSIGN_OR_RETURN(std::string text, QuotedString());
    return AttrValue(std::move(text));
  }
  if (pos_ < line_.size() && line_[pos_] == '[') {
    TRT_ASSIGN_OR_RETURN(const SymDims dims, Dims());
    if (!IsStatic(dims)) return Error("a symbolic list is written sym[...]");
    return AttrValue(ToStatic(dims));
  }
  return Number();
}

}  // namespace torch_tensorrt::core::ir
