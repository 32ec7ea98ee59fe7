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

template <typename Image>
void Line(const DepthwiseLine& line) {
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
