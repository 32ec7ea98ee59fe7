// Gpu::CompileOnly.
#include <cstring>
#include <new>

#include "core/device/cuda/cubin_store.h"
#include "core/device/cuda/gpu.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

constexpr std::align_val_t kAlignment{256};

class CompileOnlyGpu final : public Gpu {
 public:
  explicit CompileOnlyGpu(std::string_view arch) : arch_(arch) {
    info_.name = StrCat("compiler for ", arch);
    // "sm_90a": the last digit is the minor number.
    int number = 0;
    for (char c : arch) {
      if (c >= '0' && c <= '9') number = number * 10 + (c - '0');
    }
    info_.compute_major = number / 10;
    info_.compute_minor = number % 10;
    // Of a large chip of that generation.
    info_.multiprocessors = info_.compute_major >= 9 ? 132 : 108;
    info_.shared_per_block = size_t{info_.compute_major >= 9 ? 227u : 163u} << 10;
    info_.l2_bytes = size_t{40} << 20;
    info_.memory_bytes = size_t{80} << 30;
  }

  const GpuInfo& info() const override { return info_; }
  Result<Function> Load(const KernelSource& source, const std::string& entry) const override {
    const std::string key = CubinStore::KeyOf(source, arch_);
    TRT_ASSIGN_OR_RETURN(const std::vector<char> cubin, cubins_.Get(source, arch_, key));
    const std::string_view bytes(cubin.data(), cubin.size());
    if (bytes.find(entry) == std::string_view::npos) {
      return DeviceError("[cuda] no entry '", entry, "' in kernel '", source.name, "'");
    }
    Function function;
    function.max_threads = 1024;
    return function;
  }
  Status Launch(const Function& /*function*/, const LaunchConfig& /*config*/, Stream /*stream*/,
                void** /*params*/) const override {
    return NoGpu();
  }
  Result<std::shared_ptr<void>> Allocate(size_t bytes) const override {
    void* memory = ::operator new(bytes, kAlignment, std::nothrow);
    if (memory == nullptr) return ResourceExhausted("[cuda] no memory for ", bytes, " bytes");
    return std::shared_ptr<void>(memory, [](void* p) { ::operator delete(p, kAlignment); });
  }
  Result<std::shared_ptr<void>> AllocateShared(size_t /*bytes*/) const override { return NoGpu(); }
  Status CopyToDevice(void* device, const void* host, size_t bytes) const override {
    if (bytes > 0) std::memcpy(device, host, bytes);
    return Status::Ok();
  }
  Status CopyToHost(void* host, const void* device, size_t bytes) const override {
    return CopyToDevice(host, device, bytes);
  }
  Status CopyOnDevice(void* /*to*/, const void* /*from*/, size_t /*bytes*/,
                      Stream /*stream*/) const override {
    return NoGpu();
  }
  Status FillBytes(void* /*device*/, int /*value*/, size_t /*bytes*/,
                   Stream /*stream*/) const override {
    return NoGpu();
  }
  Status Synchronize(Stream /*stream*/) const override { return NoGpu(); }
  Result<std::shared_ptr<void>> NewEvent(bool /*timing*/) const override { return NoGpu(); }
  Status RecordEvent(void* /*event*/, Stream /*stream*/) const override { return NoGpu(); }
  Status WaitEvent(Stream /*stream*/, void* /*event*/) const override { return NoGpu(); }
  Result<double> SecondsBetween(void* /*first*/, void* /*second*/) const override {
    return NoGpu();
  }
  Result<bool> IsCapturing(Stream /*stream*/) const override { return false; }
  Result<std::unique_ptr<const Graph>> Capture(
      const std::function<Status(Stream)>& /*submit*/) const override {
    return NoGpu();
  }
  LoadStats load_stats() const override { return cubins_.stats(); }
  Result<const CublasLt*> cublaslt() const override { return NoGpu(); }

 private:
  Status NoGpu() const {
    return DeviceError("[cuda] this engine was only compiled for ", arch_, "; it cannot run here");
  }

  std::string arch_;
  GpuInfo info_;
  CubinStore cubins_;
};

}  // namespace

std::shared_ptr<const Gpu> Gpu::CompileOnly(std::string_view arch) {
  return std::make_shared<const CompileOnlyGpu>(arch);
}

}  // namespace torch_tensorrt::core::device::cuda
