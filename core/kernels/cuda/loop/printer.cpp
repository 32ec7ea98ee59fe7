#include "core/kernels/cuda/loop/printer.h"

#include <algorithm>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/loop/expressions.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using loop::Instr;
using loop::InstrKind;
using loop::ReduceOp;
using Inner = LoopAccess::Inner;

size_t At(int64_t i) { return static_cast<size_t>(i); }

// Prints one kernel. Names in the text: a0 = packed elements of input 0, w0 = of output 0, u5/r5 =
// register 5 (uniform along the inner dim / of one element), i0 = index along outer dim 0.
class LoopPrinter {
 public:
  LoopPrinter(const loop::Program& program, const LoopPlan& plan)
      : program_(program), plan_(plan), domain_(plan.domain), levels_(Levels(program)) {
    std::vector<bool> same;
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      same.push_back(domain_.accesses[i].inner == Inner::kSame);
    }
    std::vector<bool> fixed;
    for (const int place : domain_.place) fixed.push_back(place != JoinedDomain::kInner);
    uniform_ = UniformRegisters(program, same, fixed);
  }

  std::string Print() const {
    std::string text = IncludesOf(program_) + "\n";
    text += StrCat("typedef ", plan_.wide_index ? "i64" : "i32", " Index;\n");
    text += StrCat("typedef ", plan_.wide_index ? "u64" : "u32", " Unsigned;\n");
    text += StrCat("constexpr int kVector = ", plan_.vector, ";\n");
    if (plan_.rows) {
      text += StrCat("constexpr int kLanes = ", plan_.lanes, ";\n");
      text += StrCat("constexpr int kThreads = ", plan_.threads, ";\n");
    }
    text += "\n" + ParamStruct();
    text += StrCat("\nextern \"C\" __global__ void __launch_bounds__(", plan_.threads,
                   ") trt_loop(const Params p) {\n"
                   "  WaitForPrevious();\n");
    text += Indented(plan_.rows ? RowKernel() : PointwiseKernel(), 2);
    return text + "}\n";
  }

 private:
  size_t inputs() const { return program_.inputs.size(); }
  std::string TensorName(size_t t) const {
    return t < inputs() ? StrCat("in", t) : StrCat("out", t - inputs());
  }
  std::string PackName(size_t t) const {
    return t < inputs() ? StrCat("a", t) : StrCat("w", t - inputs());
  }
  std::string Name(size_t r) const { return StrCat(uniform_[r] ? "u" : "r", r); }
  std::string Declare(size_t r, const std::string& value) const {
    return StrCat("const ", RegisterName(program_.instrs[r].type), " ", Name(r), " = ", value,
                  ";\n");
  }

  std::string ParamStruct() const {
    std::string text = "struct Params {\n";
    for (size_t t = 0; t < domain_.accesses.size(); ++t) {
      text += StrCat("  ", t < inputs() ? "const " : "", StorageName(domain_.accesses[t].dtype),
                     "* ", TensorName(t), ";\n");
    }
    text += "  i64 rows;\n  i64 inner;\n";
    if (!plan_.rows) text += "  Divisor per_row;\n";
    for (size_t d = 0; d < domain_.outer.size(); ++d) text += StrCat("  Divisor dim", d, ";\n");
    for (size_t t = 0; t < domain_.accesses.size(); ++t) {
      const LoopAccess& access = domain_.accesses[t];
      for (size_t d = 0; d < domain_.outer.size(); ++d) {
        if (access.Walks(d)) text += StrCat("  i64 ", TensorName(t), "_s", d, ";\n");
      }
      if (access.inner == Inner::kStrided) text += StrCat("  i64 ", TensorName(t), "_step;\n");
    }
    return text + "  u64 wide;\n};\n";
  }

  // Outer indices of `row` and the offset of every tensor at it.
  std::string OuterIndices() const {
    std::string text;
    const size_t rank = domain_.outer.size();
    if (rank > 1) text += "Unsigned rest = static_cast<Unsigned>(row);\n";
    for (size_t d = rank; d-- > 1;) {
      text += StrCat("const Unsigned q", d, " = Quotient(rest, p.dim", d, ");\n");
      text += StrCat("const Index i", d, " = static_cast<Index>(rest - q", d, " * p.dim", d,
                     ".value);\n");
      text += StrCat("rest = q", d, ";\n");
    }
    if (rank > 0) {
      text += StrCat("const Index i0 = static_cast<Index>(", rank > 1 ? "rest" : "row", ");\n");
    }
    for (size_t t = 0; t < domain_.accesses.size(); ++t) {
      if (domain_.accesses[t].unused) continue;
      text += StrCat("const Index ", TensorName(t), "_at = 0");
      for (size_t d = 0; d < rank; ++d) {
        if (!domain_.accesses[t].Walks(d)) continue;
        text += StrCat(" + i", d, " * static_cast<Index>(p.", TensorName(t), "_s", d, ")");
      }
      text += ";\n";
    }
    return text;
  }

  std::string IotaValue(const Instr& instr) const {
    const int place = domain_.place[At(instr.index)];
    std::string index = "0";
    if (place == JoinedDomain::kInner) index = "j + v";
    if (place >= 0) index = StrCat("i", place);
    return StrCat("static_cast<", RegisterName(instr.type), ">(", index, ")");
  }

  std::string ValueOf(size_t r, const std::string& pack_index) const {
    const Instr& instr = program_.instrs[r];
    switch (instr.kind) {
      case InstrKind::kLoad: {
        const auto t = At(instr.index);
        if (uniform_[r]) return StrCat("FromStorage(p.in", t, "[in", t, "_at])");
        return StrCat(PackName(t), pack_index, ".Get(v)");
      }
      case InstrKind::kIota:
        return IotaValue(instr);
      default:
        return ExpressionOf(instr, program_, [this](size_t arg) { return Name(arg); });
    }
  }

  // Uniform registers of one level (reductions are printed by Reductions).
  std::string UniformPart(int level) const {
    std::string text;
    for (size_t r = 0; r < program_.instrs.size(); ++r) {
      const Instr& instr = program_.instrs[r];
      const bool store = instr.kind == InstrKind::kStore || instr.kind == InstrKind::kStoreRow;
      if (!uniform_[r] || levels_[r] != level || store || instr.kind == InstrKind::kReduce)
        continue;
      text += Declare(r, ValueOf(r, ""));
    }
    return text;
  }

  // Inputs that the per-element registers of `list` load.
  std::vector<size_t> PackedInputs(const std::vector<size_t>& list) const {
    std::vector<size_t> packed;
    for (const size_t r : list) {
      if (program_.instrs[r].kind != InstrKind::kLoad || uniform_[r]) continue;
      const auto t = At(program_.instrs[r].index);
      if (std::find(packed.begin(), packed.end(), t) == packed.end()) packed.push_back(t);
    }
    return packed;
  }

  std::string PackType(size_t t) const {
    return StrCat("Pack<", StorageName(domain_.accesses[t].dtype), ", kVector>");
  }

  // `count`: how many elements are there.
  std::string LoadPack(size_t t, const std::string& pack, const std::string& count) const {
    const LoopAccess& access = domain_.accesses[t];
    const std::string name = TensorName(t);
    if (access.inner == Inner::kUnit) {
      return StrCat(pack, ".Load(p.", name, " + ", name, "_at + j, ", count, ", (p.wide >> ", t,
                    ") & 1);\n");
    }
    return StrCat(pack, ".LoadStrided(p.", name, " + ", name, "_at + j * static_cast<Index>(p.",
                  name, "_step), static_cast<Index>(p.", name, "_step), ", count, ");\n");
  }

  std::string StorePack(size_t t, const std::string& count) const {
    const LoopAccess& access = domain_.accesses[t];
    const std::string name = TensorName(t);
    if (access.inner == Inner::kStrided) {
      return StrCat(PackName(t), ".StoreStrided(p.", name, " + ", name,
                    "_at + j * static_cast<Index>(p.", name, "_step), static_cast<Index>(p.", name,
                    "_step), ", count, ");\n");
    }
    // An inner dim of one element: the stride does not matter.
    return StrCat(PackName(t), ".Store(p.", name, " + ", name, "_at + j, ", count, ", (p.wide >> ",
                  t, ") & 1);\n");
  }

  // The loop over a thread's neighbouring elements: registers of `list`, then `tail`.
  std::string ElementLoop(const std::vector<size_t>& list, const std::string& pack_index,
                          const std::string& tail) const {
    std::string body;
    for (const size_t r : list) {
      const InstrKind kind = program_.instrs[r].kind;
      if (kind == InstrKind::kStore || kind == InstrKind::kStoreRow) continue;
      body += Declare(r, ValueOf(r, pack_index));
    }
    return StrCat("#pragma unroll\nfor (int v = 0; v < kVector; ++v) {\n", Indented(body + tail, 2),
                  "}\n");
  }

  std::vector<size_t> StoresOf(InstrKind kind) const {
    std::vector<size_t> stores;
    for (size_t r = 0; r < program_.instrs.size(); ++r) {
      if (program_.instrs[r].kind == kind) stores.push_back(r);
    }
    return stores;
  }

  // Computes and writes the outputs of `stores` from position j on.
  std::string StorePart(const std::string& pack_index, const std::string& count,
                        bool load_packs) const {
    const std::vector<size_t> stores = StoresOf(InstrKind::kStore);
    std::vector<size_t> targets;
    for (const size_t r : stores) targets.push_back(At(program_.instrs[r].args[0]));
    const std::vector<size_t> list = Needed(program_, targets, uniform_);
    std::string text;
    if (load_packs) text += LoadPacks(list, count);
    std::string tail;
    std::string after;
    for (const size_t r : stores) {
      const size_t t = inputs() + At(program_.instrs[r].index);
      text += StrCat(PackType(t), " ", PackName(t), ";\n");
      tail += StrCat(PackName(t), ".Set(v, ", Name(At(program_.instrs[r].args[0])), ");\n");
      after += StorePack(t, count);
    }
    return text + ElementLoop(list, pack_index, tail) + after;
  }

  std::string LoadPacks(const std::vector<size_t>& list, const std::string& count) const {
    std::string text;
    for (const size_t t : PackedInputs(list)) {
      text += StrCat(PackType(t), " ", PackName(t), ";\n") + LoadPack(t, PackName(t), count);
    }
    return text;
  }

  std::string PointwiseKernel() const {
    std::string body =
        "const Index row = static_cast<Index>(Quotient(static_cast<Unsigned>(unit), "
        "p.per_row));\n"
        "const Index j = (unit - row * static_cast<Index>(p.per_row.value)) * "
        "kVector;\n"
        "const int count = static_cast<int>(p.inner - j < kVector ? p.inner - j : "
        "kVector);\n";
    if (domain_.outer.empty()) {
      body =
          "const Index j = unit * kVector;\n"
          "const int count = static_cast<int>(p.inner - j < kVector ? p.inner - j : kVector);\n";
    }
    body += OuterIndices() + UniformPart(0) + StorePart("", "count", true);
    return StrCat("const Index units = static_cast<Index>(p.rows * p.per_row.value);\n",
                  "const Index step = static_cast<Index>(gridDim.x) * blockDim.x;\n",
                  "for (Index unit = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; ",
                  "unit < units; unit += step) {\n", Indented(body, 2), "}\n");
  }

  // The loop over a row, for one thread: `body` sees j.
  std::string RowLoop(const std::string& body) const {
    if (plan_.chunks == 0) {
      return StrCat("for (Index j = lane * kVector; j < n; j += kLanes * kVector) {\n",
                    Indented(body, 2), "}\n");
    }
    return StrCat("#pragma unroll\nfor (int c = 0; c < ", plan_.chunks, "; ++c) {\n",
                  "  const Index j = (c * kLanes + lane) * kVector;\n  if (j < n) {\n",
                  Indented(body, 4), "  }\n}\n");
  }

  // The reductions of one level: accumulators, the pass over the row, the fold over its threads.
  std::string Reductions(int level) const {
    std::vector<size_t> reduces;
    std::vector<size_t> targets;
    for (size_t r = 0; r < program_.instrs.size(); ++r) {
      if (program_.instrs[r].kind != InstrKind::kReduce || levels_[r] != level) continue;
      reduces.push_back(r);
      targets.push_back(At(program_.instrs[r].args[0]));
    }
    const std::vector<size_t> list = Needed(program_, targets, uniform_);
    std::string text;
    std::string tail;
    std::string after;
    for (const size_t r : reduces) {
      const Instr& instr = program_.instrs[r];
      const std::string type(RegisterName(instr.type));
      text += StrCat(type, " acc", r, " = ", FoldStart(instr.reduce, instr.type), ";\n");
      std::string value = Name(At(instr.args[0]));
      if (instr.type == DataType::kBool) value = StrCat("PwCast<bool>(", value, ")");
      tail += StrCat("acc", r, " = ", FoldName(instr.reduce), "(acc", r, ", ", value, ");\n");
      const std::string fold =
          plan_.lanes <= 32 ? StrCat("WarpFold<kLanes>(acc", r, ", ", FoldName(instr.reduce), ")")
                            : StrCat("BlockFold<kThreads>(acc", r, ", reinterpret_cast<", type,
                                     "*>(shared), ", FoldName(instr.reduce), ")");
      const bool mean = instr.reduce == ReduceOp::kMean;
      after += Declare(r, mean ? StrCat(fold, " / static_cast<", type, ">(p.inner)") : fold);
    }
    std::string body = plan_.chunks == 0 ? LoadPacks(list, "kVector") : "";
    body += ElementLoop(list, plan_.chunks == 0 ? "" : "[c]", tail);
    return text + RowLoop(body) + after;
  }

  // Loads the whole row into registers.
  std::string ResidentLoads() const {
    std::vector<size_t> targets;
    for (size_t r = 0; r < program_.instrs.size(); ++r) targets.push_back(r);
    std::string text;
    std::string loads;
    for (const size_t t : PackedInputs(Needed(program_, targets, uniform_))) {
      text += StrCat(PackType(t), " ", PackName(t), "[", plan_.chunks, "];\n");
      loads += LoadPack(t, PackName(t) + "[c]", "kVector");
    }
    return loads.empty() ? "" : text + RowLoop(loads);
  }

  std::string RowBody() const {
    std::string body =
        "const bool live = base + group < p.rows;\n"
        "const Index row = static_cast<Index>(live ? base + group : p.rows - 1);\n"
        "const Index n = live ? static_cast<Index>(p.inner) : 0;\n";
    body += OuterIndices();
    if (plan_.chunks != 0) body += ResidentLoads();
    const int last = *std::max_element(levels_.begin(), levels_.end());
    for (int level = 0; level <= last; ++level) {
      body += UniformPart(level);
      if (level < last) body += Reductions(level + 1);
    }
    if (!StoresOf(InstrKind::kStore).empty()) {
      body += RowLoop(StorePart(plan_.chunks == 0 ? "" : "[c]", "kVector", plan_.chunks == 0));
    }
    for (const size_t r : StoresOf(InstrKind::kStoreRow)) {
      const Instr& instr = program_.instrs[r];
      const size_t t = inputs() + At(instr.index);
      body += StrCat("if (live && lane == 0) p.", TensorName(t), "[", TensorName(t),
                     "_at] = ToStorage<", StorageName(domain_.accesses[t].dtype), ">(",
                     Name(At(instr.args[0])), ");\n");
    }
    return body;
  }

  std::string RowKernel() const {
    std::string text;
    if (plan_.lanes > 32) text += "__shared__ u64 shared[32];\n";
    text +=
        "constexpr int kRows = kThreads / kLanes;\n"
        "const int lane = static_cast<int>(threadIdx.x) % kLanes;\n"
        "const int group = static_cast<int>(threadIdx.x) / kLanes;\n"
        "for (i64 base = static_cast<i64>(blockIdx.x) * kRows; base < p.rows; "
        "base += static_cast<i64>(gridDim.x) * kRows) {\n";
    return text + Indented(RowBody(), 2) + "}\n";
  }

  const loop::Program& program_;
  const LoopPlan& plan_;
  const JoinedDomain& domain_;
  std::vector<int> levels_;
  std::vector<bool> uniform_;
};

}  // namespace

Result<std::string> PrintLoop(const loop::Program& program, const LoopPlan& plan) {
  constexpr size_t kMaxTensors = 64;  // bits of `wide`
  if (plan.domain.accesses.size() > kMaxTensors) {
    return Unsupported("[cuda.loop] ", plan.domain.accesses.size(), " tensors; at most ",
                       kMaxTensors);
  }
  for (const int64_t size : plan.domain.outer) {
    if (size > INT32_MAX) return Unsupported("[cuda.loop] a dim of size ", size);
  }
  return LoopPrinter(program, plan).Print();
}

}  // namespace torch_tensorrt::core::kernels::cuda
