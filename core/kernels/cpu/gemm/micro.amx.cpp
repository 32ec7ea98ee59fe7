#include <immintrin.h>

#include "core/kernels/cpu/gemm/micro_amx.h"

namespace torch_tensorrt::core::kernels::amx {
namespace {

constexpr int64_t kTileRows = 16;   // of a tile register
constexpr int64_t kTileBytes = 64;  // of one of its rows
constexpr int64_t kStep = 32;       // values of k that one product takes

// What ldtilecfg reads (Intel SDM volume 1, chapter 18).
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

// The compiler's tile intrinsics do not say which memory they read.
inline void Fence() { __asm__ volatile("" ::: "memory"); }

// Tiles 0..3 are C [half][panel], 4 and 5 the halves of A, 6 and 7 the panels of B.
template <int kRows>
void Configure() {
  TileConfig config;
  for (int t = 0; t < 8; ++t) {
    config.bytes[t] = static_cast<uint16_t>(kTileBytes);
    config.rows[t] = static_cast<uint8_t>(kTileRows);
  }
  constexpr uint8_t kFirst = kRows < kTileRows ? kRows : kTileRows;
  constexpr uint8_t kSecond = kRows > kTileRows ? kRows - kTileRows : 1;
  config.rows[0] = config.rows[1] = config.rows[4] = kFirst;
  config.rows[2] = config.rows[3] = config.rows[5] = kSecond;
  Fence();
  _tile_loadconfig(&config);
}

template <bool kTwoHalves, bool kTwoPanels>
inline __attribute__((always_inline)) void MultiplyStep(const char* a, int64_t a_stride,
                                                        const char* b, int64_t b_panel) {
  Fence();
  _tile_loadd(4, a, a_stride);
  _tile_loadd(6, b, kTileBytes);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kTwoPanels) {
    _tile_loadd(7, b + b_panel, kTileBytes);
    _tile_dpbf16ps(1, 4, 7);
  }
  if constexpr (kTwoHalves) {
    _tile_loadd(5, a + kTileRows * a_stride, a_stride);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (kTwoPanels) _tile_dpbf16ps(3, 5, 7);
  }
}

// The rows of one tap: `stride` bytes apart, or, when that is 0, at `rows`.
struct TapRows {
  const char* base;
  int64_t stride;
};

template <int kRows>
TapRows Locate(const MicroArgs& args, int64_t tap) {
  const void* const* rows = args.rows + tap * args.row_stride;
  const char* base = static_cast<const char*>(rows[0]);
  const int64_t stride = kRows > 1 ? static_cast<const char*>(rows[1]) - base : kTileBytes;
  bool even = true;
  for (int i = 1; i < kRows; ++i) {
    even = even && static_cast<const char*>(rows[i]) - base == i * stride;
  }
  return {base + args.offset * 2, even ? stride : 0};
}

// `bytes` of each row from byte `at` on, zero-padded to whole tile rows.
template <int kRows>
void Gather(const MicroArgs& args, int64_t tap, int64_t at, int64_t bytes, char* out) {
  const void* const* rows = args.rows + tap * args.row_stride;
  const auto mask = static_cast<__mmask32>(bytes >= kTileBytes ? ~0U : (1U << (bytes / 2)) - 1U);
  for (int i = 0; i < kRows; ++i) {
    const char* row = static_cast<const char*>(rows[i]) + args.offset * 2 + at;
    _mm512_store_si512(out + i * kTileBytes, _mm512_maskz_loadu_epi16(mask, row));
  }
}

// Adds a finished tile of C to where it belongs.
void StoreHalf(const float* tile, int64_t rows, const MicroArgs& args, int64_t panel, float* c) {
  const int64_t left = args.columns - panel * kPanelColumns;
  if (left <= 0) return;
  const auto mask = static_cast<__mmask16>(left >= kPanelColumns ? 0xffffU : (1U << left) - 1U);
  const int64_t column = panel * kPanelColumns;
  __m512 bias = _mm512_setzero_ps();
  if (args.bias != nullptr) bias = _mm512_maskz_loadu_ps(mask, args.bias + column);
  for (int64_t r = 0; r < rows; ++r) {
    float* at = c + r * args.c_stride + column;
    __m512 value = _mm512_add_ps(_mm512_load_ps(tile + r * kPanelColumns), bias);
    if (args.accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, at));
    _mm512_mask_storeu_ps(at, mask, value);
  }
}

template <int kRows, int kPanels>
void StoreTiles(const MicroArgs& args) {
  constexpr int64_t kFirst = kRows < kTileRows ? kRows : kTileRows;
  alignas(64) float tile[kTileRows * kPanelColumns];
  _tile_stored(0, tile, kTileBytes);
  Fence();
  StoreHalf(tile, kFirst, args, 0, args.c);
  if constexpr (kPanels > 1) {
    _tile_stored(1, tile, kTileBytes);
    Fence();
    StoreHalf(tile, kFirst, args, 1, args.c);
  }
  if constexpr (kRows > kTileRows) {
    float* c = args.c + kTileRows * args.c_stride;
    _tile_stored(2, tile, kTileBytes);
    Fence();
    StoreHalf(tile, kRows - kTileRows, args, 0, c);
    if constexpr (kPanels > 1) {
      _tile_stored(3, tile, kTileBytes);
      Fence();
      StoreHalf(tile, kRows - kTileRows, args, 1, c);
    }
  }
}

// The last values of a run, fewer than a step: both sides zero-padded.
template <int kRows, int kPanels>
void MultiplyRest(const MicroArgs& args, int64_t tap, int64_t k, const char* b, char* rows) {
  constexpr bool kTwoHalves = kRows > kTileRows;
  alignas(64) char panels[kPanels][kTileRows * kTileBytes] = {};
  const int64_t left = args.run - k;
  Gather<kRows>(args, tap, k * 2, left * 2, rows);
  const int64_t bytes = (left + 1) / 2 * kTileBytes;
  for (int p = 0; p < kPanels; ++p) {
    __builtin_memcpy(panels[p], b + p * args.b_panel, static_cast<size_t>(bytes));
  }
  MultiplyStep<kTwoHalves, (kPanels > 1)>(rows, kTileBytes, panels[0], kTileRows * kTileBytes);
}

template <int kRows, int kPanels>
void Multiply(const MicroArgs& args) {
  constexpr bool kTwoHalves = kRows > kTileRows;
  constexpr bool kTwoPanels = kPanels > 1;
  alignas(64) char rows[32 * kTileBytes];
  Configure<kRows>();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const char* b = static_cast<const char*>(args.b);
  for (int64_t tap = 0; tap < args.taps; ++tap) {
    const TapRows a = Locate<kRows>(args, tap);
    int64_t k = 0;
    for (; k + kStep <= args.run; k += kStep, b += kTileRows * kTileBytes) {
      if (a.stride != 0) {
        MultiplyStep<kTwoHalves, kTwoPanels>(a.base + k * 2, a.stride, b, args.b_panel);
      } else {
        Gather<kRows>(args, tap, k * 2, kTileBytes, rows);
        MultiplyStep<kTwoHalves, kTwoPanels>(rows, kTileBytes, b, args.b_panel);
      }
    }
    if (k < args.run) {
      MultiplyRest<kRows, kPanels>(args, tap, k, b, rows);
      b += (args.run - k + 1) / 2 * kTileBytes;
    }
  }
  StoreTiles<kRows, kPanels>(args);
}

#define TRT_ROWS_8(P, N)                                                                  \
  Multiply<(N) + 1, P>, Multiply<(N) + 2, P>, Multiply<(N) + 3, P>, Multiply<(N) + 4, P>, \
      Multiply<(N) + 5, P>, Multiply<(N) + 6, P>, Multiply<(N) + 7, P>, Multiply<(N) + 8, P>
#define TRT_ROWS_32(P) TRT_ROWS_8(P, 0), TRT_ROWS_8(P, 8), TRT_ROWS_8(P, 16), TRT_ROWS_8(P, 24)

}  // namespace

const MicroFamily kBf16 = {32, 2, {{TRT_ROWS_32(1)}, {TRT_ROWS_32(2)}, {}, {}}};

}  // namespace torch_tensorrt::core::kernels::amx
