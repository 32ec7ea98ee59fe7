#include "tests/core/kernels/cuda/host_gpu.h"

#include <dlfcn.h>
#include <ucontext.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "core/kernels/cuda/sources.h"
#include "tests/core/kernels/cuda/host_mma.h"
#include "tests/core/kernels/cuda/host_prelude.h"
#include "tests/core/kernels/cuda/host_warpgroup.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using device::cuda::Function;
using device::cuda::GpuInfo;
using device::cuda::KernelSource;
using device::cuda::LaunchConfig;
using device::cuda::Stream;

constexpr const char* kArchitectures[] = {"sm_80", "sm_90a"};
constexpr size_t kStackBytes = 64 * 1024;
constexpr unsigned kWarpSize = 32;

struct Index3 {
  uint32_t x, y, z;
};
struct HostThread {  // as in host_prelude.h
  Index3 thread, block, block_dim, grid_dim;
};

// A kernel compiled for the host.
struct HostKernel {
  void (*run)(void** params) = nullptr;
  HostThread* thread = nullptr;
};

// The threads of one block as fibers.
class Block {
 public:
  Block(const HostKernel& kernel, const LaunchConfig& config, void** params)
      : kernel_(kernel), params_(params) {
    for (int d = 0; d < 3; ++d) count_ *= config.block[d];
    fibers_.resize(count_);
    dim_ = {config.block[0], config.block[1], config.block[2]};
    for (Fiber& fiber : fibers_) fiber.stack.resize(kStackBytes);
  }

  // False when threads wait for each other for ever.
  bool Run(const Index3& block, const Index3& grid) {
    current_block_ = this;
    const bool done = RunThreads(block, grid);
    current_block_ = nullptr;
    return done;
  }

  static void Barrier() { current_block_->Wait(State::kBlock); }
  // Lets the other threads run.
  static void Yield() { current_block_->Wait(State::kYielded); }

  static uint64_t Exchange(uint64_t value, int lane) {
    Block& block = *current_block_;
    Fiber& fiber = block.fibers_[block.active_];
    fiber.value = value;
    const unsigned warp = block.active_ / kWarpSize * kWarpSize;
    block.Wait(State::kWarp);
    const unsigned source = warp + static_cast<unsigned>(lane);
    fiber.received = block.fibers_[source < block.count_ ? source : block.active_].value;
    block.Wait(State::kWarp);
    return fiber.received;
  }

 private:
  enum class State { kReady, kBlock, kWarp, kYielded, kDone };
  struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    State state = State::kDone;
    uint64_t value = 0;
    uint64_t received = 0;
  };

  bool RunThreads(const Index3& block, const Index3& grid) {
    for (unsigned t = 0; t < count_; ++t) Start(&fibers_[t]);
    while (true) {
      bool ran = false;
      bool done = true;
      for (unsigned t = 0; t < count_; ++t) {
        Fiber& fiber = fibers_[t];
        done = done && fiber.state == State::kDone;
        if (fiber.state != State::kReady) continue;
        ran = true;
        active_ = t;
        const Index3 thread{t % dim_.x, t / dim_.x % dim_.y, t / dim_.x / dim_.y};
        *kernel_.thread = {thread, block, dim_, grid};
        swapcontext(&scheduler_, &fiber.context);
      }
      if (done) return true;
      if (!ran && !Release() && !Resume()) return false;
    }
  }

  static void Entry() {
    Block& block = *current_block_;
    block.kernel_.run(block.params_);
    block.fibers_[block.active_].state = State::kDone;
  }

  void Start(Fiber* fiber) {
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack.data();
    fiber->context.uc_stack.ss_size = fiber->stack.size();
    fiber->context.uc_link = &scheduler_;
    makecontext(&fiber->context, &Entry, 0);
    fiber->state = State::kReady;
  }

  void Wait(State state) {
    Fiber& fiber = fibers_[active_];
    const HostThread saved = *kernel_.thread;
    fiber.state = state;
    swapcontext(&fiber.context, &scheduler_);
    *kernel_.thread = saved;
  }

  // Wakes warps, or the block, where everyone alive waits for the same.
  bool Release() {
    bool released = false;
    for (unsigned first = 0; first < count_; first += kWarpSize) {
      released |= ReleaseRange(first, std::min(first + kWarpSize, count_), State::kWarp);
    }
    return released || ReleaseRange(0, count_, State::kBlock);
  }

  // Wakes those who let others run.
  bool Resume() {
    bool any = false;
    for (Fiber& fiber : fibers_) {
      if (fiber.state != State::kYielded) continue;
      fiber.state = State::kReady;
      any = true;
    }
    return any;
  }

  bool ReleaseRange(unsigned first, unsigned end, State state) {
    bool any = false;
    for (unsigned t = first; t < end; ++t) {
      if (fibers_[t].state != state && fibers_[t].state != State::kDone) return false;
      any |= fibers_[t].state == state;
    }
    for (unsigned t = first; t < end && any; ++t) {
      if (fibers_[t].state == state) fibers_[t].state = State::kReady;
    }
    return any;
  }

  static Block* current_block_;
  const HostKernel& kernel_;
  void** params_;
  unsigned count_ = 1;
  unsigned active_ = 0;
  Index3 dim_{};
  ucontext_t scheduler_{};
  std::vector<Fiber> fibers_;
};
Block* Block::current_block_ = nullptr;

std::string CompilerCommand() {
  const char* set = std::getenv("CXX");
  return set != nullptr && *set != 0 ? set : "c++";
}

class HostGpu : public device::cuda::Gpu {
 public:
  HostGpu() {
    info_.name = "host";
    info_.compute_major = 9;
    info_.multiprocessors = 4;
    info_.shared_per_block = 227 * 1024;
    std::string pattern = (std::filesystem::temp_directory_path() / "trt_host_gpu_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (const device::cuda::SourceHeader& header : cuda::SourceHeaders()) {
      std::string text(header.text);
      if (header.name == "intrinsics.cuh") text = kHostIntrinsics;
      if (header.name == "mma.cuh") text = kHostMma;
      if (header.name == "warpgroup.cuh") text = kHostWarpgroup;
      Write(std::string(header.name), text);
    }
  }
  ~HostGpu() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  const GpuInfo& info() const override { return info_; }

  Result<Function> Load(const KernelSource& source, const std::string& entry) const override {
    std::string key = entry + "\n" + source.text;
    for (const std::string& option : source.options) key += "\n" + option;
    auto it = kernels_.find(key);
    if (it == kernels_.end()) {
      TRT_RETURN_IF_ERROR(CheckDeviceCode(source));
      TRT_ASSIGN_OR_RETURN(HostKernel kernel, CompileForHost(source, entry));
      it = kernels_.emplace(key, kernel).first;
    }
    Function function;
    function.handle = &it->second;
    function.max_threads = 1024;
    return function;
  }

  Status Launch(const Function& function, const LaunchConfig& config, Stream /*stream*/,
                void** params) const override {
    const auto* kernel = static_cast<const HostKernel*>(function.handle);
    Block block(*kernel, config, params);
    const Index3 grid{config.grid[0], config.grid[1], config.grid[2]};
    for (Index3 at{0, 0, 0}; at.z < grid.z; ++at.z) {
      for (at.y = 0; at.y < grid.y; ++at.y) {
        for (at.x = 0; at.x < grid.x; ++at.x) {
          if (!block.Run(at, grid)) return DeviceError("[host] threads of a block wait for ever");
        }
      }
    }
    return Status::Ok();
  }

  Result<device::cuda::TensorMap> EncodeTensorMap(
      const device::cuda::TensorMapSpec& spec) const override {
    if (reinterpret_cast<uintptr_t>(spec.data) % 16 != 0) return InvalidArgument("[host] data");
    for (size_t d = 1; d < static_cast<size_t>(spec.rank); ++d) {
      if (spec.strides[d] == 0 || spec.strides[d] % 16 != 0)
        return InvalidArgument("[host] stride");
    }
    device::cuda::TensorMap map;
    map.words[0] = reinterpret_cast<uint64_t>(&specs_.emplace_back(spec));
    return map;
  }

  Result<std::shared_ptr<void>> Allocate(size_t bytes) const override {
    const size_t rounded = (bytes + 256) / 256 * 256;
    std::shared_ptr<void> memory(std::aligned_alloc(256, rounded), std::free);
    std::memset(memory.get(), 0, rounded);
    return memory;
  }
  Result<std::shared_ptr<void>> AllocateShared(size_t bytes) const override {
    return Allocate(bytes);
  }
  Result<std::shared_ptr<void>> NewEvent(bool /*timing*/) const override { return Allocate(1); }
  Status RecordEvent(void* /*event*/, Stream /*stream*/) const override { return Status::Ok(); }
  Status WaitEvent(Stream /*stream*/, void* /*event*/) const override { return Status::Ok(); }
  Result<double> SecondsBetween(void* /*first*/, void* /*second*/) const override {
    return Unsupported("[host] no timing");
  }
  Result<bool> IsCapturing(Stream /*stream*/) const override { return false; }
  Result<std::unique_ptr<const device::cuda::Graph>> Capture(
      const std::function<Status(Stream)>& /*submit*/) const override {
    return Unsupported("[host] no graphs");
  }
  device::cuda::LoadStats load_stats() const override { return {}; }
  Status CopyToDevice(void* device, const void* host, size_t bytes) const override {
    std::memcpy(device, host, bytes);
    return Status::Ok();
  }
  Status CopyToHost(void* host, const void* device, size_t bytes) const override {
    std::memcpy(host, device, bytes);
    return Status::Ok();
  }
  Status CopyOnDevice(void* to, const void* from, size_t bytes, Stream /*stream*/) const override {
    std::memcpy(to, from, bytes);
    return Status::Ok();
  }
  Status FillBytes(void* device, int value, size_t bytes, Stream /*stream*/) const override {
    std::memset(device, value, bytes);
    return Status::Ok();
  }
  Status Synchronize(Stream /*stream*/) const override { return Status::Ok(); }
  Result<const struct device::cuda::CublasLt*> cublaslt() const override {
    return Unsupported("[host] no cuBLASLt");
  }

 private:
  std::string Write(const std::string& name, const std::string& text) const {
    std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  Result<HostKernel> CompileForHost(const KernelSource& source, const std::string& entry) const {
    const std::string name = "k" + std::to_string(kernels_.size());
    const std::string path =
        Write(name + ".cpp", "#include \"intrinsics.cuh\"\n#define TRT_HOST_ENTRY " + entry +
                                 "\n#line 1 \"kernel\"\n" + source.text + kHostEntry);
    std::string command = CompilerCommand() + " -std=c++17 -O1 -w -fPIC -shared -fno-builtin-fmod ";
    command += "-ffp-contract=off -fno-strict-aliasing -I" + folder_ + " ";
    for (const std::string& option : source.options) command += "'" + option + "' ";
    const std::string library = folder_ + "/" + name + ".so";
    const std::string log = folder_ + "/log";
    command += path + " -o " + library + " -lm >" + log + " 2>&1";
    if (std::system(command.c_str()) != 0) {
      std::ifstream in(log);
      std::string message((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      return InternalError("[host] ", source.name, ": ", message, "\n", source.text);
    }
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return InternalError("[host] ", dlerror());
    HostKernel kernel;
    kernel.run = reinterpret_cast<void (*)(void**)>(dlsym(handle, "trt_run"));
    kernel.thread = static_cast<HostThread*>(dlsym(handle, "trt_thread"));
    *static_cast<void (**)()>(dlsym(handle, "trt_barrier")) = &Block::Barrier;
    *static_cast<uint64_t (**)(uint64_t, int)>(dlsym(handle, "trt_exchange")) = &Block::Exchange;
    if (void* yield = dlsym(handle, "trt_yield"); yield != nullptr) {
      *static_cast<void (**)()>(yield) = &Block::Yield;
    }
    return kernel;
  }

  GpuInfo info_;
  std::string folder_;
  mutable std::map<std::string, HostKernel> kernels_;
  mutable std::deque<device::cuda::TensorMapSpec> specs_;  // that kernels read
};

}  // namespace

std::shared_ptr<const device::cuda::Gpu> OpenHostGpu() {
  static const std::shared_ptr<const device::cuda::Gpu> gpu = std::make_shared<HostGpu>();
  return gpu;
}

std::shared_ptr<const device::cuda::Gpu> OpenTestGpu() {
  static const std::shared_ptr<const device::cuda::Gpu> gpu = [] {
    auto real = device::cuda::Gpu::Open(0);
    return real.ok() ? *real : OpenHostGpu();
  }();
  return gpu;
}

std::string WhyNoHostGpu() {
  static const bool works =
      device::cuda::Gpu::Open(0).ok() ||
      std::system((CompilerCommand() + " --version >/dev/null 2>&1").c_str()) == 0;
  return works ? "" : "no C++ compiler " + CompilerCommand() + "; set CXX";
}

Status CheckDeviceCode(const KernelSource& source) {
  // Warpgroup products and clusters are there on sm_90a only.
  const bool hopper = source.text.find("#define TRT_MMA_TYPES") != std::string::npos ||
                      source.text.find("#define TRT_CLUSTERS") != std::string::npos;
  for (const char* arch : kArchitectures) {
    if (hopper && std::string_view(arch) != "sm_90a") continue;
    const auto compiled = device::cuda::Compile(source, arch);
    if (!compiled.ok()) {
      if (compiled.status().code() == StatusCode::kUnsupported) return Status::Ok();
      return compiled.status();
    }
    // Special functions call the library in double precision, which keeps registers on the stack
    // around its calls; they are not what makes a model slow.
    if (source.text.find("special_ops.cuh") != std::string::npos) continue;
    const std::string& log = compiled->log;
    for (size_t at = log.find("bytes spill"); at != std::string::npos;
         at = log.find("bytes spill", at + 1)) {
      if (at < 2 || log[at - 2] != '0' || (at > 2 && log[at - 3] >= '0' && log[at - 3] <= '9')) {
        return InternalError("[spills] ", arch, " ", source.name, ": ", log, "\n", source.text);
      }
    }
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::testing
