#include "core/kernels/cpu/gemm/rows.h"

#include "core/kernels/cpu/gemm/select.h"
#include "core/types/half.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

// Rows padded to whole cache lines.
int64_t PaddedColumns(int64_t columns) { return (columns + 15) / 16 * 16; }

void WidenRow(const MatrixRef& m, const uint16_t* src, float* dst) {
  const GemmMicroTable& micro = GemmMicro();
  const bool bf16 = m.dtype == DataType::kBFloat16;
  if (m.column_stride == 1) {
    (bf16 ? micro.bf16_to_f32 : micro.f16_to_f32)(src, dst, m.columns);
    return;
  }
  for (int64_t c = 0; c < m.columns; ++c) {
    const uint16_t bits = src[c * m.column_stride];
    dst[c] = bf16 ? BFloat16ToFloat(bits) : Float16ToFloat(bits);
  }
}

void GatherRows(const MatrixRef& m, const float* src, int64_t count, int64_t width, float* dst) {
  if (m.row_stride == 1) {
    GemmMicro().transpose_f32(src, m.column_stride, dst, width, count, m.columns);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t c = 0; c < m.columns; ++c) {
      dst[i * width + c] = src[i * m.row_stride + c * m.column_stride];
    }
  }
}

}  // namespace

bool CanReadAsRows(const TensorView& view) {
  if (view.rank < 1) return false;
  const auto last = static_cast<size_t>(view.rank - 1);
  if (view.dims[last] > 1 && view.strides[last] != 1) return false;
  int64_t span = -1;  // stride that the next outer dim must have; -1 while no dim above 1 was met
  for (int i = view.rank - 2; i >= 0; --i) {
    const auto d = static_cast<size_t>(i);
    if (view.dims[d] == 0) return true;
    if (view.dims[d] == 1) continue;
    if (span >= 0 && view.strides[d] != span) return false;
    span = view.strides[d] * view.dims[d];
  }
  return true;
}

MatrixRef ReadAsRows(const TensorView& view) {
  MatrixRef m;
  const auto last = static_cast<size_t>(view.rank - 1);
  m.data = view.data;
  m.dtype = view.dtype;
  m.columns = view.dims[last];
  m.rows = 1;
  m.row_stride = m.columns;
  bool found = false;
  for (int i = view.rank - 2; i >= 0; --i) {
    const auto d = static_cast<size_t>(i);
    m.rows *= view.dims[d];
    if (view.dims[d] > 1 && !found) {
      m.row_stride = view.strides[d];
      found = true;
    }
  }
  return m;
}

void WidenAll(const TensorView& x, float* out) {
  const GemmMicroTable& micro = GemmMicro();
  const auto convert = x.dtype == DataType::kBFloat16 ? micro.bf16_to_f32 : micro.f16_to_f32;
  ParallelFor(x.numel(), 16 << 10, [&](int64_t begin, int64_t end, int /*thread*/) {
    convert(x.as<const uint16_t>() + begin, out + begin, end - begin);
  });
}

bool MatrixRows::IsDirect(DataType dtype, int64_t column_stride, DataType b_dtype) {
  if (column_stride != 1) return false;
  return dtype == DataType::kFloat32 ||
         (dtype == DataType::kBFloat16 && ProductTakesBf16Rows(b_dtype));
}

int64_t MatrixRows::ScratchPerRow() const {
  return direct_ ? 0 : PaddedColumns(matrix_.columns) * static_cast<int64_t>(sizeof(float));
}

void MatrixRows::Locate(int64_t row, int64_t count, const void** pointers, int64_t /*stride*/,
                        std::byte* scratch) const {
  const auto element = static_cast<int64_t>(SizeOf(matrix_.dtype));
  const char* src = static_cast<const char*>(matrix_.data) + row * matrix_.row_stride * element;
  if (direct_) {
    for (int64_t i = 0; i < count; ++i) pointers[i] = src + i * matrix_.row_stride * element;
    return;
  }
  const int64_t width = PaddedColumns(matrix_.columns);
  auto* dst = reinterpret_cast<float*>(scratch);
  if (matrix_.dtype == DataType::kFloat32) {
    GatherRows(matrix_, reinterpret_cast<const float*>(src), count, width, dst);
  } else {
    for (int64_t i = 0; i < count; ++i) {
      const char* at = src + i * matrix_.row_stride * element;
      WidenRow(matrix_, reinterpret_cast<const uint16_t*>(at), dst + i * width);
    }
  }
  for (int64_t i = 0; i < count; ++i) pointers[i] = dst + i * width;
}

}  // namespace torch_tensorrt::core::kernels
