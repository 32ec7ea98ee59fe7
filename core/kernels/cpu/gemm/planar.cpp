#include "core/kernels/cpu/gemm/planar.h"

#include <algorithm>

#include "core/kernels/cpu/gemm/select.h"

namespace torch_tensorrt::core::kernels {
namespace {

// With more channels the copy to channels-last costs little beside the products.
constexpr int64_t kMaxChannels = 4;

int64_t ValuesPerRow(const ConvolutionParams& p) { return p.kernel_h * p.kernel_w * p.in_channels; }

// The smallest i >= 0 with i * step >= value.
int64_t FirstAtLeast(int64_t value, int64_t step) {
  return value <= 0 ? 0 : (value + step - 1) / step;
}

}  // namespace

bool PlanarRows::Suits(size_t spatial_dims, int64_t in_channels, int64_t groups, DataType image,
                       DataType weights) {
  return groups == 1 && spatial_dims <= 2 && in_channels <= kMaxChannels &&
         image == DataType::kFloat32 && weights == DataType::kFloat32;
}

PlanarRows::PlanarRows(const ConvolutionParams& params, const ConvolutionSize& size,
                       const TensorView& x)
    : p_(params),
      s_(size),
      image_(static_cast<const float*>(x.data)),
      stride_n_(x.strides[0]),
      stride_h_(params.spatial > 1 ? x.strides[1] : 0),
      stride_w_(x.strides[static_cast<size_t>(x.rank) - 2]),
      stride_c_(x.strides[static_cast<size_t>(x.rank) - 1]) {}

int64_t PlanarRows::ScratchPerRow(const ConvolutionParams& p) {
  return ValuesPerRow(p) * static_cast<int64_t>(sizeof(float));
}

void PlanarRows::Locate(int64_t row, int64_t count, const void** pointers, int64_t /*stride*/,
                        std::byte* scratch) const {
  auto* columns = reinterpret_cast<float*>(scratch);
  for (int64_t done = 0; done < count;) {
    const int64_t pixel = row + done;
    const int64_t line = pixel / s_.out_w;
    const int64_t ow = pixel % s_.out_w;
    const Strip strip{line / s_.out_h, line % s_.out_h, ow, std::min(s_.out_w - ow, count - done)};
    GatherStrip(strip, columns + done, count);
    done += strip.count;
  }
  for (int64_t i = 0; i < count; ++i) pointers[i] = columns + i;
}

// Column k gets the k-th value of each pixel's patch.
void PlanarRows::GatherStrip(const Strip& strip, float* columns, int64_t pitch) const {
  const int64_t line_columns = p_.kernel_w * p_.in_channels;
  for (int64_t kh = 0; kh < p_.kernel_h; ++kh, columns += line_columns * pitch) {
    const int64_t ih = strip.oh * p_.stride_h - p_.pad_top + kh * p_.dilation_h;
    if (ih < 0 || ih >= s_.in_h) {
      for (int64_t k = 0; k < line_columns; ++k) {
        std::fill_n(columns + k * pitch, strip.count, 0.0F);
      }
      continue;
    }
    const float* line = image_ + strip.n * stride_n_ + ih * stride_h_;
    for (int64_t kw = 0; kw < p_.kernel_w; ++kw) {
      GatherTap(strip, kw, line, columns + kw * p_.in_channels * pitch, pitch);
    }
  }
}

void PlanarRows::GatherTap(const Strip& strip, int64_t kw, const float* line, float* columns,
                           int64_t pitch) const {
  const int64_t shift = kw * p_.dilation_w - p_.pad_left;  // input column of output column 0
  const int64_t end = strip.ow + strip.count;
  const int64_t inside = std::clamp(FirstAtLeast(-shift, p_.stride_w), strip.ow, end);
  const int64_t outside = std::clamp(FirstAtLeast(s_.in_w - shift, p_.stride_w), inside, end);
  const float* first = line + (inside * p_.stride_w + shift) * stride_w_;
  for (int64_t c = 0; c < p_.in_channels; ++c) {
    float* to = columns + c * pitch;
    std::fill_n(to, inside - strip.ow, 0.0F);
    GemmMicro().strided_f32(first + c * stride_c_, p_.stride_w * stride_w_, to + inside - strip.ow,
                            outside - inside);
    std::fill_n(to + outside - strip.ow, end - outside, 0.0F);
  }
}

}  // namespace torch_tensorrt::core::kernels
