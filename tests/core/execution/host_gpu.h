// A Gpu whose memory is the host's: steps of reference kernels run on it at once. What it records
// is what tests tell it. For testing everything around kernels where there is no GPU.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "core/device/cuda/gpu.h"

namespace torch_tensorrt::core::execution {

class HostGpu final : public device::cuda::Gpu {
 public:
  using Stream = device::cuda::Stream;
  using Work = std::vector<std::function<void()>>;

  // Does `work`, or records it when `stream` is being recorded.
  void Submit(Stream stream, std::function<void()> work) const {
    if (stream == &recording_) {
      recording_.push_back(std::move(work));
    } else {
      work();
    }
  }

  const device::cuda::GpuInfo& info() const override { return info_; }
  Result<device::cuda::Function> Load(const device::cuda::KernelSource& /*source*/,
                                      const std::string& /*entry*/) const override {
    return Unsupported("this GPU runs no kernels of its own");
  }
  Status Launch(const device::cuda::Function& /*function*/,
                const device::cuda::LaunchConfig& /*config*/, Stream /*stream*/,
                void** /*params*/) const override {
    return Unsupported("this GPU runs no kernels of its own");
  }
  Result<std::shared_ptr<void>> Allocate(size_t bytes) const override {
    ++allocations;
    return std::shared_ptr<void>(::operator new(bytes, std::align_val_t{256}),
                                 [](void* p) { ::operator delete(p, std::align_val_t{256}); });
  }
  Result<std::shared_ptr<void>> AllocateShared(size_t bytes) const override {
    TRT_ASSIGN_OR_RETURN(auto memory, Allocate(bytes));
    std::memset(memory.get(), 0, bytes);
    shared = memory.get();
    return memory;
  }
  Status CopyToDevice(void* device, const void* host, size_t bytes) const override {
    if (bytes > 0) std::memcpy(device, host, bytes);
    return Status::Ok();
  }
  Status CopyToHost(void* host, const void* device, size_t bytes) const override {
    return CopyToDevice(host, device, bytes);
  }
  Status CopyOnDevice(void* to, const void* from, size_t bytes, Stream stream) const override {
    Submit(stream, [=] { std::memcpy(to, from, bytes); });
    return Status::Ok();
  }
  Status FillBytes(void* device, int value, size_t bytes, Stream stream) const override {
    Submit(stream, [=] { std::memset(device, value, bytes); });
    return Status::Ok();
  }
  Status Synchronize(Stream /*stream*/) const override { return Status::Ok(); }
  Result<std::shared_ptr<void>> NewEvent(bool /*timing*/) const override {
    return std::shared_ptr<void>(std::make_shared<int>(0));
  }
  Status RecordEvent(void* /*event*/, Stream /*stream*/) const override { return Status::Ok(); }
  Status WaitEvent(Stream stream, void* /*event*/) const override {
    waited.push_back(stream);
    return Status::Ok();
  }
  Result<double> SecondsBetween(void* /*first*/, void* /*second*/) const override { return 0.5; }
  Result<bool> IsCapturing(Stream stream) const override { return stream == capturing_stream; }
  Result<std::unique_ptr<const device::cuda::Graph>> Capture(
      const std::function<Status(Stream)>& submit) const override {
    recording_.clear();
    TRT_RETURN_IF_ERROR(submit(&recording_));
    return std::unique_ptr<const device::cuda::Graph>(std::make_unique<Recorded>(recording_));
  }
  device::cuda::LoadStats load_stats() const override { return {}; }
  Result<const device::cuda::CublasLt*> cublaslt() const override { return Unsupported("none"); }

  // What tests look at and set.
  mutable int allocations = 0;
  mutable void* shared = nullptr;  // the last shared allocation
  mutable std::vector<Stream> waited;
  Stream capturing_stream = this;

 private:
  struct Recorded final : device::cuda::Graph {
    explicit Recorded(Work recorded) : work(std::move(recorded)) {}
    Status Launch(Stream /*stream*/) const override {
      for (const auto& one : work) one();
      return Status::Ok();
    }
    Work work;
  };

  device::cuda::GpuInfo info_;
  mutable Work recording_;
};

}  // namespace torch_tensorrt::core::execution
