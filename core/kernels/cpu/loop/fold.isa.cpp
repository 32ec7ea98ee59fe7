// Row reductions. A tile's part of a row is folded in vector lanes and then joins the row's 8-byte
// state, which for f32 is a double: sums lose no more than the lanes of one block of 1024 do.
#include "core/kernels/cpu/loop/step_map.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

using loop::ReduceOp;

constexpr int64_t kSumBlock = 1024;

// One block in four vectors of partial sums.
TRT_INLINE double SumBlock(const float* p, int64_t n) {
  VecF sums[4] = {VecF(0.0F), VecF(0.0F), VecF(0.0F), VecF(0.0F)};
  int64_t c = 0;
  for (; c + 4 * VecF::kLanes <= n; c += 4 * VecF::kLanes) {
    for (int i = 0; i < 4; ++i) sums[i] = sums[i] + VecF::Load(p + c + i * VecF::kLanes);
  }
  for (; c + VecF::kLanes <= n; c += VecF::kLanes) sums[0] = sums[0] + VecF::Load(p + c);
  if (c < n) sums[1] = sums[1] + LoadN(p + c, n - c);
  return static_cast<double>(SumLanes((sums[0] + sums[1]) + (sums[2] + sums[3])));
}
TRT_INLINE double SumBlock(const double* p, int64_t n) {
  VecD sums[4] = {VecD(0.0), VecD(0.0), VecD(0.0), VecD(0.0)};
  int64_t c = 0;
  for (; c + 4 * VecD::kLanes <= n; c += 4 * VecD::kLanes) {
    for (int i = 0; i < 4; ++i) sums[i] = sums[i] + VecD::Load(p + c + i * VecD::kLanes);
  }
  const VecD all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double total = 0;
  for (int i = 0; i < VecD::kLanes; ++i) total += all.v[i];
  for (; c < n; ++c) total += p[c];
  return total;
}

template <typename T>
void FoldSum(const FoldArgs& f) {
  double* state = static_cast<double*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* row = static_cast<const T*>(f.src) + r * f.src_row;
    for (int64_t c = 0; c < f.cols; c += kSumBlock) {
      state[r] += SumBlock(row + c, f.cols - c < kSumBlock ? f.cols - c : kSumBlock);
    }
  }
}

// The larger (kSign 1) or smaller (-1); NaN when either is NaN.
template <int kSign>
TRT_INLINE double Extreme(double a, double b) {
  if (a != a) return a;
  return b != b || (kSign > 0 ? b > a : b < a) ? b : a;
}
template <int kSign>
TRT_INLINE VecF Extreme(VecF a, VecF b) {
  return kSign > 0 ? MaxNan(a, b) : MinNan(a, b);
}

template <int kSign>
void FoldExtremeF32(const FoldArgs& f) {
  double* state = static_cast<double*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const float* row = static_cast<const float*>(f.src) + r * f.src_row;
    int64_t c = 0;
    if (f.cols >= 2 * VecF::kLanes) {
      VecF best0 = VecF::Load(row);
      VecF best1 = VecF::Load(row + VecF::kLanes);
      for (c = 2 * VecF::kLanes; c + 2 * VecF::kLanes <= f.cols; c += 2 * VecF::kLanes) {
        best0 = Extreme<kSign>(best0, VecF::Load(row + c));
        best1 = Extreme<kSign>(best1, VecF::Load(row + c + VecF::kLanes));
      }
      const VecF best = Extreme<kSign>(best0, best1);
      const float lane = kSign > 0 ? MaxLanes(best) : MinLanes(best);
      state[r] = Extreme<kSign>(state[r], static_cast<double>(lane));
    }
    for (; c < f.cols; ++c) state[r] = Extreme<kSign>(state[r], static_cast<double>(row[c]));
  }
}
template <int kSign>
void FoldExtremeF64(const FoldArgs& f) {
  double* state = static_cast<double*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const double* row = static_cast<const double*>(f.src) + r * f.src_row;
    for (int64_t c = 0; c < f.cols; ++c) state[r] = Extreme<kSign>(state[r], row[c]);
  }
}

template <typename T>
void FoldProd(const FoldArgs& f) {
  double* state = static_cast<double*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* row = static_cast<const T*>(f.src) + r * f.src_row;
    double part[4] = {1, 1, 1, 1};
    int64_t c = 0;
    for (; c + 4 <= f.cols; c += 4) {
      for (int i = 0; i < 4; ++i) part[i] *= static_cast<double>(row[c + i]);
    }
    for (; c < f.cols; ++c) part[0] *= static_cast<double>(row[c]);
    state[r] *= (part[0] * part[1]) * (part[2] * part[3]);
  }
}

template <typename T>
void FoldIntSum(const FoldArgs& f) {
  uint64_t* state = static_cast<uint64_t*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* row = static_cast<const T*>(f.src) + r * f.src_row;
    uint64_t sum = 0;
    for (int64_t c = 0; c < f.cols; ++c) sum += static_cast<uint64_t>(row[c]);
    state[r] += sum;
  }
}
template <typename T>
void FoldIntProd(const FoldArgs& f) {
  uint64_t* state = static_cast<uint64_t*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* row = static_cast<const T*>(f.src) + r * f.src_row;
    for (int64_t c = 0; c < f.cols; ++c) state[r] *= static_cast<uint64_t>(row[c]);
  }
}
template <typename T, int kSign>
void FoldIntExtreme(const FoldArgs& f) {
  int64_t* state = static_cast<int64_t*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* row = static_cast<const T*>(f.src) + r * f.src_row;
    int64_t best = state[r];
    for (int64_t c = 0; c < f.cols; ++c) {
      const auto x = static_cast<int64_t>(row[c]);
      best = (kSign > 0 ? x > best : x < best) ? x : best;
    }
    state[r] = best;
  }
}

// State 0 or 1, whatever T.
template <typename T, bool kAll>
void FoldLogical(const FoldArgs& f) {
  int64_t* state = static_cast<int64_t*>(f.state);
  for (int64_t r = 0; r < f.rows; ++r) {
    const T* row = static_cast<const T*>(f.src) + r * f.src_row;
    int found = 0;  // any: a true one; all: a false one
    for (int64_t c = 0; c < f.cols; ++c) found |= static_cast<int>((row[c] == T(0)) == kAll);
    if (found != 0) state[r] = kAll ? 0 : 1;
  }
}

template <typename T>
FoldFn FindInt(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
      return &FoldIntSum<T>;
    case ReduceOp::kProd:
      return &FoldIntProd<T>;
    case ReduceOp::kMax:
      return &FoldIntExtreme<T, 1>;
    case ReduceOp::kMin:
      return &FoldIntExtreme<T, -1>;
    case ReduceOp::kAny:
      return &FoldLogical<T, false>;
    case ReduceOp::kAll:
      return &FoldLogical<T, true>;
    case ReduceOp::kMean:
      return nullptr;
  }
  return nullptr;
}

template <typename T, FoldFn kMax, FoldFn kMin>
FoldFn FindFloat(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
    case ReduceOp::kMean:
      return &FoldSum<T>;
    case ReduceOp::kProd:
      return &FoldProd<T>;
    case ReduceOp::kMax:
      return kMax;
    case ReduceOp::kMin:
      return kMin;
    case ReduceOp::kAny:
      return &FoldLogical<T, false>;
    case ReduceOp::kAll:
      return &FoldLogical<T, true>;
  }
  return nullptr;
}

}  // namespace

FoldFn FindFold(ReduceOp op, DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return FindFloat<float, &FoldExtremeF32<1>, &FoldExtremeF32<-1>>(op);
    case DataType::kFloat64:
      return FindFloat<double, &FoldExtremeF64<1>, &FoldExtremeF64<-1>>(op);
    case DataType::kInt64:
      return FindInt<int64_t>(op);
    case DataType::kInt32:
      return FindInt<int32_t>(op);
    case DataType::kInt16:
      return FindInt<int16_t>(op);
    case DataType::kInt8:
      return FindInt<int8_t>(op);
    case DataType::kUInt8:
    case DataType::kBool:
      return FindInt<uint8_t>(op);
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return nullptr;
  }
  return nullptr;
}

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
