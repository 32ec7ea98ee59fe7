// Inference of pointwise kinds, sources and fused programs.
#include <set>

#include "core/layers/infer_args.h"
#include "core/loop/program.h"

namespace torch_tensorrt::core::layers {
namespace {

enum class Operands { kAny, kNumbers, kFloats, kBits };

// The operand types that PyTorch defines an operation for (bool counts as a number for
// addition, multiplication, extrema and sign only).
Operands OperandsOf(PointwiseOp op) {
  static constexpr PointwiseOp kAnyOps[] = {
      PointwiseOp::kEq,         PointwiseOp::kNe,        PointwiseOp::kLt,
      PointwiseOp::kLe,         PointwiseOp::kGt,        PointwiseOp::kGe,
      PointwiseOp::kLogicalAnd, PointwiseOp::kLogicalOr, PointwiseOp::kLogicalXor,
      PointwiseOp::kLogicalNot, PointwiseOp::kAdd,       PointwiseOp::kMul,
      PointwiseOp::kMaximum,    PointwiseOp::kMinimum,   PointwiseOp::kSign,
      PointwiseOp::kIsNan,      PointwiseOp::kIsInf,     PointwiseOp::kSignBit};
  static constexpr PointwiseOp kNumberOps[] = {
      PointwiseOp::kSub,   PointwiseOp::kFloorDiv, PointwiseOp::kTruncDiv, PointwiseOp::kRemainder,
      PointwiseOp::kFmod,  PointwiseOp::kPow,      PointwiseOp::kNeg,      PointwiseOp::kAbs,
      PointwiseOp::kFloor, PointwiseOp::kCeil,     PointwiseOp::kRound,    PointwiseOp::kTrunc,
      PointwiseOp::kRelu,  PointwiseOp::kClamp};
  static constexpr PointwiseOp kBitOps[] = {
      PointwiseOp::kBitAnd,    PointwiseOp::kBitOr,      PointwiseOp::kBitXor, PointwiseOp::kBitNot,
      PointwiseOp::kShiftLeft, PointwiseOp::kShiftRight, PointwiseOp::kGcd};
  for (PointwiseOp any : kAnyOps) {
    if (any == op) return Operands::kAny;
  }
  for (PointwiseOp number : kNumberOps) {
    if (number == op) return Operands::kNumbers;
  }
  for (PointwiseOp bit : kBitOps) {
    if (bit == op) return Operands::kBits;
  }
  return Operands::kFloats;
}

Result<DataType> PointwiseType(const InferArgs& args, int arity) {
  const auto op = args.attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd);
  const PointwiseOpInfo& info = InfoOf(op);
  const DataType type = args.in(0).dtype;
  if (info.arity != arity || info.result == ResultType::kCast) {
    return args.Error("op ", info.name, " is not an operation of ", arity, " operands");
  }
  const Operands operands = OperandsOf(op);
  const bool fits = operands == Operands::kAny ||
                    (operands == Operands::kNumbers && type != DataType::kBool) ||
                    (operands == Operands::kFloats && IsFloat(type)) ||
                    (operands == Operands::kBits && !IsFloat(type));
  if (!fits) return args.Error(info.name, " is not defined for ", DataTypeName(type));
  return info.result == ResultType::kBool ? DataType::kBool : type;
}

}  // namespace

InferResult InferConstant(const InferArgs& args) {
  return args.Error("a constant's type is its weights'; use AddConstant");
}

InferResult InferCast(const InferArgs& args) {
  return std::vector<TensorType>{
      {args.attrs.Get<DataType>("to", DataType::kFloat32), args.dims(0)}};
}

InferResult InferUnary(const InferArgs& args) {
  TRT_ASSIGN_OR_RETURN(const DataType type, PointwiseType(args, 1));
  return std::vector<TensorType>{{type, args.dims(0)}};
}

InferResult InferElementwise(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 1));
  TRT_ASSIGN_OR_RETURN(const DataType type, PointwiseType(args, 2));
  auto dims = BroadcastDims(args.dims(0), args.dims(1));
  if (!dims.ok()) return args.Error(dims.status().message());
  return std::vector<TensorType>{{type, *std::move(dims)}};
}

InferResult InferSelect(const InferArgs& args) {
  if (args.in(0).dtype != DataType::kBool) {
    return args.Error("the condition must be bool, is ", DataTypeName(args.in(0).dtype));
  }
  TRT_RETURN_IF_ERROR(args.RequireSameType(1, 2));
  auto dims = BroadcastDims(args.dims(1), args.dims(2));
  if (dims.ok()) dims = BroadcastDims(args.dims(0), *dims);
  if (!dims.ok()) return args.Error(dims.status().message());
  return std::vector<TensorType>{{args.in(1).dtype, *std::move(dims)}};
}

InferResult InferFill(const InferArgs& args) {
  const SymDims dims = args.attrs.Syms("dims");
  for (const SymInt& dim : dims) {
    if (dim.is_constant() && dim.constant() < 0) return args.Error("dims ", core::ToString(dims));
  }
  return std::vector<TensorType>{{args.attrs.Get<DataType>("dtype", DataType::kFloat32), dims}};
}

InferResult InferIota(const InferArgs& args) {
  const auto length = args.attrs.Get<SymInt>("length", 0);
  const auto type = args.attrs.Get<DataType>("dtype", DataType::kInt64);
  if (length.is_constant() && length.constant() < 0) return args.Error("length ", length);
  if (type == DataType::kBool) return args.Error("a range cannot be bool");
  return std::vector<TensorType>{{type, {length}}};
}

InferResult InferCopy(const InferArgs& args) {
  return std::vector<TensorType>{{args.in(0).dtype, args.dims(0)}};
}

InferResult InferFused(const InferArgs& args) {
  const std::string text = args.attrs.Get<ProgramText>("program", {}).text;
  TRT_ASSIGN_OR_RETURN(const loop::Program program, loop::Program::Parse(text));
  const SymDims domain = args.attrs.Syms("domain");
  if (static_cast<int>(domain.size()) != program.rank) {
    return args.Error("a domain of rank ", domain.size(), " for a program of rank ", program.rank);
  }
  if (program.inputs.size() != args.inputs.size()) {
    return args.Error("the program has ", program.inputs.size(), " inputs, the layer ",
                      args.inputs.size());
  }
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    if (program.inputs[i].accumulator) return args.Error("only an epilogue has an accumulator");
    if (program.inputs[i].dtype != args.in(i).dtype) {
      return args.Error("input ", i, " is ", ToString(args.in(i)), ", the program reads ",
                        DataTypeName(program.inputs[i].dtype));
    }
    TRT_RETURN_IF_ERROR(CheckProgramInput(args, args.in(i), program.inputs[i].map, domain));
  }
  std::vector<TensorType> outputs;
  for (const loop::Output& output : program.outputs) {
    SymDims dims = domain;
    if (output.row) dims.pop_back();
    outputs.push_back({output.dtype, std::move(dims)});
  }
  if (outputs.empty()) return args.Error("the program has no outputs");
  return outputs;
}

Result<DataType> InferEpilogue(const InferArgs& args, size_t first_extra, const SymDims& dims,
                               DataType dtype) {
  if (!args.attrs.Has("epilogue")) {
    if (args.inputs.size() == first_extra) return dtype;
    return args.Error("takes ", first_extra, " inputs without an epilogue, got ",
                      args.inputs.size());
  }
  const std::string text = args.attrs.Get<ProgramText>("epilogue", {}).text;
  TRT_ASSIGN_OR_RETURN(const loop::Program program, loop::Program::Parse(text));
  if (program.rank != static_cast<int>(dims.size()) || program.outputs.size() != 1 ||
      program.outputs[0].row || program.HasReduce()) {
    return args.Error(
        "an epilogue is a program over the output dims with one output, no reduction");
  }
  if (program.inputs.empty() || !program.inputs[0].accumulator) {
    return args.Error("input 0 of an epilogue must be the accumulator");
  }
  for (size_t d = 0; d < dims.size(); ++d) {
    if (program.inputs[0].map[d] != static_cast<int8_t>(d)) {
      return args.Error("the accumulator must be read in order");
    }
  }
  if (!IsFloat(dtype) || dtype == DataType::kFloat64) {
    return args.Error("no epilogue on ", DataTypeName(dtype), " products");
  }
  if (program.inputs.size() - 1 != args.inputs.size() - first_extra) {
    return args.Error("the epilogue reads ", program.inputs.size() - 1, " extra inputs, got ",
                      args.inputs.size() - first_extra);
  }
  for (size_t i = 1; i < program.inputs.size(); ++i) {
    const TensorType& operand = args.in(first_extra + i - 1);
    if (operand.dtype != program.inputs[i].dtype) {
      return args.Error("epilogue input ", i, " is ", ToString(operand), ", the program reads ",
                        DataTypeName(program.inputs[i].dtype));
    }
    TRT_RETURN_IF_ERROR(CheckProgramInput(args, operand, program.inputs[i].map, dims));
  }
  return program.outputs[0].dtype;
}

}  // namespace torch_tensorrt::core::layers
