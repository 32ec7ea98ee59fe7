// Shared by the tests of matrix products and convolutions: tensors with random values, and running
// a kernel by id.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "core/kernels/kernel.h"
#include "core/loop/program.h"
#include "core/types/half.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::kernels {

// Rounds to what `dtype` can hold.
inline float RoundTo(DataType dtype, float x) {
  if (dtype == DataType::kFloat16) return Float16ToFloat(FloatToFloat16(x));
  if (dtype == DataType::kBFloat16) return BFloat16ToFloat(FloatToBFloat16(x));
  return x;
}

// A tensor that owns its memory, with guard bytes behind it.
class TestTensor {
 public:
  TestTensor(DataType dtype, const Dims& dims) {
    view = MakeView(nullptr, dtype, dims);
    bytes_.assign(static_cast<size_t>(view.numel()) * SizeOf(dtype) + 64, std::byte{0x7f});
    view.data = bytes_.data();
  }
  TestTensor(const TestTensor&) = delete;
  TestTensor& operator=(const TestTensor&) = delete;
  TestTensor(TestTensor&&) = default;

  float Get(int64_t i) const {
    if (view.dtype == DataType::kFloat16) return Float16ToFloat(view.as<uint16_t>()[i]);
    if (view.dtype == DataType::kBFloat16) return BFloat16ToFloat(view.as<uint16_t>()[i]);
    return view.as<float>()[i];
  }
  void Set(int64_t i, float x) {
    if (view.dtype == DataType::kFloat16) {
      view.as<uint16_t>()[i] = FloatToFloat16(x);
    } else if (view.dtype == DataType::kBFloat16) {
      view.as<uint16_t>()[i] = FloatToBFloat16(x);
    } else {
      view.as<float>()[i] = x;
    }
  }
  // All values, for oracles.
  std::vector<double> ToDoubles() const {
    std::vector<double> values(static_cast<size_t>(view.numel()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = Get(static_cast<int64_t>(i));
    return values;
  }
  // Uniform in [-1, 1].
  TestTensor& Randomise(std::mt19937& random) {
    std::uniform_real_distribution<float> value(-1, 1);
    for (int64_t i = 0; i < view.numel(); ++i) Set(i, value(random));
    return *this;
  }
  // Whether nothing was written behind the tensor.
  bool GuardIntact() const {
    for (size_t i = bytes_.size() - 64; i < bytes_.size(); ++i) {
      if (bytes_[i] != std::byte{0x7f}) return false;
    }
    return true;
  }

  TensorView view;

 private:
  std::vector<std::byte> bytes_;
};

// Creates, prepares and runs the kernel; the first failure is returned.
inline Status RunKernel(std::string_view id, const Attributes& attributes,
                        const std::vector<TensorView>& inputs,
                        const std::vector<TensorView>& outputs) {
  const KernelEntry* entry = FindKernel(id);
  if (entry == nullptr) return InternalError("no kernel ", id);
  TRT_ASSIGN_OR_RETURN(auto kernel, entry->create(attributes));
  TRT_ASSIGN_OR_RETURN(Prepared prepared, kernel->Prepare({attributes, inputs, outputs}));
  std::vector<std::byte> scratch(prepared.scratch_bytes + 64, std::byte{0xff});
  auto at = reinterpret_cast<uintptr_t>(scratch.data());
  at = (at + 63) / 64 * 64;
  return kernel->Run({inputs, outputs, reinterpret_cast<std::byte*>(at), prepared.state.get()});
}

// out = relu(acc) + residual, over `rank` dims.
inline ProgramText ReluAddProgram(int rank, DataType dtype) {
  loop::Program p;
  p.rank = rank;
  loop::Input acc;
  loop::Input residual;
  for (int8_t d = 0; d < rank; ++d) {
    acc.map.push_back(d);
    residual.map.push_back(d);
  }
  acc.accumulator = true;
  residual.dtype = dtype;
  p.inputs = {acc, residual};
  p.outputs = {loop::Output{dtype, false}};
  loop::Instr load0, load1, relu, add, store;
  load0.kind = load1.kind = loop::InstrKind::kLoad;
  load1.index = 1;
  relu.kind = add.kind = loop::InstrKind::kPointwise;
  relu.op = PointwiseOp::kRelu;
  relu.args[0] = 0;
  add.op = PointwiseOp::kAdd;
  add.args[0] = 2;
  add.args[1] = 1;
  store.kind = loop::InstrKind::kStore;
  store.args[0] = 3;
  p.instrs = {load0, load1, relu, add, store};
  const Status status = p.Verify();
  EXPECT_TRUE(status.ok()) << status.ToString();
  return {p.ToString()};
}

// Largest allowed |error| of a sum of k products of values in [-1, 1], stored as dtype.
inline double SumTolerance(DataType dtype, int64_t k, double value) {
  const double steps = std::sqrt(static_cast<double>(k));
  const double sum = 1e-6 + steps * (6e-7 + 1.2e-7 * std::abs(value));
  if (dtype == DataType::kBFloat16) return sum + std::abs(value) * 0x1p-8;
  if (dtype == DataType::kFloat16) return sum + std::abs(value) * 0x1p-11 + 1e-7;
  return sum;
}

}  // namespace torch_tensorrt::core::kernels
