// Memory, copies, events and recorded work of a DriverGpu.
#include <algorithm>

#include "core/device/cuda/gpu_impl.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

CuPointer Address(const void* p) { return reinterpret_cast<CuPointer>(p); }
CuStream StreamOf(Stream stream) { return static_cast<CuStream>(stream); }

class DriverGraph final : public Graph {
 public:
  explicit DriverGraph(std::shared_ptr<const DriverGpu> gpu) : gpu_(std::move(gpu)) {}
  ~DriverGraph() override {
    if (!gpu_->Bind().ok()) return;
    if (exec_ != nullptr) gpu_->driver().graph_exec_destroy(exec_);
  }

  Status Instantiate(CuGraph graph) {
    return gpu_->Check(gpu_->driver().graph_instantiate(&exec_, graph, 0),
                       "cannot make a graph of the recorded work");
  }
  Status Launch(Stream stream) const override {
    TRT_RETURN_IF_ERROR(gpu_->Bind());
    return gpu_->Check(gpu_->driver().graph_launch(exec_, StreamOf(stream)),
                       "cannot launch a graph");
  }

 private:
  std::shared_ptr<const DriverGpu> gpu_;
  CuGraphExec exec_ = nullptr;
};

}  // namespace

Result<std::shared_ptr<void>> DriverGpu::Allocate(size_t bytes) const {
  TRT_RETURN_IF_ERROR(Bind());
  const OutsideRecording outside(driver_);
  CuPointer address = 0;
  const size_t size = bytes == 0 ? 1 : bytes;
  TRT_RETURN_IF_ERROR(Check(driver_.memory_allocate(&address, size),
                            StrCat("cannot allocate ", bytes, " bytes on the GPU")));
  auto release = [gpu = shared_from_this()](void* p) {
    if (gpu->Bind().ok()) gpu->driver_.memory_free(Address(p));
  };
  return std::shared_ptr<void>(reinterpret_cast<void*>(address), std::move(release));
}

Result<std::shared_ptr<void>> DriverGpu::AllocateShared(size_t bytes) const {
  TRT_RETURN_IF_ERROR(Bind());
  const OutsideRecording outside(driver_);
  void* host = nullptr;
  TRT_RETURN_IF_ERROR(Check(driver_.host_allocate(&host, bytes, kHostPortable | kHostDeviceMapped),
                            "cannot allocate host memory for the GPU"));
  std::fill_n(static_cast<char*>(host), bytes, char{0});
  auto release = [gpu = shared_from_this()](void* p) {
    if (gpu->Bind().ok()) gpu->driver_.host_free(p);
  };
  std::shared_ptr<void> owner(host, std::move(release));
  CuPointer device = 0;
  TRT_RETURN_IF_ERROR(Check(driver_.host_device_pointer(&device, host, 0), "host memory"));
  if (device != Address(host)) {
    return Unsupported("[cuda] this system gives host memory another address on the GPU");
  }
  return owner;
}

Status DriverGpu::CopyToDevice(void* device, const void* host, size_t bytes) const {
  if (bytes == 0) return Status::Ok();
  TRT_RETURN_IF_ERROR(Bind());
  const OutsideRecording outside(driver_);
  return Check(driver_.copy_to_device(Address(device), host, bytes), "cannot copy to the GPU");
}

Status DriverGpu::CopyToHost(void* host, const void* device, size_t bytes) const {
  if (bytes == 0) return Status::Ok();
  TRT_RETURN_IF_ERROR(Bind());
  return Check(driver_.copy_to_host(host, Address(device), bytes), "cannot copy from the GPU");
}

Status DriverGpu::CopyOnDevice(void* to, const void* from, size_t bytes, Stream stream) const {
  if (bytes == 0) return Status::Ok();
  TRT_RETURN_IF_ERROR(Bind());
  return Check(driver_.copy_on_device(Address(to), Address(from), bytes, StreamOf(stream)),
               "cannot copy on the GPU");
}

Status DriverGpu::FillBytes(void* device, int value, size_t bytes, Stream stream) const {
  if (bytes == 0) return Status::Ok();
  TRT_RETURN_IF_ERROR(Bind());
  return Check(
      driver_.fill(Address(device), static_cast<unsigned char>(value), bytes, StreamOf(stream)),
      "cannot fill memory on the GPU");
}

Status DriverGpu::Synchronize(Stream stream) const {
  TRT_RETURN_IF_ERROR(Bind());
  return Check(driver_.stream_synchronize(StreamOf(stream)), "work on the GPU failed");
}

Result<std::shared_ptr<void>> DriverGpu::NewEvent(bool timing) const {
  TRT_RETURN_IF_ERROR(Bind());
  const OutsideRecording outside(driver_);
  CuEvent event = nullptr;
  TRT_RETURN_IF_ERROR(Check(driver_.event_create(&event, timing ? 0 : kEventDisableTiming),
                            "cannot make an event"));
  auto release = [gpu = shared_from_this()](void* p) {
    if (gpu->Bind().ok()) gpu->driver_.event_destroy(static_cast<CuEvent>(p));
  };
  return std::shared_ptr<void>(event, std::move(release));
}

Status DriverGpu::RecordEvent(void* event, Stream stream) const {
  TRT_RETURN_IF_ERROR(Bind());
  return Check(driver_.event_record(static_cast<CuEvent>(event), StreamOf(stream)),
               "cannot record an event");
}

Status DriverGpu::WaitEvent(Stream stream, void* event) const {
  TRT_RETURN_IF_ERROR(Bind());
  return Check(driver_.stream_wait(StreamOf(stream), static_cast<CuEvent>(event), 0),
               "cannot order two streams");
}

Result<double> DriverGpu::SecondsBetween(void* first, void* second) const {
  TRT_RETURN_IF_ERROR(Bind());
  float milliseconds = 0;
  TRT_RETURN_IF_ERROR(Check(driver_.event_elapsed(&milliseconds, static_cast<CuEvent>(first),
                                                  static_cast<CuEvent>(second)),
                            "cannot read a time"));
  return milliseconds * 1e-3;
}

Result<bool> DriverGpu::IsCapturing(Stream stream) const {
  TRT_RETURN_IF_ERROR(Bind());
  int status = 0;
  TRT_RETURN_IF_ERROR(
      Check(driver_.stream_is_capturing(StreamOf(stream), &status), "cannot ask about a stream"));
  return status != 0;
}

Result<std::unique_ptr<const Graph>> DriverGpu::Capture(
    const std::function<Status(Stream)>& submit) const {
  TRT_RETURN_IF_ERROR(Bind());
  // A stream of its own: the legacy default stream, PyTorch's usual one, cannot be recorded.
  CuStream stream = nullptr;
  TRT_RETURN_IF_ERROR(Check(driver_.stream_create(&stream, kStreamNonBlocking), "stream"));
  Status status = Check(driver_.capture_begin(stream, kCaptureThreadLocal), "cannot record");
  CuGraph graph = nullptr;
  if (status.ok()) {
    status = submit(stream);
    const int ended = driver_.capture_end(stream, &graph);
    if (status.ok()) status = Check(ended, "cannot end a recording");
  }
  auto out = std::make_unique<DriverGraph>(shared_from_this());
  if (status.ok()) status = out->Instantiate(graph);
  if (graph != nullptr) driver_.graph_destroy(graph);
  driver_.stream_destroy(stream);
  if (!status.ok()) return status;
  return std::unique_ptr<const Graph>(std::move(out));
}

}  // namespace torch_tensorrt::core::device::cuda
