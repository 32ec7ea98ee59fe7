#include "core/execution/cuda_run.h"

#include <atomic>

namespace torch_tensorrt::core::execution {

using device::cuda::DataError;
using device::cuda::Stream;

Result<std::unique_ptr<CudaRun>> CudaRun::Create(std::shared_ptr<const device::cuda::Gpu> gpu) {
  auto run = std::unique_ptr<CudaRun>(new CudaRun(std::move(gpu)));
  TRT_ASSIGN_OR_RETURN(run->error_, run->gpu_->AllocateShared(sizeof(int32_t)));
  TRT_ASSIGN_OR_RETURN(run->done_, run->gpu_->NewEvent(false));
  return run;
}

Status CudaRun::TakeDataError() {
  const auto found = static_cast<DataError>(std::atomic_ref<int32_t>(*data_error()).exchange(0));
  switch (found) {
    case DataError::kNone:
      return Status::Ok();
    case DataError::kIndexOutOfRange:
      return InvalidArgument(
          "in an earlier call an index was out of range, and 0 was taken for what it points to "
          "(GPUs report this late; this call has not run)");
  }
  return InternalError("a kernel reported unknown data error ", static_cast<int>(found));
}

Status CudaRun::Begin(Stream stream) {
  TRT_RETURN_IF_ERROR(TakeDataError());
  TRT_ASSIGN_OR_RETURN(capturing_, gpu_->IsCapturing(stream));
  recorded_ = recorded_ || capturing_;
  if (!ran_ || stream == last_stream_ || capturing_) return Status::Ok();
  return gpu_->WaitEvent(stream, done_.get());
}

Status CudaRun::End(Stream stream) {
  if (capturing_) return Status::Ok();
  TRT_RETURN_IF_ERROR(gpu_->RecordEvent(done_.get(), stream));
  ran_ = true;
  last_stream_ = stream;
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::execution
