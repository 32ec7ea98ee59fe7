// Helpers for the tests of the loop executor: writing programs, tensors with data, and a plain
// oracle.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/kernels/cpu/loop/executor.h"
#include "core/loop/program.h"
#include "core/types/half.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::kernels::testing {

// Writes a program instruction by instruction; each call returns the register.
class ProgramWriter {
 public:
  explicit ProgramWriter(int rank) { program_.rank = rank; }

  // An input with an explicit map, loaded at once.
  int Load(DataType dtype, std::vector<int8_t> map, bool accumulator = false) {
    program_.inputs.push_back(loop::Input{dtype, std::move(map), accumulator});
    loop::Instr instr;
    instr.kind = loop::InstrKind::kLoad;
    instr.type = IsHalf(dtype) ? DataType::kFloat32 : dtype;
    instr.index = static_cast<int32_t>(program_.inputs.size()) - 1;
    return Push(instr);
  }
  // An input of the domain's dims.
  int Load(DataType dtype) { return Load(dtype, Identity()); }
  int Const(DataType type, double value) {
    loop::Instr instr;
    instr.kind = loop::InstrKind::kConst;
    instr.type = type;
    instr.p0 = IsFloat(type) ? value : 0;
    instr.ivalue = IsFloat(type) ? 0 : static_cast<int64_t>(value);
    return Push(instr);
  }
  int Iota(DataType type, int dim) {
    loop::Instr instr;
    instr.kind = loop::InstrKind::kIota;
    instr.type = type;
    instr.index = dim;
    return Push(instr);
  }
  int Op(PointwiseOp op, std::vector<int> args, double p0 = 0, double p1 = 0) {
    loop::Instr instr;
    instr.kind = loop::InstrKind::kPointwise;
    instr.op = op;
    instr.type = InfoOf(op).result == ResultType::kBool
                     ? DataType::kBool
                     : program_.instrs[static_cast<size_t>(args.back())].type;
    for (size_t k = 0; k < args.size(); ++k) instr.args[k] = args[k];
    instr.p0 = p0;
    instr.p1 = p1;
    return Push(instr);
  }
  int Cast(int arg, DataType type) {
    loop::Instr instr;
    instr.kind = loop::InstrKind::kPointwise;
    instr.op = PointwiseOp::kCast;
    instr.type = type;
    instr.args[0] = arg;
    return Push(instr);
  }
  int Reduce(loop::ReduceOp op, int arg) {
    loop::Instr instr;
    instr.kind = loop::InstrKind::kReduce;
    instr.reduce = op;
    instr.type = op == loop::ReduceOp::kAny || op == loop::ReduceOp::kAll
                     ? DataType::kBool
                     : program_.instrs[static_cast<size_t>(arg)].type;
    instr.args[0] = arg;
    return Push(instr);
  }
  void Store(int arg, DataType dtype, bool row = false) {
    program_.outputs.push_back(loop::Output{dtype, row});
    loop::Instr instr;
    instr.kind = row ? loop::InstrKind::kStoreRow : loop::InstrKind::kStore;
    instr.type = IsHalf(dtype) ? DataType::kFloat32 : dtype;
    instr.index = static_cast<int32_t>(program_.outputs.size()) - 1;
    instr.args[0] = arg;
    Push(instr);
  }
  std::vector<int8_t> Identity() const {
    std::vector<int8_t> map;
    for (int d = 0; d < program_.rank; ++d) map.push_back(static_cast<int8_t>(d));
    return map;
  }
  const loop::Program& program() const { return program_; }

 private:
  int Push(const loop::Instr& instr) {
    program_.instrs.push_back(instr);
    return static_cast<int>(program_.instrs.size()) - 1;
  }
  loop::Program program_;
};

// A tensor that owns its bytes. Fresh ones are filled with 0xCD, so that what nobody wrote shows.
class Tensor {
 public:
  Tensor(DataType dtype, const Dims& dims) {
    view_ = MakeView(nullptr, dtype, dims);
    Allocate(NumElements(dims));
  }
  // With element strides of its own over `elements` elements.
  Tensor(DataType dtype, const Dims& dims, const Dims& strides, int64_t elements) {
    view_ = MakeView(nullptr, dtype, dims);
    for (size_t d = 0; d < strides.size(); ++d) view_.strides[d] = strides[d];
    Allocate(elements);
  }
  const TensorView& view() const { return view_; }
  int64_t elements() const { return elements_; }
  template <typename T>
  T* data() const {
    return view_.as<T>();
  }
  // Element i of the memory (not of the view), as double.
  double Get(int64_t i) const {
    switch (view_.dtype) {
      case DataType::kFloat32:
        return static_cast<double>(data<float>()[i]);
      case DataType::kFloat16:
        return static_cast<double>(Float16ToFloat(data<uint16_t>()[i]));
      case DataType::kBFloat16:
        return static_cast<double>(BFloat16ToFloat(data<uint16_t>()[i]));
      case DataType::kFloat64:
        return data<double>()[i];
      case DataType::kInt64:
        return static_cast<double>(data<int64_t>()[i]);
      case DataType::kInt32:
        return data<int32_t>()[i];
      case DataType::kInt16:
        return data<int16_t>()[i];
      case DataType::kInt8:
        return data<int8_t>()[i];
      case DataType::kUInt8:
      case DataType::kBool:
        return data<uint8_t>()[i];
    }
    return 0;
  }
  void Set(int64_t i, double value) {
    switch (view_.dtype) {
      case DataType::kFloat32:
        data<float>()[i] = static_cast<float>(value);
        break;
      case DataType::kFloat16:
        data<uint16_t>()[i] = FloatToFloat16(static_cast<float>(value));
        break;
      case DataType::kBFloat16:
        data<uint16_t>()[i] = FloatToBFloat16(static_cast<float>(value));
        break;
      case DataType::kFloat64:
        data<double>()[i] = value;
        break;
      case DataType::kInt64:
        data<int64_t>()[i] = static_cast<int64_t>(value);
        break;
      case DataType::kInt32:
        data<int32_t>()[i] = static_cast<int32_t>(value);
        break;
      case DataType::kInt16:
        data<int16_t>()[i] = static_cast<int16_t>(value);
        break;
      case DataType::kInt8:
        data<int8_t>()[i] = static_cast<int8_t>(value);
        break;
      case DataType::kUInt8:
        data<uint8_t>()[i] = static_cast<uint8_t>(value);
        break;
      case DataType::kBool:
        data<uint8_t>()[i] = value != 0 ? 1 : 0;
        break;
    }
  }
  // Small values that differ from element to element; integers within [-5, 5], unsigned ones within
  // [0, 5].
  void Fill(uint64_t seed) {
    uint64_t state = seed * 2654435761U + 12345;
    for (int64_t i = 0; i < elements_; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      const double unit = static_cast<double>(state >> 40) / static_cast<double>(1 << 24);
      const double value = IsFloat(view_.dtype) ? unit * 6 - 3 : std::floor(unit * 11) - 5;
      Set(i, IsUnsigned(view_.dtype) ? std::abs(value) : value);
    }
  }

 private:
  void Allocate(int64_t elements) {
    elements_ = elements;
    const size_t bytes = static_cast<size_t>(elements) * SizeOf(view_.dtype);
    bytes_ = std::make_unique<std::byte[]>(bytes + 1);
    std::memset(bytes_.get(), 0xCD, bytes + 1);
    view_.data = bytes_.get();
  }
  TensorView view_;
  int64_t elements_ = 0;
  std::unique_ptr<std::byte[]> bytes_;
};

inline std::vector<TensorView> Views(const std::vector<Tensor>& tensors) {
  std::vector<TensorView> views;
  for (const Tensor& tensor : tensors) views.push_back(tensor.view());
  return views;
}

// Compiles, prepares and runs.
inline Status RunProgram(const loop::Program& program, const Dims& domain,
                         const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) {
  TRT_ASSIGN_OR_RETURN(auto compiled, CompileLoop(program));
  const std::vector<TensorView> in = Views(inputs);
  const std::vector<TensorView> out = Views(outputs);
  TRT_ASSIGN_OR_RETURN(auto plan, PrepareLoop(*compiled, domain, in, out));
  std::vector<std::byte> scratch(plan->scratch_bytes() + 64);
  void* aligned = scratch.data();
  size_t space = scratch.size();
  std::align(64, plan->scratch_bytes(), aligned, space);
  RunLoop(*plan, in, out, static_cast<std::byte*>(aligned));
  return Status::Ok();
}

// Tensors of these types and dims, each with other values.
inline std::vector<Tensor> Filled(std::vector<std::pair<DataType, Dims>> specs) {
  std::vector<Tensor> tensors;
  uint64_t seed = 1;
  for (const auto& [dtype, dims] : specs) {
    tensors.emplace_back(dtype, dims);
    tensors.back().Fill(seed++);
  }
  return tensors;
}

}  // namespace torch_tensorrt::core::kernels::testing
