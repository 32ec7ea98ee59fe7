// What tells that a tensor is no longer what it was: its memory, version counter and two words of
// its contents.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace torch_tensorrt::python {

// Words spread over the memory [data, data + bytes).
struct Sample {
  uint64_t middle = 0;
  uint64_t last = 0;
  bool operator==(const Sample&) const = default;
};
Sample ReadSample(const char* data, size_t bytes);

// What is compared of one tensor. Memory that isn't the CPU's is not sampled.
struct TensorState {
  const char* address = nullptr;
  size_t readable = 0;  // bytes at `address` that are sampled
  int64_t version = 0;  // of tensors that count: those not made in inference mode
  Sample sample;
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides;
};
TensorState StateOf(const at::Tensor& tensor);
// Of the first element; null when there is no memory.
const char* AddressOf(const c10::TensorImpl& impl);

}  // namespace torch_tensorrt::python
