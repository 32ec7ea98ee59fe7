#include "core/kernels/reference/scalar_ops.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/kernels/reference/special_functions.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

using enum PointwiseOp;

int BitsOf(DataType type) { return static_cast<int>(SizeOf(type) * 8); }

// Arithmetic that must wrap instead of overflowing is done on unsigned values.
uint64_t Bits(int64_t v) { return static_cast<uint64_t>(v); }
int64_t Signed(uint64_t v) { return static_cast<int64_t>(v); }

int64_t TruncDivide(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return Signed(0 - Bits(a));
  return a / b;
}

int64_t FloorDivide(int64_t a, int64_t b) {
  if (b == 0 || b == -1) return TruncDivide(a, b);
  return a / b - (a % b != 0 && (a % b < 0) != (b < 0) ? 1 : 0);
}

int64_t TruncModulo(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }

int64_t FloorModulo(int64_t a, int64_t b) {
  const int64_t m = TruncModulo(a, b);
  return m != 0 && (m < 0) != (b < 0) ? m + b : m;
}

int64_t IntPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    if (base == -1) return exponent % 2 == 0 ? 1 : -1;
    return 0;
  }
  uint64_t result = 1;
  for (uint64_t b = Bits(base); exponent != 0; exponent >>= 1, b *= b) {
    if ((exponent & 1) != 0) result *= b;
  }
  return Signed(result);
}

// Not negative but for the least integer, which has no positive twin.
int64_t Gcd(int64_t a, int64_t b) {
  uint64_t x = a < 0 ? 0 - Bits(a) : Bits(a);
  uint64_t y = b < 0 ? 0 - Bits(b) : Bits(b);
  return Signed(std::gcd(x, y));
}

int64_t ShiftLeftInt(int64_t a, int64_t by, int bits) {
  return by < 0 || by >= bits ? 0 : Signed(Bits(a) << by);
}

// Too long a shift leaves the sign.
int64_t ShiftRightInt(int64_t a, int64_t by, int bits) {
  return a >> (by < 0 || by >= bits ? 63 : by);
}

int64_t ClampInt(int64_t a, double low, double high) {
  const auto x = static_cast<double>(a);
  if (x > high) return TruncateToInt(high);
  return x < low ? TruncateToInt(std::min(low, high)) : a;
}

int64_t EvaluateInt(PointwiseOp op, DataType type, int64_t a, int64_t b, const ScalarArgs& args) {
  switch (op) {
    case kAdd:
      return Signed(Bits(a) + Bits(b));
    case kSub:
      return Signed(Bits(a) - Bits(b));
    case kMul:
      return Signed(Bits(a) * Bits(b));
    case kDiv:
    case kTruncDiv:
      return TruncDivide(a, b);
    case kFloorDiv:
      return FloorDivide(a, b);
    case kRemainder:
      return FloorModulo(a, b);
    case kFmod:
      return TruncModulo(a, b);
    case kPow:
      return IntPower(a, b);
    case kMaximum:
      return std::max(a, b);
    case kMinimum:
      return std::min(a, b);
    case kBitAnd:
      return a & b;
    case kBitOr:
      return a | b;
    case kBitXor:
      return a ^ b;
    case kBitNot:
      return type == DataType::kBool ? (a == 0 ? 1 : 0) : ~a;
    case kShiftLeft:
      return ShiftLeftInt(a, b, BitsOf(type));
    case kShiftRight:
      return ShiftRightInt(a, b, BitsOf(type));
    case kGcd:
      return Gcd(a, b);
    case kNeg:
      return Signed(0 - Bits(a));
    case kAbs:
      return a < 0 ? Signed(0 - Bits(a)) : a;
    case kSign:
      return a > 0 ? 1 : (a < 0 ? -1 : 0);
    case kRelu:
      return std::max<int64_t>(a, 0);
    case kClamp:
      return ClampInt(a, args.p0, args.p1);
    default:  // rounding leaves integers as they are; float-only operations never get here
      return a;
  }
}

double FloorModulo(double a, double b) {
  const double m = std::fmod(a, b);
  return m != 0 && (b < 0) != (m < 0) ? m + b : m;
}

double FloorDivide(double a, double b) {
  if (b == 0) return a / b;
  const double m = std::fmod(a, b);
  double quotient = (a - m) / b;
  if (m != 0 && (b < 0) != (m < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

double Max(double a, double b) { return std::isnan(a) || a > b ? a : b; }
double Min(double a, double b) { return std::isnan(a) || a < b ? a : b; }
double Sigmoid(double a) { return 1 / (1 + std::exp(-a)); }
double HardSigmoid(double a) { return Min(Max(a + 3, 0), 6) / 6; }

double GeluTanh(double a) {
  const double inner = std::numbers::sqrt2 * std::numbers::inv_sqrtpi * (a + 0.044715 * a * a * a);
  return 0.5 * a * (1 + std::tanh(inner));
}

double Clamp(double a, double low, double high) {
  if (std::isnan(a) || std::isnan(low)) return std::isnan(a) ? a : low;
  return Min(Max(a, low), high);
}

double EvaluateBinary(PointwiseOp op, double a, double b) {
  switch (op) {
    case kAdd:
      return a + b;
    case kSub:
      return a - b;
    case kMul:
      return a * b;
    case kDiv:
      return a / b;
    case kFloorDiv:
      return FloorDivide(a, b);
    case kTruncDiv:
      return std::trunc(a / b);
    case kRemainder:
      return FloorModulo(a, b);
    case kFmod:
      return std::fmod(a, b);
    case kPow:
      return std::pow(a, b);
    case kMaximum:
      return std::isnan(b) ? b : Max(a, b);
    case kMinimum:
      return std::isnan(b) ? b : Min(a, b);
    case kCopySign:
      return std::copysign(a, b);
    case kNextAfter:
      return std::nextafter(a, b);
#define TRT_CASE(name, arity, result, commutative) \
  case k##name:                                    \
    return special::name(a, b);
      TRT_SPECIAL_BINARY_OPS(TRT_CASE)
#undef TRT_CASE
    default:
      return std::atan2(a, b);
  }
}

double EvaluateActivation(PointwiseOp op, double a, double p0, double p1) {
  switch (op) {
    case kRelu:
      return Max(a, 0);
    case kSigmoid:
      return Sigmoid(a);
    case kSilu:
      return a / (1 + std::exp(-a));
    case kGeluErf:
      return 0.5 * a * std::erfc(-a / std::numbers::sqrt2);
    case kGeluTanh:
      return GeluTanh(a);
    case kHardSigmoid:
      return HardSigmoid(a);
    case kHardSwish:
      return a * HardSigmoid(a);
    case kSoftplus:
      return a * p0 > p1 ? a : std::log1p(std::exp(a * p0)) / p0;
    case kElu:
      return a <= 0 ? std::expm1(a) * p0 : a * p1;
    case kLeakyRelu:
      return a > 0 ? a : a * p0;
    default:
      return Clamp(a, p0, p1);
  }
}

double EvaluateUnary(PointwiseOp op, double a, const ScalarArgs& args) {
  switch (op) {
    case kNeg:
      return -a;
    case kAbs:
      return std::fabs(a);
    case kSign:
      return a > 0 ? 1 : (a < 0 ? -1 : 0);
    case kExp:
      return std::exp(a);
    case kExp2:
      return std::exp2(a);
    case kExpm1:
      return std::expm1(a);
    case kLog:
      return std::log(a);
    case kLog2:
      return std::log2(a);
    case kLog10:
      return std::log10(a);
    case kLog1p:
      return std::log1p(a);
    case kSqrt:
      return std::sqrt(a);
    case kRsqrt:
      return 1 / std::sqrt(a);
    case kReciprocal:
      return 1 / a;
    case kSin:
      return std::sin(a);
    case kCos:
      return std::cos(a);
    case kTan:
      return std::tan(a);
    case kAsin:
      return std::asin(a);
    case kAcos:
      return std::acos(a);
    case kAtan:
      return std::atan(a);
    case kSinh:
      return std::sinh(a);
    case kCosh:
      return std::cosh(a);
    case kTanh:
      return std::tanh(a);
    case kAsinh:
      return std::asinh(a);
    case kAcosh:
      return std::acosh(a);
    case kAtanh:
      return std::atanh(a);
    case kErf:
      return std::erf(a);
    case kFloor:
      return std::floor(a);
    case kCeil:
      return std::ceil(a);
    case kRound:
      return std::nearbyint(a);
    case kTrunc:
      return std::trunc(a);
#define TRT_CASE(name, arity, result, commutative) \
  case k##name:                                    \
    return special::name(a);
      TRT_SPECIAL_UNARY_OPS(TRT_CASE)
#undef TRT_CASE
    default:
      return EvaluateActivation(op, a, args.p0, args.p1);
  }
}

template <typename T>
bool Compare(PointwiseOp op, T a, T b) {
  switch (op) {
    case kEq:
      return a == b;
    case kNe:
      return a != b;
    case kLt:
      return a < b;
    case kLe:
      return a <= b;
    case kGt:
      return a > b;
    default:
      return a >= b;
  }
}

bool IsTrue(const Value& v, DataType type) { return IsFloat(type) ? v.f != 0 : v.i != 0; }

bool EvaluateBool(PointwiseOp op, const ScalarArgs& args) {
  const bool a = IsTrue(args.values[0], args.types[0]);
  switch (op) {
    case kLogicalAnd:
      return a && IsTrue(args.values[1], args.types[1]);
    case kLogicalOr:
      return a || IsTrue(args.values[1], args.types[1]);
    case kLogicalXor:
      return a != IsTrue(args.values[1], args.types[1]);
    case kLogicalNot:
      return !a;
    case kIsNan:
      return IsFloat(args.types[0]) && std::isnan(args.values[0].f);
    case kIsInf:
      return IsFloat(args.types[0]) && std::isinf(args.values[0].f);
    case kSignBit:
      return IsFloat(args.types[0]) ? std::signbit(args.values[0].f) : args.values[0].i < 0;
    default:
      return IsFloat(args.types[0]) ? Compare(op, args.values[0].f, args.values[1].f)
                                    : Compare(op, args.values[0].i, args.values[1].i);
  }
}

Value EvaluateCast(DataType to, const Value& v, DataType from) {
  if (to == DataType::kBool) return {0, IsTrue(v, from) ? 1 : 0};
  if (IsFloat(to)) return {RoundTo(to, IsFloat(from) ? v.f : static_cast<double>(v.i)), 0};
  return {0, IsFloat(from) ? TruncateTo(to, v.f) : WrapTo(to, v.i)};
}

}  // namespace

Value Evaluate(PointwiseOp op, DataType result, const ScalarArgs& args) {
  if (op == kCast) return EvaluateCast(result, args.values[0], args.types[0]);
  if (op == kSelect) return args.values[0].i != 0 ? args.values[1] : args.values[2];
  const PointwiseOpInfo& info = InfoOf(op);
  if (info.result == ResultType::kBool) return {0, EvaluateBool(op, args) ? 1 : 0};
  if (!IsFloat(result)) {
    return {0, WrapTo(result, EvaluateInt(op, result, args.values[0].i, args.values[1].i, args))};
  }
  // A half register holds an f32 value; only a store rounds to 16 bits.
  const DataType round = result == DataType::kFloat64 ? result : DataType::kFloat32;
  const double a = args.values[0].f;
  if (op == kNextAfter && round == DataType::kFloat32) {
    return {std::nextafter(static_cast<float>(a), static_cast<float>(args.values[1].f)), 0};
  }
  const double value =
      info.arity == 2 ? EvaluateBinary(op, a, args.values[1].f) : EvaluateUnary(op, a, args);
  return {RoundTo(round, value), 0};
}

}  // namespace torch_tensorrt::core::kernels::reference
