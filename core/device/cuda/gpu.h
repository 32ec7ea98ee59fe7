// Gpu: one NVIDIA GPU as kernels and the runtime see it: facts about the chip, compiled functions,
// launches, copies. Uses the driver API (libcuda.so.1) and NVRTC only; both are loaded on first
// use, so a machine without a GPU loads nothing.
//
// A Gpu uses the device's primary context, the one PyTorch uses, and every call binds it to the
// calling thread. Immutable but for its caches, which are locked: any number of threads may share
// one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/util/status.h"

namespace torch_tensorrt::core::device::cuda {

// A CUstream; null is the legacy default stream.
using Stream = void*;

struct SourceHeader {
  std::string_view name;  // as #include "..." spells it
  std::string_view text;
};

// CUDA C++ for one module; its entries are extern "C" __global__. Two sources are the same module
// when text, headers, options and architecture are. Kernels make theirs with
// kernels::cuda::MakeSource, which gives the headers of core/kernels/cuda/src.
struct KernelSource {
  std::string name;                       // for messages: "softmax", "loop 3fa9"
  std::string text;                       // C++17; no header is there but `headers`
  std::vector<std::string> options;       // beyond the architecture: "-DROWS=4"
  std::span<const SourceHeader> headers;  // static data
};

// What NVRTC made of a source. Needs no GPU and no driver.
struct Compiled {
  std::vector<char> cubin;
  std::string log;  // ptxas report: registers, spills, shared memory
};

// Compiles for `arch` ("sm_80", "sm_90a"). Unsupported when NVRTC cannot be loaded (says where it
// was looked for), InternalError with the compiler's message when the text is wrong.
Result<Compiled> Compile(const KernelSource& source, std::string_view arch);
// The assembly text of the same, before ptxas: which instructions a kernel is made of.
Result<std::string> CompileToPtx(const KernelSource& source, std::string_view arch);
// 13000 for 13.0; Unsupported as above.
Result<int> NvrtcVersion();

// A kernel of a loaded module; valid as long as its Gpu.
struct Function {
  void* handle = nullptr;  // CUfunction
  int registers = 0;
  int max_threads = 0;    // per block
  int static_shared = 0;  // bytes
};

struct LaunchConfig {
  unsigned grid[3] = {1, 1, 1};
  unsigned block[3] = {1, 1, 1};
  unsigned shared_bytes = 0;  // dynamic; more than 48 KB is asked for by the launch itself
  // Programmatic dependent launch: the kernel may start before its predecessor ends and waits with
  // griddepcontrol.wait.
  bool overlap_previous = false;
  unsigned cluster[3] = {1, 1, 1};  // blocks of a cluster; sm_90 and later
};

// What the tensor copy engine (sm_90) is told of a tensor; kernels take it by value.
struct alignas(64) TensorMap {
  uint64_t words[16] = {};
};

// A tensor that is copied to shared memory in boxes, rows of up to 128 bytes that are swizzled by
// 128 bytes; what lies outside the tensor becomes zeros. Dims go from the innermost outwards.
struct TensorMapSpec {
  void* data = nullptr;   // a multiple of 16
  int element_bytes = 2;  // 2 or 4
  int rank = 2;           // 2 .. 4
  std::array<uint64_t, 4> dims{};
  std::array<uint64_t, 4> strides{};  // in bytes, multiples of 16; the innermost dim is dense
  std::array<uint32_t, 4> box{};
  // Not 0: dims are c, w, h, n of an image, and a box is box[0] channels of `windows` consecutive
  // windows. Corners of windows go from `lower` to what is `upper` beyond the last pixel, by
  // `step`; both are (w, h).
  uint32_t windows = 0;
  std::array<int, 2> lower{};
  std::array<int, 2> upper{};
  std::array<uint32_t, 2> step{1, 1};
};

struct GpuInfo {
  int ordinal = 0;
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  int multiprocessors = 0;
  size_t l2_bytes = 0;
  size_t memory_bytes = 0;
  size_t shared_per_block = 0;  // with the opt-in
  int driver_version = 0;       // 13000 = 13.0
  // "sm_90a" on Hopper, else "sm_XY".
  std::string arch() const;
};

// A GPU kernel writes here when the data (not the shapes) is wrong, for example an index out of
// range; the runtime reports it on the next call. Values are part of the kernels' text.
enum class DataError : int32_t { kNone = 0, kIndexOutOfRange = 1 };

// Recorded work that is launched as a whole. Must not outlive its Gpu or the memory that the
// recorded work uses.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual Status Launch(Stream stream) const = 0;
};

// What Load has done since the Gpu was opened.
struct LoadStats {
  int64_t compiled = 0;
  int64_t from_cache = 0;  // cubins read from the cache on disk
  double compile_seconds = 0;
};

class Gpu {
 public:
  // The GPU with this ordinal; the same object for every caller while anyone holds it. DeviceError
  // with what is missing (driver, device, context).
  static Result<std::shared_ptr<const Gpu>> Open(int ordinal);

  // No GPU, but what there is to know about kernels without one: it compiles them for `arch` (and
  // fills the cubin cache), its memory is the host's, and it launches nothing. For building and
  // checking engines on machines without a GPU.
  static std::shared_ptr<const Gpu> CompileOnly(std::string_view arch);

  virtual ~Gpu() = default;
  virtual const GpuInfo& info() const = 0;

  // The kernel `entry` of `source`: compiled on first use (or read from the cubin cache on disk),
  // then kept.
  virtual Result<Function> Load(const KernelSource& source, const std::string& entry) const = 0;
  // `params`: pointers to the kernel's arguments. Asynchronous.
  virtual Status Launch(const Function& function, const LaunchConfig& config, Stream stream,
                        void** params) const = 0;

  // REQUIRES: compute capability 9. Unsupported on GPUs that run nothing.
  virtual Result<TensorMap> EncodeTensorMap(const TensorMapSpec& spec) const;

  // Device memory, 256-byte aligned. Null-free: ResourceExhausted when there is no more.
  virtual Result<std::shared_ptr<void>> Allocate(size_t bytes) const = 0;
  // Host memory that kernels reach at the same address (data errors), zeroed.
  virtual Result<std::shared_ptr<void>> AllocateShared(size_t bytes) const = 0;
  // Blocking copies.
  virtual Status CopyToDevice(void* device, const void* host, size_t bytes) const = 0;
  virtual Status CopyToHost(void* host, const void* device, size_t bytes) const = 0;
  virtual Status CopyOnDevice(void* to, const void* from, size_t bytes, Stream stream) const = 0;
  virtual Status FillBytes(void* device, int value, size_t bytes, Stream stream) const = 0;
  virtual Status Synchronize(Stream stream) const = 0;

  // A point in a stream's work; for ordering streams, and with `timing` for measuring.
  virtual Result<std::shared_ptr<void>> NewEvent(bool timing) const = 0;
  virtual Status RecordEvent(void* event, Stream stream) const = 0;
  // What is submitted to `stream` from now on runs after `event`.
  virtual Status WaitEvent(Stream stream, void* event) const = 0;
  // REQUIRES: both were made with timing, recorded, and their stream synchronised.
  virtual Result<double> SecondsBetween(void* first, void* second) const = 0;

  // Whether work submitted to `stream` is being recorded by somebody.
  virtual Result<bool> IsCapturing(Stream stream) const = 0;
  // Records what `submit` submits to the stream it is given, which runs nothing.
  virtual Result<std::unique_ptr<const Graph>> Capture(
      const std::function<Status(Stream)>& submit) const = 0;

  virtual LoadStats load_stats() const = 0;

  // The cuBLASLt library of this process, or Unsupported with where it was looked for. An opaque
  // table declared in cublaslt.h.
  virtual Result<const struct CublasLt*> cublaslt() const = 0;
};

// Launches with the arguments given by value: Launch(gpu, f, config, stream, x, n, scale).
template <typename... Args>
Status LaunchWith(const Gpu& gpu, const Function& function, const LaunchConfig& config,
                  Stream stream, Args... args) {
  void* params[] = {static_cast<void*>(&args)..., nullptr};
  return gpu.Launch(function, config, stream, params);
}

}  // namespace torch_tensorrt::core::device::cuda
