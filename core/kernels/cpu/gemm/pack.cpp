#include "core/kernels/cpu/gemm/pack.h"

#include <algorithm>
#include <cstring>

#include "core/kernels/cpu/gemm/micro.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/types/half.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

// f32 [k][16] from f32.
void PackF32Panel(const float* src, int64_t column_stride, int64_t k_stride, int64_t columns,
                  int64_t k_count, float* dst) {
  if (columns < kPanelColumns) {
    std::memset(dst, 0, static_cast<size_t>(k_count * kPanelColumns) * sizeof(float));
  }
  if (k_stride == 1) {
    GemmMicro().transpose_f32(src, column_stride, dst, kPanelColumns, k_count, columns);
    return;
  }
  if (column_stride == 1 && columns == kPanelColumns) {
    for (int64_t k = 0; k < k_count; ++k) {
      std::memcpy(dst + k * kPanelColumns, src + k * k_stride, kPanelColumns * sizeof(float));
    }
    return;
  }
  for (int64_t k = 0; k < k_count; ++k) {
    for (int64_t c = 0; c < columns; ++c) {
      dst[k * kPanelColumns + c] = src[c * column_stride + k * k_stride];
    }
  }
}

void PackWidenedPanel(const PackSource& source, const uint16_t* src, int64_t columns,
                      int64_t k_count, float* dst) {
  const bool bf16 = source.dtype == DataType::kBFloat16;
  for (int64_t k = 0; k < k_count; ++k) {
    for (int64_t c = 0; c < kPanelColumns; ++c) {
      float value = 0;
      if (c < columns) {
        const uint16_t bits = src[c * source.column_stride + k * source.k_stride];
        value = bf16 ? BFloat16ToFloat(bits) : Float16ToFloat(bits);
      }
      dst[k * kPanelColumns + c] = value;
    }
  }
}

// f16 [k][16].
void PackHalfPanel(const PackSource& source, const uint16_t* src, int64_t columns, int64_t k_count,
                   uint16_t* dst) {
  if (source.column_stride == 1 && columns == kPanelColumns) {
    for (int64_t k = 0; k < k_count; ++k) {
      std::memcpy(dst + k * kPanelColumns, src + k * source.k_stride, kPanelColumns * 2);
    }
    return;
  }
  for (int64_t k = 0; k < k_count; ++k) {
    for (int64_t c = 0; c < kPanelColumns; ++c) {
      dst[k * kPanelColumns + c] =
          c < columns ? src[c * source.column_stride + k * source.k_stride] : uint16_t{0};
    }
  }
}

// Two dense rows of 16 values become 16 pairs.
void InterleaveRows(const uint16_t* even, const uint16_t* odd, uint16_t* dst) {
  for (int64_t c = 0; c < kPanelColumns; ++c) {
    dst[2 * c] = even[c];
    dst[2 * c + 1] = odd[c];
  }
}

// bf16 [k / 2][16][2], every run padded to an even length.
void PackPairPanel(const PackSource& source, const uint16_t* src, int64_t columns, int64_t taps,
                   int64_t run, uint16_t* dst) {
  for (int64_t tap = 0; tap < taps; ++tap) {
    const uint16_t* tap_src = src + tap * run * source.k_stride;
    for (int64_t k = 0; k < run; k += 2, dst += 2 * kPanelColumns) {
      if (source.column_stride == 1 && columns == kPanelColumns && k + 1 < run) {
        const uint16_t* even = tap_src + k * source.k_stride;
        InterleaveRows(even, even + source.k_stride, dst);
        continue;
      }
      for (int64_t c = 0; c < kPanelColumns; ++c) {
        const uint16_t* at = tap_src + c * source.column_stride + k * source.k_stride;
        dst[2 * c] = c < columns ? at[0] : uint16_t{0};
        dst[2 * c + 1] = c < columns && k + 1 < run ? at[source.k_stride] : uint16_t{0};
      }
    }
  }
}

}  // namespace

bool CanPack(DataType dtype) { return dtype == DataType::kFloat32 || IsHalf(dtype); }

int64_t PanelCount(int64_t n) { return (n + kPanelColumns - 1) / kPanelColumns; }

int64_t PanelBytes(DataType dtype, int64_t taps, int64_t run) {
  const int64_t padded = dtype == DataType::kBFloat16 ? (run + 1) / 2 * 2 : run;
  return taps * padded * kPanelColumns * static_cast<int64_t>(SizeOf(dtype));
}

int64_t PackedBytes(DataType dtype, int64_t n, int64_t taps, int64_t run) {
  return PanelCount(n) * PanelBytes(dtype, taps, run);
}

void PackPanels(const PackSource& source, DataType dtype, int64_t n, int64_t taps, int64_t run,
                int64_t panel_begin, int64_t panel_end, void* dst) {
  const int64_t bytes = PanelBytes(dtype, taps, run);
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    const int64_t first = panel * kPanelColumns;
    const int64_t columns = std::min<int64_t>(kPanelColumns, n - first);
    void* out = static_cast<char*>(dst) + (panel - panel_begin) * bytes;
    if (source.dtype == DataType::kFloat32) {
      PackF32Panel(static_cast<const float*>(source.data) + first * source.column_stride,
                   source.column_stride, source.k_stride, columns, taps * run,
                   static_cast<float*>(out));
      continue;
    }
    const uint16_t* src = static_cast<const uint16_t*>(source.data) + first * source.column_stride;
    if (dtype == DataType::kFloat32) {
      PackWidenedPanel(source, src, columns, taps * run, static_cast<float*>(out));
    } else if (dtype == DataType::kFloat16) {
      PackHalfPanel(source, src, columns, taps * run, static_cast<uint16_t*>(out));
    } else {
      PackPairPanel(source, src, columns, taps, run, static_cast<uint16_t*>(out));
    }
  }
}

void PackMatrix(const PackSource& source, DataType dtype, int64_t n, int64_t taps, int64_t run,
                void* dst) {
  const int64_t bytes = PanelBytes(dtype, taps, run);
  const int64_t grain = std::max<int64_t>(1, (64 << 10) / std::max<int64_t>(bytes, 1));
  ParallelFor(PanelCount(n), grain, [&](int64_t begin, int64_t end, int /*thread*/) {
    PackPanels(source, dtype, n, taps, run, begin, end, static_cast<char*>(dst) + begin * bytes);
  });
}

ConvolutionTaps TapsOf(const Dims& kernel, const Dims& dilation, int64_t in_channels,
                       int64_t groups) {
  constexpr int64_t kShortRun = 48;
  int64_t count = 1;
  for (int64_t k : kernel) count *= k;
  const int64_t width = kernel.back();
  ConvolutionTaps taps;
  if (groups == 1 && in_channels < kShortRun && (width == 1 || dilation.back() == 1)) {
    taps.taps = count / width;
    taps.run = width * in_channels;
    taps.rows_merged = true;
  } else {
    taps.taps = count;
    taps.run = in_channels / groups;
  }
  return taps;
}

int64_t PackedConvolutionBytes(DataType dtype, const ConvolutionTaps& taps, int64_t out_channels,
                               int64_t groups) {
  return groups * PackedBytes(dtype, out_channels / groups, taps.taps, taps.run);
}

void PackConvolution(const void* weights, DataType dtype, const ConvolutionTaps& taps,
                     int64_t out_channels, int64_t groups, void* dst) {
  const int64_t n = out_channels / groups;
  const int64_t k = taps.taps * taps.run;
  const int64_t panels = PanelCount(n);
  const int64_t bytes = PanelBytes(dtype, taps.taps, taps.run);
  const auto element = static_cast<int64_t>(SizeOf(dtype));
  const int64_t grain = std::max<int64_t>(1, (64 << 10) / std::max<int64_t>(bytes, 1));
  ParallelFor(groups * panels, grain, [&](int64_t begin, int64_t end, int /*thread*/) {
    for (int64_t i = begin; i < end; ++i) {
      const char* group = static_cast<const char*>(weights) + i / panels * n * k * element;
      PackPanels({group, dtype, k, 1}, dtype, n, taps.taps, taps.run, i % panels, i % panels + 1,
                 static_cast<char*>(dst) + i * bytes);
    }
  });
}

int64_t PackedDepthwiseBytes(const Dims& kernel, int64_t channels) {
  int64_t taps = 1;
  for (int64_t k : kernel) taps *= k;
  return taps * PanelCount(channels) * kPanelColumns * static_cast<int64_t>(sizeof(float));
}

void PackDepthwise(const void* weights, DataType dtype, const Dims& kernel, int64_t channels,
                   void* dst, std::span<const int64_t> order) {
  int64_t taps = 1;
  for (int64_t k : kernel) taps *= k;
  const int64_t width = PanelCount(channels) * kPanelColumns;
  auto* out = static_cast<float*>(dst);
  std::memset(dst, 0, static_cast<size_t>(PackedDepthwiseBytes(kernel, channels)));
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t at = c * taps + (order.empty() ? t : order[static_cast<size_t>(t)]);
      float value = 0;
      if (dtype == DataType::kFloat32) {
        value = static_cast<const float*>(weights)[at];
      } else {
        const uint16_t bits = static_cast<const uint16_t*>(weights)[at];
        value = dtype == DataType::kBFloat16 ? BFloat16ToFloat(bits) : Float16ToFloat(bits);
      }
      out[t * width + c] = value;
    }
  }
}

}  // namespace torch_tensorrt::core::kernels
