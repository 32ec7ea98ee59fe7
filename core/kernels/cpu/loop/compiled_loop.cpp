#include "core/kernels/cpu/loop/compiled_loop.h"

#include <algorithm>

#include "core/kernels/cpu/loop/step.h"
#include "core/kernels/cpu/loop/tile_program.h"

namespace torch_tensorrt::core::kernels {

using loop::Instr;
using loop::InstrKind;
using loop::Program;

int ArgCount(const Instr& instr) {
  switch (instr.kind) {
    case InstrKind::kLoad:
    case InstrKind::kConst:
    case InstrKind::kIota:
      return 0;
    case InstrKind::kPointwise:
      return InfoOf(instr.op).arity;
    case InstrKind::kReduce:
    case InstrKind::kStore:
    case InstrKind::kStoreRow:
      return 1;
  }
  return 0;
}

DataType OperandType(const Program& program, const Instr& instr) {
  const int last = ArgCount(instr) - 1;
  return program.instrs[static_cast<size_t>(instr.args[last])].type;
}

namespace {

Status CheckCode(const Program& program, size_t i) {
  const Instr& instr = program.instrs[i];
  const LoopCode& code = LoopCodeFor(CurrentIsa());
  if (instr.kind == InstrKind::kPointwise && instr.op != PointwiseOp::kCast) {
    const DataType type = OperandType(program, instr);
    if (code.pointwise(instr.op, type, 0) == nullptr) {
      return Unsupported("[cpu.loop] instruction ", i, ": ", InfoOf(instr.op).name, " of ",
                         DataTypeName(type), "; cast the operands to a type that has it");
    }
  }
  if (instr.kind == InstrKind::kReduce) {
    const DataType type = OperandType(program, instr);
    if (code.fold(instr.reduce, type) == nullptr) {
      return Unsupported("[cpu.loop] instruction ", i, ": ", loop::ReduceOpName(instr.reduce),
                         " of ", DataTypeName(type), "; cast the operand to a type that has it");
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<const CompiledLoop>> CompileLoop(const Program& program) {
  TRT_RETURN_IF_ERROR(program.Verify());
  if (program.inputs.size() > kMaxLoopOperands || program.outputs.size() > kMaxLoopOperands) {
    return Unsupported("[cpu.loop] ", program.inputs.size(), " inputs and ", program.outputs.size(),
                       " outputs; at most ", kMaxLoopOperands, " of each: split the program");
  }
  auto compiled = std::make_unique<CompiledLoop>();
  compiled->program = program;
  const size_t count = program.instrs.size();
  compiled->live.assign(count, false);
  compiled->level.assign(count, 0);
  for (size_t i = count; i-- > 0;) {
    const Instr& instr = program.instrs[i];
    if (instr.kind == InstrKind::kStore || instr.kind == InstrKind::kStoreRow) {
      compiled->live[i] = true;
    }
    if (!compiled->live[i]) continue;
    TRT_RETURN_IF_ERROR(CheckCode(program, i));
    for (int k = 0; k < ArgCount(instr); ++k) {
      compiled->live[static_cast<size_t>(instr.args[k])] = true;
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const Instr& instr = program.instrs[i];
    int level = 0;
    for (int k = 0; k < ArgCount(instr); ++k) {
      level = std::max(level, compiled->level[static_cast<size_t>(instr.args[k])]);
    }
    if (instr.kind == InstrKind::kReduce) ++level;
    compiled->level[i] = level;
    if (compiled->live[i]) compiled->max_level = std::max(compiled->max_level, level);
  }
  return std::unique_ptr<const CompiledLoop>(std::move(compiled));
}

}  // namespace torch_tensorrt::core::kernels
