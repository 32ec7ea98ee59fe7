// CudaRun: what a context needs to run on a GPU: where kernels report errors in the data, and the
// order between streams (internal to core/execution). Used by one thread at a time.
#pragma once

#include <functional>
#include <memory>

#include "core/device/cuda/gpu.h"

namespace torch_tensorrt::core::execution {

class CudaRun {
 public:
  static Result<std::unique_ptr<CudaRun>> Create(std::shared_ptr<const device::cuda::Gpu> gpu);

  // Where kernels write a DataError.
  int32_t* data_error() const { return static_cast<int32_t*>(error_.get()); }

  // Before work is submitted to `stream`: reports the error that an earlier run left, and makes the
  // stream wait for the context's last run when that was on another one.
  Status Begin(device::cuda::Stream stream);
  // After work was submitted.
  Status End(device::cuda::Stream stream);
  // Whether somebody records `stream`, asked by Begin. What they record may run at any time later,
  // so the context's memory is theirs from then on.
  bool recorded() const { return recorded_; }
  bool capturing() const { return capturing_; }

 private:
  explicit CudaRun(std::shared_ptr<const device::cuda::Gpu> gpu) : gpu_(std::move(gpu)) {}
  Status TakeDataError();

  std::shared_ptr<const device::cuda::Gpu> gpu_;
  std::shared_ptr<void> error_;
  std::shared_ptr<void> done_;  // event: end of the last run
  bool ran_ = false;
  bool capturing_ = false;
  bool recorded_ = false;
  device::cuda::Stream last_stream_ = nullptr;
};

}  // namespace torch_tensorrt::core::execution
