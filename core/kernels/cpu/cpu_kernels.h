// What the hand-written CPU kernels share (internal): their factories, and checks of views.
#pragma once

#include <algorithm>

#include "core/kernels/cpu/float_index.h"
#include "core/kernels/kernel.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {

using KernelResult = Result<std::unique_ptr<const Kernel>>;

KernelResult CreateSoftmax(const Attributes& attributes);
KernelResult CreateNormalization(const Attributes& attributes);
KernelResult CreateAttention(const Attributes& attributes);
KernelResult CreateRotary(const Attributes& attributes);
KernelResult CreateGather(const Attributes& attributes);
KernelResult CreateCopy(const Attributes& attributes);
KernelResult CreateConcat(const Attributes& attributes);
KernelResult CreatePad(const Attributes& attributes);
KernelResult CreatePool(const Attributes& attributes);
KernelResult CreateResize(const Attributes& attributes);
KernelResult CreateReduce(const Attributes& attributes);
KernelResult CreateNonZero(const Attributes& attributes);

constexpr size_t Idx(int64_t i) { return static_cast<size_t>(i); }

// Elements each thread should have at least: below, starting threads costs more than it saves.
inline constexpr int64_t kElementsPerThread = 16384;

// Items per thread so that each gets kElementsPerThread elements of work.
constexpr int64_t GrainOf(int64_t elements_per_item) {
  return std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, elements_per_item));
}

// A tensor as rows of n elements with unit stride and one distance between rows.
struct RowView {
  int64_t rows = 0;
  int64_t n = 0;
  int64_t stride = 0;
};
// The last `inner` dims as the row. Unsupported when the view does not lie so.
Result<RowView> ReadAsRows(std::string_view tag, const TensorView& view, int inner = 1);

// Contiguous, or without elements.
inline bool IsDense(const TensorView& view) { return view.contiguous() || view.numel() == 0; }

// Unsupported unless dtype is f32, f16 or bf16.
Status CheckNarrowFloat(std::string_view tag, DataType dtype);
// InvalidArgument unless there are at least that many tensors.
Status CheckCounts(std::string_view tag, const PrepareArgs& args, size_t inputs, size_t outputs);

// The address of element `offset`.
inline std::byte* ElementAt(const TensorView& view, int64_t offset) {
  return view.as<std::byte>() + offset * static_cast<int64_t>(SizeOf(view.dtype));
}

// Copies elements between views of equal dims and dtype that do not overlap, with threads. Any
// strides.
void CopyView(const TensorView& from, const TensorView& to);

}  // namespace torch_tensorrt::core::kernels
