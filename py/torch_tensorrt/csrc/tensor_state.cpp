#include "py/torch_tensorrt/csrc/tensor_state.h"

#include <torch/csrc/autograd/python_variable.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "py/torch_tensorrt/csrc/types.h"

namespace torch_tensorrt::python {
namespace {

size_t ReadableBytes(const at::Tensor& tensor) {
  if (!tensor.is_cpu() || tensor.const_data_ptr() == nullptr) return 0;
  const size_t offset = static_cast<size_t>(tensor.storage_offset()) * tensor.itemsize();
  const size_t end = tensor.storage().nbytes();
  const size_t own = static_cast<size_t>(tensor.numel()) * tensor.itemsize();
  const size_t dense =
      tensor.is_non_overlapping_and_dense() ? own : std::min(own, tensor.itemsize());
  return std::min(dense, end > offset ? end - offset : 0);
}

class TensorLender : public core::Lender {
 public:
  TensorLender(at::Tensor tensor, std::string name)
      : tensor_(std::move(tensor)),
        name_(std::move(name)),
        state_(StateOf(tensor_)),
        bytes_(tensor_.storage().nbytes()) {}

  core::Status Check() const override {
    const c10::TensorImpl& impl = *tensor_.unsafeGetTensorImpl();
    if (AddressOf(impl) != state_.address || impl.storage().nbytes() != bytes_) {
      return Changed("was freed, resized or moved");
    }
    const bool same = !sees_writes() || impl.version_counter().current_version() == state_.version;
    // Writes through tensor.data leave the counter as it is.
    if (!same || !(ReadSample(state_.address, state_.readable) == state_.sample)) {
      return Changed("was written to");
    }
    return core::Status::Ok();
  }

  bool sees_writes() const override { return !tensor_.is_inference(); }

 private:
  core::Status Changed(const char* what) const {
    return core::DataLoss("[weights] the memory of '", name_, "' ", what,
                          " after the engine was built, which reads this weight where it is; "
                          "compile the module again when its weights have changed, or save the "
                          "engine before they do");
  }

  const at::Tensor tensor_;
  const std::string name_;
  const TensorState state_;
  const size_t bytes_;  // of the storage
};

}  // namespace

Sample ReadSample(const char* data, size_t bytes) {
  Sample sample;
  const size_t word = std::min(bytes, sizeof(uint64_t));
  if (word == 0) return sample;
  std::memcpy(&sample.middle, data + (bytes - word) / 2, word);
  std::memcpy(&sample.last, data + (bytes - word), word);
  return sample;
}

const char* AddressOf(const c10::TensorImpl& impl) {
  const auto* base = static_cast<const char*>(impl.storage().data());
  return base == nullptr ? nullptr
                         : base + static_cast<size_t>(impl.storage_offset()) * impl.itemsize();
}

TensorState StateOf(const at::Tensor& tensor) {
  TensorState state;
  if (!tensor.is_inference()) state.version = tensor._version();
  if (!tensor.has_storage()) return state;
  state.address = AddressOf(*tensor.unsafeGetTensorImpl());
  state.readable = ReadableBytes(tensor);
  state.sample = ReadSample(state.address, state.readable);
  state.sizes = tensor.sizes().vec();
  state.strides = tensor.strides().vec();
  return state;
}

std::shared_ptr<const core::Lender> LendTensor(pybind11::handle tensor, std::string name) {
  if (!THPVariable_Check(tensor.ptr())) {
    throw pybind11::type_error("only a tensor's memory can be lent");
  }
  return std::make_shared<const TensorLender>(THPVariable_Unpack(tensor.ptr()), std::move(name));
}

}  // namespace torch_tensorrt::python
