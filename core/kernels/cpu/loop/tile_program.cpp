#include "core/kernels/cpu/loop/tile_program.h"

#include <bit>
#include <cstring>
#include <limits>

namespace torch_tensorrt::core::kernels {
namespace {

using loop::ReduceOp;

std::byte* Address(const TileProgram& program, const Operand& operand, const TileContext& tile) {
  const auto index = static_cast<size_t>(operand.index);
  switch (operand.place) {
    case Place::kBuffer:
      return tile.arena + operand.offset;
    case Place::kInput:
      return const_cast<std::byte*>(tile.inputs[index]);
    case Place::kOutput:
      return tile.outputs[index];
    case Place::kConst:
      return const_cast<std::byte*>(program.constants[index].data());
    case Place::kNone:
      return nullptr;
  }
  return nullptr;
}

// Elements from one row of the operand to the next.
int64_t RowStride(const Operand& operand, const TileContext& tile) {
  if (!operand.by_row) return 0;
  if (operand.place == Place::kInput) return tile.input_rows[operand.index];
  if (operand.place == Place::kOutput) return tile.output_rows[operand.index];
  return operand.by_col ? tile.cols : 1;
}

void Apply(const TileProgram& program, const Step& step, const TileContext& tile) {
  StepArgs args;
  args.p0 = step.p0;
  args.p1 = step.p1;
  args.dst = Address(program, step.dst, tile);
  for (int i = 0; i < step.src_count; ++i) args.src[i] = Address(program, step.src[i], tile);
  if (!step.dst.by_col) {
    // One value per row: the rows are the vector.
    args.rows = 1;
    args.cols = step.dst.by_row ? tile.rows : 1;
    step.fn(args);
    return;
  }
  args.rows = step.dst.by_row ? tile.rows : 1;
  args.cols = tile.cols;
  args.dst_row = RowStride(step.dst, tile);
  bool dense = args.dst_row == args.cols;
  for (int i = 0; i < step.src_count; ++i) {
    args.src_row[i] = RowStride(step.src[i], tile);
    dense = dense && args.src_row[i] == (step.src[i].by_col ? args.cols : 0);
  }
  if (dense) {
    args.cols *= args.rows;
    args.rows = 1;
  }
  step.fn(args);
}

template <typename T>
void CopyStrided(const T* src, int64_t src_row, int64_t src_col, T* dst, int64_t dst_row,
                 int64_t dst_col, int64_t rows, int64_t cols) {
  if (src_row < src_col && rows > 1) {
    // Along the source's short stride.
    for (int64_t c = 0; c < cols; ++c) {
      for (int64_t r = 0; r < rows; ++r)
        dst[r * dst_row + c * dst_col] = src[r * src_row + c * src_col];
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c)
      dst[r * dst_row + c * dst_col] = src[r * src_row + c * src_col];
  }
}

void CopyBySize(size_t size, const void* src, int64_t src_row, int64_t src_col, void* dst,
                int64_t dst_row, int64_t dst_col, int64_t rows, int64_t cols) {
  auto copy = [&](auto zero) {
    using T = decltype(zero);
    CopyStrided(static_cast<const T*>(src), src_row, src_col, static_cast<T*>(dst), dst_row,
                dst_col, rows, cols);
  };
  if (size == 1) copy(uint8_t{0});
  if (size == 2) copy(uint16_t{0});
  if (size == 4) copy(uint32_t{0});
  if (size == 8) copy(uint64_t{0});
}

void Gather(const TileProgram& program, const Step& step, const TileContext& tile) {
  const auto input = static_cast<size_t>(step.src[0].index);
  CopyBySize(step.dst.size, tile.inputs[input], tile.input_rows[input], tile.input_cols[input],
             Address(program, step.dst, tile), step.dst.by_col ? tile.cols : 1, 1,
             step.dst.by_row ? tile.rows : 1, step.dst.by_col ? tile.cols : 1);
}

void Scatter(const TileProgram& program, const Step& step, const TileContext& tile) {
  const auto output = static_cast<size_t>(step.dst.index);
  const Operand& src = step.src[0];
  CopyBySize(src.size, Address(program, src, tile), RowStride(src, tile), 1, tile.outputs[output],
             tile.output_rows[output], tile.output_cols[output], tile.rows,
             step.first_cols_only ? 1 : tile.cols);
}

template <typename T>
void FillIota(T* p, int64_t start, int64_t count) {
  for (int64_t i = 0; i < count; ++i) p[i] = static_cast<T>(start + i);
}

void Iota(const TileProgram& program, const Step& step, const TileContext& tile) {
  void* p = Address(program, step.dst, tile);
  const int64_t start = tile.start[static_cast<size_t>(step.dim)];
  const int64_t count = step.dst.by_col ? tile.cols : step.dst.by_row ? tile.rows : 1;
  if (step.dst.size == 1) FillIota(static_cast<uint8_t*>(p), start, count);
  if (step.dst.size == 2) FillIota(static_cast<uint16_t*>(p), start, count);
  if (step.dst.size == 4) FillIota(static_cast<uint32_t*>(p), start, count);
  if (step.dst.size == 8) FillIota(static_cast<uint64_t*>(p), start, count);
}

// The value of an empty row.
uint64_t EmptyState(ReduceOp op, bool is_float) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (op) {
    case ReduceOp::kSum:
    case ReduceOp::kMean:
    case ReduceOp::kAny:
      return 0;  // also the bits of 0.0
    case ReduceOp::kAll:
      return 1;
    case ReduceOp::kProd:
      return is_float ? std::bit_cast<uint64_t>(1.0) : 1;
    case ReduceOp::kMax:
      return is_float ? std::bit_cast<uint64_t>(-kInfinity)
                      : static_cast<uint64_t>(std::numeric_limits<int64_t>::min());
    case ReduceOp::kMin:
      return is_float ? std::bit_cast<uint64_t>(kInfinity)
                      : static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  }
  return 0;
}

void Init(const TileProgram& program, const Step& step, const TileContext& tile) {
  auto* state = reinterpret_cast<uint64_t*>(Address(program, step.dst, tile));
  const uint64_t empty = EmptyState(step.reduce, IsFloat(step.type));
  const int64_t rows = step.dst.by_row ? tile.rows : 1;
  for (int64_t r = 0; r < rows; ++r) state[r] = empty;
}

void Fold(const TileProgram& program, const Step& step, const TileContext& tile) {
  FoldArgs args;
  args.src = Address(program, step.src[0], tile);
  args.src_row = RowStride(step.src[0], tile);
  args.rows = step.dst.by_row ? tile.rows : 1;
  args.cols = tile.cols;
  args.state = Address(program, step.dst, tile);
  step.fold(args);
}

template <typename T, typename State>
void StoreStates(const std::byte* state, std::byte* dst, int64_t rows, State divisor) {
  for (int64_t r = 0; r < rows; ++r) {
    State value;
    std::memcpy(&value, state + static_cast<size_t>(r) * sizeof(State), sizeof(State));
    const T result = static_cast<T>(value / divisor);
    std::memcpy(dst + static_cast<size_t>(r) * sizeof(T), &result, sizeof(T));
  }
}

void Finish(const TileProgram& program, const Step& step, const TileContext& tile) {
  const std::byte* state = Address(program, step.src[0], tile);
  std::byte* dst = Address(program, step.dst, tile);
  const int64_t rows = step.dst.by_row ? tile.rows : 1;
  const double divisor = step.reduce == ReduceOp::kMean ? step.p0 : 1.0;
  if (step.type == DataType::kFloat32) return StoreStates<float>(state, dst, rows, divisor);
  if (step.type == DataType::kFloat64) return StoreStates<double>(state, dst, rows, divisor);
  const int64_t one = 1;
  if (step.dst.size == 1) StoreStates<uint8_t>(state, dst, rows, one);
  if (step.dst.size == 2) StoreStates<uint16_t>(state, dst, rows, one);
  if (step.dst.size == 4) StoreStates<uint32_t>(state, dst, rows, one);
  if (step.dst.size == 8) StoreStates<int64_t>(state, dst, rows, one);
}

}  // namespace

void RunSteps(const TileProgram& program, std::span<const Step> steps, const TileContext& tile) {
  for (const Step& step : steps) {
    if (step.first_cols_only && tile.col_begin != 0) continue;
    switch (step.kind) {
      case StepKind::kApply:
        Apply(program, step, tile);
        break;
      case StepKind::kGather:
        Gather(program, step, tile);
        break;
      case StepKind::kScatter:
        Scatter(program, step, tile);
        break;
      case StepKind::kIota:
        Iota(program, step, tile);
        break;
      case StepKind::kInit:
        Init(program, step, tile);
        break;
      case StepKind::kFold:
        Fold(program, step, tile);
        break;
      case StepKind::kFinish:
        Finish(program, step, tile);
        break;
    }
  }
}

}  // namespace torch_tensorrt::core::kernels
