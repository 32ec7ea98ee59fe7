#include "core/device/cuda/driver.h"

#include <array>

#include "core/device/cuda/library.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

// Errors after which every further call of this process fails.
constexpr int kFirstFatal = 700;  // illegal address
constexpr int kLastFatal = 720;

class Binder {
 public:
  explicit Binder(void* library) : library_(library) {}

  template <typename F>
  void operator()(const char* name, F* function) {
    *function = reinterpret_cast<F>(FindSymbol(library_, name));
    if (*function == nullptr && missing_ == nullptr) missing_ = name;
  }
  const char* missing() const { return missing_; }

 private:
  void* library_;
  const char* missing_ = nullptr;
};

void BindDevices(Binder& bind, Driver* d) {
  bind("cuInit", &d->init);
  bind("cuGetErrorName", &d->error_name);
  bind("cuGetErrorString", &d->error_string);
  bind("cuDriverGetVersion", &d->driver_version);
  bind("cuDeviceGetCount", &d->device_count);
  bind("cuDeviceGet", &d->device_get);
  bind("cuDeviceGetName", &d->device_name);
  bind("cuDeviceGetAttribute", &d->device_attribute);
  bind("cuDeviceTotalMem_v2", &d->device_memory);
  bind("cuDevicePrimaryCtxRetain", &d->context_retain);
  bind("cuDevicePrimaryCtxRelease_v2", &d->context_release);
  bind("cuCtxGetCurrent", &d->context_get);
  bind("cuCtxSetCurrent", &d->context_set);
}

void BindModules(Binder& bind, Driver* d) {
  bind("cuModuleLoadData", &d->module_load);
  bind("cuModuleUnload", &d->module_unload);
  bind("cuModuleGetFunction", &d->module_function);
  bind("cuFuncGetAttribute", &d->function_get);
  bind("cuFuncSetAttribute", &d->function_set);
  bind("cuLaunchKernelEx", &d->launch);
  bind("cuTensorMapEncodeTiled", &d->tensor_map_tiled);
  bind("cuTensorMapEncodeIm2col", &d->tensor_map_windows);
}

void BindMemory(Binder& bind, Driver* d) {
  bind("cuMemAlloc_v2", &d->memory_allocate);
  bind("cuMemFree_v2", &d->memory_free);
  bind("cuMemHostAlloc", &d->host_allocate);
  bind("cuMemHostGetDevicePointer_v2", &d->host_device_pointer);
  bind("cuMemFreeHost", &d->host_free);
  bind("cuMemcpyHtoD_v2", &d->copy_to_device);
  bind("cuMemcpyDtoH_v2", &d->copy_to_host);
  bind("cuMemcpyDtoDAsync_v2", &d->copy_on_device);
  bind("cuMemsetD8Async", &d->fill);
}

void BindStreams(Binder& bind, Driver* d) {
  bind("cuStreamCreate", &d->stream_create);
  bind("cuStreamDestroy_v2", &d->stream_destroy);
  bind("cuStreamSynchronize", &d->stream_synchronize);
  bind("cuStreamWaitEvent", &d->stream_wait);
  bind("cuStreamIsCapturing", &d->stream_is_capturing);
  bind("cuStreamBeginCapture_v2", &d->capture_begin);
  bind("cuStreamEndCapture", &d->capture_end);
  bind("cuThreadExchangeStreamCaptureMode", &d->capture_mode_exchange);
  bind("cuEventCreate", &d->event_create);
  bind("cuEventDestroy_v2", &d->event_destroy);
  bind("cuEventRecord", &d->event_record);
  bind("cuEventElapsedTime", &d->event_elapsed);
  bind("cuGraphInstantiateWithFlags", &d->graph_instantiate);
  bind("cuGraphLaunch", &d->graph_launch);
  bind("cuGraphExecDestroy", &d->graph_exec_destroy);
  bind("cuGraphDestroy", &d->graph_destroy);
}

Result<Driver> OpenDriver() {
  constexpr std::array<std::string_view, 1> kNames = {"libcuda.so.1"};
  const Result<void*> library = OpenLibrary("CUDA driver", kNames);
  if (!library.ok()) {
    return Unsupported(
        "[cuda] no CUDA driver (libcuda.so.1) on this machine; install NVIDIA's "
        "driver, or build the engine for the CPU");
  }
  Driver driver{};
  Binder bind(*library);
  BindDevices(bind, &driver);
  BindModules(bind, &driver);
  BindMemory(bind, &driver);
  BindStreams(bind, &driver);
  if (bind.missing() != nullptr) {
    return Unsupported("[cuda] the driver has no ", bind.missing(), "; 12.0 or later is needed");
  }
  TRT_RETURN_IF_ERROR(DriverStatus(driver, driver.init(0), "cannot start the driver"));
  return driver;
}

}  // namespace

const Result<Driver>& LoadDriver() {
  static const Result<Driver> driver = OpenDriver();
  return driver;
}

Status DriverStatus(const Driver& driver, int code, std::string_view what) {
  if (code == 0) return Status::Ok();
  const char* name = nullptr;
  const char* text = nullptr;
  driver.error_name(code, &name);
  driver.error_string(code, &text);
  const std::string message = StrCat("[cuda] ", what, ": ", name == nullptr ? "error" : name, " (",
                                     code, "), ", text == nullptr ? "unknown" : text);
  if (code == kCuErrorOutOfMemory) {
    return ResourceExhausted(message,
                             "; free GPU memory (torch.cuda.empty_cache() returns what "
                             "PyTorch keeps) or use smaller inputs");
  }
  if (code >= kFirstFatal && code < kLastFatal) {
    return DeviceError(message, "; the GPU's context is lost, restart the process");
  }
  return DeviceError(message);
}

}  // namespace torch_tensorrt::core::device::cuda
