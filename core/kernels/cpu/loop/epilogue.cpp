#include "core/kernels/cpu/loop/epilogue.h"

#include <algorithm>
#include <optional>

#include "core/kernels/cpu/loop/tile_program.h"

namespace torch_tensorrt::core::kernels {
namespace {

using loop::Instr;
using loop::InstrKind;

constexpr size_t kArenaBytes = 32 * 1024;
constexpr int64_t kTileElements = 1024;

// An epilogue that one pass over the accumulators does: the inputs that serve as bias and residual
// (-1: none).
struct ChainPlan {
  ChainFn fn = nullptr;
  ChainAct act = ChainAct::kNone;
  bool relu_last = false;
  int bias = -1;
  int residual = -1;
};

std::optional<ChainAct> ActOf(PointwiseOp op) {
  switch (op) {
    case PointwiseOp::kRelu:
      return ChainAct::kRelu;
    case PointwiseOp::kGeluErf:
      return ChainAct::kGeluErf;
    case PointwiseOp::kGeluTanh:
      return ChainAct::kGeluTanh;
    case PointwiseOp::kSilu:
      return ChainAct::kSilu;
    case PointwiseOp::kSigmoid:
      return ChainAct::kSigmoid;
    case PointwiseOp::kTanh:
      return ChainAct::kTanh;
    default:
      return std::nullopt;
  }
}

// Recognises load acc [+ bias] [act] [+ residual] [relu] store.
class ChainMatcher {
 public:
  ChainMatcher(const CompiledLoop& compiled, const Geometry& geometry)
      : compiled_(compiled), program_(compiled.program), geometry_(geometry) {}

  std::optional<ChainPlan> Match() {
    if (geometry_.ColStride(geometry_.outputs[0]) != 1 || !IsSmallFloat(geometry_.outputs[0])) {
      return std::nullopt;
    }
    for (size_t i = 0; i < program_.instrs.size(); ++i) {
      if (compiled_.live[i] && !Step(i)) return std::nullopt;
    }
    plan_.fn = LoopCodeFor(CurrentIsa()).chain(plan_.act);
    return plan_;
  }

 private:
  static bool IsSmallFloat(const Walk& walk) {
    return walk.dtype == DataType::kFloat32 || IsHalf(walk.dtype);
  }
  const loop::Input& InputOf(const Instr& load) const {
    return program_.inputs[static_cast<size_t>(load.index)];
  }

  bool Step(size_t i) {
    const Instr& instr = program_.instrs[i];
    switch (instr.kind) {
      case InstrKind::kLoad:
        if (!InputOf(instr).accumulator) return true;
        if (current_ >= 0) return false;
        current_ = static_cast<int>(i);
        return true;
      case InstrKind::kPointwise:
        if (!(instr.op == PointwiseOp::kAdd ? TakeAdd(instr) : TakeActivation(instr))) return false;
        current_ = static_cast<int>(i);
        return true;
      case InstrKind::kStore:
        return instr.args[0] == current_;
      case InstrKind::kConst:
      case InstrKind::kIota:
      case InstrKind::kReduce:
      case InstrKind::kStoreRow:
        return false;
    }
    return false;
  }

  bool TakeAdd(const Instr& instr) {
    if (current_ < 0 || (instr.args[0] == current_) == (instr.args[1] == current_)) return false;
    const int32_t other = instr.args[0] == current_ ? instr.args[1] : instr.args[0];
    const Instr& load = program_.instrs[static_cast<size_t>(other)];
    if (load.kind != InstrKind::kLoad) return false;
    const Walk& walk = geometry_.inputs[static_cast<size_t>(load.index)];
    if (geometry_.ColStride(walk) != 1 || !IsSmallFloat(walk) || plan_.residual >= 0) return false;
    bool per_column = true;
    for (int d = 0; d < geometry_.col_dim(); ++d) {
      per_column = per_column && walk.strides[static_cast<size_t>(d)] == 0;
    }
    if (per_column && plan_.bias < 0 && plan_.act == ChainAct::kNone) {
      plan_.bias = load.index;
    } else {
      plan_.residual = load.index;
    }
    return true;
  }

  bool TakeActivation(const Instr& instr) {
    const std::optional<ChainAct> act = ActOf(instr.op);
    if (!act || instr.args[0] != current_ || current_ < 0 || plan_.relu_last) return false;
    if (plan_.residual >= 0) {
      plan_.relu_last = true;
      return *act == ChainAct::kRelu;
    }
    if (plan_.act != ChainAct::kNone) return false;
    plan_.act = *act;
    return true;
  }

  const CompiledLoop& compiled_;
  const loop::Program& program_;
  const Geometry& geometry_;
  ChainPlan plan_;
  int current_ = -1;
};

class Plan : public EpiloguePlan {
 public:
  Plan(Geometry geometry, TileProgram program, std::optional<ChainPlan> chain, bool accumulator)
      : geometry_(std::move(geometry)),
        program_(std::move(program)),
        chain_(chain),
        first_input_(accumulator ? 1 : 0) {}

  bool IsPlainCopy() const override {
    return chain_ && chain_->act == ChainAct::kNone && chain_->bias < 0 && chain_->residual < 0 &&
           CanRunInPlace();
  }
  bool CanRunInPlace() const override {
    return geometry_.outputs[0].dtype == DataType::kFloat32 &&
           geometry_.ColStride(geometry_.outputs[0]) == 1;
  }
  int64_t OutputRowStride() const override {
    if (geometry_.rank > 2) return -1;
    return geometry_.rows() == 1 ? geometry_.cols() : geometry_.RowStride(geometry_.outputs[0]);
  }

 private:
  // A run of rows along which every tensor has one row stride.
  struct Segment {
    std::span<const TensorView> inputs;
    const TensorView* output;
    const float* acc;
    int64_t acc_stride;
    std::array<int64_t, kMaxRank + 2> start;
    int64_t rows;
    int64_t cols;
  };

  void RunTile(std::span<const TensorView> inputs, const TensorView& output, const float* acc,
               int64_t acc_stride, int64_t row_begin, int64_t rows, int64_t col_begin,
               int64_t cols) const override {
    if (rows <= 0 || cols <= 0) return;
    Segment segment{inputs, &output, acc, acc_stride, {}, 0, cols};
    segment.start[static_cast<size_t>(geometry_.col_dim())] = col_begin;
    const int64_t row_end = row_begin + rows;
    while (row_begin < row_end) {
      int64_t outer = row_begin / geometry_.rows();
      const int64_t row = row_begin - outer * geometry_.rows();
      segment.start[static_cast<size_t>(geometry_.row_dim())] = row;
      for (int d = geometry_.row_dim() - 1; d >= 0; --d) {
        const auto k = static_cast<size_t>(d);
        segment.start[k] = outer % geometry_.dims[k];
        outer /= geometry_.dims[k];
      }
      segment.rows = std::min(row_end - row_begin, geometry_.rows() - row);
      chain_ ? RunChain(segment) : RunSegment(segment);
      row_begin += segment.rows;
      segment.acc += segment.rows * acc_stride;
    }
  }

  int64_t OffsetOf(const Walk& walk, const std::array<int64_t, kMaxRank + 2>& start) const {
    int64_t offset = 0;
    for (size_t d = 0; d < static_cast<size_t>(geometry_.rank); ++d) {
      offset += start[d] * walk.strides[d];
    }
    return offset * static_cast<int64_t>(SizeOf(walk.dtype));
  }
  const std::byte* InputAt(const Segment& segment, int input,
                           const std::array<int64_t, kMaxRank + 2>& start) const {
    const auto i = static_cast<size_t>(input);
    return segment.inputs[i - first_input_].as<const std::byte>() +
           OffsetOf(geometry_.inputs[i], start);
  }

  void RunChain(const Segment& segment) const {
    ChainArgs args;
    args.acc = segment.acc;
    args.acc_row = segment.acc_stride;
    args.rows = segment.rows;
    args.cols = segment.cols;
    args.relu_last = chain_->relu_last;
    if (chain_->bias >= 0) {
      args.bias = InputAt(segment, chain_->bias, segment.start);
      args.bias_type = geometry_.inputs[static_cast<size_t>(chain_->bias)].dtype;
    }
    if (chain_->residual >= 0) {
      const Walk& walk = geometry_.inputs[static_cast<size_t>(chain_->residual)];
      args.residual = InputAt(segment, chain_->residual, segment.start);
      args.residual_row = geometry_.RowStride(walk);
      args.residual_type = walk.dtype;
    }
    const Walk& walk = geometry_.outputs[0];
    args.out = segment.output->as<std::byte>() + OffsetOf(walk, segment.start);
    args.out_row = geometry_.RowStride(walk);
    args.out_type = walk.dtype;
    chain_->fn(args);
  }

  void RunSegment(const Segment& segment) const {
    alignas(64) std::byte arena[kArenaBytes];
    TileContext tile;
    tile.arena = arena;
    for (size_t i = 0; i < geometry_.inputs.size(); ++i) {
      tile.input_rows[i] = geometry_.RowStride(geometry_.inputs[i]);
      tile.input_cols[i] = geometry_.ColStride(geometry_.inputs[i]);
    }
    if (first_input_ > 0) tile.input_rows[0] = segment.acc_stride;
    tile.output_rows[0] = geometry_.RowStride(geometry_.outputs[0]);
    tile.output_cols[0] = geometry_.ColStride(geometry_.outputs[0]);
    tile.start = segment.start;
    const auto row_dim = static_cast<size_t>(geometry_.row_dim());
    const auto col_dim = static_cast<size_t>(geometry_.col_dim());
    const int64_t tile_cols = std::min(segment.cols, program_.shape.elements);
    const int64_t tile_rows = program_.shape.elements / tile_cols;
    for (int64_t r = 0; r < segment.rows; r += tile_rows) {
      for (int64_t c = 0; c < segment.cols; c += tile_cols) {
        tile.start[row_dim] = segment.start[row_dim] + r;
        tile.start[col_dim] = segment.start[col_dim] + c;
        tile.col_begin = tile.start[col_dim];
        tile.rows = std::min(tile_rows, segment.rows - r);
        tile.cols = std::min(tile_cols, segment.cols - c);
        if (first_input_ > 0) {
          tile.inputs[0] =
              reinterpret_cast<const std::byte*>(segment.acc + r * segment.acc_stride + c);
        }
        for (size_t i = first_input_; i < geometry_.inputs.size(); ++i) {
          tile.inputs[i] = InputAt(segment, static_cast<int>(i), tile.start);
        }
        tile.outputs[0] =
            segment.output->as<std::byte>() + OffsetOf(geometry_.outputs[0], tile.start);
        RunSteps(program_, program_.phases[0].block, tile);
      }
    }
  }

  Geometry geometry_;
  TileProgram program_;
  std::optional<ChainPlan> chain_;
  size_t first_input_;
};

// Tiles of every aspect come, so each buffer has room for the largest of its kind.
Result<TileProgram> BuildForTiles(const CompiledLoop& compiled, const Geometry& geometry) {
  for (int64_t elements = kTileElements; elements > 0; elements /= 2) {
    TRT_ASSIGN_OR_RETURN(
        TileProgram program,
        BuildTileProgram(compiled, geometry, TileShape{elements, elements, elements}, false));
    if (program.arena_bytes <= kArenaBytes) return program;
  }
  return Unsupported("[epilogue] too many values alive at once; split the program");
}

}  // namespace

loop::Program CopyEpilogueProgram(int rank, DataType dtype) {
  loop::Program program;
  program.rank = rank;
  loop::Input input;
  input.accumulator = true;
  for (int d = 0; d < rank; ++d) input.map.push_back(static_cast<int8_t>(d));
  program.inputs.push_back(std::move(input));
  program.outputs.push_back(loop::Output{dtype, false});
  Instr load;
  load.kind = InstrKind::kLoad;
  Instr store;
  store.kind = InstrKind::kStore;
  store.args[0] = 0;
  program.instrs = {load, store};
  return program;
}

Result<std::unique_ptr<const EpiloguePlan>> PrepareEpilogue(const CompiledLoop& compiled,
                                                            const Dims& domain,
                                                            std::span<const TensorView> inputs,
                                                            const TensorView& output) {
  const loop::Program& program = compiled.program;
  if (program.outputs.size() != 1 || program.outputs[0].row || compiled.max_level > 0 ||
      program.rank < 1) {
    return Unsupported("[epilogue] a program with a reduction, a row output, no dims or ",
                       program.outputs.size(), " outputs; run it as a loop of its own");
  }
  TRT_ASSIGN_OR_RETURN(Geometry geometry,
                       MakeGeometry(program, domain, inputs, {&output, 1}, true));
  TRT_ASSIGN_OR_RETURN(TileProgram tiles, BuildForTiles(compiled, geometry));
  std::optional<ChainPlan> chain = ChainMatcher(compiled, geometry).Match();
  const bool accumulator = !program.inputs.empty() && program.inputs[0].accumulator;
  if (!accumulator) chain.reset();
  return std::unique_ptr<const EpiloguePlan>(
      std::make_unique<const Plan>(std::move(geometry), std::move(tiles), chain, accumulator));
}

}  // namespace torch_tensorrt::core::kernels
