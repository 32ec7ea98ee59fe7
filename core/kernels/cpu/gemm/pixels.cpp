#include "core/kernels/cpu/gemm/pixels.h"

#include <algorithm>
#include <cstring>

namespace torch_tensorrt::core::kernels {

int64_t PixelRows::ScratchPerRow(const ConvolutionParams& p, const ConvolutionTaps& taps,
                                 int64_t element) {
  if (!taps.rows_merged || (p.pad_left == 0 && p.pad_right == 0)) return 0;
  return (taps.taps * taps.run * element + 15) / 16 * 16;
}

void PixelRows::Locate(int64_t row, int64_t count, const void** pointers, int64_t stride,
                       std::byte* scratch) const {
  const int64_t scratch_per_row = ScratchPerRow();
  int64_t ow = row % s_.out_w;
  int64_t oh = row / s_.out_w % s_.out_h;
  const int64_t slice = row / s_.out_w / s_.out_h;
  int64_t od = slice % s_.out_d;
  int64_t n = slice / s_.out_d;
  for (int64_t i = 0; i < count; ++i) {
    const Corner corner = CornerOf(n, od, oh, ow);
    if (t_.rows_merged) {
      LocateRows(corner, pointers + i, stride, scratch + i * scratch_per_row);
    } else {
      LocateTaps(corner, pointers + i, stride);
    }
    if (++ow < s_.out_w) continue;
    ow = 0;
    if (++oh < s_.out_h) continue;
    oh = 0;
    if (++od < s_.out_d) continue;
    od = 0;
    ++n;
  }
}

PixelRows::Corner PixelRows::CornerOf(int64_t n, int64_t od, int64_t oh, int64_t ow) const {
  const int64_t id = od * p_.stride_d - p_.pad_front;
  const int64_t ih = oh * p_.stride_h - p_.pad_top;
  const int64_t iw = ow * p_.stride_w - p_.pad_left;
  const int64_t pixel = ((n * s_.in_d + id) * s_.in_h + ih) * s_.in_w + iw;
  return {id, ih, iw, pixel * p_.in_channels * element_};
}

bool PixelRows::RowsInside(const Corner& corner) const {
  return corner.ih >= 0 && corner.ih + (p_.kernel_h - 1) * p_.dilation_h < s_.in_h &&
         corner.id >= 0 && corner.id + (p_.kernel_d - 1) * p_.dilation_d < s_.in_d;
}

template <typename F>
void PixelRows::ForEachRow(const Corner& corner, const F& f) const {
  const int64_t line = s_.in_w * p_.in_channels * element_;
  const bool rows_inside = RowsInside(corner);
  for (int64_t kd = 0; kd < p_.kernel_d; ++kd) {
    const int64_t id = corner.id + kd * p_.dilation_d;
    const bool slice_inside = rows_inside || (id >= 0 && id < s_.in_d);
    int64_t at = corner.offset + kd * p_.dilation_d * s_.in_h * line;
    int64_t ih = corner.ih;
    for (int64_t kh = 0; kh < p_.kernel_h; ++kh) {
      f(rows_inside || (slice_inside && ih >= 0 && ih < s_.in_h), at);
      ih += p_.dilation_h;
      at += p_.dilation_h * line;
    }
  }
}

void PixelRows::LocateTaps(const Corner& corner, const void** out, int64_t stride) const {
  const int64_t step = p_.dilation_w * p_.in_channels * element_;
  const bool columns_inside =
      corner.iw >= 0 && corner.iw + (p_.kernel_w - 1) * p_.dilation_w < s_.in_w;
  ForEachRow(corner, [&](bool inside, int64_t at) {
    int64_t iw = corner.iw;
    for (int64_t kw = 0; kw < p_.kernel_w; ++kw, out += stride) {
      const bool tap_inside = inside && (columns_inside || (iw >= 0 && iw < s_.in_w));
      *out = tap_inside ? image_ + at : zeros_;
      at += step;
      iw += p_.dilation_w;
    }
  });
}

void PixelRows::LocateRows(const Corner& corner, const void** out, int64_t stride,
                           std::byte* scratch) const {
  const int64_t pixel = p_.in_channels * element_;
  const int64_t bytes = t_.run * element_;
  const int64_t first = std::max<int64_t>(corner.iw, 0);
  const int64_t last = std::min(corner.iw + p_.kernel_w, s_.in_w);
  const int64_t skipped = (first - corner.iw) * pixel;
  const bool columns_inside = last - first == p_.kernel_w;
  ForEachRow(corner, [&](bool inside, int64_t at) {
    if (!inside || first >= last) {
      *out = zeros_;
    } else if (columns_inside) {
      *out = image_ + at;
    } else {
      std::memset(scratch, 0, static_cast<size_t>(bytes));
      std::memcpy(scratch + skipped, image_ + at + skipped,
                  static_cast<size_t>((last - first) * pixel));
      *out = scratch;
    }
    out += stride;
    scratch += bytes;
  });
}

}  // namespace torch_tensorrt::core::kernels
