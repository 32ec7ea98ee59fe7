// The transforms of Winograd's F(2x2, 3x3): one table of functions per instruction set. Plain
// functions on caller memory; thread-safe. Included by *.isa.cpp files: no code here.
#pragma once

#include <cstdint>

namespace torch_tensorrt::core::kernels {

inline constexpr int kWinogradPositions = 16;  // of a 4x4 tile

// A tile's results become 2x2 pixels.
struct WinogradTile {
  const float* products;  // [16] positions, `position_stride` apart, of `columns` values
  int64_t position_stride;
  int64_t columns;
  const float* bias;  // one value per column, or null
  float* pixels[4];   // row-major 2x2; null: outside the image, not written
};

struct WinogradTable {
  // U = G g G^T of one packed panel [9][channels][16]; position p goes to u + p * position_stride,
  // as [channels][16].
  void (*weights)(const float* panel, int64_t channels, float* u, int64_t position_stride);
  // V = B^T d B of one 4x4 patch given by its pixels, row-major; position p goes to
  // v + p * position_stride.
  void (*input)(const float* const* pixels, int64_t channels, float* v, int64_t position_stride);
  // Y = A^T M A. Returns whether every value written is finite.
  bool (*output)(const WinogradTile& tile);
};

}  // namespace torch_tensorrt::core::kernels
