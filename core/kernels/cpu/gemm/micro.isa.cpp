#include "core/kernels/cpu/gemm/micro.h"

#include "core/kernels/cpu/gemm/micro_rows.h"
#include "core/kernels/cpu/gemm/vec.h"

namespace torch_tensorrt::core::kernels::TORCHTRT_ISA {
namespace {

inline constexpr int kVecsPerPanel = kPanelColumns / kLanes;

// How a panel is stored and loaded. A step is the number of k values that lie together.
struct PanelF32 {
  static constexpr int kStep = 1;
  static constexpr int64_t kStepBytes = kPanelColumns * 4;
  template <int kWhich>
  static Vec Get(const char* b, int vec) {
    return Load(reinterpret_cast<const float*>(b) + vec * kLanes);
  }
};
struct PanelF16 {
  static constexpr int kStep = 1;
  static constexpr int64_t kStepBytes = kPanelColumns * 2;
  template <int kWhich>
  static Vec Get(const char* b, int vec) {
    return LoadF16(reinterpret_cast<const uint16_t*>(b) + vec * kLanes);
  }
};
struct PanelBf16 {
  static constexpr int kStep = 2;
  static constexpr int64_t kStepBytes = kPanelColumns * 4;
  template <int kWhich>
  static Vec Get(const char* b, int vec) {
    const uint16_t* pair = reinterpret_cast<const uint16_t*>(b) + vec * kLanes * 2;
    return kWhich == 0 ? LoadPairEven(pair) : LoadPairOdd(pair);
  }
};

// Emits nothing; holds the accumulators of a row in registers and its instructions in place. Left
// alone, GCC mixes the rows of several k and spills accumulators in the largest tiles.
template <int kVecs>
inline __attribute__((always_inline)) void KeepRow(Vec (&acc)[kVecs]) {
#if defined(TORCHTRT_GEMM_AVX512)
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) asm volatile("" : "+v"(acc[v]));
#else
  (void)acc;
#endif
}

// The rows of a tile: each at a place of its own.
template <int kRows>
struct TileRows {
  const float* at[kRows];
  inline __attribute__((always_inline)) void Locate(const MicroArgs& args, int64_t tap) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      at[i] = static_cast<const float*>(args.rows[tap * args.row_stride + i]) + args.offset;
    }
  }
  inline __attribute__((always_inline)) float Get(int i, int64_t k) const { return at[i][k]; }
};
// The rows of a tile: side by side.
template <int kRows>
struct TileColumns {
  const float* at;
  int64_t stride;
  inline __attribute__((always_inline)) void Locate(const MicroArgs& args, int64_t tap) {
    stride = args.k_stride;
    at = static_cast<const float*>(args.rows[tap * args.row_stride]) + args.offset * stride;
  }
  inline __attribute__((always_inline)) float Get(int i, int64_t k) const {
    return at[k * stride + i];
  }
};

// One k value of one step: acc += a[row][k] * b[k][column].
template <typename Panel, int kRows, int kWhich, int kVecs, typename Tile>
inline __attribute__((always_inline)) void MultiplyOne(const Tile& a, int64_t k, const char* b,
                                                       int64_t b_panel, Vec (&acc)[kRows][kVecs]) {
  // Keeps the compiler from hoisting the loads of several k at once, which would spill
  // accumulators.
  asm volatile("" ::: "memory");
  Vec values[kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    values[v] = Panel::template Get<kWhich>(b + (v / kVecsPerPanel) * b_panel, v % kVecsPerPanel);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const Vec x = Set1(a.Get(i, k));
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[i][v] = Fma(x, values[v], acc[i][v]);
    KeepRow(acc[i]);
  }
}

template <int kRows, int kVecs>
inline __attribute__((always_inline)) void StoreTile(const MicroArgs& args,
                                                     Vec (&acc)[kRows][kVecs]) {
  const bool full = args.columns == kVecs * kLanes;
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    const int64_t left = args.columns - v * kLanes;
    if (left <= 0) return;
    const bool whole = full || left >= kLanes;
    Vec bias = Zero();
    if (args.bias != nullptr) {
      const float* p = args.bias + v * kLanes;
      bias = whole ? Load(p) : LoadTail(p, left);
    }
    float* c = args.c + v * kLanes;
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i, c += args.c_stride) {
      Vec value = Add(acc[i][v], bias);
      if (args.accumulate) value = Add(value, whole ? Load(c) : LoadTail(c, left));
      if (whole) {
        Store(c, value);
      } else {
        StoreTail(c, value, left);
      }
    }
  }
}

// Brings the tile of C into cache while the products are being formed. Its rows often lie on pages
// of their own.
template <int kRows, int kPanels>
inline __attribute__((always_inline)) void PrefetchTile(const MicroArgs& args) {
  const float* c = args.c;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, c += args.c_stride) {
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) __builtin_prefetch(c + p * kPanelColumns, 1, 3);
  }
}

// Small tiles keep several partial sums per element, enough to cover the latency of FMA.
template <int kAccumulators>
inline constexpr int kPartials = kAccumulators >= 8   ? 1
                                 : kAccumulators >= 3 ? 2
                                                      : 4;

// `kDropped`: vectors at the end of the last panel that hold no valid columns.
template <typename Panel, int kRows, int kPanels, typename Tile = TileRows<kRows>, int kDropped = 0>
void Multiply(const MicroArgs& args) {
  constexpr int kVecs = kPanels * kVecsPerPanel - kDropped;
  constexpr int kParts = kPartials<kRows * kVecs>;
  constexpr int kUnroll = kParts > 4 / Panel::kStep ? kParts : 4 / Panel::kStep;  // steps
  // Panels that one to four rows pass over stream at the speed of memory; there the hardware
  // prefetches best alone.
  constexpr bool kPrefetch = kRows > 4;
  constexpr int64_t kAhead = 1024;  // bytes
  Vec acc[kParts][kRows][kVecs];
#pragma GCC unroll 4
  for (int p = 0; p < kParts; ++p) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[p][i][v] = Zero();
    }
  }
  PrefetchTile<kRows, kPanels>(args);
  const char* b = static_cast<const char*>(args.b);
  const int64_t b_panel = args.b_panel;
  for (int64_t tap = 0; tap < args.taps; ++tap) {
    Tile a;
    a.Locate(args, tap);
    int64_t k = 0;
    for (; k + kUnroll * Panel::kStep <= args.run; k += kUnroll * Panel::kStep) {
#pragma GCC unroll 4
      for (int u = 0; u < kUnroll; ++u) {
        const int64_t at = k + u * Panel::kStep;
        const char* bu = b + u * Panel::kStepBytes;
        if constexpr (kPrefetch) {
#pragma GCC unroll 4
          for (int p = 0; p < kPanels; ++p) __builtin_prefetch(bu + p * b_panel + kAhead, 0, 3);
        }
        MultiplyOne<Panel, kRows, 0, kVecs>(a, at, bu, b_panel, acc[u % kParts]);
        if constexpr (Panel::kStep == 2) {
          MultiplyOne<Panel, kRows, 1, kVecs>(a, at + 1, bu, b_panel, acc[u % kParts]);
        }
      }
      b += kUnroll * Panel::kStepBytes;
    }
    for (; k < args.run; k += Panel::kStep, b += Panel::kStepBytes) {
      MultiplyOne<Panel, kRows, 0, kVecs>(a, k, b, b_panel, acc[0]);
      if constexpr (Panel::kStep == 2) {
        if (k + 1 < args.run) MultiplyOne<Panel, kRows, 1, kVecs>(a, k + 1, b, b_panel, acc[0]);
      }
    }
  }
#pragma GCC unroll 4
  for (int p = 1; p < kParts; ++p) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[0][i][v] = Add(acc[0][i][v], acc[p][i][v]);
    }
  }
  StoreTile<kRows, kVecs>(args, acc[0]);
}

#if defined(TORCHTRT_GEMM_AVX512)
inline __attribute__((always_inline)) __mmask8 HalfMask(int64_t n) {
  return static_cast<__mmask8>((1U << n) - 1U);
}

// The columns of a tile that lie in the first half of its last panel.
template <int kRows>
inline __attribute__((always_inline)) void StoreHalf(const MicroArgs& args, int64_t column,
                                                     __m256 (&acc)[kRows]) {
  const __mmask8 valid = HalfMask(args.columns - column);
  const __m256 bias =
      args.bias == nullptr ? _mm256_setzero_ps() : _mm256_maskz_loadu_ps(valid, args.bias + column);
  float* c = args.c + column;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, c += args.c_stride) {
    __m256 value = _mm256_add_ps(acc[i], bias);
    if (args.accumulate) value = _mm256_add_ps(value, _mm256_maskz_loadu_ps(valid, c));
    _mm256_mask_storeu_ps(c, valid, value);
  }
}

// As Multiply, with instructions of half the width for the last panel: they cost half where 512
// bits take two passes, and never more.
template <int kRows, int kPanels, typename Tile>
void MultiplyHalf(const MicroArgs& args) {
  constexpr int kFull = kPanels - 1;
  Vec acc[kRows][kFull + 1];
  __m256 last[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kFull; ++v) acc[i][v] = Zero();
    last[i] = _mm256_setzero_ps();
  }
  PrefetchTile<kRows, kPanels>(args);
  const char* b = static_cast<const char*>(args.b);
  for (int64_t tap = 0; tap < args.taps; ++tap) {
    Tile a;
    a.Locate(args, tap);
    for (int64_t k = 0; k < args.run; ++k, b += PanelF32::kStepBytes) {
      asm volatile("" ::: "memory");
      Vec values[kFull + 1];
      for (int v = 0; v < kFull; ++v) values[v] = PanelF32::Get<0>(b + v * args.b_panel, 0);
      const __m256 half = _mm256_loadu_ps(reinterpret_cast<const float*>(b + kFull * args.b_panel));
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const Vec x = Set1(a.Get(i, k));
        for (int v = 0; v < kFull; ++v) {
          acc[i][v] = Fma(x, values[v], acc[i][v]);
          asm volatile("" : "+v"(acc[i][v]));
        }
        last[i] = _mm256_fmadd_ps(_mm512_castps512_ps256(x), half, last[i]);
        asm volatile("" : "+v"(last[i]));
      }
    }
  }
  if constexpr (kFull > 0) {
    MicroArgs full = args;
    full.columns = kFull * kPanelColumns;
    StoreTile<kRows, kFull + 1>(full, acc);
  }
  StoreHalf<kRows>(args, kFull * kPanelColumns, last);
}
#endif

#if defined(TORCHTRT_ISA_avx512_bf16)
// Both sides bf16: two products a lane and an instruction, accumulated in f32.
template <int kRows, int kPanels>
inline __attribute__((always_inline)) void MultiplyPair(const uint32_t (&a)[kRows], const char* b,
                                                        int64_t b_panel,
                                                        Vec (&acc)[kRows][kPanels]) {
  __m512bh values[kPanels];
#pragma GCC unroll 2
  for (int p = 0; p < kPanels; ++p) {
    values[p] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + p * b_panel));
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a[i])));
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p) acc[i][p] = _mm512_dpbf16_ps(acc[i][p], x, values[p]);
    KeepRow(acc[i]);
  }
}

template <int kRows, int kPanels>
void MultiplyBf16(const MicroArgs& args) {
  constexpr int kParts = kPartials<kRows * kPanels>;
  constexpr int64_t kPrefetch = 2048;
  Vec acc[kParts][kRows][kPanels];
#pragma GCC unroll 4
  for (int q = 0; q < kParts; ++q) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; ++p) acc[q][i][p] = Zero();
    }
  }
  PrefetchTile<kRows, kPanels>(args);
  const char* b = static_cast<const char*>(args.b);
  for (int64_t tap = 0; tap < args.taps; ++tap) {
    const uint16_t* a[kRows];
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      a[i] = static_cast<const uint16_t*>(args.rows[tap * args.row_stride + i]) + args.offset;
    }
    uint32_t pair[kRows];
    int64_t k = 0;
    for (; k + 2 * kParts <= args.run; k += 2 * kParts) {
#pragma GCC unroll 4
      for (int q = 0; q < kParts; ++q) {
#pragma GCC unroll 2
        for (int p = 0; p < kPanels; ++p) {
          __builtin_prefetch(b + p * args.b_panel + kPrefetch, 0, 3);
        }
#pragma GCC unroll 16
        for (int i = 0; i < kRows; ++i) __builtin_memcpy(&pair[i], a[i] + k + 2 * q, 4);
        MultiplyPair<kRows, kPanels>(pair, b, args.b_panel, acc[q]);
        b += kPanelColumns * 4;
      }
    }
    for (; k < args.run; k += 2, b += kPanelColumns * 4) {
      const size_t bytes = k + 1 < args.run ? 4 : 2;
      for (int i = 0; i < kRows; ++i) {
        pair[i] = 0;
        __builtin_memcpy(&pair[i], a[i] + k, bytes);
      }
      MultiplyPair<kRows, kPanels>(pair, b, args.b_panel, acc[0]);
    }
  }
#pragma GCC unroll 4
  for (int q = 1; q < kParts; ++q) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; ++p) acc[0][i][p] = Add(acc[0][i][p], acc[q][i][p]);
    }
  }
  StoreTile<kRows, kPanels>(args, acc[0]);
}
#endif

#define TRT_ROWS_6(X, P) X(1, P), X(2, P), X(3, P), X(4, P), X(5, P), X(6, P)
#define TRT_ROWS_14(X, P) \
  TRT_ROWS_6(X, P), X(7, P), X(8, P), X(9, P), X(10, P), X(11, P), X(12, P), X(13, P), X(14, P)
#define TRT_F32(R, P) Multiply<PanelF32, R, P>
#define TRT_COLUMNS_F32(R, P) Multiply<PanelF32, R, P, TileColumns<R>>
#define TRT_F16(R, P) Multiply<PanelF16, R, P>
#define TRT_BF16(R, P) Multiply<PanelBf16, R, P>
#define TRT_BF16_BF16(R, P) MultiplyBf16<R, P>

// X: the kernels of a family; H: those of tiles with half a panel at the end.
#define TRT_NONE(R, P) nullptr
#define TRT_NO_SETUP nullptr, nullptr, 1
#if defined(TORCHTRT_GEMM_AVX512)
// Fewer rows gain nothing: they wait for memory.
#define TRT_HALF_ROWS(H, P)                                                                   \
  TRT_ROWS_6(TRT_NONE, P), H(7, P), H(8, P), H(9, P), H(10, P), H(11, P), H(12, P), H(13, P), \
      H(14, P)
#define TRT_HALF_F32(R, P) MultiplyHalf<R, P, TileRows<R>>
#define TRT_HALF_COLUMNS_F32(R, P) MultiplyHalf<R, P, TileColumns<R>>
#define TRT_FAMILY(X, H)                                               \
  {                                                                    \
    14, 2, {{TRT_ROWS_14(X, 1)}, {TRT_ROWS_14(X, 2)}}, TRT_NO_SETUP, { \
      {TRT_HALF_ROWS(H, 1)}, { TRT_HALF_ROWS(H, 2) }                   \
    }                                                                  \
  }
#elif defined(TORCHTRT_GEMM_AVX2)
#define TRT_HALF_F32(R, P) Multiply<PanelF32, R, P, TileRows<R>, 1>
#define TRT_HALF_COLUMNS_F32(R, P) Multiply<PanelF32, R, P, TileColumns<R>, 1>
#define TRT_FAMILY(X, H)                            \
  {                                                 \
    6, 1, {{TRT_ROWS_6(X, 1)}, {}}, TRT_NO_SETUP, { \
      {TRT_ROWS_6(H, 1)}, {}                        \
    }                                               \
  }
#else
#define TRT_HALF_F32 TRT_NONE
#define TRT_HALF_COLUMNS_F32 TRT_NONE
#define TRT_FAMILY(X, H)                             \
  {                                                  \
    2, 1, {{X(1, 1), X(2, 1)}, {}}, TRT_NO_SETUP, {} \
  }
#endif
#define TRT_ROW_FAMILY(X)                          \
  {                                                \
    1, 4, {                                        \
      {X(1, 1)}, {X(1, 2)}, {X(1, 3)}, { X(1, 4) } \
    }                                              \
  }
#if defined(TORCHTRT_ISA_avx512_bf16)
#define TRT_BF16_FAMILY TRT_FAMILY(TRT_BF16_BF16, TRT_NONE)
#else
#define TRT_BF16_FAMILY \
  {                     \
    0, 0, {}            \
  }
#endif

}  // namespace

extern const GemmMicroTable kGemmMicro;
const GemmMicroTable kGemmMicro = {
    TRT_FAMILY(TRT_F32, TRT_HALF_F32),
    TRT_FAMILY(TRT_COLUMNS_F32, TRT_HALF_COLUMNS_F32),
    TRT_FAMILY(TRT_F16, TRT_NONE),
    TRT_FAMILY(TRT_BF16, TRT_NONE),
    TRT_BF16_FAMILY,
    TRT_ROW_FAMILY(TRT_F32),
    TRT_ROW_FAMILY(TRT_F16),
    TRT_ROW_FAMILY(TRT_BF16),
    F16ToF32Row,
    Bf16ToF32Row,
    F32ToF16Row,
    F32ToBf16Row,
    TransposeF32,
    StridedF32,
};

}  // namespace torch_tensorrt::core::kernels::TORCHTRT_ISA
