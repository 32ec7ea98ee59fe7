#include "core/kernels/cuda/loop/expressions.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/kernels/cuda/launch.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using loop::Instr;
using loop::InstrKind;
using loop::ReduceOp;

size_t At(int64_t i) { return static_cast<size_t>(i); }

int ArgCount(const Instr& instr) {
  switch (instr.kind) {
    case InstrKind::kPointwise:
      return InfoOf(instr.op).arity;
    case InstrKind::kReduce:
    case InstrKind::kStore:
    case InstrKind::kStoreRow:
      return 1;
    default:
      return 0;
  }
}

std::string FloatLiteral(double value, bool is_double) {
  if (std::isnan(value)) return is_double ? "double(TRT_NAN)" : "TRT_NAN";
  if (std::isinf(value)) {
    return StrCat(is_double ? "double(" : "(", value < 0 ? "-" : "", "TRT_INF)");
  }
  char text[48];
  std::snprintf(text, sizeof(text), "%a%s", value, is_double ? "" : "f");
  return text;
}

// Operations with parameters p0 and p1.
bool TakesParameters(PointwiseOp op) {
  return op == PointwiseOp::kSoftplus || op == PointwiseOp::kElu || op == PointwiseOp::kLeakyRelu ||
         op == PointwiseOp::kClamp;
}

bool IsUniform(const loop::Program& program, size_t r, const std::vector<bool>& uniform,
               const std::vector<bool>& input_is_same, const std::vector<bool>& dim_is_fixed) {
  const Instr& instr = program.instrs[r];
  switch (instr.kind) {
    case InstrKind::kLoad:
      return input_is_same[At(instr.index)];
    case InstrKind::kIota:
      return dim_is_fixed[At(instr.index)];
    case InstrKind::kConst:
    case InstrKind::kReduce:
      return true;
    default:
      break;
  }
  for (int k = 0; k < ArgCount(instr); ++k) {
    if (!uniform[At(instr.args[k])]) return false;
  }
  return true;
}

bool IsSpecial(PointwiseOp op) {
  switch (op) {
#define TRT_CASE(name, arity, result, commutative) case PointwiseOp::k##name:
    TRT_SPECIAL_UNARY_OPS(TRT_CASE)
    TRT_SPECIAL_BINARY_OPS(TRT_CASE)
#undef TRT_CASE
    return true;
    default:
      return false;
  }
}

}  // namespace

std::string IncludesOf(const loop::Program& program) {
  const bool special =
      std::any_of(program.instrs.begin(), program.instrs.end(), [](const Instr& instr) {
        return instr.kind == InstrKind::kPointwise && IsSpecial(instr.op);
      });
  return StrCat("#include \"common.cuh\"\n#include \"math.cuh\"\n",
                special ? "#include \"special_ops.cuh\"\n" : "");
}

std::string Literal(DataType type, double value, int64_t ivalue) {
  switch (type) {
    case DataType::kFloat32:
      return FloatLiteral(static_cast<double>(static_cast<float>(value)), false);
    case DataType::kFloat64:
      return FloatLiteral(value, true);
    case DataType::kBool:
      return ivalue != 0 ? "true" : "false";
    default:
      return StrCat("static_cast<", RegisterName(type), ">(", static_cast<uint64_t>(ivalue),
                    "ull)");
  }
}

std::vector<bool> UniformRegisters(const loop::Program& program,
                                   const std::vector<bool>& input_is_same,
                                   const std::vector<bool>& dim_is_fixed) {
  std::vector<bool> uniform(program.instrs.size(), false);
  for (size_t r = 0; r < program.instrs.size(); ++r) {
    uniform[r] = IsUniform(program, r, uniform, input_is_same, dim_is_fixed);
  }
  return uniform;
}

std::vector<int> Levels(const loop::Program& program) {
  std::vector<int> levels(program.instrs.size(), 0);
  for (size_t r = 0; r < program.instrs.size(); ++r) {
    const Instr& instr = program.instrs[r];
    for (int k = 0; k < ArgCount(instr); ++k) {
      levels[r] = std::max(levels[r], levels[At(instr.args[k])]);
    }
    if (instr.kind == InstrKind::kReduce) ++levels[r];
  }
  return levels;
}

std::vector<size_t> Needed(const loop::Program& program, const std::vector<size_t>& targets,
                           const std::vector<bool>& stop) {
  std::vector<bool> needed(program.instrs.size(), false);
  for (const size_t r : targets) needed[r] = !stop[r];
  for (size_t r = program.instrs.size(); r-- > 0;) {
    if (!needed[r]) continue;
    const Instr& instr = program.instrs[r];
    for (int k = 0; k < ArgCount(instr); ++k) {
      const size_t arg = At(instr.args[k]);
      if (!stop[arg]) needed[arg] = true;
    }
  }
  std::vector<size_t> list;
  for (size_t r = 0; r < needed.size(); ++r) {
    if (needed[r]) list.push_back(r);
  }
  return list;
}

std::string ExpressionOf(const Instr& instr, const loop::Program& program,
                         const RegisterNamer& name) {
  if (instr.kind == InstrKind::kConst) return Literal(instr.type, instr.p0, instr.ivalue);
  std::string args;
  for (int k = 0; k < ArgCount(instr); ++k) args += (k == 0 ? "" : ", ") + name(At(instr.args[k]));
  if (instr.op == PointwiseOp::kSelect) {
    return StrCat(name(At(instr.args[0])), " ? ", name(At(instr.args[1])), " : ",
                  name(At(instr.args[2])));
  }
  if (instr.op == PointwiseOp::kCast) {
    const DataType from = program.instrs[At(instr.args[0])].type;
    if (RegisterName(from) == RegisterName(instr.type)) return args;
    return StrCat("PwCast<", RegisterName(instr.type), ">(", args, ")");
  }
  if (TakesParameters(instr.op)) {
    args += StrCat(", ", Literal(DataType::kFloat64, instr.p0, 0), ", ",
                   Literal(DataType::kFloat64, instr.p1, 0));
  }
  return StrCat("Pw", InfoOf(instr.op).name, "(", args, ")");
}

std::string FoldName(ReduceOp op) {
  switch (op) {
    case ReduceOp::kSum:
    case ReduceOp::kMean:
      return "SumFold{}";
    case ReduceOp::kProd:
      return "ProductFold{}";
    case ReduceOp::kMax:
      return "MaxFold{}";
    case ReduceOp::kMin:
      return "MinFold{}";
    case ReduceOp::kAny:
      return "AnyFold{}";
    case ReduceOp::kAll:
      return "AllFold{}";
  }
  return "";
}

std::string FoldStart(ReduceOp op, DataType type) {
  const bool max = op == ReduceOp::kMax;
  if (max || op == ReduceOp::kMin) {
    if (IsFloat(type)) return Literal(type, max ? -INFINITY : INFINITY, 0);
    const auto bits = static_cast<unsigned>(SizeOf(type) * 8);
    if (IsUnsigned(type)) return Literal(type, 0, max ? 0 : 255);
    const int64_t least = static_cast<int64_t>(~uint64_t{0} << (bits - 1));
    return Literal(type, 0, max ? least : ~least);
  }
  const int64_t start = op == ReduceOp::kProd || op == ReduceOp::kAll ? 1 : 0;
  return Literal(type, static_cast<double>(start), start);
}

std::string Indented(const std::string& text, int by) {
  std::string out;
  const std::string spaces(static_cast<size_t>(by), ' ');
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = text.find('\n', start);
    out += spaces + text.substr(start, end - start) + "\n";
    if (end == std::string::npos) break;
    start = end + 1;
  }
  return out;
}

}  // namespace torch_tensorrt::core::kernels::cuda
