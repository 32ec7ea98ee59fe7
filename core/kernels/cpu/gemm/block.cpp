#include "core/kernels/cpu/gemm/block.h"

#include <algorithm>
#include <cstring>

#include "core/kernels/cpu/gemm/micro_amx.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/select.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int64_t kMaxBlockRows = 144;  // rows of A kept in L2 while the panels pass by
constexpr int64_t kMaxBlockPanels = 16;
constexpr int64_t kMaxTuning = 4096;  // of values that plan files hold
// Products added one after the other before the sum joins the others. The rounding error of a sum
// grows with the length of its longest chain; this keeps it near that of a pairwise sum at about
// one more addition in 256.
constexpr int64_t kMaxChain = 256;
// Tiles keep longer chains: the sums leave them more slowly. bf16 rounds its inputs more than that.
constexpr int64_t kMaxTileChain = 512;
constexpr int64_t kMinAmxRows = 8;               // fewer stream weights as fast without tiles
constexpr int kMaxVectorRows = 14;               // rows of the families without tiles
constexpr int64_t kMaxRowScratch = 384 << 10;    // of a block's converted rows: stays in L2
constexpr int64_t kMaxColumnScratch = 20 << 10;  // of a block by columns: stays in L1
constexpr int64_t kLine = 64;                    // bytes of a cache line
constexpr int64_t kCacheSets = 64;               // of L1: lines this far apart share a set
constexpr int64_t kMaxRowsPerSet = 4;            // of a tile's rows; more evict each other
constexpr int64_t kMinCopyPanels = 6;            // that must read copied rows to pay for the copy

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
size_t Align64(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }

// The i-th of `parts` nearly equal parts of [0, total).
struct Range {
  int64_t begin;
  int64_t end;
};
Range PartOf(int64_t total, int64_t parts, int64_t i) {
  const int64_t base = total / parts;
  const int64_t rest = total % parts;
  const int64_t begin = i * base + std::min(i, rest);
  return {begin, begin + base + (i < rest ? 1 : 0)};
}

const MicroFamily& FamilyOf(const ProductShape& shape) {
  const GemmMicroTable& micro = GemmMicro();
  const bool row = shape.rows == 1;
  if (shape.b_dtype == DataType::kFloat16) return row ? micro.row_f16 : micro.f16;
  if (shape.b_dtype == DataType::kBFloat16) {
    if (shape.a_is_bf16) {
#ifdef TORCHTRT_X86
      if (CurrentIsa() == Isa::kAmx && shape.rows >= kMinAmxRows) return amx::kBf16;
#endif
      return micro.bf16_bf16;
    }
    return row ? micro.row_bf16 : micro.bf16;
  }
  if (row) return micro.row_f32;
  if (shape.a_by_columns) return micro.columns_f32;
  return micro.f32;
}

// Multiply-adds in the time that an element takes on its way to a task: of B; of rows of A that the
// layer before left in the core's own cache, if it divided its rows alike; of rows that another
// core wrote, which may lie behind another last-level cache.
constexpr double kCostOfB = 4;
constexpr double kCostOfOwnRow = 0.5;
constexpr double kCostOfForeignRow = 24;

// Cost of one task, in multiply-adds of a full tile: the arithmetic of whole tiles plus the
// operands' way into cache.
double TaskCost(const ProductPlan& plan, int64_t row_tasks, int64_t column_tasks) {
  const ProductShape& shape = plan.shape;
  const MicroFamily& family = *plan.family;
  const double k = static_cast<double>(shape.taps * shape.run);
  const int64_t rows = CeilDiv(shape.rows, row_tasks);
  const int64_t units = CeilDiv(PanelCount(shape.columns), family.max_panels);
  const double columns =
      static_cast<double>(CeilDiv(units, column_tasks) * family.max_panels) * kPanelColumns;
  const double tile_rows = static_cast<double>(std::max<int64_t>(rows, 2));
  const double own = static_cast<double>(rows) / static_cast<double>(column_tasks);
  const double foreign = static_cast<double>(rows) - own;
  return k * (tile_rows * columns + kCostOfB * columns + kCostOfOwnRow * own +
              kCostOfForeignRow * foreign);
}

void ChooseTasks(ProductPlan* plan, int threads, int64_t wanted_columns) {
  const ProductShape& shape = plan->shape;
  const double work = static_cast<double>(shape.rows) * static_cast<double>(shape.columns) *
                      static_cast<double>(shape.taps * shape.run);
  const int64_t wanted = std::clamp<int64_t>(static_cast<int64_t>(work / kMinTaskWork), 1, threads);
  const int64_t units = CeilDiv(PanelCount(shape.columns), plan->family->max_panels);
  if (wanted_columns > 0) {
    plan->column_tasks = std::min({wanted_columns, wanted, units});
    plan->row_tasks = std::min(wanted / plan->column_tasks, shape.rows);
    return;
  }
  double best = 0;
  for (int64_t rows = 1; rows <= wanted; ++rows) {
    const int64_t columns = std::min(wanted / rows, units);
    if (rows > shape.rows) break;
    const double cost = TaskCost(*plan, rows, columns);
    if (rows == 1 || cost < best) {
      best = cost;
      plan->row_tasks = rows;
      plan->column_tasks = columns;
    }
  }
}

void ChooseBlocks(ProductPlan* plan, int64_t wanted_rows) {
  const ProductShape& shape = plan->shape;
  const int64_t task_rows = CeilDiv(shape.rows, plan->row_tasks);
  int64_t limit = wanted_rows > 0 ? wanted_rows : kMaxBlockRows;
  if (shape.scratch_per_row > 0) {
    const int64_t least = std::min<int64_t>(2 * plan->family->max_rows, limit);
    const int64_t most = shape.a_by_columns ? kMaxColumnScratch : kMaxRowScratch;
    limit = std::clamp<int64_t>(most / shape.scratch_per_row, least, limit);
  }
  plan->block_rows = CeilDiv(task_rows, CeilDiv(task_rows, limit));
  if (plan->family->begin != nullptr) {  // whole tiles, so that few of another height are left
    const int64_t tile = plan->family->max_rows;
    plan->block_rows = std::min(CeilDiv(plan->block_rows, tile) * tile, std::max(task_rows, tile));
  }
  const int64_t task_panels =
      CeilDiv(PanelCount(shape.columns), plan->column_tasks * plan->family->max_panels) *
      plan->family->max_panels;
  plan->block_panels = std::min(task_panels, kMaxBlockPanels);
  plan->k_block = shape.run;
  plan->tap_block = shape.taps;
  const int64_t k_limit = plan->family->max_rows > kMaxVectorRows ? kMaxTileChain : kMaxChain;
  if (shape.run > k_limit) {
    plan->tap_block = 1;
    plan->k_block = CeilDiv(CeilDiv(shape.run, CeilDiv(shape.run, k_limit)), 4) * 4;
  } else if (shape.run > 0) {
    plan->tap_block = std::max<int64_t>(1, k_limit / shape.run);
    plan->tap_block = CeilDiv(shape.taps, CeilDiv(shape.taps, plan->tap_block));
  }
}

// Room to copy the rows of a block, slice by slice; whether that is needed is seen from where they
// are.
void ChooseCopy(ProductPlan* plan) {
  const bool one_tap = plan->tap_block == 1;
  const bool several_tiles = plan->block_rows > plan->family->max_rows / 2;
  if (!one_tap || !several_tiles || plan->shape.a_by_columns || plan->shape.run == 0 ||
      plan->block_panels < kMinCopyPanels || plan->family->begin != nullptr) {
    return;
  }
  const int64_t element = plan->shape.a_is_bf16 ? 2 : 4;
  plan->copy_stride = static_cast<int64_t>(Align64(plan->k_block * element)) + kLine;
  plan->copy_bytes = Align64(plan->block_rows * plan->copy_stride);
}

// The largest number of the rows of one tile that begin in the same set of L1.
int64_t RowsPerSet(const void* const* rows, int64_t count) {
  int64_t used[kCacheSets] = {};
  int64_t most = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto set = reinterpret_cast<uintptr_t>(rows[i]) / kLine % kCacheSets;
    most = std::max(most, ++used[set]);
  }
  return most;
}

// One task at work: its scratch and the block it is at.
class TaskRunner {
 public:
  TaskRunner(const ProductPlan& plan, const ProductArgs& args, std::byte* scratch)
      : plan_(plan),
        args_(args),
        pointers_(reinterpret_cast<const void**>(scratch)),
        row_scratch_(scratch + plan.pointer_bytes),
        copy_(scratch + plan.pointer_bytes + plan.row_bytes),
        block_(reinterpret_cast<float*>(copy_ + plan.copy_bytes)) {}

  void Run(Range rows, Range panels) {
    const int64_t row_blocks = CeilDiv(rows.end - rows.begin, plan_.block_rows);
    const int64_t panel_blocks = CeilDiv(panels.end - panels.begin, plan_.block_panels);
    for (int64_t i = 0; i < row_blocks; ++i) {
      row_ = rows.begin + i * plan_.block_rows;
      row_count_ = std::min(plan_.block_rows, rows.end - row_);
      args_.a->Locate(row_, row_count_, pointers_, row_count_, row_scratch_);
      copies_ = plan_.copy_bytes > 0 &&
                RowsPerSet(pointers_, std::min<int64_t>(row_count_, plan_.family->max_rows)) >
                    kMaxRowsPerSet;
      for (int64_t j = 0; j < panel_blocks; ++j) {
        const int64_t begin = panels.begin + j * plan_.block_panels;
        RunBlock({begin, std::min(begin + plan_.block_panels, panels.end)});
      }
    }
    if (set_rows_ != 0) plan_.family->end();
  }

 private:
  void RunBlock(Range panels) {
    const int64_t column = panels.begin * kPanelColumns;
    const int64_t columns = std::min(panels.end * kPanelColumns, plan_.shape.columns) - column;
    const bool in_place = plan_.shape.in_place;
    float* c = in_place ? args_.c + row_ * args_.c_stride + column : block_;
    const int64_t stride = in_place ? args_.c_stride : plan_.block_panels * kPanelColumns;
    const int64_t run = plan_.shape.run;
    for (int64_t tap = 0; tap < plan_.shape.taps; tap += plan_.tap_block) {
      MicroArgs micro{};
      micro.taps = std::min(plan_.tap_block, plan_.shape.taps - tap);
      micro.row_stride = row_count_;
      micro.k_stride = row_count_;
      // One pass even when k is empty: the block is then the bias, or zero.
      for (int64_t k = 0; k == 0 || k < run; k += std::max<int64_t>(plan_.k_block, 1)) {
        micro.rows = pointers_ + tap * row_count_;
        micro.offset = k;
        micro.run = std::min(plan_.k_block, run - k);
        micro.accumulate = tap > 0 || k > 0;
        micro.bias = micro.accumulate ? nullptr : args_.bias;
        if (copies_) CopyRows(&micro);
        RunSlice(micro, panels, SliceOffset(tap, k), c, stride);
      }
    }
    if (args_.sink != nullptr) args_.sink->Store(c, stride, row_, row_count_, column, columns);
  }

  // Moves the slice of each row that `micro` names next to each other. Rows whose distance is a
  // multiple of a page otherwise share the few lines of one set and evict each other.
  void CopyRows(MicroArgs* micro) {
    const int64_t element = plan_.shape.a_is_bf16 ? 2 : 4;
    const int64_t skipped = micro->offset * element;
    const auto bytes = static_cast<size_t>(micro->run * element);
    const void** copied = pointers_ + plan_.shape.taps * plan_.block_rows;
    for (int64_t i = 0; i < row_count_; ++i) {
      std::byte* to = copy_ + i * plan_.copy_stride;
      std::memcpy(to, static_cast<const std::byte*>(micro->rows[i]) + skipped, bytes);
      copied[i] = to;
    }
    micro->rows = copied;
    micro->offset = 0;
  }

  // Bytes from the start of a panel to its values for (tap, k). REQUIRES: k even.
  int64_t SliceOffset(int64_t tap, int64_t k) const {
    const DataType dtype = plan_.shape.b_dtype;
    return PanelBytes(dtype, tap, plan_.shape.run) + PanelBytes(dtype, 1, k);
  }

  // All tiles of one block for one range of k.
  void RunSlice(MicroArgs micro, Range panels, int64_t offset, float* c, int64_t stride) {
    const MicroFamily& family = *plan_.family;
    micro.b_panel = plan_.panel_bytes;
    micro.c_stride = stride;
    if (family.begin == nullptr) {
      RunTiles(micro, panels, offset, c, CeilDiv(row_count_, family.max_rows), row_count_);
      return;
    }
    // Whole tiles first, then those of the rows left: the number of rows changes once.
    const int64_t whole = row_count_ / family.max_rows;
    const int64_t whole_rows = whole * family.max_rows;
    const int64_t left = row_count_ - whole_rows;
    if (whole > 0) {
      SetRows(family.max_rows);
      RunTiles(micro, panels, offset, c, whole, whole_rows);
    }
    if (left > 0) {
      SetRows(static_cast<int>(left));
      micro.rows += whole_rows;
      RunTiles(micro, panels, offset, c + whole_rows * stride, 1, left);
    }
  }

  void SetRows(int rows) {
    if (rows != set_rows_) plan_.family->begin(rows);
    set_rows_ = rows;
  }

  // `row_count` rows in `tiles` nearly equal tiles, panel after panel.
  void RunTiles(MicroArgs micro, Range panels, int64_t offset, float* c, int64_t tiles,
                int64_t row_count) const {
    const MicroFamily& family = *plan_.family;
    const float* bias = micro.bias;
    const int64_t tile_rows = row_count / tiles;
    const int64_t longer = row_count % tiles;
    const void* const* rows = micro.rows;
    for (int64_t p = panels.begin; p < panels.end; p += family.max_panels) {
      const int64_t count = std::min<int64_t>(family.max_panels, panels.end - p);
      const int64_t column = p * kPanelColumns;
      micro.b =
          static_cast<const char*>(args_.b) + (p - args_.first_panel) * plan_.panel_bytes + offset;
      micro.columns = std::min(count * kPanelColumns, plan_.shape.columns - column);
      micro.bias = bias == nullptr ? nullptr : bias + column;
      micro.c = c + (p - panels.begin) * kPanelColumns;
      const bool half = micro.columns - (count - 1) * kPanelColumns <= kHalfPanel;
      const MicroKernel* kernels = (half ? family.half_kernels : family.kernels)[count - 1];
      micro.rows = rows;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t n = tile_rows + (t < longer ? 1 : 0);
        const MicroKernel kernel = kernels[n - 1];
        (kernel != nullptr ? kernel : family.kernels[count - 1][n - 1])(micro);
        micro.rows += n;
        micro.c += n * micro.c_stride;
      }
    }
  }

  const ProductPlan& plan_;
  const ProductArgs& args_;
  const void** pointers_;
  std::byte* row_scratch_;
  std::byte* copy_;
  float* block_;
  int64_t row_ = 0;
  int64_t row_count_ = 0;
  int set_rows_ = 0;  // of the tiles the processor is set up for
  bool copies_ = false;
};

}  // namespace

bool ProductTakesBf16Rows(DataType b_dtype) {
  return b_dtype == DataType::kBFloat16 && GemmMicro().bf16_bf16.max_rows > 0;
}

ProductTuning ProductTuning::Parse(const Attributes& attributes) {
  const auto in_range = [](int64_t value) { return value >= 0 && value <= kMaxTuning ? value : 0; };
  return {in_range(attributes.Int("column_tasks")), in_range(attributes.Int("block_rows"))};
}

ProductPlan PlanProduct(const ProductShape& shape, int threads, const ProductTuning& tuning) {
  ProductPlan plan;
  plan.shape = shape;
  plan.family = &FamilyOf(shape);
  plan.panel_bytes = PanelBytes(shape.b_dtype, shape.taps, shape.run);
  if (shape.rows <= 0 || shape.columns <= 0) {
    plan.row_tasks = 0;
    return plan;
  }
  ChooseTasks(&plan, threads, tuning.column_tasks);
  ChooseBlocks(&plan, tuning.block_rows);
  ChooseCopy(&plan);
  const int64_t pointers = shape.taps + (plan.copy_bytes > 0 ? 1 : 0);
  plan.pointer_bytes = Align64(pointers * plan.block_rows * static_cast<int64_t>(sizeof(void*)));
  plan.row_bytes = Align64(plan.block_rows * shape.scratch_per_row);
  const int64_t block =
      shape.in_place ? 0 : plan.block_rows * plan.block_panels * kPanelColumns * 4;
  plan.task_bytes = plan.pointer_bytes + plan.row_bytes + plan.copy_bytes + Align64(block);
  return plan;
}

PanelRange TaskPanels(const ProductPlan& plan, int64_t task) {
  const int64_t max_panels = plan.family->max_panels;
  const int64_t panel_count = PanelCount(plan.shape.columns);
  const Range units =
      PartOf(CeilDiv(panel_count, max_panels), plan.column_tasks, task % plan.column_tasks);
  return {units.begin * max_panels, std::min(units.end * max_panels, panel_count)};
}

void RunProductTask(const ProductPlan& plan, const ProductArgs& args, int64_t task,
                    std::byte* scratch) {
  const Range rows = PartOf(plan.shape.rows, plan.row_tasks, task / plan.column_tasks);
  const PanelRange panels = TaskPanels(plan, task);
  TaskRunner(plan, args, scratch).Run(rows, {panels.begin, panels.end});
}

void RunProduct(const ProductPlan& plan, const ProductArgs& args) {
  ParallelFor(plan.tasks(), 1, [&](int64_t begin, int64_t end, int /*thread*/) {
    for (int64_t task = begin; task < end; ++task) {
      RunProductTask(plan, args, task, args.scratch + static_cast<size_t>(task) * plan.task_bytes);
    }
  });
}

}  // namespace torch_tensorrt::core::kernels
