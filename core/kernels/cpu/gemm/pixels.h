// Row source for convolutions (see block.h).
#pragma once

#include <cstdint>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/geometry.h"
#include "core/kernels/cpu/gemm/pack.h"

namespace torch_tensorrt::core::kernels {

// The pixels under a filter as rows of a matrix. A tap outside the image leads to zeros; a merged
// filter row that sticks out on the left or right is assembled in scratch. Refers to its arguments.
class PixelRows final : public RowSource {
 public:
  // `image` has values of `element` bytes; at `zeros` one run of them is zero.
  PixelRows(const ConvolutionParams& params, const ConvolutionSize& size,
            const ConvolutionTaps& taps, const char* image, int64_t element, const char* zeros)
      : p_(params), s_(size), t_(taps), image_(image), element_(element), zeros_(zeros) {}

  static int64_t ScratchPerRow(const ConvolutionParams& p, const ConvolutionTaps& taps,
                               int64_t element);
  int64_t ScratchPerRow() const override { return ScratchPerRow(p_, t_, element_); }
  void Locate(int64_t row, int64_t count, const void** pointers, int64_t stride,
              std::byte* scratch) const override;

 private:
  // Where the first tap of an output pixel would lie; may be outside the image.
  struct Corner {
    int64_t id, ih, iw;
    int64_t offset;  // bytes from the image's start
  };
  Corner CornerOf(int64_t n, int64_t od, int64_t oh, int64_t ow) const;
  // Are all filter rows inside the image?
  bool RowsInside(const Corner& corner) const;
  // Calls f(whether it is inside the image, its byte offset) for every filter row.
  template <typename F>
  void ForEachRow(const Corner& corner, const F& f) const;
  void LocateTaps(const Corner& corner, const void** out, int64_t stride) const;
  void LocateRows(const Corner& corner, const void** out, int64_t stride, std::byte* scratch) const;

  const ConvolutionParams& p_;
  const ConvolutionSize& s_;
  const ConvolutionTaps& t_;
  const char* image_;
  int64_t element_;
  const char* zeros_;
};

}  // namespace torch_tensorrt::core::kernels
