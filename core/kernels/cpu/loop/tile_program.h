// TileProgram: a loop program for one geometry, as a list of steps on tiles; and the code that runs
// them.
//
// A tile is `rows` x `cols` elements of the domain. What a register needs of it depends on what it
// varies along: both dims, columns only, rows only, or neither (one value). A register lives in the
// thread's arena, in place in an input, straight in an output, or among the constants.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/kernels/cpu/loop/compiled_loop.h"
#include "core/kernels/cpu/loop/geometry.h"
#include "core/kernels/cpu/loop/step.h"

namespace torch_tensorrt::core::kernels {

inline constexpr size_t kMaxLoopOperands = 64;

// Number of register arguments of an instruction.
int ArgCount(const loop::Instr& instr);
// Type of the last argument. REQUIRES: ArgCount(instr) > 0.
DataType OperandType(const loop::Program& program, const loop::Instr& instr);

enum class Place : uint8_t { kNone, kBuffer, kInput, kOutput, kConst };

struct Operand {
  Place place = Place::kNone;
  bool by_row = false;  // varies along rows
  bool by_col = false;  // varies along columns
  uint8_t size = 4;     // bytes of an element
  int32_t index = 0;    // buffer, input, output or constant
  int64_t offset = 0;   // of a buffer in the arena
};

enum class StepKind : uint8_t {
  kApply,    // fn
  kGather,   // strided input -> buffer
  kScatter,  // buffer -> strided output
  kIota,
  kInit,    // fold states of the rows
  kFold,    // fold
  kFinish,  // state -> register
};

struct Step {
  StepKind kind = StepKind::kApply;
  StepFn fn = nullptr;
  FoldFn fold = nullptr;
  Operand dst;
  Operand src[3];
  int src_count = 0;
  double p0 = 0;
  double p1 = 0;
  loop::ReduceOp reduce = loop::ReduceOp::kSum;
  DataType type = DataType::kFloat32;  // of dst
  int dim = 0;                         // kIota: geometry dim
  bool first_cols_only = false;  // writes per-row results: skip where the tile starts past column 0
};

// One sweep over the columns of a block of rows.
struct Phase {
  std::vector<Step> before;
  std::vector<Step> block;  // for each tile
  std::vector<Step> after;
};

struct TileShape {
  int64_t rows = 1;
  int64_t cols = 1;
  int64_t elements = 1;  // of a full register; at most rows * cols
};

struct TileProgram {
  TileShape shape;
  std::vector<Phase> phases;
  std::vector<std::array<std::byte, 8>> constants;
  size_t arena_bytes = 0;
  int64_t cost = 1;  // rough time per element, in simple steps
};

// Where a tile's operands are.
struct TileContext {
  const std::byte* inputs[kMaxLoopOperands];
  int64_t input_rows[kMaxLoopOperands];  // row strides
  int64_t input_cols[kMaxLoopOperands];
  std::byte* outputs[kMaxLoopOperands];
  int64_t output_rows[kMaxLoopOperands];
  int64_t output_cols[kMaxLoopOperands];
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t col_begin = 0;
  std::array<int64_t, kMaxRank + 2> start{};  // the tile's first point; kept up for Iota
  std::byte* arena = nullptr;
};

// `phased`: the row does not fit a tile, so reductions sweep the row once per level. Else a tile
// holds whole rows, or the program does not reduce. Unsupported when the geometry needs code that
// does not exist.
Result<TileProgram> BuildTileProgram(const CompiledLoop& compiled, const Geometry& geometry,
                                     const TileShape& shape, bool phased);

void RunSteps(const TileProgram& program, std::span<const Step> steps, const TileContext& tile);

}  // namespace torch_tensorrt::core::kernels
