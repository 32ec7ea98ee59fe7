// Operations with a bool result, and Select, for all types.
#include "core/kernels/cpu/loop/step_map.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

#define TRT_OP1(Name, expression)                                                   \
  template <typename T>                                                             \
  struct Name##Op {                                                                 \
    static TRT_INLINE uint8_t Run(T a) { return static_cast<uint8_t>(expression); } \
  };
#define TRT_OP2(Name, expression)                                                        \
  template <typename T>                                                                  \
  struct Name##Op {                                                                      \
    static TRT_INLINE uint8_t Run(T a, T b) { return static_cast<uint8_t>(expression); } \
  };
TRT_OP2(Eq, a == b)
TRT_OP2(Ne, a != b)
TRT_OP2(Lt, a < b)
TRT_OP2(Le, a <= b)
TRT_OP2(Gt, a > b)
TRT_OP2(Ge, a >= b)
TRT_OP2(LogicalAnd, (a != T(0)) & (b != T(0)))
TRT_OP2(LogicalOr, (a != T(0)) | (b != T(0)))
TRT_OP2(LogicalXor, (a != T(0)) != (b != T(0)))
TRT_OP1(LogicalNot, a == T(0))
TRT_OP1(IsNan, a != a)
// x - x is NaN for infinities (and for NaN).
TRT_INLINE bool HasSign(float x) { return __builtin_signbit(x) != 0; }
TRT_INLINE bool HasSign(double x) { return __builtin_signbit(x) != 0; }
template <typename T>
TRT_INLINE bool HasSign(T x) {
  return x < T(0);
}
TRT_OP1(SignBit, HasSign(a))
TRT_OP1(IsInf, (a == a) & (a - a != T(0)))

template <typename T>
StepFn FindTyped(PointwiseOp op, int scalars) {
  switch (op) {
#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return PickScalar2<T, uint8_t, Name##Op<T>>(scalars);
    TRT_CASE(Eq)
    TRT_CASE(Ne)
    TRT_CASE(Lt)
    TRT_CASE(Le)
    TRT_CASE(Gt)
    TRT_CASE(Ge)
    TRT_CASE(LogicalAnd)
    TRT_CASE(LogicalOr)
    TRT_CASE(LogicalXor)
#undef TRT_CASE
#define TRT_CASE(Name)       \
  case PointwiseOp::k##Name: \
    return scalars == 0 ? &MapScalar1<T, uint8_t, Name##Op<T>> : nullptr;
    TRT_CASE(LogicalNot)
    TRT_CASE(IsNan)
    TRT_CASE(IsInf)
    TRT_CASE(SignBit)
#undef TRT_CASE
    default:
      return nullptr;
  }
}

// T: an unsigned type of the operands' size.
template <typename T, int kScalars>
void MapSelect(const StepArgs& s) {
  const int64_t cols = s.cols;
  for (int64_t r = 0; r < s.rows; ++r) {
    const uint8_t* condition = Row<uint8_t>(s, 0, r);
    const T* a = Row<T>(s, 1, r);
    const T* b = Row<T>(s, 2, r);
    T* d = OutRow<T>(s, r);
    constexpr bool kScalarC = (kScalars & 1) != 0;
    constexpr bool kScalarA = (kScalars & 2) != 0;
    constexpr bool kScalarB = (kScalars & 4) != 0;
    const uint8_t c0 = kScalarC ? condition[0] : uint8_t{0};
    const T a0 = kScalarA ? a[0] : T{0};
    const T b0 = kScalarB ? b[0] : T{0};
#pragma GCC ivdep
    for (int64_t c = 0; c < cols; ++c) {
      const T then_value = kScalarA ? a0 : a[c];
      const T else_value = kScalarB ? b0 : b[c];
      d[c] = (kScalarC ? c0 : condition[c]) != 0 ? then_value : else_value;
    }
  }
}

template <typename T>
StepFn PickSelect(int scalars) {
  switch (scalars) {
    case 0:
      return &MapSelect<T, 0>;
    case 1:
      return &MapSelect<T, 1>;
    case 2:
      return &MapSelect<T, 2>;
    case 3:
      return &MapSelect<T, 3>;
    case 4:
      return &MapSelect<T, 4>;
    case 5:
      return &MapSelect<T, 5>;
    case 6:
      return &MapSelect<T, 6>;
    default:
      return nullptr;
  }
}

}  // namespace

StepFn FindPredicate(PointwiseOp op, DataType type, int scalars) {
  switch (type) {
    case DataType::kFloat32:
      return FindTyped<float>(op, scalars);
    case DataType::kFloat64:
      return FindTyped<double>(op, scalars);
    case DataType::kInt64:
      return FindTyped<int64_t>(op, scalars);
    case DataType::kInt32:
      return FindTyped<int32_t>(op, scalars);
    case DataType::kInt16:
      return FindTyped<int16_t>(op, scalars);
    case DataType::kInt8:
      return FindTyped<int8_t>(op, scalars);
    case DataType::kUInt8:
    case DataType::kBool:
      return FindTyped<uint8_t>(op, scalars);
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return nullptr;
  }
  return nullptr;
}

StepFn FindSelect(DataType type, int scalars) {
  switch (type) {
    case DataType::kFloat64:
    case DataType::kInt64:
      return PickSelect<uint64_t>(scalars);
    case DataType::kFloat32:
    case DataType::kInt32:
      return PickSelect<uint32_t>(scalars);
    case DataType::kFloat16:
    case DataType::kBFloat16:
    case DataType::kInt16:
      return PickSelect<uint16_t>(scalars);
    case DataType::kInt8:
    case DataType::kUInt8:
    case DataType::kBool:
      return PickSelect<uint8_t>(scalars);
  }
  return nullptr;
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
