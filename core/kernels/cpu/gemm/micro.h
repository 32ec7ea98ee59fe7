// The inner loops of matrix products and convolutions: tables of micro-kernels, one table per
// instruction set.
//
// A micro-kernel multiplies a few rows of A with one to four packed panels of B (16 columns each,
// see pack.h) and leaves an f32 tile. The rows of A are given by pointers, so that one kernel
// serves dense matrices (one run of k values per row) and convolutions (one run per filter tap).
// Plain functions on caller memory; thread-safe. Included by *.isa.cpp files: no code here.
#pragma once

#include <cstdint>

namespace torch_tensorrt::core::kernels {

inline constexpr int kPanelColumns = 16;
inline constexpr int kHalfPanel = 8;
inline constexpr int kMaxTileRows = 32;
inline constexpr int kMaxTilePanels = 4;

struct MicroArgs {
  const void* const*
      rows;  // rows[tap * row_stride + i]: where row i of the tile finds its values for that tap
  int64_t row_stride;
  int64_t k_stride;  // of the `columns_` families: values from one k of a row to the next
  int64_t offset;    // elements skipped in every run
  int64_t taps;
  int64_t run;    // values multiplied per tap
  const void* b;  // first panel at the first k of this block; taps follow one another without a gap
  int64_t b_panel;  // bytes from one panel to the next
  float* c;         // the tile; rows c_stride elements apart
  int64_t c_stride;
  int64_t columns;  // valid columns, at most 16 * panels; only these are read from bias and c, and
                    // written
  const float* bias;  // added once per column, or null
  bool accumulate;    // add to what c holds
};
using MicroKernel = void (*)(const MicroArgs&);

// Kernels by [panels - 1][rows - 1]; null beyond max_panels and max_rows.
struct MicroFamily {
  int max_rows;
  int max_panels;
  MicroKernel kernels[kMaxTilePanels][kMaxTileRows];
  // Where kernels need the processor set up (slow: change the number of rows seldom). A thread
  // calls begin(rows) before kernels of that many rows, and end() after the last. Null: nothing to
  // do.
  void (*begin)(int rows) = nullptr;
  void (*end)() = nullptr;
  int k_step = 1;  // runs that are multiples of it lose nothing
  // The same for tiles whose last panel has at most kHalfPanel valid columns, at less than the
  // whole panel's cost; null where there are none.
  MicroKernel half_kernels[kMaxTilePanels][kMaxTileRows] = {};
};

// The `row_` families take a single row: they read several panels side by side, which memory serves
// faster than one.
struct GemmMicroTable {
  MicroFamily f32;          // A f32, B f32
  MicroFamily columns_f32;  // f32; the rows of a tile lie side by side, k_stride apart for each k
  MicroFamily f16;          // A f32, B f16
  MicroFamily bf16;         // A f32, B bf16 pairs
  MicroFamily
      bf16_bf16;  // A bf16, B bf16 pairs; max_rows 0 where the machine has no such instruction
  MicroFamily row_f32;
  MicroFamily row_f16;
  MicroFamily row_bf16;
  // dst[i] = src[i] for n values, rounding to nearest even.
  void (*f16_to_f32)(const uint16_t* src, float* dst, int64_t n);
  void (*bf16_to_f32)(const uint16_t* src, float* dst, int64_t n);
  void (*f32_to_f16)(const float* src, uint16_t* dst, int64_t n);
  void (*f32_to_bf16)(const float* src, uint16_t* dst, int64_t n);
  // dst[r * dst_stride + c] = src[c * src_stride + r] for r < rows, c < columns.
  void (*transpose_f32)(const float* src, int64_t src_stride, float* dst, int64_t dst_stride,
                        int64_t rows, int64_t columns);
  // dst[i] = src[i * stride] for n values.
  void (*strided_f32)(const float* src, int64_t stride, float* dst, int64_t n);
};

}  // namespace torch_tensorrt::core::kernels
