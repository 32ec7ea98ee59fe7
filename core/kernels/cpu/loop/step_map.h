// Loops that apply a vector or scalar operation to the elements of a tile: for *.isa.cpp files
// only.
#pragma once

#include "core/kernels/cpu/loop/step.h"
#include "core/kernels/cpu/simd.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {

// Finders of each file; null where the file has no such function.
StepFn FindFloatUnary(PointwiseOp op);
StepFn FindFloatBinary(PointwiseOp op, int scalars);
StepFn FindDouble(PointwiseOp op, int scalars);
StepFn FindInteger(PointwiseOp op, DataType type, int scalars);
StepFn FindPredicate(PointwiseOp op, DataType type, int scalars);
StepFn FindSelect(DataType type, int scalars);
StepFn FindCast(DataType from, DataType to, int scalars);
FoldFn FindFold(loop::ReduceOp op, DataType type);
ChainFn FindChain(ChainAct act);

template <typename T>
TRT_INLINE const T* Row(const StepArgs& s, int arg, int64_t r) {
  return static_cast<const T*>(s.src[arg]) + r * s.src_row[arg];
}
template <typename T>
TRT_INLINE T* OutRow(const StepArgs& s, int64_t r) {
  return static_cast<T*>(s.dst) + r * s.dst_row;
}

// A row argument: its elements, or one value in every lane.
template <bool kScalar>
struct FloatArg {
  const float* p;
  VecF value;
  TRT_INLINE explicit FloatArg(const float* data) : p(data), value(kScalar ? *data : 0.0F) {}
  TRT_INLINE VecF At(int64_t c) const { return kScalar ? value : VecF::Load(p + c); }
  TRT_INLINE VecF AtN(int64_t c, int64_t n) const { return kScalar ? value : LoadN(p + c, n); }
};

// Op::Run(VecF x, VecF p0, VecF p1).
template <typename Op>
void MapUnary(const StepArgs& s) {
  const VecF p0(static_cast<float>(s.p0));
  const VecF p1(static_cast<float>(s.p1));
  for (int64_t r = 0; r < s.rows; ++r) {
    const float* a = Row<float>(s, 0, r);
    float* d = OutRow<float>(s, r);
    int64_t c = 0;
    for (; c + VecF::kLanes <= s.cols; c += VecF::kLanes) {
      Op::Run(VecF::Load(a + c), p0, p1).Store(d + c);
    }
    if (c < s.cols) StoreN(Op::Run(LoadN(a + c, s.cols - c), p0, p1), d + c, s.cols - c);
  }
}

// Op::Run(VecF a, VecF b).
template <typename Op, bool kScalarA, bool kScalarB>
void MapBinary(const StepArgs& s) {
  for (int64_t r = 0; r < s.rows; ++r) {
    const FloatArg<kScalarA> a(Row<float>(s, 0, r));
    const FloatArg<kScalarB> b(Row<float>(s, 1, r));
    float* d = OutRow<float>(s, r);
    int64_t c = 0;
    for (; c + VecF::kLanes <= s.cols; c += VecF::kLanes) Op::Run(a.At(c), b.At(c)).Store(d + c);
    if (c < s.cols) {
      const int64_t n = s.cols - c;
      StoreN(Op::Run(a.AtN(c, n), b.AtN(c, n)), d + c, n);
    }
  }
}
template <typename Op>
TRT_INLINE StepFn PickBinary(int scalars) {
  if (scalars == 0) return &MapBinary<Op, false, false>;
  if (scalars == 1) return &MapBinary<Op, true, false>;
  return scalars == 2 ? &MapBinary<Op, false, true> : nullptr;
}

// Scalar code, left to the compiler to vectorise. Arguments of type T, results of type R.
// Op::Run(T a) / Op::Run(T a, T b), or with (.., double p0, double p1) for operations with
// parameters. The count of columns is a copy: bytes that are stored may be any object's, so the
// compiler could not count on the argument's to stay.
template <typename T, typename R, typename Op>
void MapScalar1(const StepArgs& s) {
  const int64_t cols = s.cols;
  for (int64_t r = 0; r < s.rows; ++r) {
    const T* a = Row<T>(s, 0, r);
    R* d = OutRow<R>(s, r);
#pragma GCC ivdep
    for (int64_t c = 0; c < cols; ++c) d[c] = Op::Run(a[c]);
  }
}
template <typename T, typename Op>
void MapScalarParams(const StepArgs& s) {
  const int64_t cols = s.cols;
  for (int64_t r = 0; r < s.rows; ++r) {
    const T* a = Row<T>(s, 0, r);
    T* d = OutRow<T>(s, r);
#pragma GCC ivdep
    for (int64_t c = 0; c < cols; ++c) d[c] = Op::Run(a[c], s.p0, s.p1);
  }
}
template <typename T, typename R, typename Op, bool kScalarA, bool kScalarB>
void MapScalar2(const StepArgs& s) {
  const int64_t cols = s.cols;
  for (int64_t r = 0; r < s.rows; ++r) {
    const T* a = Row<T>(s, 0, r);
    const T* b = Row<T>(s, 1, r);
    const T a0 = kScalarA ? a[0] : T{};
    const T b0 = kScalarB ? b[0] : T{};
    R* d = OutRow<R>(s, r);
#pragma GCC ivdep
    for (int64_t c = 0; c < cols; ++c) {
      d[c] = Op::Run(kScalarA ? a0 : a[c], kScalarB ? b0 : b[c]);
    }
  }
}
template <typename T, typename R, typename Op>
TRT_INLINE StepFn PickScalar2(int scalars) {
  if (scalars == 0) return &MapScalar2<T, R, Op, false, false>;
  if (scalars == 1) return &MapScalar2<T, R, Op, true, false>;
  return scalars == 2 ? &MapScalar2<T, R, Op, false, true> : nullptr;
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
