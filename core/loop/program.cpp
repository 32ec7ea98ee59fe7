#include "core/loop/program.h"

#include <algorithm>

namespace torch_tensorrt::core::loop {
namespace {

constexpr int kMaxProgramRank = 16;
constexpr std::string_view kReduceNames[] = {"sum", "mean", "max", "min", "prod", "any", "all"};

template <typename... Parts>
Status Bad(const Parts&... parts) {
  return InvalidArgument("[loop] ", parts...);
}

template <typename... Parts>
Status BadInstr(size_t i, const Parts&... parts) {
  return InvalidArgument("[loop] instruction ", i, ": ", parts...);
}

// The register type that holds a tensor's elements.
DataType RegisterType(DataType tensor) { return IsHalf(tensor) ? DataType::kFloat32 : tensor; }

bool IsStore(InstrKind kind) { return kind == InstrKind::kStore || kind == InstrKind::kStoreRow; }

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

Status VerifyInputs(const Program& program) {
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const Input& input = program.inputs[i];
    if (static_cast<int>(input.map.size()) != program.rank) {
      return Bad("input ", i, " maps ", input.map.size(), " dims of ", program.rank);
    }
    std::vector<int8_t> walked;
    for (int8_t dim : input.map) {
      if (dim < -1 || dim >= kMaxProgramRank) return Bad("input ", i, " maps dim ", int{dim});
      if (dim < 0) continue;
      if (std::find(walked.begin(), walked.end(), dim) != walked.end()) {
        return Bad("input ", i, " walks dim ", int{dim}, " twice");
      }
      walked.push_back(dim);
    }
    if (!input.accumulator) continue;
    if (i != 0) return Bad("input ", i, " is an accumulator; only input 0 may be");
    if (input.dtype != DataType::kFloat32) return Bad("the accumulator must be f32");
  }
  return Status::Ok();
}

Status VerifyPointwise(const Program& program, size_t i) {
  const Instr& instr = program.instrs[i];
  const PointwiseOpInfo& info = InfoOf(instr.op);
  auto arg_type = [&](int k) { return program.instrs[static_cast<size_t>(instr.args[k])].type; };
  if (instr.op == PointwiseOp::kSelect) {
    if (arg_type(0) != DataType::kBool) return BadInstr(i, "Select's condition must be bool");
    if (arg_type(1) != instr.type || arg_type(2) != instr.type) {
      return BadInstr(i, "Select's operands must have its type");
    }
    return Status::Ok();
  }
  if (info.result == ResultType::kCast) return Status::Ok();
  for (int k = 1; k < info.arity; ++k) {
    if (arg_type(k) != arg_type(0)) return BadInstr(i, info.name, " mixes operand types");
  }
  const DataType expected = info.result == ResultType::kBool ? DataType::kBool : arg_type(0);
  if (instr.type != expected) {
    return BadInstr(i, info.name, " has type ", DataTypeName(instr.type), ", not ",
                    DataTypeName(expected));
  }
  return Status::Ok();
}

Status VerifyReduce(const Program& program, size_t i, const std::vector<bool>& uniform) {
  const Instr& instr = program.instrs[i];
  const auto arg = static_cast<size_t>(instr.args[0]);
  if (program.rank == 0) return BadInstr(i, "a reduction needs a row");
  if (uniform[arg]) return BadInstr(i, "reduces a row-uniform register");
  if (instr.reduce == ReduceOp::kAny || instr.reduce == ReduceOp::kAll) {
    if (instr.type != DataType::kBool) return BadInstr(i, "any and all yield bool");
    return Status::Ok();
  }
  if (instr.type != program.instrs[arg].type) return BadInstr(i, "reduction changes the type");
  if (instr.type == DataType::kBool) return BadInstr(i, "bool registers reduce by any and all");
  if (instr.reduce == ReduceOp::kMean && !IsFloat(instr.type)) {
    return BadInstr(i, "mean needs a float register");
  }
  return Status::Ok();
}

Status VerifyStore(const Program& program, size_t i, const std::vector<bool>& uniform,
                   std::vector<int>* stores) {
  const Instr& instr = program.instrs[i];
  const auto arg = static_cast<size_t>(instr.args[0]);
  if (instr.index < 0 || static_cast<size_t>(instr.index) >= program.outputs.size()) {
    return BadInstr(i, "output ", instr.index, " of ", program.outputs.size());
  }
  const Output& output = program.outputs[static_cast<size_t>(instr.index)];
  if (output.row != (instr.kind == InstrKind::kStoreRow)) {
    return BadInstr(i, "the kind of store does not match output ", instr.index);
  }
  if (program.instrs[arg].type != instr.type || instr.type != RegisterType(output.dtype)) {
    return BadInstr(i, "stores ", DataTypeName(program.instrs[arg].type), " to an output of ",
                    DataTypeName(output.dtype));
  }
  if (output.row && program.rank == 0) return BadInstr(i, "a row output needs a row");
  if (output.row && !uniform[arg]) return BadInstr(i, "stores a full register to a row output");
  ++(*stores)[static_cast<size_t>(instr.index)];
  return Status::Ok();
}

Status VerifyLeaf(const Program& program, size_t i) {
  const Instr& instr = program.instrs[i];
  if (instr.kind == InstrKind::kLoad) {
    if (instr.index < 0 || static_cast<size_t>(instr.index) >= program.inputs.size()) {
      return BadInstr(i, "input ", instr.index, " of ", program.inputs.size());
    }
    const DataType expected = RegisterType(program.inputs[static_cast<size_t>(instr.index)].dtype);
    if (instr.type != expected) return BadInstr(i, "a load must have its input's register type");
  }
  if (instr.kind == InstrKind::kIota) {
    if (instr.index < 0 || instr.index >= program.rank) {
      return BadInstr(i, "iota along dim ", instr.index, " of ", program.rank);
    }
    if (!IsInteger(instr.type)) return BadInstr(i, "iota yields integers");
  }
  return Status::Ok();
}

Status VerifyArgs(const Program& program, size_t i) {
  const Instr& instr = program.instrs[i];
  if (IsHalf(instr.type)) return BadInstr(i, "registers are never f16 or bf16");
  for (int k = 0; k < ArgCount(instr); ++k) {
    const int32_t arg = instr.args[k];
    if (arg < 0 || static_cast<size_t>(arg) >= i) return BadInstr(i, "argument %", arg);
    if (IsStore(program.instrs[static_cast<size_t>(arg)].kind)) {
      return BadInstr(i, "argument %", arg, " is a store");
    }
  }
  return Status::Ok();
}

bool IsUniform(const Program& program, const Instr& instr, const std::vector<bool>& so_far) {
  switch (instr.kind) {
    case InstrKind::kConst:
    case InstrKind::kReduce:
      return true;
    case InstrKind::kLoad: {
      const Input& input = program.inputs[static_cast<size_t>(instr.index)];
      return program.rank == 0 || input.map.back() < 0;
    }
    case InstrKind::kIota:
      return instr.index != program.rank - 1;
    case InstrKind::kPointwise:
    case InstrKind::kStore:
    case InstrKind::kStoreRow:
      for (int k = 0; k < ArgCount(instr); ++k) {
        if (!so_far[static_cast<size_t>(instr.args[k])]) return false;
      }
      return true;
  }
  return false;
}

}  // namespace

std::string_view ReduceOpName(ReduceOp op) { return kReduceNames[static_cast<size_t>(op)]; }

Status Program::Verify() const {
  if (rank < 0 || rank > kMaxProgramRank) return Bad("rank ", rank);
  TRT_RETURN_IF_ERROR(VerifyInputs(*this));
  std::vector<bool> uniform;
  std::vector<int> stores(outputs.size(), 0);
  for (size_t i = 0; i < instrs.size(); ++i) {
    const Instr& instr = instrs[i];
    TRT_RETURN_IF_ERROR(VerifyArgs(*this, i));
    switch (instr.kind) {
      case InstrKind::kLoad:
      case InstrKind::kConst:
      case InstrKind::kIota:
        TRT_RETURN_IF_ERROR(VerifyLeaf(*this, i));
        break;
      case InstrKind::kPointwise:
        TRT_RETURN_IF_ERROR(VerifyPointwise(*this, i));
        break;
      case InstrKind::kReduce:
        TRT_RETURN_IF_ERROR(VerifyReduce(*this, i, uniform));
        break;
      case InstrKind::kStore:
      case InstrKind::kStoreRow:
        TRT_RETURN_IF_ERROR(VerifyStore(*this, i, uniform, &stores));
        break;
    }
    uniform.push_back(IsUniform(*this, instr, uniform));
  }
  for (size_t i = 0; i < stores.size(); ++i) {
    if (stores[i] != 1) return Bad("output ", i, " is stored ", stores[i], " times");
  }
  return Status::Ok();
}

std::vector<bool> Program::RowUniform() const {
  std::vector<bool> uniform;
  uniform.reserve(instrs.size());
  for (const Instr& instr : instrs) uniform.push_back(IsUniform(*this, instr, uniform));
  return uniform;
}

bool Program::HasReduce() const {
  return std::any_of(instrs.begin(), instrs.end(),
                     [](const Instr& i) { return i.kind == InstrKind::kReduce; });
}

Program CopyProgram(int rank, DataType type, size_t count) {
  Program program;
  program.rank = rank;
  Input input{type, {}, false};
  for (int d = 0; d < rank; ++d) input.map.push_back(static_cast<int8_t>(d));
  for (const InstrKind kind : {InstrKind::kLoad, InstrKind::kStore}) {
    for (size_t i = 0; i < count; ++i) {
      Instr instr;
      instr.kind = kind;
      instr.type = RegisterType(type);
      instr.index = static_cast<int32_t>(i);
      if (kind == InstrKind::kStore) instr.args[0] = instr.index;
      program.instrs.push_back(instr);
    }
  }
  program.inputs.assign(count, input);
  program.outputs.assign(count, {type, false});
  return program;
}

}  // namespace torch_tensorrt::core::loop
