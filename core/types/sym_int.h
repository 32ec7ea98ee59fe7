// SymInt: an integer known now, or an expression over named symbols known at run time.
//
// Values are immutable and cheap to copy (a constant is inline; an expression is shared). Sums and
// products are kept in one canonical polynomial form, so two expressions that differ only by order,
// association or collected terms compare equal. Division, modulo, min and max are opaque atoms
// inside that form. The text form ("3*s0*s1+floordiv(s0,2)-1") is canonical too and round-trips
// through Parse; Python and plan files use it. Thread-safe (immutable).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/status.h"

namespace torch_tensorrt::core {

// Value of a symbol by name; nullopt when unknown.
using SymbolLookup = std::function<std::optional<int64_t>(std::string_view)>;

// Inclusive range of values.
struct SymRange {
  int64_t min = 0;
  int64_t max = INT64_MAX;
};
using SymbolRanges = std::map<std::string, SymRange, std::less<>>;

class SymInt {
 public:
  SymInt() = default;                          // 0
  SymInt(int64_t value) : constant_(value) {}  // NOLINT(google-explicit-constructor)
  SymInt(int value) : constant_(value) {}      // NOLINT(google-explicit-constructor)
  // REQUIRES: name matches [A-Za-z_][A-Za-z0-9_.]* and is no function name.
  static SymInt Symbol(std::string_view name);
  // Parses the text form; InvalidArgument also when nested > 64, longer than 4096, or expanding so.
  static Result<SymInt> Parse(std::string_view text);

  bool is_constant() const { return node_ == nullptr; }
  // REQUIRES: is_constant().
  int64_t constant() const { return constant_; }
  bool Equals(int64_t value) const { return is_constant() && constant_ == value; }

  // Canonical text.
  std::string ToString() const;
  // Value under `lookup`; InvalidArgument names an unknown symbol, a division by zero or an
  // overflow.
  Result<int64_t> Evaluate(const SymbolLookup& lookup) const;
  // Bounds by interval arithmetic (saturating; conservative). Unknown symbols count as [0,
  // INT64_MAX].
  SymRange Bounds(const SymbolRanges& ranges) const;
  void CollectSymbols(std::set<std::string>* out) const;
  // This expression with symbols replaced by expressions.
  SymInt Substitute(const std::map<std::string, SymInt, std::less<>>& values) const;

  friend SymInt operator+(const SymInt& a, const SymInt& b);
  friend SymInt operator-(const SymInt& a, const SymInt& b);
  friend SymInt operator*(const SymInt& a, const SymInt& b);
  // Division rounding to minus infinity, as Python's //.
  friend SymInt FloorDiv(const SymInt& a, const SymInt& b);
  // Remainder with the sign of the divisor, as Python's %.
  friend SymInt Mod(const SymInt& a, const SymInt& b);
  friend SymInt Min(const SymInt& a, const SymInt& b);
  friend SymInt Max(const SymInt& a, const SymInt& b);
  // Provably equal for all values of the symbols (structural after canonicalisation).
  friend bool operator==(const SymInt& a, const SymInt& b);
  friend std::ostream& operator<<(std::ostream& out, const SymInt& value);

  struct Node;  // defined in sym_int.cpp
  friend class SymIntBuilder;

 private:
  explicit SymInt(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

  int64_t constant_ = 0;
  std::shared_ptr<const Node> node_;
};

SymInt operator+(const SymInt& a, const SymInt& b);
SymInt operator-(const SymInt& a, const SymInt& b);
SymInt operator*(const SymInt& a, const SymInt& b);
SymInt FloorDiv(const SymInt& a, const SymInt& b);
SymInt Mod(const SymInt& a, const SymInt& b);
SymInt Min(const SymInt& a, const SymInt& b);
SymInt Max(const SymInt& a, const SymInt& b);
bool operator==(const SymInt& a, const SymInt& b);
std::ostream& operator<<(std::ostream& out, const SymInt& value);
// ceil(a / b) for b > 0.
inline SymInt CeilDiv(const SymInt& a, const SymInt& b) { return FloorDiv(a + b - 1, b); }

// Dimensions of a tensor, outermost first; empty for a scalar.
using SymDims = std::vector<SymInt>;
using Dims = std::vector<int64_t>;

// Product of all dims; 1 for rank 0.
SymInt NumElements(const SymDims& dims);
int64_t NumElements(const Dims& dims);
// All constant?
bool IsStatic(const SymDims& dims);
// REQUIRES: IsStatic(dims).
Dims ToStatic(const SymDims& dims);
SymDims ToSymbolic(const Dims& dims);
// "[2, s0, 768]".
std::string ToString(const SymDims& dims);
std::string ToString(const Dims& dims);

}  // namespace torch_tensorrt::core
