#include "core/kernels/cpu/gemm/depthwise.h"

#include "core/kernels/cpu/gemm/vec.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

// How the image stores a value. `n` is kLanes, or less at the last channels.
struct ImageF32 {
  using Type = float;
  static Vec Get(const float* p) { return Load(p); }
  static Vec GetTail(const float* p, int64_t n) { return LoadTail(p, n); }
};
struct ImageF16 {
  using Type = uint16_t;
  static Vec Get(const uint16_t* p) { return LoadF16(p); }
  static Vec GetTail(const uint16_t* p, int64_t n) {
    uint16_t part[kLanes] = {};
    __builtin_memcpy(part, p, static_cast<size_t>(n) * 2);
    return LoadF16(part);
  }
};
struct ImageBf16 {
  using Type = uint16_t;
  static Vec Get(const uint16_t* p) { return LoadBf16(p); }
  static Vec GetTail(const uint16_t* p, int64_t n) {
    uint16_t part[kLanes] = {};
    __builtin_memcpy(part, p, static_cast<size_t>(n) * 2);
    return LoadBf16(part);
  }
};

struct Taps {
  int64_t begin;
  int64_t end;
};

// kPixels neighbouring pixels from `pixel` on, kVecs vectors of channels from `c` on, taps [begin,
// end) of each filter row.
template <typename Image, int kPixels, int kVecs>
inline __attribute__((always_inline)) void Accumulate(const DepthwiseLine& line, int64_t pixel,
                                                      Taps taps, int64_t c,
                                                      Vec (&acc)[kPixels][kVecs]) {
  using Type = typename Image::Type;
  const int64_t step = line.dilation_w * line.pixel_stride;
  const int64_t next = line.stride_w * line.pixel_stride;
  const int64_t first =
      (pixel * line.stride_w - line.pad_left + taps.begin * line.dilation_w) * line.pixel_stride;
  for (int64_t kh = 0; kh < line.kernel_h; ++kh) {
    if (line.lines[kh] == nullptr) continue;
    const Type* x = static_cast<const Type*>(line.lines[kh]) + first + c;
    const float* w = line.weights + (kh * line.kernel_w + taps.begin) * line.weight_stride + c;
    for (int64_t kw = taps.begin; kw < taps.end; ++kw) {
      Vec weight[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) weight[v] = Load(w + v * kLanes);
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) {
          acc[p][v] = Fma(Image::Get(x + p * next + v * kLanes), weight[v], acc[p][v]);
        }
      }
      x += step;
      w += line.weight_stride;
    }
  }
}

template <typename Image, int kPixels, int kVecs>
void Pixels(const DepthwiseLine& line, int64_t pixel, Taps taps, int64_t c) {
  Vec acc[kPixels][kVecs];
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      acc[p][v] = line.bias == nullptr ? Zero() : Load(line.bias + c + v * kLanes);
    }
  }
  Accumulate<Image, kPixels, kVecs>(line, pixel, taps, c, acc);
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) {
    float* out = line.out + (pixel + p) * line.out_stride + c;
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) Store(out + v * kLanes, acc[p][v]);
  }
}

// The last channels of one pixel, fewer than a vector. Weights are padded, so they load whole.
template <typename Image>
void PixelTail(const DepthwiseLine& line, int64_t pixel, Taps taps, int64_t c) {
  using Type = typename Image::Type;
  const int64_t n = line.channels - c;
  Vec acc = line.bias == nullptr ? Zero() : LoadTail(line.bias + c, n);
  for (int64_t kh = 0; kh < line.kernel_h; ++kh) {
    if (line.lines[kh] == nullptr) continue;
    const Type* image = static_cast<const Type*>(line.lines[kh]);
    for (int64_t kw = taps.begin; kw < taps.end; ++kw) {
      const int64_t at = pixel * line.stride_w - line.pad_left + kw * line.dilation_w;
      const float* w = line.weights + (kh * line.kernel_w + kw) * line.weight_stride + c;
      acc = Fma(Image::GetTail(image + at * line.pixel_stride + c, n), Load(w), acc);
    }
  }
  StoreTail(line.out + pixel * line.out_stride + c, acc, n);
}

template <typename Image>
void OnePixel(const DepthwiseLine& line, int64_t pixel, Taps taps) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= line.channels; c += 4 * kLanes)
    Pixels<Image, 1, 4>(line, pixel, taps, c);
  for (; c + kLanes <= line.channels; c += kLanes) Pixels<Image, 1, 1>(line, pixel, taps, c);
  if (c < line.channels) PixelTail<Image>(line, pixel, taps, c);
}

template <typename Image, int kPixels>
void SeveralPixels(const DepthwiseLine& line, int64_t pixel) {
  const Taps all{0, line.kernel_w};
  int64_t c = 0;
  for (; c + 2 * kLanes <= line.channels; c += 2 * kLanes) {
    Pixels<Image, kPixels, 2>(line, pixel, all, c);
  }
  for (; c + kLanes <= line.channels; c += kLanes) Pixels<Image, kPixels, 1>(line, pixel, all, c);
  if (c < line.channels) {
    for (int p = 0; p < kPixels; ++p) PixelTail<Image>(line, pixel + p, all, c);
  }
}

// The taps of a filter row that lie inside the image for this pixel.
Taps TapsInside(const DepthwiseLine& line, int64_t pixel) {
  const int64_t at = pixel * line.stride_w - line.pad_left;
  int64_t begin = 0;
  while (begin < line.kernel_w && at + begin * line.dilation_w < 0) ++begin;
  int64_t end = line.kernel_w;
  while (end > begin && at + (end - 1) * line.dilation_w >= line.in_w) --end;
  return {begin, end};
}

// kPixels neighbouring pixels from `pixel` on, one vector of channels from `c` on, of a filter with
// stride and dilation 1: each pixel of the image is loaded once for all taps that read it.
// kInside: all of them lie in the image.
template <typename Image, int kPixels, int kTaps, bool kInside>
void Slide(const DepthwiseLine& line, int64_t pixel, int64_t c) {
  using Type = typename Image::Type;
  const int64_t first = pixel - line.pad_left;
  Vec acc[kPixels];
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) acc[p] = line.bias == nullptr ? Zero() : Load(line.bias + c);
  for (int64_t kh = 0; kh < line.kernel_h; ++kh) {
    if (line.lines[kh] == nullptr) continue;
    const Type* image = static_cast<const Type*>(line.lines[kh]) + c;
    const float* w = line.weights + kh * kTaps * line.weight_stride + c;
    Vec weight[kTaps];
#pragma GCC unroll 8
    for (int t = 0; t < kTaps; ++t) weight[t] = Load(w + t * line.weight_stride);
#pragma GCC unroll 16
    for (int j = 0; j < kPixels + kTaps - 1; ++j) {
      const int64_t at = first + j;
      if constexpr (!kInside) {
        if (at < 0 || at >= line.in_w) continue;
      }
      const Vec value = Image::Get(image + at * line.pixel_stride);
#pragma GCC unroll 8
      for (int t = 0; t < kTaps; ++t) {
        const int p = j - t;
        if (p >= 0 && p < kPixels) acc[p] = Fma(value, weight[t], acc[p]);
      }
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) Store(line.out + (pixel + p) * line.out_stride + c, acc[p]);
}

template <typename Image, int kPixels, int kTaps>
void SlideAll(const DepthwiseLine& line, int64_t pixel) {
  const int64_t first = pixel - line.pad_left;
  const bool inside = first >= 0 && first + kPixels + kTaps - 1 <= line.in_w;
  const auto slide =
      inside ? Slide<Image, kPixels, kTaps, true> : Slide<Image, kPixels, kTaps, false>;
  int64_t c = 0;
  for (; c + kLanes <= line.channels; c += kLanes) slide(line, pixel, c);
  if (c == line.channels) return;
  for (int64_t p = pixel; p < pixel + kPixels; ++p) {
    PixelTail<Image>(line, p, TapsInside(line, p), c);
  }
}

template <typename Image, int kTaps>
void SlideLine(const DepthwiseLine& line) {
  int64_t pixel = 0;
  while (pixel < line.out_w) {
    const int64_t left = line.out_w - pixel;
    if (left == 7 || left == 14) {  // the lines of small images: whole, and in halves
      SlideAll<Image, 7, kTaps>(line, pixel);
      pixel += 7;
    } else if (left >= 8) {
      SlideAll<Image, 8, kTaps>(line, pixel);
      pixel += 8;
    } else if (left >= 4) {
      SlideAll<Image, 4, kTaps>(line, pixel);
      pixel += 4;
    } else {
      SlideAll<Image, 1, kTaps>(line, pixel);
      pixel += 1;
    }
  }
}

template <typename Image>
void Line(const DepthwiseLine& line) {
  if (line.stride_w == 1 && line.dilation_w == 1) {
    if (line.kernel_w == 3) return SlideLine<Image, 3>(line);
    if (line.kernel_w == 5) return SlideLine<Image, 5>(line);
    if (line.kernel_w == 7) return SlideLine<Image, 7>(line);
  }
  constexpr int kPixels = 4;
  int64_t pixel = 0;
  while (pixel < line.out_w) {
    const Taps taps = TapsInside(line, pixel);
    const int64_t last = (pixel + kPixels - 1) * line.stride_w - line.pad_left;
    if (taps.begin == 0 && taps.end == line.kernel_w && pixel + kPixels <= line.out_w &&
        last + (line.kernel_w - 1) * line.dilation_w < line.in_w) {
      SeveralPixels<Image, kPixels>(line, pixel);
      pixel += kPixels;
    } else {
      OnePixel<Image>(line, pixel, taps);
      ++pixel;
    }
  }
}

}  // namespace

extern const DepthwiseTable kDepthwise;
const DepthwiseTable kDepthwise = {Line<ImageF32>, Line<ImageF16>, Line<ImageBf16>};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
