// Blocked matrix product: walks C = A x B over threads, caches and micro-kernel tiles.
//
// B is packed (pack.h). The rows of A come from a RowSource, so that dense matrices, converted or
// transposed ones and the pixels of a convolution share one loop. Finished blocks of C stay in
// place (f32) or are handed to a BlockSink while they are in cache. PlanProduct once per set of
// shapes (a few integers), RunProduct per call. Plans are immutable; RunProduct may be called by
// many threads with scratch of their own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/cpu/gemm/micro.h"
#include "core/types/attributes.h"
#include "core/types/data_type.h"

namespace torch_tensorrt::core::kernels {

// Gives the addresses of A's rows. Implementations are immutable.
class RowSource {
 public:
  virtual ~RowSource() = default;
  // For rows [row, row + count) sets pointers[tap * stride + i] to the run of row + i (of columns:
  // to its first value; see ProductShape). `scratch`
  // has ScratchPerRow() bytes for each of the rows, 64-byte aligned, and lives as long as the
  // pointers are used.
  virtual void Locate(int64_t row, int64_t count, const void** pointers, int64_t stride,
                      std::byte* scratch) const = 0;
  virtual int64_t ScratchPerRow() const { return 0; }
};

// Takes finished blocks. Called from worker threads, each block once.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  virtual void Store(const float* block, int64_t stride, int64_t row, int64_t rows, int64_t column,
                     int64_t columns) const = 0;
};

inline constexpr double kMinTaskWork = 96.0 * 1024;  // multiply-adds that pay for a thread

struct ProductShape {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t taps = 1;
  int64_t run = 0;
  DataType b_dtype = DataType::kFloat32;
  bool a_is_bf16 =
      false;  // the row pointers lead to bf16 values; REQUIRES ProductTakesBf16Rows(b_dtype)
  // The k-th value of a row lies k * count values behind its first, where `count` rows were located
  // at a time: a block by columns. REQUIRES: f32, one tap.
  bool a_by_columns = false;
  bool in_place = true;  // blocks are accumulated in the output itself
  int64_t scratch_per_row = 0;
};

// What the builder may choose by timing instead of by the cost model; 0 leaves the choice to the
// model. Any value gives the same result up to the order of sums.
struct ProductTuning {
  int64_t column_tasks = 0;  // at most; the threads left over share the rows
  int64_t block_rows = 0;    // at most

  // From the attributes "column_tasks" and "block_rows"; values out of range count as 0.
  static ProductTuning Parse(const Attributes& attributes);
};

struct ProductPlan {
  ProductShape shape;
  const MicroFamily* family = nullptr;
  int64_t row_tasks = 1;  // the product is cut into row_tasks x column_tasks tasks
  int64_t column_tasks = 1;
  int64_t block_rows = 0;  // largest block of a task
  int64_t block_panels = 0;
  int64_t k_block = 0;    // values of a run, when runs are cut
  int64_t tap_block = 0;  // taps per block, when they are not
  int64_t panel_bytes = 0;
  size_t pointer_bytes = 0;  // layout of one task's scratch
  size_t row_bytes = 0;
  int64_t copy_stride = 0;  // bytes between rows that are copied
  size_t copy_bytes = 0;    // 0: rows are always read where they are
  size_t task_bytes = 0;
  int64_t tasks() const { return row_tasks * column_tasks; }
  size_t scratch_bytes() const { return task_bytes * static_cast<size_t>(tasks()); }
};

// Whether bf16 rows may be used as they are on this machine.
bool ProductTakesBf16Rows(DataType b_dtype);

// `threads`: at most that many tasks.
ProductPlan PlanProduct(const ProductShape& shape, int threads, const ProductTuning& tuning = {});

struct ProductArgs {
  const RowSource* a = nullptr;
  const void* b = nullptr;      // panel `first_panel` of B
  int64_t first_panel = 0;      // tasks may be given just the panels of their columns
  const float* bias = nullptr;  // one value per column, or null
  float* c = nullptr;           // REQUIRED when shape.in_place
  int64_t c_stride = 0;
  const BlockSink* sink = nullptr;  // REQUIRED unless shape.in_place
  std::byte* scratch = nullptr;     // plan.scratch_bytes(), 64-byte aligned
};

// The panels of B that a task reads: [begin, end).
struct PanelRange {
  int64_t begin;
  int64_t end;
};
PanelRange TaskPanels(const ProductPlan& plan, int64_t task);
// Runs one task of the plan. `scratch` is that task's own part (plan.task_bytes).
void RunProductTask(const ProductPlan& plan, const ProductArgs& args, int64_t task,
                    std::byte* scratch);
// Runs all tasks in parallel.
void RunProduct(const ProductPlan& plan, const ProductArgs& args);

}  // namespace torch_tensorrt::core::kernels
