// Running CUDA kernels on the HostGpu and comparing them with the reference kernels.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/kernels/kernel.h"
#include "tests/core/kernels/cuda/host_gpu.h"
#include "tests/core/kernels/kernel_testing.h"

#define TRT_NEED_HOST_GPU()                                              \
  if (!::torch_tensorrt::core::kernels::testing::WhyNoHostGpu().empty()) \
  GTEST_SKIP() << ::torch_tensorrt::core::kernels::testing::WhyNoHostGpu()

namespace torch_tensorrt::core::kernels::testing {

// Creates, prepares and runs kernel `id` on the HostGpu; scratch starts as garbage.
inline Status RunCudaKernel(std::string_view id, const Attributes& attributes,
                            const std::vector<TensorView>& inputs,
                            const std::vector<TensorView>& outputs, int32_t* data_error = nullptr) {
  const KernelEntry* entry = FindKernel(id);
  if (entry == nullptr) return InternalError("[test] no kernel ", id);
  const auto gpu = OpenHostGpu();
  TRT_ASSIGN_OR_RETURN(const auto kernel, entry->create(attributes));
  // As while building: without a GPU, shapes only.
  std::vector<TensorView> shapes = inputs;
  for (TensorView& view : shapes) view.data = nullptr;
  TRT_ASSIGN_OR_RETURN(Prepared dry, kernel->Prepare({attributes, shapes, outputs, nullptr}));
  TRT_ASSIGN_OR_RETURN(Prepared prepared,
                       kernel->Prepare({attributes, shapes, outputs, gpu.get()}));
  if (dry.scratch_bytes != prepared.scratch_bytes) return InternalError("[test] scratch differs");
  std::vector<std::byte> scratch(prepared.scratch_bytes + 256, std::byte{0xCD});
  const auto start = (reinterpret_cast<uintptr_t>(scratch.data()) + 255) / 256 * 256;
  int32_t error = 0;
  RunArgs args{inputs, outputs, reinterpret_cast<std::byte*>(start), prepared.state.get()};
  args.gpu = gpu.get();
  args.data_error = &error;
  TRT_RETURN_IF_ERROR(kernel->Run(args));
  if (data_error != nullptr) *data_error = error;
  if (data_error == nullptr && error != 0) return InternalError("[test] data error ", error);
  return Status::Ok();
}

// Runs `reference` and `id` on the same inputs and compares every output.
inline void ExpectSameAs(std::string_view reference, std::string_view id,
                         const Attributes& attributes, const std::vector<TensorView>& inputs,
                         const std::vector<std::pair<DataType, Dims>>& outputs, double tolerance,
                         const std::string& what = "") {
  std::vector<TestTensor> want;
  std::vector<TestTensor> got;
  std::vector<TensorView> want_views;
  std::vector<TensorView> got_views;
  for (const auto& [dtype, dims] : outputs) {
    const std::vector<double> filler(static_cast<size_t>(NumElements(dims)), 77);
    want_views.push_back(want.emplace_back(dtype, dims, filler).view);
    got_views.push_back(got.emplace_back(dtype, dims, filler).view);
  }
  const Status expected = RunKernel(reference, attributes, inputs, want_views);
  const Status status = RunCudaKernel(id, attributes, inputs, got_views);
  ASSERT_TRUE(expected.ok()) << what << " " << expected.ToString();
  ASSERT_TRUE(status.ok()) << what << " " << status.ToString();
  for (size_t i = 0; i < got.size(); ++i) {
    ExpectNear(got[i].values(), want[i].values(), tolerance, what + " output " + std::to_string(i));
  }
}

}  // namespace torch_tensorrt::core::kernels::testing
