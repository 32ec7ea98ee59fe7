// The text form of loop programs:
//   loop <rank>
//   in <dtype> [acc] [<tensor dim or -1>, ...]
//   out <dtype> [row]
//   %<i> = <dtype> load <input> | const <value> | iota <dim> | <Op> %<a>.. [p0=<v>] [p1=<v>] |
//   reduce.<kind> %<a>
//          | store <output> %<a> | storerow <output> %<a>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "core/loop/program.h"

namespace torch_tensorrt::core::loop {
namespace {

constexpr size_t kMaxInstrs = 65536;

std::string Hex(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%a", value);
  return buffer;
}

std::string InstrText(const Instr& instr) {
  const std::string arg0 = StrCat(" %", instr.args[0]);
  switch (instr.kind) {
    case InstrKind::kLoad:
      return StrCat("load ", instr.index);
    case InstrKind::kConst:
      return IsFloat(instr.type) ? "const " + Hex(instr.p0) : StrCat("const ", instr.ivalue);
    case InstrKind::kIota:
      return StrCat("iota ", instr.index);
    case InstrKind::kPointwise: {
      std::string out(InfoOf(instr.op).name);
      for (int k = 0; k < InfoOf(instr.op).arity; ++k) out += StrCat(" %", instr.args[k]);
      if (instr.p0 != 0 || std::signbit(instr.p0)) out += " p0=" + Hex(instr.p0);
      if (instr.p1 != 0 || std::signbit(instr.p1)) out += " p1=" + Hex(instr.p1);
      return out;
    }
    case InstrKind::kReduce:
      return StrCat("reduce.", ReduceOpName(instr.reduce), arg0);
    case InstrKind::kStore:
      return StrCat("store ", instr.index, arg0);
    case InstrKind::kStoreRow:
      return StrCat("storerow ", instr.index, arg0);
  }
  return "";
}

std::vector<std::string_view> SplitWords(std::string_view line) {
  std::vector<std::string_view> words;
  constexpr std::string_view kSpace = " \t,[]";
  size_t pos = line.find_first_not_of(kSpace);
  while (pos != std::string_view::npos) {
    const size_t end = std::min(line.find_first_of(kSpace, pos), line.size());
    words.push_back(line.substr(pos, end - pos));
    pos = line.find_first_not_of(kSpace, end);
  }
  return words;
}

template <typename Int>
bool ReadInt(std::string_view text, Int* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

bool ReadDouble(std::string_view text, double* out) {
  const std::string copy(text);
  char* end = nullptr;
  *out = std::strtod(copy.c_str(), &end);
  return !copy.empty() && end == copy.c_str() + copy.size();
}

bool ReadRegister(std::string_view text, int32_t* out) {
  return text.size() > 1 && text[0] == '%' && ReadInt(text.substr(1), out);
}

using Words = std::vector<std::string_view>;

bool ReadPointwise(const Words& words, PointwiseOp op, Instr* instr) {
  instr->kind = InstrKind::kPointwise;
  instr->op = op;
  const auto arity = static_cast<size_t>(InfoOf(op).arity);
  if (words.size() < 4 + arity) return false;
  for (size_t k = 0; k < arity; ++k) {
    if (!ReadRegister(words[4 + k], &instr->args[k])) return false;
  }
  for (size_t k = 4 + arity; k < words.size(); ++k) {
    double* slot = nullptr;
    if (words[k].substr(0, 3) == "p0=") slot = &instr->p0;
    if (words[k].substr(0, 3) == "p1=") slot = &instr->p1;
    if (slot == nullptr || !ReadDouble(words[k].substr(3), slot)) return false;
  }
  return true;
}

bool ReadReduce(const Words& words, Instr* instr) {
  instr->kind = InstrKind::kReduce;
  const std::string_view name = words[3].substr(7);
  for (int r = 0; r <= static_cast<int>(ReduceOp::kAll); ++r) {
    if (name != ReduceOpName(static_cast<ReduceOp>(r))) continue;
    instr->reduce = static_cast<ReduceOp>(r);
    return words.size() == 5 && ReadRegister(words[4], &instr->args[0]);
  }
  return false;
}

// words: %i = type name operands...
bool ReadInstr(const Words& words, size_t position, Instr* instr) {
  int32_t reg = -1;
  if (words.size() < 4 || words[1] != "=" || !ReadRegister(words[0], &reg)) return false;
  if (static_cast<size_t>(reg) != position) return false;
  const auto type = ParseDataType(words[2]);
  if (!type) return false;
  instr->type = *type;
  const std::string_view name = words[3];
  if (name.substr(0, 7) == "reduce.") return ReadReduce(words, instr);
  if (const auto op = ParsePointwiseOp(name)) return ReadPointwise(words, *op, instr);
  if (name == "const") {
    if (words.size() != 5) return false;
    return IsFloat(*type) ? ReadDouble(words[4], &instr->p0) : ReadInt(words[4], &instr->ivalue);
  }
  if (name == "load" || name == "iota") {
    instr->kind = name == "load" ? InstrKind::kLoad : InstrKind::kIota;
    return words.size() == 5 && ReadInt(words[4], &instr->index);
  }
  if (name != "store" && name != "storerow") return false;
  instr->kind = name == "store" ? InstrKind::kStore : InstrKind::kStoreRow;
  return words.size() == 6 && ReadInt(words[4], &instr->index) &&
         ReadRegister(words[5], &instr->args[0]);
}

bool ReadInput(const Words& words, Input* input) {
  const auto type = words.size() >= 2 ? ParseDataType(words[1]) : std::nullopt;
  if (!type) return false;
  input->dtype = *type;
  size_t next = 2;
  input->accumulator = words.size() > 2 && words[2] == "acc";
  if (input->accumulator) ++next;
  for (; next < words.size(); ++next) {
    int dim = 0;
    if (!ReadInt(words[next], &dim) || dim < -1 || dim > 127) return false;
    input->map.push_back(static_cast<int8_t>(dim));
  }
  return true;
}

bool ReadOutput(const Words& words, Output* output) {
  const auto type = words.size() >= 2 ? ParseDataType(words[1]) : std::nullopt;
  if (!type || words.size() > 3 || (words.size() == 3 && words[2] != "row")) return false;
  *output = {*type, words.size() == 3};
  return true;
}

bool ReadLine(const Words& words, Program* program) {
  if (words[0] == "loop") return words.size() == 2 && ReadInt(words[1], &program->rank);
  if (words[0] == "in") return ReadInput(words, &program->inputs.emplace_back());
  if (words[0] == "out") return ReadOutput(words, &program->outputs.emplace_back());
  const size_t position = program->instrs.size();
  return position < kMaxInstrs && ReadInstr(words, position, &program->instrs.emplace_back());
}

}  // namespace

std::string Program::ToString() const {
  std::string out = StrCat("loop ", rank, "\n");
  for (const Input& input : inputs) {
    out += StrCat("in ", DataTypeName(input.dtype), input.accumulator ? " acc [" : " [");
    for (size_t d = 0; d < input.map.size(); ++d) {
      out += StrCat(d == 0 ? "" : ", ", int{input.map[d]});
    }
    out += "]\n";
  }
  for (const Output& output : outputs) {
    out += StrCat("out ", DataTypeName(output.dtype), output.row ? " row\n" : "\n");
  }
  for (size_t i = 0; i < instrs.size(); ++i) {
    out += StrCat("%", i, " = ", DataTypeName(instrs[i].type), " ", InstrText(instrs[i]), "\n");
  }
  return out;
}

Result<Program> Program::Parse(std::string_view text) {
  Program program;
  size_t pos = 0;
  bool first = true;
  while (pos < text.size()) {
    const size_t end = std::min(text.find('\n', pos), text.size());
    const std::string_view line = text.substr(pos, end - pos);
    pos = end + 1;
    const Words words = SplitWords(line);
    if (words.empty()) continue;
    if (first != (words[0] == "loop") || !ReadLine(words, &program)) {
      return InvalidArgument("[loop] cannot parse '", line, "'");
    }
    first = false;
  }
  if (first) return InvalidArgument("[loop] empty program");
  TRT_RETURN_IF_ERROR(program.Verify());
  return program;
}

}  // namespace torch_tensorrt::core::loop
