// Helpers of kernel tests: owning tensors, running a kernel by id, comparing values.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/kernel.h"
#include "core/kernels/reference/values.h"

namespace torch_tensorrt::core::kernels::testing {

// A tensor that owns its memory. Copies share nothing; views of it are made with the functions
// below.
struct TestTensor {
  std::vector<std::byte> bytes;
  TensorView view;

  TestTensor() = default;
  TestTensor(DataType dtype, const Dims& dims, const std::vector<double>& values = {})
      : bytes(static_cast<size_t>(NumElements(dims)) * SizeOf(dtype) + 64) {
    view = MakeView(bytes.data(), dtype, dims);
    for (size_t i = 0; i < values.size(); ++i) {
      reference::WriteElement(view.data, dtype, static_cast<int64_t>(i), values[i]);
    }
  }
  TestTensor(const TestTensor&) = delete;
  TestTensor& operator=(const TestTensor&) = delete;
  TestTensor(TestTensor&&) = default;
  TestTensor& operator=(TestTensor&&) = default;

  std::vector<double> values() const { return reference::ReadAll<double>(view); }
};

// Normally distributed values (integers: scaled by 10), the same for the same seed.
inline TestTensor RandomTensor(DataType dtype, const Dims& dims, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  TestTensor tensor(dtype, dims);
  for (int64_t i = 0; i < tensor.view.numel(); ++i) {
    const double v = normal(engine) * (IsFloat(dtype) ? 1 : 10);
    reference::WriteElement(tensor.view.data, dtype, i, v);
  }
  return tensor;
}

inline TensorView Transposed(TensorView view, int a, int b) {
  std::swap(view.dims[static_cast<size_t>(a)], view.dims[static_cast<size_t>(b)]);
  std::swap(view.strides[static_cast<size_t>(a)], view.strides[static_cast<size_t>(b)]);
  return view;
}

// Creates, prepares and runs kernel `id`.
inline Status RunKernel(std::string_view id, const Attributes& attributes,
                        const std::vector<TensorView>& inputs,
                        const std::vector<TensorView>& outputs) {
  const KernelEntry* entry = FindKernel(id);
  if (entry == nullptr) return InternalError("[test] no kernel ", id);
  TRT_ASSIGN_OR_RETURN(const auto kernel, entry->create(attributes));
  TRT_ASSIGN_OR_RETURN(Prepared prepared, kernel->Prepare({attributes, inputs, outputs}));
  const size_t scratch_bytes = (prepared.scratch_bytes + 127) / 64 * 64;
  auto* scratch = static_cast<std::byte*>(std::aligned_alloc(64, scratch_bytes));
  const Status status = kernel->Run({inputs, outputs, scratch, prepared.state.get()});
  std::free(scratch);
  return status;
}

// The single output of `dtype` and `dims` as doubles; empty and a test failure when the kernel
// fails.
inline std::vector<double> Output(std::string_view id, const Attributes& attributes,
                                  const std::vector<TensorView>& inputs, DataType dtype,
                                  const Dims& dims) {
  const TestTensor out(dtype, dims,
                       std::vector<double>(static_cast<size_t>(NumElements(dims)), 77));
  const Status status = RunKernel(id, attributes, inputs, {out.view});
  EXPECT_TRUE(status.ok()) << status.ToString();
  return status.ok() ? out.values() : std::vector<double>{};
}

// NaN equals NaN, infinities must be equal, else |a - b| <= tolerance * (1 + |b|).
inline void ExpectNear(const std::vector<double>& got, const std::vector<double>& want,
                       double tolerance, const std::string& what = "") {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i]) || std::isinf(want[i])) {
      ASSERT_TRUE(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])))
          << what << " element " << i << ": " << got[i] << ", expected " << want[i];
    } else {
      ASSERT_LE(std::fabs(got[i] - want[i]), tolerance * (1 + std::fabs(want[i])))
          << what << " element " << i << ": " << got[i] << ", expected " << want[i];
    }
  }
}

}  // namespace torch_tensorrt::core::kernels::testing
