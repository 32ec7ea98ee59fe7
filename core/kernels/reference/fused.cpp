// Fused: the scalar interpreter of the Loop IR, and the epilogues of MatrixMultiply and
// Convolution.
#include <algorithm>
#include <cmath>

#include "core/kernels/reference/kernels.h"
#include "core/kernels/reference/scalar_ops.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

using loop::Instr;
using loop::InstrKind;
using loop::ReduceOp;

// A register along the current row: `row` values, or one when row-uniform.
using Register = std::vector<Value>;

DataType RegisterType(DataType type) { return IsHalf(type) ? DataType::kFloat32 : type; }

Value ReduceFloat(ReduceOp op, const Register& in, size_t row) {
  double acc = op == ReduceOp::kProd ? 1 : 0;
  if (op == ReduceOp::kMax || op == ReduceOp::kMin) acc = in[0].f;
  for (size_t k = 0; k < row; ++k) {
    const double v = in[in.size() == 1 ? 0 : k].f;
    switch (op) {
      case ReduceOp::kSum:
      case ReduceOp::kMean:
        acc += v;
        break;
      case ReduceOp::kProd:
        acc *= v;
        break;
      case ReduceOp::kMax:
        acc = std::isnan(v) || v > acc ? v : acc;
        break;
      case ReduceOp::kMin:
        acc = std::isnan(v) || v < acc ? v : acc;
        break;
      case ReduceOp::kAny:
      case ReduceOp::kAll:
        break;
    }
    if (std::isnan(acc) && (op == ReduceOp::kMax || op == ReduceOp::kMin)) break;
  }
  if (op == ReduceOp::kMean) acc /= static_cast<double>(row);
  return {acc, 0};
}

Value ReduceInt(ReduceOp op, const Register& in, size_t row) {
  uint64_t acc = op == ReduceOp::kProd || op == ReduceOp::kAll ? 1 : 0;
  if (op == ReduceOp::kMax || op == ReduceOp::kMin) acc = static_cast<uint64_t>(in[0].i);
  for (size_t k = 0; k < row; ++k) {
    const int64_t v = in[in.size() == 1 ? 0 : k].i;
    const auto signed_acc = static_cast<int64_t>(acc);
    switch (op) {
      case ReduceOp::kSum:
      case ReduceOp::kMean:
        acc += static_cast<uint64_t>(v);
        break;
      case ReduceOp::kProd:
        acc *= static_cast<uint64_t>(v);
        break;
      case ReduceOp::kMax:
        acc = static_cast<uint64_t>(std::max(signed_acc, v));
        break;
      case ReduceOp::kMin:
        acc = static_cast<uint64_t>(std::min(signed_acc, v));
        break;
      case ReduceOp::kAny:
        acc |= v != 0 ? 1U : 0U;
        break;
      case ReduceOp::kAll:
        acc &= v != 0 ? 1U : 0U;
        break;
    }
  }
  return {0, static_cast<int64_t>(acc)};
}

Value ReduceRow(const Instr& instr, DataType type, const Register& in, size_t row) {
  if (instr.reduce == ReduceOp::kAny || instr.reduce == ReduceOp::kAll) {
    Register truth = in;
    if (IsFloat(type)) {
      for (Value& v : truth) v.i = v.f != 0 ? 1 : 0;
    }
    return ReduceInt(instr.reduce, truth, row);
  }
  if (!IsFloat(type)) return {0, WrapTo(instr.type, ReduceInt(instr.reduce, in, row).i)};
  return {RoundTo(RegisterType(instr.type), ReduceFloat(instr.reduce, in, row).f), 0};
}

// The program on one row at a time.
class Interpreter {
 public:
  Interpreter(const loop::Program& program, const Dims& domain) : program_(program) {
    outer_.assign(domain.begin(), domain.end());
    if (!outer_.empty()) {
      row_ = outer_.back();
      outer_.pop_back();
    }
    registers_.resize(program.instrs.size());
    uniform_ = program.RowUniform();
  }

  void Run(std::span<const TensorView> inputs, std::span<const TensorView> outputs) {
    const Dims no_strides(outer_.size(), 0);
    for (Walker<1> w(outer_.data(), static_cast<int>(outer_.size()), {no_strides.data()});
         !w.done(); w.Next()) {
      for (size_t r = 0; r < program_.instrs.size(); ++r) Step(r, w, inputs, outputs);
    }
  }

 private:
  void Step(size_t r, const Walker<1>& w, std::span<const TensorView> inputs,
            std::span<const TensorView> outputs) {
    const Instr& instr = program_.instrs[r];
    Register& out = registers_[r];
    switch (instr.kind) {
      case InstrKind::kLoad:
        return Load(r, w, inputs[At(instr.index)]);
      case InstrKind::kConst:
        out.assign(1, {RoundTo(RegisterType(instr.type), instr.p0), instr.ivalue});
        return;
      case InstrKind::kIota:
        return Iota(r, w);
      case InstrKind::kPointwise:
        return Pointwise(r);
      case InstrKind::kReduce: {
        const size_t arg = At(instr.args[0]);
        out.assign(1, ReduceRow(instr, program_.instrs[arg].type, registers_[arg], At(row_)));
        return;
      }
      case InstrKind::kStore:
        return Store(registers_[At(instr.args[0])], w, outputs[At(instr.index)], row_);
      case InstrKind::kStoreRow:
        return Store(registers_[At(instr.args[0])], w, outputs[At(instr.index)], 1);
    }
  }

  void Load(size_t r, const Walker<1>& w, const TensorView& view) {
    const loop::Input& input = program_.inputs[At(program_.instrs[r].index)];
    int64_t offset = 0;
    int64_t row_stride = 0;
    for (size_t d = 0; d < input.map.size(); ++d) {
      if (input.map[d] < 0) continue;
      const size_t t = At(input.map[d]);
      const int64_t stride = view.dims[t] == 1 ? 0 : view.strides[t];
      if (d == outer_.size()) {
        row_stride = stride;
      } else {
        offset += stride * w.index(static_cast<int>(d));
      }
    }
    const int64_t count = uniform_[r] ? 1 : row_;
    registers_[r].clear();
    for (int64_t k = 0; k < count; ++k) {
      registers_[r].push_back(ReadValue(view.data, view.dtype, offset + k * row_stride));
    }
  }

  void Iota(size_t r, const Walker<1>& w) {
    const Instr& instr = program_.instrs[r];
    registers_[r].clear();
    if (At(instr.index) != outer_.size()) {
      registers_[r].push_back({0, WrapTo(instr.type, w.index(instr.index))});
      return;
    }
    for (int64_t k = 0; k < row_; ++k) registers_[r].push_back({0, WrapTo(instr.type, k)});
  }

  void Pointwise(size_t r) {
    const Instr& instr = program_.instrs[r];
    const auto arity = At(InfoOf(instr.op).arity);
    ScalarArgs args;
    args.p0 = instr.p0;
    args.p1 = instr.p1;
    size_t count = 1;
    for (size_t k = 0; k < arity; ++k) {
      args.types[k] = RegisterType(program_.instrs[At(instr.args[k])].type);
      const size_t size = registers_[At(instr.args[k])].size();
      if (size != 1) count = size;
    }
    registers_[r].clear();
    for (size_t j = 0; j < count; ++j) {
      for (size_t k = 0; k < arity; ++k) {
        const Register& in = registers_[At(instr.args[k])];
        args.values[k] = in[in.size() == 1 ? 0 : j];
      }
      registers_[r].push_back(Evaluate(instr.op, instr.type, args));
    }
  }

  void Store(const Register& in, const Walker<1>& w, const TensorView& view, int64_t count) {
    int64_t offset = 0;
    for (size_t d = 0; d < outer_.size(); ++d) {
      offset += view.strides[d] * w.index(static_cast<int>(d));
    }
    const bool walk = view.rank > static_cast<int>(outer_.size());
    const int64_t stride = walk ? view.strides[outer_.size()] : 0;
    for (int64_t k = 0; k < count; ++k) {
      WriteValue(view.data, view.dtype, offset + k * stride, in[in.size() == 1 ? 0 : At(k)]);
    }
  }

  const loop::Program& program_;
  Dims outer_;       // domain dims without the row
  int64_t row_ = 1;  // length of the row
  std::vector<Register> registers_;
  std::vector<bool> uniform_;
};

Status CheckViews(const loop::Program& program, const Dims& domain,
                  std::span<const TensorView> inputs, std::span<const TensorView> outputs) {
  if (static_cast<size_t>(program.rank) != domain.size() ||
      inputs.size() != program.inputs.size() || outputs.size() != program.outputs.size()) {
    return InvalidArgument("[fused] program of rank ", program.rank, " with ",
                           program.inputs.size(), " inputs and ", program.outputs.size(),
                           " outputs got a domain ", ToString(domain), ", ", inputs.size(),
                           " inputs and ", outputs.size(), " outputs");
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::vector<int8_t>& map = program.inputs[i].map;
    for (size_t d = 0; d < map.size(); ++d) {
      if (map[d] < 0) continue;
      const int64_t size = map[d] < inputs[i].rank ? inputs[i].dims[At(map[d])] : -1;
      if (size != 1 && size != domain[d]) {
        return InvalidArgument("[fused] input ", i, " has size ", size, " along domain dim ", d,
                               " of ", ToString(domain));
      }
    }
  }
  return Status::Ok();
}

}  // namespace

Status RunProgram(const loop::Program& program, const Dims& domain,
                  std::span<const TensorView> inputs, std::span<const TensorView> outputs) {
  TRT_RETURN_IF_ERROR(CheckViews(program, domain, inputs, outputs));
  const Dims outer(domain.begin(), domain.empty() ? domain.end() : domain.end() - 1);
  const bool empty_rows = !domain.empty() && domain.back() == 0 && NumElements(outer) != 0;
  for (const loop::Instr& instr : program.instrs) {
    const bool extremum = instr.kind == InstrKind::kReduce &&
                          (instr.reduce == ReduceOp::kMax || instr.reduce == ReduceOp::kMin);
    if (extremum && empty_rows) {
      return InvalidArgument("[fused] ", ReduceOpName(instr.reduce),
                             " over an empty row of domain ", ToString(domain));
    }
  }
  Interpreter(program, domain).Run(inputs, outputs);
  return Status::Ok();
}

Status RunFused(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const loop::Program program,
                       loop::Program::Parse(args.attributes.Get("program", ProgramText{}).text));
  return RunProgram(program, args.attributes.Ints("domain"), args.inputs, args.outputs);
}

Status StoreWithEpilogue(const RefArgs& args, const std::vector<double>& values,
                         size_t first_extra) {
  if (!args.attributes.Has("epilogue")) {
    WriteAll(args.out(), values);
    return Status::Ok();
  }
  TRT_ASSIGN_OR_RETURN(const loop::Program program,
                       loop::Program::Parse(args.attributes.Get("epilogue", ProgramText{}).text));
  const TensorView& out = args.out();
  const Dims domain(out.dims.begin(), out.dims.begin() + out.rank);
  std::vector<double> rounded = values;
  if (!program.inputs.empty() && program.inputs[0].dtype != DataType::kFloat64) {
    for (double& v : rounded) v = RoundTo(DataType::kFloat32, v);
  }
  std::vector<TensorView> inputs = {MakeView(rounded.data(), DataType::kFloat64, domain)};
  for (size_t i = first_extra; i < args.inputs.size(); ++i) inputs.push_back(args.in(i));
  return RunProgram(program, domain, inputs, args.outputs);
}

}  // namespace torch_tensorrt::core::kernels::reference
