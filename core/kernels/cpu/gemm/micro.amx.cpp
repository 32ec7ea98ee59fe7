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
void Begin(int rows) {
  TileConfig config;
  for (int t = 0; t < 8; ++t) {
    config.bytes[t] = static_cast<uint16_t>(kTileBytes);
    config.rows[t] = static_cast<uint8_t>(kTileRows);
  }
  const auto first = static_cast<uint8_t>(rows < kTileRows ? rows : kTileRows);
  const auto second = static_cast<uint8_t>(rows > kTileRows ? rows - kTileRows : 1);
  config.rows[0] = config.rows[1] = config.rows[4] = first;
  config.rows[2] = config.rows[3] = config.rows[5] = second;
  Fence();
  _tile_loadconfig(&config);
}

void End() { _tile_release(); }

// One half of A, 16 rows or fewer, `stride` bytes apart.
struct HalfRows {
  const char* base;
  int64_t stride;
};

template <bool kTwoHalves, bool kTwoPanels>
inline __attribute__((always_inline)) void MultiplyStep(HalfRows first, HalfRows second,
                                                        const char* b, int64_t b_panel) {
  Fence();
  _tile_loadd(4, first.base, first.stride);
  _tile_loadd(6, b, kTileBytes);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kTwoPanels) {
    _tile_loadd(7, b + b_panel, kTileBytes);
    _tile_dpbf16ps(1, 4, 7);
  }
  if constexpr (kTwoHalves) {
    _tile_loadd(5, second.base, second.stride);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (kTwoPanels) _tile_dpbf16ps(3, 5, 7);
  }
}

// The half of a tap's rows from row kFirst on; stride 0 where they are not evenly spaced.
template <int kFirst, int kCount>
HalfRows Locate(const MicroArgs& args, int64_t tap) {
  const void* const* rows = args.rows + tap * args.row_stride + kFirst;
  const char* base = static_cast<const char*>(rows[0]);
  const int64_t stride = kCount > 1 ? static_cast<const char*>(rows[1]) - base : kTileBytes;
  bool even = true;
  for (int i = 2; i < kCount; ++i) {
    even = even && static_cast<const char*>(rows[i]) - base == i * stride;
  }
  return {base + args.offset * 2, even ? stride : 0};
}

// `bytes` of each row from byte `at` on, zero-padded to whole tile rows.
template <int kFirst, int kCount>
HalfRows Gather(const MicroArgs& args, int64_t tap, int64_t at, int64_t bytes, char* out) {
  const void* const* rows = args.rows + tap * args.row_stride + kFirst;
  const auto mask = static_cast<__mmask32>(bytes >= kTileBytes ? ~0U : (1U << (bytes / 2)) - 1U);
  for (int i = 0; i < kCount; ++i) {
    const char* row = static_cast<const char*>(rows[i]) + args.offset * 2 + at;
    _mm512_store_si512(out + i * kTileBytes, _mm512_maskz_loadu_epi16(mask, row));
  }
  return {out, kTileBytes};
}

// `half` moved by `at` bytes, gathered if its rows are not evenly spaced.
template <int kFirst, int kCount>
HalfRows At(const MicroArgs& args, HalfRows half, int64_t tap, int64_t at, char* out) {
  if (half.stride != 0) return {half.base + at, half.stride};
  return Gather<kFirst, kCount>(args, tap, at, kTileBytes, out);
}

// Rows of the two halves of a tile.
template <int kRows>
struct Halves {
  static constexpr int kFirst = kRows < kTileRows ? kRows : static_cast<int>(kTileRows);
  static constexpr int kSecond = kRows - kFirst;
};

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
void StoreInParts(const MicroArgs& args) {
  alignas(64) float tile[kTileRows * kPanelColumns];
  _tile_stored(0, tile, kTileBytes);
  Fence();
  StoreHalf(tile, Halves<kRows>::kFirst, args, 0, args.c);
  if constexpr (kPanels > 1) {
    _tile_stored(1, tile, kTileBytes);
    Fence();
    StoreHalf(tile, Halves<kRows>::kFirst, args, 1, args.c);
  }
  if constexpr (Halves<kRows>::kSecond > 0) {
    float* c = args.c + kTileRows * args.c_stride;
    _tile_stored(2, tile, kTileBytes);
    Fence();
    StoreHalf(tile, Halves<kRows>::kSecond, args, 0, c);
    if constexpr (kPanels > 1) {
      _tile_stored(3, tile, kTileBytes);
      Fence();
      StoreHalf(tile, Halves<kRows>::kSecond, args, 1, c);
    }
  }
}

// What the tiles of C start with when they are stored whole: what c holds, or the bias.
template <int kRows, int kPanels>
void LoadWhole(const MicroArgs& args) {
  constexpr bool kTwoHalves = Halves<kRows>::kSecond > 0;
  alignas(64) float bias[kPanels][kTileRows * kPanelColumns];
  const float* from[kPanels];
  int64_t stride = args.c_stride * 4;
  int64_t second = kTileRows * args.c_stride;
  for (int p = 0; p < kPanels; ++p) {
    from[p] = args.c + p * kPanelColumns;
    if (args.accumulate) continue;
    const __m512 row = _mm512_loadu_ps(args.bias + p * kPanelColumns);
    for (int i = 0; i < Halves<kRows>::kFirst; ++i) {
      _mm512_store_ps(bias[p] + i * kPanelColumns, row);
    }
    from[p] = bias[p];
    stride = kTileBytes;
    second = 0;
  }
  Fence();
  _tile_loadd(0, from[0], stride);
  if constexpr (kPanels > 1) _tile_loadd(1, from[1], stride);
  if constexpr (kTwoHalves) _tile_loadd(2, from[0] + second, stride);
  if constexpr (kTwoHalves && kPanels > 1) _tile_loadd(3, from[1] + second, stride);
}

template <int kRows, int kPanels>
void StoreWhole(const MicroArgs& args) {
  const int64_t stride = args.c_stride * 4;
  _tile_stored(0, args.c, stride);
  if constexpr (kPanels > 1) _tile_stored(1, args.c + kPanelColumns, stride);
  if constexpr (Halves<kRows>::kSecond > 0) {
    float* c = args.c + kTileRows * args.c_stride;
    _tile_stored(2, c, stride);
    if constexpr (kPanels > 1) _tile_stored(3, c + kPanelColumns, stride);
  }
  Fence();
}

// The last values of a run, fewer than a step: both sides zero-padded.
template <int kRows, int kPanels>
void MultiplyRest(const MicroArgs& args, int64_t tap, int64_t k, const char* b, char* rows) {
  constexpr int kFirst = Halves<kRows>::kFirst;
  constexpr int kSecond = Halves<kRows>::kSecond;
  alignas(64) char panels[kPanels][kTileRows * kTileBytes] = {};
  const int64_t left = args.run - k;
  const HalfRows first = Gather<0, kFirst>(args, tap, k * 2, left * 2, rows);
  HalfRows second = first;
  if constexpr (kSecond > 0) {
    second = Gather<kFirst, kSecond>(args, tap, k * 2, left * 2, rows + kFirst * kTileBytes);
  }
  const int64_t bytes = (left + 1) / 2 * kTileBytes;
  for (int p = 0; p < kPanels; ++p) {
    __builtin_memcpy(panels[p], b + p * args.b_panel, static_cast<size_t>(bytes));
  }
  MultiplyStep<(kSecond > 0), (kPanels > 1)>(first, second, panels[0], kTileRows * kTileBytes);
}

// REQUIRES: Begin(kRows).
template <int kRows, int kPanels>
void Multiply(const MicroArgs& args) {
  constexpr int kFirst = Halves<kRows>::kFirst;
  constexpr int kSecond = Halves<kRows>::kSecond;
  alignas(64) char rows[kRows * kTileBytes];
  const bool whole =
      args.columns == kPanels * kPanelColumns && !(args.accumulate && args.bias != nullptr);
  if (whole && (args.accumulate || args.bias != nullptr)) {
    LoadWhole<kRows, kPanels>(args);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const char* b = static_cast<const char*>(args.b);
  for (int64_t tap = 0; tap < args.taps; ++tap) {
    const HalfRows first = Locate<0, kFirst>(args, tap);
    HalfRows second = first;
    if constexpr (kSecond > 0) second = Locate<kFirst, kSecond>(args, tap);
    int64_t k = 0;
    for (; k + kStep <= args.run; k += kStep, b += kTileRows * kTileBytes) {
      const HalfRows upper = At<0, kFirst>(args, first, tap, k * 2, rows);
      HalfRows lower = upper;
      if constexpr (kSecond > 0) {
        lower = At<kFirst, kSecond>(args, second, tap, k * 2, rows + kFirst * kTileBytes);
      }
      MultiplyStep<(kSecond > 0), (kPanels > 1)>(upper, lower, b, args.b_panel);
    }
    if (k < args.run) {
      MultiplyRest<kRows, kPanels>(args, tap, k, b, rows);
      b += (args.run - k + 1) / 2 * kTileBytes;
    }
  }
  whole ? StoreWhole<kRows, kPanels>(args) : StoreInParts<kRows, kPanels>(args);
}

#define TRT_ROWS_8(P, N)                                                                  \
  Multiply<(N) + 1, P>, Multiply<(N) + 2, P>, Multiply<(N) + 3, P>, Multiply<(N) + 4, P>, \
      Multiply<(N) + 5, P>, Multiply<(N) + 6, P>, Multiply<(N) + 7, P>, Multiply<(N) + 8, P>
#define TRT_ROWS_32(P) TRT_ROWS_8(P, 0), TRT_ROWS_8(P, 8), TRT_ROWS_8(P, 16), TRT_ROWS_8(P, 24)

}  // namespace

const MicroFamily kBf16 = {32,     2,    {{TRT_ROWS_32(1)}, {TRT_ROWS_32(2)}, {}, {}},
                           &Begin, &End, static_cast<int>(kStep)};

}  // namespace torch_tensorrt::core::kernels::amx
