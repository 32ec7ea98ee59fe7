// Running CUDA kernels, on a GPU where there is one and else on the HostGpu, and comparing them
// with the reference kernels.
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

// Bytes that a view's elements span. REQUIRES: no negative strides.
inline size_t SpanBytes(const TensorView& view) {
  int64_t last = 0;
  for (int d = 0; d < view.rank; ++d) {
    const auto k = static_cast<size_t>(d);
    if (view.dims[k] == 0) return 0;
    last += (view.dims[k] - 1) * view.strides[k];
  }
  return static_cast<size_t>(last + 1) * SizeOf(view.dtype);
}

// Tensors copied to a GPU, at addresses of the same alignment.
class OnGpu {
 public:
  explicit OnGpu(const device::cuda::Gpu& gpu) : gpu_(gpu) {}

  Result<TensorView> Upload(const TensorView& host) {
    constexpr size_t kAlignment = 256;
    const size_t shift = reinterpret_cast<uintptr_t>(host.data) % kAlignment;
    TRT_ASSIGN_OR_RETURN(memory_.emplace_back(), gpu_.Allocate(SpanBytes(host) + kAlignment));
    TensorView view = host;
    view.data = static_cast<std::byte*>(memory_.back().get()) + shift;
    TRT_RETURN_IF_ERROR(gpu_.CopyToDevice(view.data, host.data, SpanBytes(host)));
    return view;
  }
  Result<std::vector<TensorView>> UploadAll(const std::vector<TensorView>& host) {
    std::vector<TensorView> views;
    for (const TensorView& one : host) {
      TRT_ASSIGN_OR_RETURN(views.emplace_back(), Upload(one));
    }
    return views;
  }

 private:
  const device::cuda::Gpu& gpu_;
  std::vector<std::shared_ptr<void>> memory_;
};

// Creates, prepares and runs kernel `id` on the GPU of this machine, or else on the HostGpu.
// Scratch starts as garbage.
inline Status RunCudaKernel(std::string_view id, const Attributes& attributes,
                            const std::vector<TensorView>& inputs,
                            const std::vector<TensorView>& outputs, int32_t* data_error = nullptr) {
  const KernelEntry* entry = FindKernel(id);
  if (entry == nullptr) return InternalError("[test] no kernel ", id);
  const auto gpu = OpenTestGpu();
  TRT_ASSIGN_OR_RETURN(const auto kernel, entry->create(attributes));
  // As while building: without a GPU, shapes only.
  std::vector<TensorView> shapes = inputs;
  for (TensorView& view : shapes) view.data = nullptr;
  TRT_ASSIGN_OR_RETURN(Prepared dry, kernel->Prepare({attributes, shapes, outputs, nullptr}));
  TRT_ASSIGN_OR_RETURN(Prepared prepared,
                       kernel->Prepare({attributes, shapes, outputs, gpu.get()}));
  if (dry.scratch_bytes != prepared.scratch_bytes) return InternalError("[test] scratch differs");
  OnGpu memory(*gpu);
  TRT_ASSIGN_OR_RETURN(const auto device_inputs, memory.UploadAll(inputs));
  TRT_ASSIGN_OR_RETURN(const auto device_outputs, memory.UploadAll(outputs));
  TRT_ASSIGN_OR_RETURN(const auto scratch, gpu->Allocate(prepared.scratch_bytes + 256));
  TRT_RETURN_IF_ERROR(gpu->FillBytes(scratch.get(), 0xCD, prepared.scratch_bytes, nullptr));
  TRT_ASSIGN_OR_RETURN(const auto error, gpu->AllocateShared(sizeof(int32_t)));
  RunArgs args{device_inputs, device_outputs, static_cast<std::byte*>(scratch.get()),
               prepared.state.get()};
  args.gpu = gpu.get();
  args.data_error = static_cast<int32_t*>(error.get());
  TRT_RETURN_IF_ERROR(kernel->Run(args));
  TRT_RETURN_IF_ERROR(gpu->Synchronize(nullptr));
  for (size_t i = 0; i < outputs.size(); ++i) {
    TRT_RETURN_IF_ERROR(
        gpu->CopyToHost(outputs[i].data, device_outputs[i].data, SpanBytes(outputs[i])));
  }
  if (data_error != nullptr) *data_error = *args.data_error;
  if (data_error == nullptr && *args.data_error != 0) {
    return InternalError("[test] data error ", *args.data_error);
  }
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
