#include <algorithm>
#include <cstring>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/loop/expressions.h"
#include "core/kernels/cuda/loop/printer.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using loop::Instr;
using loop::InstrKind;
using Columns = EpilogueInput::Columns;

size_t At(int64_t i) { return static_cast<size_t>(i); }

// Prints the device function. Names: a1 = packed elements of input 1, u5/r5 = register 5.
class EpiloguePrinter {
 public:
  EpiloguePrinter(const loop::Program& program, const EpilogueShape& shape)
      : program_(program), shape_(shape) {
    std::vector<bool> same{false};  // the accumulator
    for (const EpilogueInput& input : shape.inputs) same.push_back(input.columns == Columns::kSame);
    std::vector<bool> fixed(At(program.rank), true);
    if (!fixed.empty()) fixed.back() = false;
    uniform_ = UniformRegisters(program, same, fixed);
  }

  std::string Print() const {
    const Instr& store = program_.instrs[StoreIndex()];
    const DataType out = program_.outputs[0].dtype;
    std::vector<size_t> all;
    for (size_t r = 0; r < program_.instrs.size(); ++r) all.push_back(r);
    const std::vector<size_t> uniform_list = UniformNeeded(At(store.args[0]));
    const std::vector<size_t> list = Needed(program_, {At(store.args[0])}, uniform_);
    std::string body = OuterIndices();
    for (const size_t r : uniform_list) body += Declare(r, ValueOf(r));
    body += LoadPacks(list);
    std::string element;
    for (const size_t r : list) element += Declare(r, ValueOf(r));
    element += StrCat("out[v] = ToStorage<trt_out>(", Name(At(store.args[0])), ");\n");
    body +=
        StrCat("#pragma unroll\nfor (int v = 0; v < kCount; ++v) {\n", Indented(element, 2), "}\n");
    return StrCat(
        IncludesOf(program_), "\ntypedef ", StorageName(out), " trt_out;\ntypedef ",
        RegisterName(shape_.accumulator), " trt_acc;\n", ArgsStruct(),
        "template <int kCount>\nTRT_DEVICE void trt_epilogue(const trt_acc (&acc)[kCount], const ",
        "TrtEpilogueArgs& e, i64 row,\n                             i64 col, ",
        "trt_out (&out)[kCount]) {\n", Indented(body, 2), "}\n",
        "TRT_DEVICE trt_out trt_epilogue(trt_acc acc, const TrtEpilogueArgs& e, i64 row, ",
        "i64 col) {\n  trt_acc in[1] = {acc};\n  trt_out out[1];\n",
        "  trt_epilogue<1>(in, e, row, col, out);\n  return out[0];\n}\n");
  }

 private:
  std::string Name(size_t r) const { return StrCat(uniform_[r] ? "u" : "r", r); }
  std::string Declare(size_t r, const std::string& value) const {
    return StrCat("const ", RegisterName(program_.instrs[r].type), " ", Name(r), " = ", value,
                  ";\n");
  }

  size_t StoreIndex() const {
    for (size_t r = 0; r < program_.instrs.size(); ++r) {
      if (program_.instrs[r].kind == InstrKind::kStore) return r;
    }
    return 0;
  }

  std::vector<size_t> UniformNeeded(size_t target) const {
    const std::vector<bool> none(program_.instrs.size(), false);
    std::vector<size_t> list;
    for (const size_t r : Needed(program_, {target}, none)) {
      if (uniform_[r]) list.push_back(r);
    }
    return list;
  }

  std::string ArgsStruct() const {
    return StrCat(
        "struct TrtEpilogueInput {\n  const void* data;\n  i64 step;\n  i64 wide;\n"
        "  i64 strides[",
        kMaxOuterDims, "];\n};\n", "struct TrtEpilogueArgs {\n  i64 dims[", kMaxOuterDims,
        "];\n  TrtEpilogueInput in[", std::max<size_t>(shape_.inputs.size(), 1), "];\n};\n");
  }

  std::string OuterIndices() const {
    std::string text;
    const size_t rank = shape_.outer_dims.size();
    if (rank > 1) text += "u32 rest = static_cast<u32>(row);\n";
    for (size_t d = rank; d-- > 1;) {
      text += StrCat("const i64 i", d, " = rest % static_cast<u32>(e.dims[", d, "]);\n");
      text += StrCat("rest /= static_cast<u32>(e.dims[", d, "]);\n");
    }
    if (rank > 0) text += StrCat("const i64 i0 = ", rank > 1 ? "rest" : "row", ";\n");
    for (size_t i = 0; i < shape_.inputs.size(); ++i) {
      text += StrCat("const i64 at", i + 1, " = 0");
      for (size_t d = 0; d < rank; ++d) {
        if (shape_.inputs[i].walks[d])
          text += StrCat(" + i", d, " * e.in[", i, "].strides[", d, "]");
      }
      text += ";\n";
    }
    return text;
  }

  std::string StorageOf(size_t input) const {
    return std::string(StorageName(program_.inputs[input].dtype));
  }
  std::string Pointer(size_t input) const {
    return StrCat("static_cast<const ", StorageOf(input), "*>(e.in[", input - 1, "].data) + at",
                  input);
  }

  std::string LoadPacks(const std::vector<size_t>& list) const {
    std::string text;
    std::vector<bool> done(program_.inputs.size(), false);
    for (const size_t r : list) {
      const auto input = At(program_.instrs[r].index);
      if (program_.instrs[r].kind != InstrKind::kLoad || input == 0 || done[input]) continue;
      done[input] = true;
      text += StrCat("Pack<", StorageOf(input), ", kCount> a", input, ";\n");
      if (shape_.inputs[input - 1].columns == Columns::kUnit) {
        text += StrCat("a", input, ".Load(", Pointer(input), " + col, kCount, e.in[", input - 1,
                       "].wide & (kCount * sizeof(", StorageOf(input),
                       ") > 16 ? 16 : kCount * sizeof(", StorageOf(input), ")));\n");
      } else {
        text += StrCat("a", input, ".LoadStrided(", Pointer(input), " + col * e.in[", input - 1,
                       "].step, e.in[", input - 1, "].step, kCount);\n");
      }
    }
    return text;
  }

  std::string ValueOf(size_t r) const {
    const Instr& instr = program_.instrs[r];
    if (instr.kind == InstrKind::kLoad) {
      const auto input = At(instr.index);
      if (input == 0) return "acc[v]";
      if (uniform_[r]) return StrCat("FromStorage(*(", Pointer(input), "))");
      return StrCat("a", input, ".Get(v)");
    }
    if (instr.kind == InstrKind::kIota) {
      std::string index = "col + v";
      if (instr.index + 1 != program_.rank) {
        const int outer = shape_.outer_of_domain[At(instr.index)];
        index = outer < 0 ? "0" : StrCat("i", outer);
      }
      return StrCat("static_cast<", RegisterName(instr.type), ">(", index, ")");
    }
    return ExpressionOf(instr, program_, [this](size_t arg) { return Name(arg); });
  }

  const loop::Program& program_;
  const EpilogueShape& shape_;
  std::vector<bool> uniform_;
};

Status CheckEpilogue(const loop::Program& program, const Dims& domain, size_t extra) {
  if (At(program.rank) != domain.size() || program.rank < 1 || program.inputs.size() != extra + 1 ||
      program.outputs.size() != 1 || program.outputs[0].row || program.HasReduce()) {
    return Unsupported("[cuda.epilogue] program of rank ", program.rank, " with ",
                       program.inputs.size(), " inputs and ", program.outputs.size(),
                       " outputs on an output of rank ", domain.size(), " with ", extra,
                       " extra inputs; one output and no reduction are possible");
  }
  return Status::Ok();
}

// Elements of the largest power-of-two access that all rows of this input allow, in bytes.
int64_t RowAlignment(const EpilogueInput& input, size_t element_size) {
  int64_t alignment = 16;
  for (const int64_t stride : input.strides) {
    while (stride * static_cast<int64_t>(element_size) % alignment != 0) alignment /= 2;
  }
  return alignment;
}

}  // namespace

loop::Program StoreProgram(int rank, DataType dtype) {
  loop::Program program;
  program.rank = rank;
  loop::Input input{DataType::kFloat32, {}, true};
  for (int d = 0; d < rank; ++d) input.map.push_back(static_cast<int8_t>(d));
  program.inputs.push_back(std::move(input));
  program.outputs.push_back({dtype, false});
  Instr load;
  load.kind = InstrKind::kLoad;
  program.instrs.push_back(load);
  const DataType type = IsHalf(dtype) ? DataType::kFloat32 : dtype;
  Instr cast;
  cast.kind = InstrKind::kPointwise;
  cast.op = PointwiseOp::kCast;
  cast.type = type;
  cast.args[0] = 0;
  program.instrs.push_back(cast);
  Instr store;
  store.kind = InstrKind::kStore;
  store.type = type;
  store.args[0] = 1;
  program.instrs.push_back(store);
  return program;
}

Result<EpilogueShape> PlanEpilogue(const loop::Program& program, const Dims& domain,
                                   std::span<const TensorView> extra, DataType accumulator) {
  TRT_RETURN_IF_ERROR(CheckEpilogue(program, domain, extra.size()));
  // The accumulator and the output are dense, so only the extra inputs decide which dims join. The
  // last dim stays alone: it is the column.
  std::vector<TensorView> inputs{MakeView(nullptr, program.inputs[0].dtype, domain)};
  inputs.insert(inputs.end(), extra.begin(), extra.end());
  const TensorView out = MakeView(nullptr, program.outputs[0].dtype, domain);
  TRT_ASSIGN_OR_RETURN(const JoinedDomain joined,
                       JoinDomain(program, domain, inputs, std::span(&out, 1), true));
  EpilogueShape shape;
  shape.accumulator = accumulator;
  shape.outer_dims = joined.outer;
  if (shape.outer_dims.size() > At(kMaxOuterDims)) {
    return Unsupported("[cuda.epilogue] ", joined.outer.size(), " separate outer dims; at most ",
                       kMaxOuterDims, " are possible");
  }
  for (const int place : joined.place) shape.outer_of_domain.push_back(place < 0 ? -1 : place);
  for (size_t i = 1; i <= extra.size(); ++i) {
    const LoopAccess& access = joined.accesses[i];
    EpilogueInput input;
    input.columns = access.inner == LoopAccess::Inner::kSame   ? Columns::kSame
                    : access.inner == LoopAccess::Inner::kUnit ? Columns::kUnit
                                                               : Columns::kStrided;
    input.strides = access.strides;
    input.column_stride = access.inner_stride;
    for (size_t d = 0; d < joined.outer.size(); ++d) input.walks.push_back(access.Walks(d));
    shape.inputs.push_back(std::move(input));
  }
  return shape;
}

Result<std::string> PrintEpilogue(const loop::Program& program, const EpilogueShape& shape) {
  if (program.inputs.size() != shape.inputs.size() + 1 || program.outputs.size() != 1) {
    return InternalError("[cuda.epilogue] the shape is another program's");
  }
  return EpiloguePrinter(program, shape).Print();
}

void AppendEpilogueArgs(const EpilogueShape& shape, std::span<const TensorView> extra,
                        size_t first_input, ParamBlock* params) {
  for (size_t d = 0; d < At(kMaxOuterDims); ++d) {
    params->Int(d < shape.outer_dims.size() ? shape.outer_dims[d] : 0);
  }
  for (size_t i = 0; i < extra.size(); ++i) {
    const EpilogueInput& input = shape.inputs[i];
    const auto rows = static_cast<uint32_t>(RowAlignment(input, SizeOf(extra[i].dtype)));
    params->Pointer(InputPlace(first_input + i)).Int(input.column_stride);
    // Bit k: every row starts at a multiple of 2^k bytes.
    std::vector<std::pair<Place, uint32_t>> places;
    for (uint32_t bit = 0; bit <= 4; ++bit) {
      const uint32_t bytes = 1U << bit;
      places.emplace_back(InputPlace(first_input + i), bytes <= rows ? bytes : 0);
    }
    params->AlignedBits(places);
    for (size_t d = 0; d < At(kMaxOuterDims); ++d) {
      params->Int(d < input.strides.size() ? input.strides[d] : 0);
    }
  }
  for (size_t w = 0; extra.empty() && w < 3 + At(kMaxOuterDims); ++w) params->Int(0);
}

std::vector<std::byte> MakeEpilogueArgs(const EpilogueShape& shape,
                                        std::span<const TensorView> extra) {
  constexpr size_t kInputWords = 3 + kMaxOuterDims;
  std::vector<uint64_t> words(kMaxOuterDims + kInputWords * std::max<size_t>(extra.size(), 1), 0);
  for (size_t d = 0; d < shape.outer_dims.size(); ++d) {
    words[d] = static_cast<uint64_t>(shape.outer_dims[d]);
  }
  for (size_t i = 0; i < extra.size(); ++i) {
    uint64_t* to = words.data() + kMaxOuterDims + i * kInputWords;
    const EpilogueInput& input = shape.inputs[i];
    const auto address = reinterpret_cast<uint64_t>(extra[i].data);
    to[0] = address;
    to[1] = static_cast<uint64_t>(input.column_stride);
    // Bit k: every row starts at a multiple of 2^k bytes.
    const auto rows = static_cast<uint64_t>(RowAlignment(input, SizeOf(extra[i].dtype)));
    for (uint64_t bytes = 1; bytes <= rows; bytes *= 2) to[2] |= address % bytes == 0 ? bytes : 0;
    for (size_t d = 0; d < input.strides.size(); ++d) {
      to[3 + d] = static_cast<uint64_t>(input.strides[d]);
    }
  }
  std::vector<std::byte> bytes(words.size() * sizeof(uint64_t));
  std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

}  // namespace torch_tensorrt::core::kernels::cuda
