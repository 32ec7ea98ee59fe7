#include "core/kernels/cpu/loop/executor.h"

#include <algorithm>

#include "core/kernels/cpu/loop/tile_program.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int64_t kTileElements = 1024;
constexpr int64_t kMinTileElements = 128;
// What a tile's registers may take: most of an L1 cache, or of an L2 where a whole row must be
// held.
constexpr size_t kTileBytes = 40 * 1024;
constexpr size_t kRowBytes = 256 * 1024;
constexpr int64_t kMaxRow = 4096;
constexpr int64_t kTransposeSide = 32;
// Simple steps on single elements that make starting a thread worth while.
constexpr int64_t kWorkPerThread = 64 * 1024;

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool HasRowOutput(const loop::Program& program) {
  return std::any_of(program.outputs.begin(), program.outputs.end(),
                     [](const loop::Output& output) { return output.row; });
}

// Whether some tensor is walked across its memory, so that square tiles reuse its cache lines.
bool Transposes(const Geometry& geometry) {
  const auto across = [&](const Walk& walk) {
    return geometry.ColStride(walk) > 1 && geometry.RowStride(walk) != 0;
  };
  return std::any_of(geometry.inputs.begin(), geometry.inputs.end(), across) ||
         std::any_of(geometry.outputs.begin(), geometry.outputs.end(), across);
}

TileShape MakeShape(int64_t rows, int64_t cols) {
  rows = std::max<int64_t>(rows, 1);
  cols = std::max<int64_t>(cols, 1);
  return TileShape{rows, cols, rows * cols};
}

Result<TileProgram> BuildPointwise(const CompiledLoop& compiled, const Geometry& geometry) {
  for (int64_t elements = kTileElements;; elements /= 2) {
    int64_t cols = std::min(geometry.cols(), elements);
    if (Transposes(geometry)) cols = std::min(cols, kTransposeSide);
    cols = std::max<int64_t>(cols, 1);
    const TileShape shape = MakeShape(std::min(geometry.rows(), elements / cols), cols);
    auto built = BuildTileProgram(compiled, geometry, shape, false);
    if (!built.ok() || built->arena_bytes <= kTileBytes || elements <= kMinTileElements) {
      return built;
    }
  }
}

Result<TileProgram> BuildReducing(const CompiledLoop& compiled, const Geometry& geometry) {
  const int64_t cols = std::max<int64_t>(geometry.cols(), 1);
  if (cols <= kMaxRow) {
    const int64_t rows = std::min(geometry.rows(), kTileElements / cols);
    auto built = BuildTileProgram(compiled, geometry, MakeShape(rows, cols), false);
    if (!built.ok() || built->arena_bytes <= kRowBytes) return built;
  }
  return BuildTileProgram(compiled, geometry, MakeShape(1, kTileElements), true);
}

class Plan : public LoopPlan {
 public:
  Plan(Geometry geometry, TileProgram program, bool phased, bool row_outputs)
      : geometry_(std::move(geometry)), program_(std::move(program)), phased_(phased) {
    const TileShape& shape = program_.shape;
    const bool no_columns = geometry_.cols() == 0 && !row_outputs;
    col_blocks_ = std::max<int64_t>(CeilDivide(geometry_.cols(), shape.cols), 1);
    row_blocks_ = no_columns ? 0 : CeilDivide(geometry_.rows(), shape.rows);
    units_ = geometry_.OuterCount() * row_blocks_ * (phased_ ? 1 : col_blocks_);
    const int64_t unit = std::max<int64_t>(
        shape.rows * (phased_ ? geometry_.cols() : shape.cols) * program_.cost, 1);
    grain_ = std::max<int64_t>(CeilDivide(kWorkPerThread, unit), 1);
    threads_ = std::min<int64_t>(MaxThreads(), CeilDivide(units_, grain_));
    threads_ = std::max<int64_t>(threads_, 1);
    // So that a later, larger thread count finds no more ranges than there is scratch for.
    grain_ = std::max(grain_, CeilDivide(units_, threads_));
  }

  size_t scratch_bytes() const override {
    return static_cast<size_t>(threads_) * program_.arena_bytes;
  }

 private:
  void Run(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
           std::byte* scratch) const override {
    ParallelFor(units_, grain_, [&](int64_t begin, int64_t end, int thread) {
      TileContext tile;
      tile.arena = scratch + static_cast<size_t>(thread) * program_.arena_bytes;
      SetStrides(&tile);
      for (int64_t unit = begin; unit < end; ++unit) RunUnit(unit, inputs, outputs, &tile);
    });
  }

  void SetStrides(TileContext* tile) const {
    for (size_t i = 0; i < geometry_.inputs.size(); ++i) {
      tile->input_rows[i] = geometry_.RowStride(geometry_.inputs[i]);
      tile->input_cols[i] = geometry_.ColStride(geometry_.inputs[i]);
    }
    for (size_t i = 0; i < geometry_.outputs.size(); ++i) {
      tile->output_rows[i] = geometry_.RowStride(geometry_.outputs[i]);
      tile->output_cols[i] = geometry_.ColStride(geometry_.outputs[i]);
    }
  }

  // One block of rows: all of its columns when phased, else one block of them.
  void RunUnit(int64_t unit, std::span<const TensorView> inputs,
               std::span<const TensorView> outputs, TileContext* tile) const {
    int64_t col_block = 0;
    if (!phased_) {
      col_block = unit % col_blocks_;
      unit /= col_blocks_;
    }
    const int64_t row_begin = unit % row_blocks_ * program_.shape.rows;
    unit /= row_blocks_;
    for (int d = geometry_.row_dim() - 1; d >= 0; --d) {
      const auto k = static_cast<size_t>(d);
      tile->start[k] = unit % geometry_.dims[k];
      unit /= geometry_.dims[k];
    }
    tile->start[static_cast<size_t>(geometry_.row_dim())] = row_begin;
    tile->rows = std::min(program_.shape.rows, geometry_.rows() - row_begin);
    if (!phased_) {
      MoveTo(col_block, inputs, outputs, tile);
      RunSteps(program_, program_.phases[0].block, *tile);
      return;
    }
    for (const Phase& phase : program_.phases) {
      MoveTo(0, inputs, outputs, tile);
      RunSteps(program_, phase.before, *tile);
      for (int64_t block = 0; block < col_blocks_ && !phase.block.empty(); ++block) {
        MoveTo(block, inputs, outputs, tile);
        RunSteps(program_, phase.block, *tile);
      }
      RunSteps(program_, phase.after, *tile);
    }
  }

  void MoveTo(int64_t col_block, std::span<const TensorView> inputs,
              std::span<const TensorView> outputs, TileContext* tile) const {
    tile->col_begin = col_block * program_.shape.cols;
    tile->start[static_cast<size_t>(geometry_.col_dim())] = tile->col_begin;
    tile->cols = std::min(program_.shape.cols, geometry_.cols() - tile->col_begin);
    for (size_t i = 0; i < inputs.size(); ++i) {
      tile->inputs[i] = inputs[i].as<const std::byte>() + OffsetOf(geometry_.inputs[i], *tile);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      tile->outputs[i] = outputs[i].as<std::byte>() + OffsetOf(geometry_.outputs[i], *tile);
    }
  }

  int64_t OffsetOf(const Walk& walk, const TileContext& tile) const {
    int64_t offset = 0;
    for (size_t d = 0; d < static_cast<size_t>(geometry_.rank); ++d) {
      offset += tile.start[d] * walk.strides[d];
    }
    return offset * static_cast<int64_t>(SizeOf(walk.dtype));
  }

  Geometry geometry_;
  TileProgram program_;
  bool phased_;
  int64_t col_blocks_ = 1;
  int64_t row_blocks_ = 1;
  int64_t units_ = 0;
  int64_t grain_ = 1;
  int64_t threads_ = 1;
};

}  // namespace

Result<std::unique_ptr<const LoopPlan>> PrepareLoop(const CompiledLoop& compiled,
                                                    const Dims& domain,
                                                    std::span<const TensorView> inputs,
                                                    std::span<const TensorView> outputs) {
  const loop::Program& program = compiled.program;
  if (!program.inputs.empty() && program.inputs[0].accumulator) {
    return InvalidArgument("[cpu.loop] a program with an accumulator runs only as an epilogue");
  }
  const bool row_outputs = HasRowOutput(program);
  const bool reduces = compiled.max_level > 0;
  TRT_ASSIGN_OR_RETURN(Geometry geometry,
                       MakeGeometry(program, domain, inputs, outputs, reduces || row_outputs));
  auto built = reduces ? BuildReducing(compiled, geometry) : BuildPointwise(compiled, geometry);
  if (!built.ok()) return built.status();
  const bool phased = reduces && built->phases.size() > 1;
  return std::unique_ptr<const LoopPlan>(std::make_unique<const Plan>(
      std::move(geometry), std::move(built).value(), phased, row_outputs));
}

}  // namespace torch_tensorrt::core::kernels
