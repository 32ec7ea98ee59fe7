// What the tests of matrix kernels share.
#pragma once

#include <string>
#include <vector>

#include "core/loop/program.h"
#include "tests/core/kernels/cuda/cuda_testing.h"

namespace torch_tensorrt::core::kernels::testing {

// Of results whose magnitude is about 10.
inline double MatrixTolerance(DataType dtype) {
  if (dtype == DataType::kFloat32) return 1e-5;
  return dtype == DataType::kFloat16 ? 3e-3 : 2e-2;
}

// `values` at elements of a tensor: infinities, NaN, numbers whose products overflow.
struct SpecialValue {
  int64_t element;
  double value;
};
inline void SetValues(const TestTensor& tensor, const std::vector<SpecialValue>& values) {
  for (const SpecialValue& one : values) {
    reference::WriteElement(tensor.view.data, tensor.view.dtype, one.element, one.value);
  }
}

// Rows of `k` values padded by zeros to a multiple of 16 bytes. w: [rows, k].
inline TestTensor PaddedRows(const TestTensor& w, int64_t rows, int64_t k) {
  const int64_t step = 16 / static_cast<int64_t>(SizeOf(w.view.dtype));
  const int64_t padded = (k + step - 1) / step * step;
  const std::vector<double> from = w.values();
  std::vector<double> values(static_cast<size_t>(rows * padded), 0.0);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < k; ++i) {
      values[static_cast<size_t>(r * padded + i)] = from[static_cast<size_t>(r * k + i)];
    }
  }
  return TestTensor(w.view.dtype, {rows, padded}, values);
}

// out = relu(acc) + residual, over `rank` dims.
inline ProgramText ReluAdd(int rank, DataType dtype) {
  std::string text;
  loop::Program p;
  p.rank = rank;
  loop::Input accumulator;
  for (int8_t d = 0; d < rank; ++d) accumulator.map.push_back(d);
  loop::Input residual = accumulator;
  accumulator.accumulator = true;
  residual.dtype = dtype;
  p.inputs = {accumulator, residual};
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
  EXPECT_TRUE(p.Verify().ok()) << p.Verify().ToString();
  return {p.ToString()};
}

// Runs `id` with `inputs` and the reference with `reference_inputs`, and compares.
inline void ExpectAgree(std::string_view id, std::string_view reference,
                        const Attributes& attributes, const std::vector<TensorView>& inputs,
                        const Attributes& reference_attributes,
                        const std::vector<TensorView>& reference_inputs, DataType dtype,
                        const Dims& dims, const std::string& what) {
  const std::vector<double> want =
      Output(reference, reference_attributes, reference_inputs, dtype, dims);
  const TestTensor out(dtype, dims,
                       std::vector<double>(static_cast<size_t>(NumElements(dims)), 77));
  const Status status = RunCudaKernel(id, attributes, inputs, {out.view});
  ASSERT_TRUE(status.ok()) << what << " " << status.ToString();
  ExpectNear(out.values(), want, MatrixTolerance(dtype), what);
}

}  // namespace torch_tensorrt::core::kernels::testing
