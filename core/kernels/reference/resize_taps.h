// Which input positions an output position of Resize reads along one dim, and their weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace torch_tensorrt::core::kernels::reference {

struct ResizeTap {
  int64_t at = 0;
  double weight = 1;
};
using ResizeTaps = std::vector<ResizeTap>;

struct ResizeAxis {
  int64_t in = 0;
  int64_t out = 0;
  double scale = 0;  // given by the user, 0 = from sizes
  bool align_corners = false;
};

// Taps of output position `o`, those of weight 0 too: torch multiplies what they read, which may be
// NaN; mode nearest, nearest-exact, linear or cubic. Positions are computed
// in f32 unless `in_double`. REQUIRES: axis.in > 0, 0 <= o < axis.out.
ResizeTaps TapsAt(const std::string& mode, const ResizeAxis& axis, bool in_double, int64_t o);

}  // namespace torch_tensorrt::core::kernels::reference
