// Runs a CPU kernel and its reference kernel on the same inputs and compares the results.
#pragma once

#include "tests/core/kernels/kernel_testing.h"

namespace torch_tensorrt::core::kernels::testing {

inline double ToleranceOf(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return 3e-5;
    case DataType::kFloat16:
      return 3e-3;
    case DataType::kBFloat16:
      return 2e-2;
    default:  // exact
      return 0;
  }
}

inline constexpr DataType kNarrow[] = {DataType::kFloat32, DataType::kFloat16, DataType::kBFloat16};

// `name` is the CPU kernel's id without "cpu.", `kind` that of the reference without "ref.".
inline void ExpectAgrees(const std::string& name, const std::string& kind,
                         const Attributes& attributes, const std::vector<TensorView>& inputs,
                         DataType dtype, const Dims& dims, double tolerance = -1) {
  const std::vector<double> want = Output("ref." + kind, attributes, inputs, dtype, dims);
  const std::vector<double> got = Output("cpu." + name, attributes, inputs, dtype, dims);
  std::string what = name + " " + std::string(DataTypeName(dtype)) + " -> " + ToString(dims);
  for (const auto& [key, value] : attributes.map()) what += " " + key + "=" + core::ToString(value);
  ExpectNear(got, want, tolerance < 0 ? ToleranceOf(dtype) : tolerance, what);
}

inline Dims DimsOf(const TensorView& view) {
  return Dims(view.dims.begin(), view.dims.begin() + view.rank);
}

}  // namespace torch_tensorrt::core::kernels::testing
