#include "core/device/cuda/gpu.h"

#include "core/device/cuda/cublaslt.h"
#include "core/device/cuda/gpu_impl.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

constexpr unsigned kSharedWithoutOptIn = 48u << 10;

// The Gpus that somebody holds, by ordinal.
struct OpenGpus {
  std::mutex mutex;
  std::map<int, std::weak_ptr<const Gpu>> gpus;
};

OpenGpus& Opened() {
  static OpenGpus opened;
  return opened;
}

}  // namespace

std::string GpuInfo::arch() const {
  return StrCat("sm_", compute_major, compute_minor, compute_major == 9 ? "a" : "");
}

Result<std::shared_ptr<const Gpu>> Gpu::Open(int ordinal) {
  OpenGpus& opened = Opened();
  const std::lock_guard<std::mutex> lock(opened.mutex);
  if (auto gpu = opened.gpus[ordinal].lock()) return gpu;
  TRT_ASSIGN_OR_RETURN(std::shared_ptr<const Gpu> gpu, DriverGpu::Create(ordinal));
  opened.gpus[ordinal] = gpu;
  return gpu;
}

Result<std::shared_ptr<const Gpu>> DriverGpu::Create(int ordinal) {
  const Result<Driver>& driver = LoadDriver();
  if (!driver.ok()) return driver.status();
  auto gpu = std::shared_ptr<DriverGpu>(new DriverGpu(*driver));
  TRT_RETURN_IF_ERROR(gpu->Start(ordinal));
  return std::shared_ptr<const Gpu>(std::move(gpu));
}

Status DriverGpu::Start(int ordinal) {
  int count = 0;
  TRT_RETURN_IF_ERROR(Check(driver_.device_count(&count), "cannot count GPUs"));
  if (ordinal < 0 || ordinal >= count) {
    return DeviceError("[cuda] no GPU ", ordinal, ": this machine shows ", count,
                       "; see CUDA_VISIBLE_DEVICES");
  }
  TRT_RETURN_IF_ERROR(Check(driver_.device_get(&device_, ordinal), "cannot open the GPU"));
  TRT_RETURN_IF_ERROR(Check(driver_.context_retain(&context_, device_), "cannot open a context"));
  return ReadInfo(ordinal);
}

Status DriverGpu::ReadInfo(int ordinal) {
  char name[256] = {};
  TRT_RETURN_IF_ERROR(Check(driver_.device_name(name, sizeof(name) - 1, device_), "name"));
  info_.ordinal = ordinal;
  info_.name = name;
  int l2 = 0;
  int shared = 0;
  const std::pair<int, int*> attributes[] = {{kDeviceComputeMajor, &info_.compute_major},
                                             {kDeviceComputeMinor, &info_.compute_minor},
                                             {kDeviceMultiprocessors, &info_.multiprocessors},
                                             {kDeviceL2Bytes, &l2},
                                             {kDeviceSharedOptIn, &shared}};
  for (const auto& [attribute, value] : attributes) {
    TRT_RETURN_IF_ERROR(
        Check(driver_.device_attribute(value, attribute, device_), "cannot read an attribute"));
  }
  info_.l2_bytes = static_cast<size_t>(l2);
  info_.shared_per_block = static_cast<size_t>(shared);
  TRT_RETURN_IF_ERROR(Check(driver_.device_memory(&info_.memory_bytes, device_), "memory size"));
  TRT_RETURN_IF_ERROR(Check(driver_.driver_version(&info_.driver_version), "driver version"));
  if (info_.compute_major < 8) {
    return Unsupported("[cuda] ", info_.name, " has compute capability ", info_.compute_major, ".",
                       info_.compute_minor, "; 8.0 or later is needed");
  }
  return Status::Ok();
}

DriverGpu::~DriverGpu() {
  if (context_ == nullptr) return;
  // At the end of the process the driver may be gone already; then these fail and nothing is lost.
  if (driver_.context_set(context_) == 0) {
    for (const auto& [key, module] : modules_) driver_.module_unload(module);
  }
  driver_.context_release(device_);
}

Status DriverGpu::Bind() const {
  CuContext current = nullptr;
  if (driver_.context_get(&current) == 0 && current == context_) return Status::Ok();
  return Check(driver_.context_set(context_), "cannot use the GPU's context");
}

Result<CuModule> DriverGpu::Module(const KernelSource& source) const {
  const std::string arch = info_.arch();
  std::string key = CubinStore::KeyOf(source, arch);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto found = modules_.find(key);
    if (found != modules_.end()) return found->second;
  }
  TRT_ASSIGN_OR_RETURN(const std::vector<char> cubin, cubins_.Get(source, arch, key));
  TRT_RETURN_IF_ERROR(Bind());
  CuModule module = nullptr;
  const OutsideRecording outside(driver_);
  TRT_RETURN_IF_ERROR(Check(driver_.module_load(&module, cubin.data()),
                            StrCat("cannot load kernel '", source.name, "'")));
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [it, inserted] = modules_.emplace(std::move(key), module);
  if (!inserted) driver_.module_unload(module);  // another thread was faster
  return it->second;
}

Result<Function> DriverGpu::Load(const KernelSource& source, const std::string& entry) const {
  TRT_ASSIGN_OR_RETURN(CuModule module, Module(source));
  TRT_RETURN_IF_ERROR(Bind());
  CuFunction handle = nullptr;
  TRT_RETURN_IF_ERROR(Check(driver_.module_function(&handle, module, entry.c_str()),
                            StrCat("no entry '", entry, "' in kernel '", source.name, "'")));
  Function function;
  function.handle = handle;
  const std::pair<int, int*> attributes[] = {{kFunctionRegisters, &function.registers},
                                             {kFunctionMaxThreads, &function.max_threads},
                                             {kFunctionStaticShared, &function.static_shared}};
  for (const auto& [attribute, value] : attributes) {
    TRT_RETURN_IF_ERROR(Check(driver_.function_get(value, attribute, handle), entry));
  }
  return function;
}

Status DriverGpu::Launch(const Function& function, const LaunchConfig& config, Stream stream,
                         void** params) const {
  TRT_RETURN_IF_ERROR(Bind());
  auto* handle = static_cast<CuFunction>(function.handle);
  CuLaunchAttribute attributes[2];
  CuLaunchConfig launch;
  launch.attributes = attributes;
  for (int i = 0; i < 3; ++i) {
    launch.grid[i] = config.grid[i];
    launch.block[i] = config.block[i];
  }
  launch.shared_bytes = config.shared_bytes;
  launch.stream = static_cast<CuStream>(stream);
  if (config.overlap_previous && info_.compute_major >= 9) {
    CuLaunchAttribute& overlap = attributes[launch.attribute_count++];
    overlap.id = kLaunchOverlapPrevious;
    overlap.value.flag = 1;
  }
  if (config.cluster[0] * config.cluster[1] * config.cluster[2] > 1) {
    CuLaunchAttribute& cluster = attributes[launch.attribute_count++];
    cluster.id = kLaunchCluster;
    for (int i = 0; i < 3; ++i) cluster.value.cluster[i] = config.cluster[i];
  }
  if (config.shared_bytes > kSharedWithoutOptIn) {
    TRT_RETURN_IF_ERROR(Check(driver_.function_set(handle, kFunctionMaxDynamicShared,
                                                   static_cast<int>(config.shared_bytes)),
                              "too much shared memory asked for"));
  }
  return Check(driver_.launch(&launch, handle, params, nullptr), "cannot launch a kernel");
}

Result<TensorMap> Gpu::EncodeTensorMap(const TensorMapSpec& /*spec*/) const {
  return Unsupported("[cuda] ", info().name, " has no tensor copy engine");
}

Result<TensorMap> DriverGpu::EncodeTensorMap(const TensorMapSpec& spec) const {
  TensorMap map;
  const int type = spec.element_bytes == 2 ? kTensorUint16 : kTensorUint32;
  const auto rank = static_cast<unsigned>(spec.rank);
  const uint64_t* strides = spec.strides.data() + 1;  // the innermost dim has none
  if (spec.windows == 0) {
    constexpr unsigned kSteps[] = {1, 1, 1, 1};
    TRT_RETURN_IF_ERROR(
        Check(driver_.tensor_map_tiled(&map, type, rank, spec.data, spec.dims.data(), strides,
                                       spec.box.data(), kSteps, 0, kTensorSwizzle128,
                                       kTensorPromote128, 0),
              "cannot describe a tensor"));
    return map;
  }
  const unsigned steps[] = {1, spec.step[0], spec.step[1], 1};
  TRT_RETURN_IF_ERROR(Check(
      driver_.tensor_map_windows(&map, type, rank, spec.data, spec.dims.data(), strides,
                                 spec.lower.data(), spec.upper.data(), spec.box[0], spec.windows,
                                 steps, 0, kTensorSwizzle128, kTensorPromote128, 0),
      "cannot describe an image"));
  return map;
}

Result<const CublasLt*> DriverGpu::cublaslt() const {
  const Result<CublasLt>& table = LoadCublasLt();
  if (!table.ok()) return table.status();
  return &*table;
}

}  // namespace torch_tensorrt::core::device::cuda
