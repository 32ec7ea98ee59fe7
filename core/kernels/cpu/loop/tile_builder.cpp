#include <cstring>

#include "core/kernels/cpu/loop/tile_arena.h"
#include "core/kernels/cpu/loop/tile_program.h"

namespace torch_tensorrt::core::kernels {
namespace {

using loop::Instr;
using loop::InstrKind;

class Builder {
 public:
  Builder(const CompiledLoop& compiled, const Geometry& geometry, const TileShape& shape,
          bool phased)
      : compiled_(compiled),
        program_(compiled.program),
        geometry_(geometry),
        code_(LoopCodeFor(CurrentIsa())),
        phased_(phased) {
    out_.shape = shape;
  }

  Result<TileProgram> Build() {
    Analyse();
    const int phase_count = phased_ ? compiled_.max_level + 1 : 1;
    out_.phases.resize(static_cast<size_t>(phase_count));
    for (int level = 0; level < phase_count; ++level) EmitPhase(level);
    if (failed_) return InternalError("[cpu.loop] no code for a step of ", program_.ToString());
    TileArena planner(&buffers_);
    planner.PlaceLasting();
    for (Phase& phase : out_.phases) planner.PlacePhase(&phase);
    out_.arena_bytes = static_cast<size_t>(planner.bytes());
    return std::move(out_);
  }

 private:
  const Instr& At(size_t i) const { return program_.instrs[i]; }
  size_t Arg(const Instr& instr, int k) const { return static_cast<size_t>(instr.args[k]); }
  bool HasRows() const { return geometry_.rows() > 1; }

  // What each register varies along, and which go straight to an output.
  void Analyse() {
    const size_t count = program_.instrs.size();
    by_row_.assign(count, false);
    by_col_.assign(count, false);
    direct_.assign(count, -1);
    regs_.assign(count, Operand{});
    for (size_t i = 0; i < count; ++i) AnalyseInstr(i);
    for (size_t i = 0; i < count; ++i) {
      const Instr& instr = At(i);
      if (instr.kind != InstrKind::kStore) continue;
      const size_t arg = Arg(instr, 0);
      const Walk& walk = geometry_.outputs[static_cast<size_t>(instr.index)];
      const bool whole = by_col_[arg] && (by_row_[arg] || !HasRows());
      if (whole && At(arg).kind == InstrKind::kPointwise && walk.dtype == At(arg).type &&
          geometry_.ColStride(walk) == 1 && direct_[arg] < 0 &&
          compiled_.level[arg] == compiled_.level[i]) {
        direct_[arg] = instr.index;
      }
    }
  }

  void AnalyseInstr(size_t i) {
    const Instr& instr = At(i);
    if (instr.kind == InstrKind::kLoad) {
      const Walk& walk = geometry_.inputs[static_cast<size_t>(instr.index)];
      const bool accumulator = program_.inputs[static_cast<size_t>(instr.index)].accumulator;
      by_row_[i] = accumulator ? true : geometry_.RowStride(walk) != 0;
      by_col_[i] = accumulator ? true : geometry_.ColStride(walk) != 0;
    } else if (instr.kind == InstrKind::kIota) {
      const int place = geometry_.place_of[static_cast<size_t>(instr.index)];
      by_row_[i] = place == geometry_.row_dim();
      by_col_[i] = place == geometry_.col_dim();
    } else {
      for (int k = 0; k < ArgCount(instr); ++k) {
        by_row_[i] = by_row_[i] || by_row_[Arg(instr, k)];
        by_col_[i] = by_col_[i] || by_col_[Arg(instr, k)];
      }
      if (instr.kind == InstrKind::kReduce) by_col_[i] = false;
    }
  }

  // Registers that sweep the columns in the phase of this level: those its reductions and stores
  // need.
  std::vector<bool> NeededInBlock(int level) const {
    std::vector<bool> needed(program_.instrs.size(), false);
    for (size_t i = program_.instrs.size(); i-- > 0;) {
      const Instr& instr = At(i);
      if (!compiled_.live[i]) continue;
      const bool root = (instr.kind == InstrKind::kStore && compiled_.level[i] == level) ||
                        (instr.kind == InstrKind::kReduce && compiled_.level[i] == level + 1);
      if (!root && !needed[i]) continue;
      needed[i] = true;
      for (int k = 0; k < ArgCount(instr); ++k) {
        if (by_col_[Arg(instr, k)]) needed[Arg(instr, k)] = true;
      }
    }
    return needed;
  }

  void EmitPhase(int level) {
    Phase& phase = out_.phases[static_cast<size_t>(level)];
    const std::vector<bool> needed = phased_ ? NeededInBlock(level) : compiled_.live;
    for (size_t i = 0; i < program_.instrs.size(); ++i) {
      if (!compiled_.live[i]) continue;
      const Instr& instr = At(i);
      if (!phased_) {
        steps_ = &phase.block;
        EmitInstr(i, &phase.block, &phase.block);
        continue;
      }
      const bool store = instr.kind == InstrKind::kStore;
      const bool in_block = by_col_[i] || store || instr.kind == InstrKind::kReduce;
      if (in_block ? !needed[i] : compiled_.level[i] != level) continue;
      if (instr.kind == InstrKind::kReduce && compiled_.level[i] != level + 1) continue;
      steps_ = in_block ? &phase.block : &phase.before;
      EmitInstr(i, &phase.before, &phase.after);
    }
  }

  void EmitInstr(size_t i, std::vector<Step>* init, std::vector<Step>* finish) {
    switch (At(i).kind) {
      case InstrKind::kLoad:
        return EmitLoad(i);
      case InstrKind::kConst:
        return EmitConst(i);
      case InstrKind::kIota:
        return EmitIota(i);
      case InstrKind::kPointwise:
        return EmitPointwise(i);
      case InstrKind::kReduce:
        return EmitReduce(i, init, finish);
      case InstrKind::kStore:
        return EmitStore(i);
      case InstrKind::kStoreRow:
        return EmitStoreRow(i);
    }
  }

  Operand NewBuffer(DataType type, bool by_row, bool by_col) {
    Operand operand;
    operand.place = Place::kBuffer;
    operand.by_row = by_row;
    operand.by_col = by_col;
    operand.size = static_cast<uint8_t>(SizeOf(type));
    operand.index = static_cast<int32_t>(buffers_.size());
    const TileShape& shape = out_.shape;
    int64_t elements = 1;
    if (by_row) elements = shape.rows;
    if (by_col) elements = by_row ? shape.elements : shape.cols;
    TileBuffer buffer;
    buffer.bytes = (elements * operand.size + 63) / 64 * 64;
    buffer.lasting = phased_ && !by_col;
    buffers_.push_back(buffer);
    return operand;
  }

  Step* Add(StepKind kind) {
    steps_->push_back(Step{});
    steps_->back().kind = kind;
    return &steps_->back();
  }

  // dst = src converted, or spread over the columns where src has only one value per row.
  void AddCast(const Operand& src, DataType from, const Operand& dst, DataType to) {
    Step* step = Add(StepKind::kApply);
    step->fn = code_.cast(from, to, dst.by_col && !src.by_col ? 1 : 0);
    step->dst = dst;
    step->src[0] = src;
    step->src_count = 1;
    step->type = to;
    failed_ = failed_ || step->fn == nullptr;
  }

  void EmitLoad(size_t i) {
    const Instr& instr = At(i);
    const Walk& walk = geometry_.inputs[static_cast<size_t>(instr.index)];
    Operand operand;
    operand.place = Place::kInput;
    operand.index = instr.index;
    operand.size = static_cast<uint8_t>(SizeOf(walk.dtype));
    operand.by_row = by_row_[i];
    operand.by_col = by_col_[i];
    const bool accumulator = program_.inputs[static_cast<size_t>(instr.index)].accumulator;
    const bool strided = operand.by_col ? geometry_.ColStride(walk) != 1 : operand.by_row;
    if (strided && !accumulator) {
      Step* step = Add(StepKind::kGather);
      step->src[0] = operand;
      step->src_count = 1;
      step->dst = NewBuffer(walk.dtype, operand.by_row, operand.by_col);
      operand = step->dst;
    }
    if (walk.dtype != instr.type) {
      const Operand dst = NewBuffer(instr.type, operand.by_row, operand.by_col);
      AddCast(operand, walk.dtype, dst, instr.type);
      operand = dst;
    }
    regs_[i] = operand;
  }

  template <typename T>
  void AddConstant(T value) {
    out_.constants.emplace_back();
    std::memcpy(out_.constants.back().data(), &value, sizeof(value));
  }

  void EmitConst(size_t i) {
    const Instr& instr = At(i);
    Operand operand;
    operand.place = Place::kConst;
    operand.size = static_cast<uint8_t>(SizeOf(instr.type));
    operand.index = static_cast<int32_t>(out_.constants.size());
    switch (operand.size) {
      case 8:
        instr.type == DataType::kFloat64 ? AddConstant(instr.p0) : AddConstant(instr.ivalue);
        break;
      case 4:
        instr.type == DataType::kFloat32 ? AddConstant(static_cast<float>(instr.p0))
                                         : AddConstant(static_cast<int32_t>(instr.ivalue));
        break;
      case 2:
        AddConstant(static_cast<int16_t>(instr.ivalue));
        break;
      default:
        AddConstant(instr.type == DataType::kBool ? static_cast<uint8_t>(instr.ivalue != 0)
                                                  : static_cast<uint8_t>(instr.ivalue));
    }
    regs_[i] = operand;
  }

  void EmitIota(size_t i) {
    const int place = geometry_.place_of[static_cast<size_t>(At(i).index)];
    regs_[i] = NewBuffer(At(i).type, by_row_[i], by_col_[i]);
    Step* step = Add(StepKind::kIota);
    step->dst = regs_[i];
    // A dim of size 1 has no place; column `rank` always starts at 0.
    step->dim = place < 0 ? geometry_.rank : place;
  }

  void EmitPointwise(size_t i) {
    const Instr& instr = At(i);
    int scalars = 0;
    if (direct_[i] >= 0) {
      regs_[i] = Operand{};
      regs_[i].place = Place::kOutput;
      regs_[i].index = direct_[i];
      regs_[i].size = static_cast<uint8_t>(SizeOf(instr.type));
      regs_[i].by_col = true;
      regs_[i].by_row = by_row_[i];
    } else {
      regs_[i] = NewBuffer(instr.type, by_row_[i], by_col_[i]);
    }
    Step* step = Add(StepKind::kApply);
    step->src_count = ArgCount(instr);
    for (int k = 0; k < step->src_count; ++k) {
      step->src[k] = regs_[Arg(instr, k)];
      // Among values per row, only single ones are scalars.
      const bool scalar = by_col_[i] ? !step->src[k].by_col : by_row_[i] && !step->src[k].by_row;
      if (scalar) scalars |= 1 << k;
    }
    step->dst = regs_[i];
    step->type = instr.type;
    step->p0 = instr.p0;
    step->p1 = instr.p1;
    const DataType operand = OperandType(program_, instr);
    step->fn = instr.op == PointwiseOp::kCast ? code_.cast(operand, instr.type, scalars)
                                              : code_.pointwise(instr.op, operand, scalars);
    failed_ = failed_ || step->fn == nullptr;
    out_.cost += CostOf(instr.op);
  }

  static int64_t CostOf(PointwiseOp op) {
    switch (InfoOf(op).result) {
      case ResultType::kBool:
      case ResultType::kCast:
        return 1;
      case ResultType::kSame:
        break;
    }
    const bool cheap = op <= PointwiseOp::kMul || op == PointwiseOp::kMaximum ||
                       op == PointwiseOp::kMinimum || op == PointwiseOp::kRelu ||
                       op == PointwiseOp::kNeg || op == PointwiseOp::kSelect;
    return cheap ? 1 : 10;
  }

  void EmitReduce(size_t i, std::vector<Step>* init, std::vector<Step>* finish) {
    const Instr& instr = At(i);
    const size_t arg = Arg(instr, 0);
    const DataType type = At(arg).type;
    Operand src = regs_[arg];
    if (!src.by_col) {
      const Operand spread = NewBuffer(type, src.by_row, true);
      AddCast(src, type, spread, type);
      src = spread;
    }
    const Operand state = NewBuffer(DataType::kInt64, by_row_[i], false);
    regs_[i] = NewBuffer(instr.type, by_row_[i], false);
    const auto add = [&](std::vector<Step>* list, StepKind kind, DataType dst_type) {
      Step step;
      step.kind = kind;
      step.reduce = instr.reduce;
      step.type = dst_type;
      step.dst = state;
      list->push_back(step);
      return &list->back();
    };
    const bool logical = instr.type == DataType::kBool;
    add(init, StepKind::kInit, logical ? DataType::kBool : type);
    Step* fold = add(steps_, StepKind::kFold, type);
    fold->src[0] = src;
    fold->src_count = 1;
    fold->fold = code_.fold(instr.reduce, type);
    failed_ = failed_ || fold->fold == nullptr;
    Step* last = add(finish, StepKind::kFinish, instr.type);
    last->dst = regs_[i];
    last->src[0] = state;
    last->src_count = 1;
    last->p0 = static_cast<double>(geometry_.cols());
    out_.cost += 1;
  }

  void EmitStore(size_t i) {
    const Instr& instr = At(i);
    const size_t arg = Arg(instr, 0);
    if (direct_[arg] == instr.index) return;
    const Walk& walk = geometry_.outputs[static_cast<size_t>(instr.index)];
    Operand output;
    output.place = Place::kOutput;
    output.index = instr.index;
    output.size = static_cast<uint8_t>(SizeOf(walk.dtype));
    output.by_row = HasRows();
    output.by_col = true;
    if (geometry_.ColStride(walk) == 1) {
      AddCast(regs_[arg], At(arg).type, output, walk.dtype);
      return;
    }
    const Operand tile = NewBuffer(walk.dtype, HasRows(), true);
    AddCast(regs_[arg], At(arg).type, tile, walk.dtype);
    Step* step = Add(StepKind::kScatter);
    step->src[0] = tile;
    step->src_count = 1;
    step->dst = output;
  }

  void EmitStoreRow(size_t i) {
    const Instr& instr = At(i);
    const size_t arg = Arg(instr, 0);
    const Walk& walk = geometry_.outputs[static_cast<size_t>(instr.index)];
    // One value for all rows is first spread over them.
    Operand src = regs_[arg];
    if (walk.dtype != At(arg).type || src.by_row != HasRows()) {
      const Operand rows = NewBuffer(walk.dtype, HasRows(), false);
      Step* step = Add(StepKind::kApply);
      step->fn = code_.cast(At(arg).type, walk.dtype, HasRows() && !src.by_row ? 1 : 0);
      step->dst = rows;
      step->src[0] = src;
      step->src_count = 1;
      src = rows;
    }
    Step* step = Add(StepKind::kScatter);
    step->src[0] = src;
    step->src_count = 1;
    step->first_cols_only = true;
    step->dst.place = Place::kOutput;
    step->dst.index = instr.index;
    step->dst.size = src.size;
    step->dst.by_row = HasRows();
  }

  const CompiledLoop& compiled_;
  const loop::Program& program_;
  const Geometry& geometry_;
  const LoopCode& code_;
  const bool phased_;
  TileProgram out_;
  std::vector<Step>* steps_ = nullptr;
  std::vector<TileBuffer> buffers_;
  std::vector<bool> by_row_;
  std::vector<bool> by_col_;
  std::vector<int> direct_;
  std::vector<Operand> regs_;
  bool failed_ = false;
};

}  // namespace

Result<TileProgram> BuildTileProgram(const CompiledLoop& compiled, const Geometry& geometry,
                                     const TileShape& shape, bool phased) {
  return Builder(compiled, geometry, shape, phased).Build();
}

}  // namespace torch_tensorrt::core::kernels
