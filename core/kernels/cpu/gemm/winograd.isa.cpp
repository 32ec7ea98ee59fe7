// A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.1.
#include "core/kernels/cpu/gemm/vec.h"
#include "core/kernels/cpu/gemm/winograd_code.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

constexpr int64_t kPanel = 16;  // columns of a packed panel

inline Vec Sub(Vec a, Vec b) { return a - b; }

// Four values against B^T: (x0 - x2, x1 + x2, x2 - x1, x1 - x3).
inline __attribute__((always_inline)) void TransformFour(const Vec (&x)[4], Vec (&y)[4]) {
  y[0] = Sub(x[0], x[2]);
  y[1] = Add(x[1], x[2]);
  y[2] = Sub(x[2], x[1]);
  y[3] = Sub(x[1], x[3]);
}

// Three weights against G: (g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2).
inline __attribute__((always_inline)) void TransformThree(const Vec (&g)[3], Vec (&y)[4]) {
  const Vec half = Set1(0.5F);
  const Vec ends = Add(g[0], g[2]);
  y[0] = g[0];
  y[1] = Add(ends, g[1]) * half;
  y[2] = Sub(ends, g[1]) * half;
  y[3] = g[2];
}

void Weights(const float* panel, int64_t channels, float* u, int64_t position_stride) {
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const float* g = panel + c * kPanel + lane;
      Vec rows[4][3];
#pragma GCC unroll 3
      for (int j = 0; j < 3; ++j) {
        const Vec column[3] = {Load(g + (0 + j) * channels * kPanel),
                               Load(g + (3 + j) * channels * kPanel),
                               Load(g + (6 + j) * channels * kPanel)};
        Vec out[4];
        TransformThree(column, out);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) rows[i][j] = out[i];
      }
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        Vec out[4];
        TransformThree(rows[i], out);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          Store(u + (i * 4 + j) * position_stride + c * kPanel + lane, out[j]);
        }
      }
    }
  }
}

template <typename LoadFn, typename StoreFn>
inline __attribute__((always_inline)) void InputVector(const LoadFn& load, const StoreFn& store) {
  Vec rows[4][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const Vec column[4] = {load(j), load(4 + j), load(8 + j), load(12 + j)};
    Vec out[4];
    TransformFour(column, out);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) rows[i][j] = out[i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    Vec out[4];
    TransformFour(rows[i], out);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store(i * 4 + j, out[j]);
  }
}

void Input(const float* const* pixels, int64_t channels, float* v, int64_t position_stride) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    InputVector([&](int p) { return Load(pixels[p] + c); },
                [&](int p, Vec x) { Store(v + p * position_stride + c, x); });
  }
  if (c < channels) {
    const int64_t n = channels - c;
    InputVector([&](int p) { return LoadTail(pixels[p] + c, n); },
                [&](int p, Vec x) { StoreTail(v + p * position_stride + c, x, n); });
  }
}

// Two by two results of 4x4 products: A^T M A with A^T = (1 1 1 0; 0 1 -1 -1).
template <typename LoadFn>
inline __attribute__((always_inline)) void OutputVector(const LoadFn& load, Vec (&y)[4]) {
  Vec top[4];
  Vec bottom[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const Vec m1 = load(4 + j);
    const Vec m2 = load(8 + j);
    top[j] = Add(Add(load(j), m1), m2);
    bottom[j] = Sub(Sub(m1, m2), load(12 + j));
  }
  y[0] = Add(Add(top[0], top[1]), top[2]);
  y[1] = Sub(Sub(top[1], top[2]), top[3]);
  y[2] = Add(Add(bottom[0], bottom[1]), bottom[2]);
  y[3] = Sub(Sub(bottom[1], bottom[2]), bottom[3]);
}

bool Output(const WinogradTile& tile) {
  Vec poison = Zero();  // becomes NaN where a result is not finite
  for (int64_t c = 0; c < tile.columns; c += kLanes) {
    const int64_t n = tile.columns - c;
    const bool whole = n >= kLanes;
    Vec y[4];
    // The products' rows have whole panels, so they load whole.
    OutputVector([&](int p) { return Load(tile.products + p * tile.position_stride + c); }, y);
    Vec bias = Zero();
    if (tile.bias != nullptr) bias = whole ? Load(tile.bias + c) : LoadTail(tile.bias + c, n);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      if (tile.pixels[i] == nullptr) continue;
      const Vec value = Add(y[i], bias);
      if (whole) {
        poison = Fma(value, Zero(), poison);
        Store(tile.pixels[i] + c, value);
      } else {
        StoreTail(tile.pixels[i] + c, value, n);
        poison = Fma(LoadTail(tile.pixels[i] + c, n), Zero(), poison);
      }
    }
  }
  float lanes[kLanes];
  Store(lanes, poison);
  bool finite = true;
  for (float lane : lanes) finite = finite && lane == 0.0F;
  return finite;
}

}  // namespace

extern const WinogradTable kWinograd;
const WinogradTable kWinograd = {Weights, Input, Output};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
