#include "core/kernels/cuda/matrix/tile.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr size_t kReservedPerBlock = 1024;

// A tile and what was measured of it on one multiprocessor.
struct Candidate {
  Tile tile;
  double rate;      // multiply-adds per ns of a multiprocessor full of such blocks
  double step_ns;   // a step along k of a lone block
  double fixed_ns;  // start, first loads, results
};

// Measured on an H200; f16 and bf16.
constexpr Candidate kWarpgroup[] = {
    {{128, 192, 4, 8, 1, true, 1}, 3000, 420, 3500},
    {{128, 256, 4, 8, 1, true, 1}, 3100, 500, 4200},
    {{256, 128, 4, 8, 1, true, 1}, 3000, 500, 4200},
    {{128, 128, 3, 8, 1, true, 1}, 1850, 330, 2600},
    {{64, 256, 4, 4, 2, true, 1}, 2300, 400, 2700},
    {{64, 128, 4, 4, 2, true, 1}, 1550, 190, 2000},
    {{128, 64, 4, 8, 1, true, 1}, 1400, 190, 2000},
    {{64, 64, 5, 4, 1, true, 1}, 1250, 150, 1500},
};
constexpr Candidate kWarp[] = {
    {{128, 128, 4, 2, 4, false, 1}, 1250, 700, 2600},
    {{64, 64, 4, 2, 2, false, 1}, 1000, 350, 1500},
};
constexpr Candidate kFloat[] = {
    {{64, 64, 3, 2, 2, false, 1}, 125, 800, 2000},
};
constexpr Candidate kGathered[] = {
    {{64, 64, 3, 2, 2, false, 1}, 200, 1500, 3000},
};

std::span<const Candidate> CandidatesFor(const device::cuda::GpuInfo& gpu, DataType dtype,
                                         bool any_strides) {
  if (any_strides) return kGathered;
  if (dtype == DataType::kFloat32) return kFloat;
  return gpu.compute_major == 9 ? std::span<const Candidate>(kWarpgroup)
                                : std::span<const Candidate>(kWarp);
}

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

constexpr size_t kSharedPerMultiprocessor = 228 * 1024;

int64_t Blocks(const Tile& tile, int64_t m, int64_t n, int64_t batches) {
  return CeilDiv(m, tile.m) * CeilDiv(n, tile.n) * batches * tile.split;
}

int64_t Steps(const Tile& tile, DataType dtype, int64_t k) {
  return CeilDiv(CeilDiv(k, TileDepth(dtype)), tile.split);
}

// As many stages as fit when the blocks are spread over all multiprocessors, and no more than the
// steps along k can use.
int FitStages(const device::cuda::GpuInfo& gpu, const Tile& tile, int64_t blocks, int64_t steps) {
  constexpr int kMost = 10;
  const int64_t sharing = CeilDiv(blocks, std::max(gpu.multiprocessors, 1));
  const int least = tile.wgmma ? 3 : 2;
  int stages = tile.stages;
  Tile more = tile;
  while (sharing <= 2 && more.stages <= kMost && more.shared_bytes() <= gpu.shared_per_block &&
         (more.shared_bytes() + kReservedPerBlock) * static_cast<size_t>(sharing) <=
             kSharedPerMultiprocessor) {
    stages = more.stages++;
  }
  return static_cast<int>(std::max<int64_t>(least, std::min<int64_t>(stages, steps + least - 1)));
}

double Nanoseconds(const device::cuda::GpuInfo& gpu, const Candidate& c, DataType dtype, int64_t m,
                   int64_t n, int64_t k, int64_t batches) {
  constexpr double kClusterNs = 300;
  constexpr double kLoadNs = 800;  // from asking for an operand tile to having it
  const Tile& tile = c.tile;
  const int64_t blocks = Blocks(tile, m, n, batches);
  const auto resident = std::clamp<int64_t>(
      static_cast<int64_t>(kSharedPerMultiprocessor / (tile.shared_bytes() + kReservedPerBlock)), 1,
      2048 / tile.threads());
  const int64_t multiprocessors = std::max(gpu.multiprocessors, 1);
  const int64_t waves = CeilDiv(blocks, multiprocessors * resident);
  const auto sharing = static_cast<double>(std::min(resident, CeilDiv(blocks, multiprocessors)));
  const double work = static_cast<double>(tile.m) * tile.n * static_cast<double>(TileDepth(dtype));
  const double waiting = kLoadNs / std::max(tile.stages - (tile.wgmma ? 2 : 1), 1);
  const double step = std::max({c.step_ns, waiting, work * sharing / c.rate});
  // Blocks wait for each other and read each other's sums.
  const double cluster =
      kClusterNs * (1 + tile.split) * std::sqrt(static_cast<double>(tile.m) * tile.n) / 64;
  return static_cast<double>(waves) *
             (static_cast<double>(Steps(tile, dtype, k)) * step + c.fixed_ns) +
         (tile.split > 1 ? cluster : 0.0);
}

}  // namespace

int64_t TileDepth(DataType dtype) { return 128 / static_cast<int64_t>(SizeOf(dtype)); }

size_t Tile::shared_bytes() const {
  const auto operands = static_cast<size_t>(stages) * static_cast<size_t>(m + n) * 128;
  const auto sums = static_cast<size_t>(m) * static_cast<size_t>(n + 8) * sizeof(float);
  return std::max(operands, sums) + 1024;
}

TileChoice ChooseTile(const device::cuda::GpuInfo& gpu, DataType dtype, int64_t m, int64_t n,
                      int64_t k, int64_t batches, bool any_strides) {
  constexpr int64_t kStepsPerSplit = 2;
  const std::span<const Candidate> candidates = CandidatesFor(gpu, dtype, any_strides);
  Tile best = candidates.front().tile;
  double best_ns = -1;
  for (const Candidate& candidate : candidates) {
    for (const int split : {1, 2, 4, 8}) {
      Candidate c = candidate;
      c.tile.split = split;
      c.tile.stages =
          FitStages(gpu, c.tile, Blocks(c.tile, m, n, batches), Steps(c.tile, dtype, k));
      if (c.tile.shared_bytes() > gpu.shared_per_block && gpu.shared_per_block != 0) continue;
      // Clusters that wait for each other's multiprocessors cost more than they save.
      if (split > 1 && (gpu.compute_major < 9 || Steps(c.tile, dtype, k) < kStepsPerSplit ||
                        Blocks(c.tile, m, n, batches) > gpu.multiprocessors)) {
        continue;
      }
      const double ns = Nanoseconds(gpu, c, dtype, m, n, k, batches);
      if (best_ns < 0 || ns < best_ns) {
        best_ns = ns;
        best = c.tile;
      }
    }
  }
  return {best, best_ns};
}

}  // namespace torch_tensorrt::core::kernels::cuda
