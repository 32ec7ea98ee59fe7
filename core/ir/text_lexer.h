// Private to core/ir: reads the pieces that the network's text form is made of, from one line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/types/attributes.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::ir {

class Lexer {
 public:
  explicit Lexer(std::string_view line) : line_(line) {}

  // At the end of the line?
  bool Done();
  // Takes `text` if it is next.
  bool Take(std::string_view text);
  Status Expect(std::string_view text);
  // A run of name characters, or a quoted string.
  Result<std::string> Name();
  Result<std::string> QuotedString();
  Result<int64_t> Integer();
  Result<double> Double();
  // "f32"
  Result<DataType> Type();
  // "[2, s0]"
  Result<SymDims> Dims();
  // One attribute value, as core::ToString(AttrValue) writes it.
  Result<AttrValue> Value();
  Status Error(std::string_view what) const;

 private:
  void SkipSpace();
  // The characters up to one of `stops` outside parentheses.
  std::string_view Until(std::string_view stops);
  Result<AttrValue> Number();

  std::string_view line_;
  size_t pos_ = 0;
};

}  // namespace torch_tensorrt::core::ir
