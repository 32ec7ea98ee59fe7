// DriverGpu: the Gpu of a real device (internal to core/device/cuda).
#pragma once

#include <map>
#include <mutex>

#include "core/device/cuda/cubin_store.h"
#include "core/device/cuda/driver.h"
#include "core/device/cuda/gpu.h"

namespace torch_tensorrt::core::device::cuda {

// While it lives, this thread may allocate and load although somebody records a stream: none of
// that is part of the recording.
class OutsideRecording {
 public:
  explicit OutsideRecording(const Driver& driver) : driver_(driver) {
    driver_.capture_mode_exchange(&mode_);
  }
  ~OutsideRecording() { driver_.capture_mode_exchange(&mode_); }
  OutsideRecording(const OutsideRecording&) = delete;
  OutsideRecording& operator=(const OutsideRecording&) = delete;

 private:
  const Driver& driver_;
  int mode_ = kCaptureRelaxed;
};

class DriverGpu final : public Gpu, public std::enable_shared_from_this<DriverGpu> {
 public:
  static Result<std::shared_ptr<const Gpu>> Create(int ordinal);
  ~DriverGpu() override;

  const GpuInfo& info() const override { return info_; }
  Result<Function> Load(const KernelSource& source, const std::string& entry) const override;
  Status Launch(const Function& function, const LaunchConfig& config, Stream stream,
                void** params) const override;
  Result<std::shared_ptr<void>> Allocate(size_t bytes) const override;
  Result<std::shared_ptr<void>> AllocateShared(size_t bytes) const override;
  Status CopyToDevice(void* device, const void* host, size_t bytes) const override;
  Result<TensorMap> EncodeTensorMap(const TensorMapSpec& spec) const override;
  Status CopyToHost(void* host, const void* device, size_t bytes) const override;
  Status CopyOnDevice(void* to, const void* from, size_t bytes, Stream stream) const override;
  Status FillBytes(void* device, int value, size_t bytes, Stream stream) const override;
  Status Synchronize(Stream stream) const override;
  Result<std::shared_ptr<void>> NewEvent(bool timing) const override;
  Status RecordEvent(void* event, Stream stream) const override;
  Status WaitEvent(Stream stream, void* event) const override;
  Result<double> SecondsBetween(void* first, void* second) const override;
  Result<bool> IsCapturing(Stream stream) const override;
  Result<std::unique_ptr<const Graph>> Capture(
      const std::function<Status(Stream)>& submit) const override;
  LoadStats load_stats() const override { return cubins_.stats(); }
  Result<const struct CublasLt*> cublaslt() const override;

  // Makes this device's context current on the calling thread.
  Status Bind() const;
  Status Check(int code, std::string_view what) const { return DriverStatus(driver_, code, what); }
  const Driver& driver() const { return driver_; }

 private:
  explicit DriverGpu(const Driver& driver) : driver_(driver) {}
  Status Start(int ordinal);
  Status ReadInfo(int ordinal);
  Result<CuModule> Module(const KernelSource& source) const;

  const Driver& driver_;
  CuDevice device_ = 0;
  CuContext context_ = nullptr;
  GpuInfo info_;
  CubinStore cubins_;
  mutable std::mutex mutex_;  // guards modules_
  mutable std::map<std::string, CuModule, std::less<>> modules_;
};

}  // namespace torch_tensorrt::core::device::cuda
