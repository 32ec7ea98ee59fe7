#include "core/kernels/cpu/gemm/winograd.h"

#include <algorithm>
#include <atomic>

#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/kernels/cpu/gemm/winograd_code.h"
#include "core/kernels/cpu/isa_table.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {

TRT_ISA_TABLE(WinogradTable, kWinograd, WinogradTableFor)

namespace {

constexpr int64_t kBlockPanels = 2;
constexpr int64_t kBlockTiles = 64;       // their products stay in L2
constexpr int64_t kChunkBytes = 8 << 20;  // of transformed input: stays in the shared cache
constexpr int64_t kMaxChain = 256;        // as in block.cpp: bounds the rounding error
constexpr int64_t kMinChannels = 16;      // below, transforms cost more than they save
constexpr int64_t kMinTaskTiles = 4;      // tiles that pay for a thread
// Tiles of a slot that pay for transforming all weights for them.
constexpr int64_t kMinOwnTiles = 24;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
size_t Align64(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }
// The 16 positions of a tile are touched together: strides near a multiple of the page size would
// put them all into the same few lines of L1.
int64_t PositionStride(int64_t elements) { return CeilDiv(elements, 1024) * 1024 + 64; }
int64_t BlockColumns() { return kBlockPanels * kPanelColumns; }

struct TileAt {
  int64_t n, h, w;
};
TileAt Locate(const WinogradPlan& plan, int64_t tile) {
  const int64_t plane = plan.tiles_h * plan.tiles_w;
  return {tile / plane, tile % plane / plan.tiles_w, tile % plan.tiles_w};
}

// One run over the image; holds what its phases share.
class Runner {
 public:
  Runner(const WinogradPlan& plan, const ConvolutionParams& params, const ConvolutionSize& size,
         const WinogradArgs& args)
      : plan_(plan), p_(params), s_(size), args_(args), table_(WinogradTableFor(CurrentIsa())) {}

  bool Run() {
    if (plan_.own_tiles) {
      ParallelFor(plan_.slots, 1, [&](int64_t begin, int64_t end, int /*thread*/) {
        for (int64_t slot = begin; slot < end; ++slot) RunOwn(slot);
      });
    } else {
      RunShared();
    }
    return finite_.load(std::memory_order_relaxed);
  }

 private:
  // Tiles whose transformed input exists at the same time.
  struct Chunk {
    int64_t first;
    int64_t count;
    float* input;
  };

  float* InputOf(int64_t slot) const {
    return reinterpret_cast<float*>(args_.scratch + static_cast<size_t>(slot) * plan_.input_bytes);
  }
  float* Transformed(const Chunk& chunk, int64_t position, int64_t tile) const {
    return chunk.input + position * plan_.input_stride + tile * p_.in_channels;
  }

  // A part of the image that no other slot touches: lines of pixels stay in the caches of the core
  // that the layers before and after run them on.
  void RunOwn(int64_t slot) {
    const int64_t begin = plan_.tiles * slot / plan_.slots;
    const int64_t end = plan_.tiles * (slot + 1) / plan_.slots;
    for (int64_t first = begin; first < end; first += plan_.chunk_tiles) {
      const Chunk chunk{first, std::min(plan_.chunk_tiles, end - first), InputOf(slot)};
      TransformInput(chunk, 0, chunk.count);
      for (int64_t block = 0; block < PanelBlocks(); ++block) {
        TransformWeights(block, WeightsOf(slot));
        MultiplyRange(chunk, block, 0, chunk.count, slot);
      }
    }
  }

  void RunShared() {
    for (int64_t first = 0; first < plan_.tiles; first += plan_.chunk_tiles) {
      const Chunk chunk{first, std::min(plan_.chunk_tiles, plan_.tiles - first), InputOf(0)};
      ParallelFor(chunk.count, kMinTaskTiles, [&](int64_t begin, int64_t end, int /*thread*/) {
        TransformInput(chunk, begin, end);
      });
      MultiplyShared(chunk);
    }
  }

  void TransformInput(const Chunk& chunk, int64_t begin, int64_t end) const {
    for (int64_t t = begin; t < end; ++t) {
      const float* pixels[kWinogradPositions];
      Patch(Locate(plan_, chunk.first + t), pixels);
      table_.input(pixels, p_.in_channels, Transformed(chunk, 0, t), plan_.input_stride);
    }
  }

  void Patch(const TileAt& at, const float** pixels) const {
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t ih = 2 * at.h - p_.pad_top + i;
      for (int64_t j = 0; j < 4; ++j) {
        const int64_t iw = 2 * at.w - p_.pad_left + j;
        const bool inside = ih >= 0 && ih < s_.in_h && iw >= 0 && iw < s_.in_w;
        pixels[i * 4 + j] =
            inside ? args_.image + ((at.n * s_.in_h + ih) * s_.in_w + iw) * p_.in_channels
                   : plan_.zeros.data();
      }
    }
  }

  void MultiplyShared(const Chunk& chunk) {
    const int64_t tasks = PanelBlocks() * plan_.tile_groups;
    ParallelFor(tasks, CeilDiv(tasks, plan_.slots), [&](int64_t begin, int64_t end, int slot) {
      int64_t ready = -1;  // panel block whose weights are transformed
      for (int64_t task = begin; task < end; ++task) {
        const int64_t block = task / plan_.tile_groups;
        const int64_t group = task % plan_.tile_groups;
        if (block != ready) TransformWeights(block, WeightsOf(slot));
        ready = block;
        MultiplyRange(chunk, block, chunk.count * group / plan_.tile_groups,
                      chunk.count * (group + 1) / plan_.tile_groups, slot);
      }
    });
  }

  int64_t PanelBlocks() const { return CeilDiv(PanelCount(p_.out_channels), kBlockPanels); }
  float* WeightsOf(int64_t slot) const {
    return reinterpret_cast<float*>(args_.scratch +
                                    static_cast<size_t>(plan_.inputs()) * plan_.input_bytes +
                                    static_cast<size_t>(slot) * plan_.slot_bytes);
  }
  float* ProductsOf(int64_t slot) const {
    return WeightsOf(slot) + plan_.weight_bytes / sizeof(float);
  }
  int64_t PanelsOf(int64_t block) const {
    return std::min(kBlockPanels, PanelCount(p_.out_channels) - block * kBlockPanels);
  }

  // Weights of a panel block as [position][panel][channel][16].
  void TransformWeights(int64_t block, float* weights) const {
    const int64_t panel = p_.in_channels * kPanelColumns;
    for (int64_t i = 0; i < PanelsOf(block); ++i) {
      table_.weights(args_.panels + (block * kBlockPanels + i) * 9 * panel, p_.in_channels,
                     weights + i * panel, plan_.weight_stride);
    }
  }

  // Tiles [begin, end) of the chunk and a panel block, whose weights the slot has transformed.
  void MultiplyRange(const Chunk& chunk, int64_t block, int64_t begin, int64_t end, int64_t slot) {
    const int64_t blocks = CeilDiv(end - begin, plan_.block_tiles);
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t from = begin + (end - begin) * b / blocks;
      const int64_t to = begin + (end - begin) * (b + 1) / blocks;
      for (int64_t position = 0; position < kWinogradPositions; ++position) {
        MultiplyTiles(chunk, block, position, from, to - from, slot);
      }
      WriteTiles(chunk, block, from, to, ProductsOf(slot));
    }
  }

  // products[position] = tiles x weights[position], [tiles][block columns].
  void MultiplyTiles(const Chunk& chunk, int64_t block, int64_t position, int64_t tile,
                     int64_t tiles, int64_t slot) const {
    const MicroFamily& family = GemmMicro().f32;
    const int64_t panel = p_.in_channels * kPanelColumns;
    const void* rows[kBlockTiles];
    for (int64_t t = 0; t < tiles; ++t) rows[t] = Transformed(chunk, position, tile + t);
    const float* weights = WeightsOf(slot);
    float* c = ProductsOf(slot) + position * plan_.product_stride;
    const int64_t slices = CeilDiv(p_.in_channels, kMaxChain);
    const int64_t slice = CeilDiv(CeilDiv(p_.in_channels, slices), 4) * 4;
    const int64_t row_tiles = CeilDiv(tiles, family.max_rows);
    MicroArgs micro;
    micro.row_stride = tiles;
    micro.taps = 1;
    micro.b_panel = panel * static_cast<int64_t>(sizeof(float));
    micro.c_stride = BlockColumns();
    micro.bias = nullptr;
    for (int64_t k = 0; k < p_.in_channels; k += slice) {
      micro.offset = k;
      micro.run = std::min(slice, p_.in_channels - k);
      micro.accumulate = k > 0;
      for (int64_t p = 0; p < PanelsOf(block); p += family.max_panels) {
        const int64_t panels = std::min<int64_t>(family.max_panels, PanelsOf(block) - p);
        micro.b = weights + position * plan_.weight_stride + p * panel + k * kPanelColumns;
        micro.columns = panels * kPanelColumns;
        for (int64_t r = 0; r < row_tiles; ++r) {
          const int64_t first = tiles * r / row_tiles;
          const int64_t n = tiles * (r + 1) / row_tiles - first;
          micro.rows = rows + first;
          micro.c = c + first * BlockColumns() + p * kPanelColumns;
          family.kernels[panels - 1][n - 1](micro);
        }
      }
    }
  }

  void WriteTiles(const Chunk& chunk, int64_t block, int64_t from, int64_t to,
                  const float* products) {
    const int64_t column = block * BlockColumns();
    WinogradTile out{};
    out.position_stride = plan_.product_stride;
    out.columns = std::min(BlockColumns(), p_.out_channels - column);
    out.bias = args_.bias == nullptr ? nullptr : args_.bias + column;
    bool finite = true;
    for (int64_t t = from; t < to; ++t) {
      const TileAt at = Locate(plan_, chunk.first + t);
      out.products = products + (t - from) * BlockColumns();
      for (int64_t i = 0; i < 4; ++i) {
        const int64_t oh = 2 * at.h + i / 2;
        const int64_t ow = 2 * at.w + i % 2;
        out.pixels[i] = oh < s_.out_h && ow < s_.out_w
                            ? args_.out + PixelOf(at.n, oh, ow) * args_.out_stride + column
                            : nullptr;
      }
      finite = table_.output(out) && finite;
    }
    if (!finite) finite_.store(false, std::memory_order_relaxed);
    if (args_.sink != nullptr) Finish(chunk, from, to, column, out.columns);
  }

  int64_t PixelOf(int64_t n, int64_t oh, int64_t ow) const {
    return (n * s_.out_h + oh) * s_.out_w + ow;
  }

  // Hands the pixels of tiles [from, to) to the sink, line by line, while they are in cache.
  void Finish(const Chunk& chunk, int64_t from, int64_t to, int64_t column, int64_t columns) const {
    for (int64_t t = from; t < to;) {
      const TileAt at = Locate(plan_, chunk.first + t);
      const int64_t run = std::min(to - t, plan_.tiles_w - at.w);
      const int64_t width = std::min(2 * run, s_.out_w - 2 * at.w);
      for (int64_t oh = 2 * at.h; oh < std::min(2 * at.h + 2, s_.out_h); ++oh) {
        const int64_t pixel = PixelOf(at.n, oh, 2 * at.w);
        args_.sink->Store(args_.out + pixel * args_.out_stride + column, args_.out_stride, pixel,
                          width, column, columns);
      }
      t += run;
    }
  }

  const WinogradPlan& plan_;
  const ConvolutionParams& p_;
  const ConvolutionSize& s_;
  const WinogradArgs& args_;
  const WinogradTable& table_;
  std::atomic<bool> finite_{true};
};

}  // namespace

bool CanUseWinograd(const ConvolutionParams& params, DataType image, bool f32_rows_in_place) {
  return params.spatial == 2 && params.kernel_h == 3 && params.kernel_w == 3 &&
         params.stride_h == 1 && params.stride_w == 1 && params.dilation_h == 1 &&
         params.dilation_w == 1 && params.groups == 1 && params.in_channels > 0 &&
         params.out_channels > 0 && params.weight_dtype == DataType::kFloat32 &&
         image == DataType::kFloat32 && f32_rows_in_place;
}

bool PrefersWinograd(const ConvolutionParams& params, const ConvolutionSize& size) {
  if (params.in_channels < kMinChannels || params.out_channels < kMinChannels) return false;
  const auto tiles =
      static_cast<double>(size.batch * CeilDiv(size.out_h, 2) * CeilDiv(size.out_w, 2));
  const auto c = static_cast<double>(params.in_channels);
  const auto n = static_cast<double>(params.out_channels);
  const double direct = 9 * static_cast<double>(size.pixels()) * c * n;
  // Transforms: vector operations per value, each worth two multiply-adds.
  const double winograd = 16 * tiles * c * n + 2 * (50 * tiles * c + 40 * tiles * n + 30 * c * n);
  return winograd < 0.85 * direct;
}

WinogradPlan PlanWinograd(const ConvolutionParams& params, const ConvolutionSize& size,
                          int threads) {
  WinogradPlan plan;
  plan.tiles_h = CeilDiv(size.out_h, 2);
  plan.tiles_w = CeilDiv(size.out_w, 2);
  plan.tiles = size.batch * plan.tiles_h * plan.tiles_w;
  plan.zeros.resize(static_cast<size_t>(params.in_channels));
  const int64_t tile_bytes = kWinogradPositions * params.in_channels * 4;
  plan.own_tiles = plan.tiles >= threads * kMinOwnTiles;
  const int64_t sharers = plan.own_tiles ? threads : 1;
  const int64_t limit = std::max(kBlockTiles, kChunkBytes / (sharers * tile_bytes));
  const int64_t most = CeilDiv(plan.tiles, sharers);  // of a slot
  plan.chunk_tiles = CeilDiv(most, std::max<int64_t>(1, CeilDiv(most, limit)));
  plan.block_tiles = std::min(kBlockTiles, std::max<int64_t>(plan.chunk_tiles, 1));
  const int64_t panel_blocks = CeilDiv(PanelCount(params.out_channels), kBlockPanels);
  const int64_t most_groups = std::max<int64_t>(1, plan.chunk_tiles / (4 * kMinTaskTiles));
  plan.tile_groups = std::clamp<int64_t>(CeilDiv(2 * threads, panel_blocks), 1, most_groups);
  plan.slots = std::min<int64_t>(threads, panel_blocks * plan.tile_groups);
  if (plan.own_tiles) plan.slots = threads;
  plan.input_stride = PositionStride(plan.chunk_tiles * params.in_channels);
  plan.weight_stride = PositionStride(kBlockPanels * params.in_channels * kPanelColumns);
  plan.product_stride = PositionStride(plan.block_tiles * BlockColumns());
  plan.input_bytes = Align64(kWinogradPositions * plan.input_stride * 4);
  plan.weight_bytes = Align64(kWinogradPositions * plan.weight_stride * 4);
  plan.slot_bytes = plan.weight_bytes + Align64(kWinogradPositions * plan.product_stride * 4);
  return plan;
}

bool RunWinograd(const WinogradPlan& plan, const ConvolutionParams& params,
                 const ConvolutionSize& size, const WinogradArgs& args) {
  return Runner(plan, params, size, args).Run();
}

}  // namespace torch_tensorrt::core::kernels
