// Kernel: one runnable step of an engine. Kernels are looked up by a permanent id (stored in plan
// files) and know nothing of the IR.
//
// Life of a step: Create once when the engine is loaded (parses attributes); Prepare once per
// distinct set of shapes; Run on every call. A Kernel is immutable after Create and may be used by
// many threads at once; everything that depends on shapes lives in the KernelState that Prepare
// returns; everything that changes lives in RunArgs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/layers/infer.h"
#include "core/types/attributes.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::device::cuda {
class Gpu;
}  // namespace torch_tensorrt::core::device::cuda

namespace torch_tensorrt::core::kernels {

// What a kernel computes once for a set of shapes (loop strides, block sizes ...). Immutable after
// Prepare, unless the kernel says otherwise; owned by one ExecutionContext, used by one thread at a
// time.
class KernelState {
 public:
  virtual ~KernelState() = default;
};

struct PrepareArgs {
  // The step's attributes with every symbolic value resolved to integers.
  const Attributes& attributes;
  // Dims, strides, dtypes. data is null, except for constants of the engine.
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  // Where the step will run: null on the CPU. With a Gpu all data pointers are device memory.
  const device::cuda::Gpu* gpu = nullptr;
};

struct Prepared {
  std::unique_ptr<KernelState> state;  // may be null
  size_t scratch_bytes = 0;            // 64-byte aligned scratch wanted in Run
};

struct RunArgs {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  std::byte* scratch = nullptr;
  KernelState* state = nullptr;
  // GPU kernels: they launch on this stream and return; errors in the data are written to
  // `data_error` (device::cuda::DataError, memory that both host and device can reach).
  const device::cuda::Gpu* gpu = nullptr;
  void* stream = nullptr;
  int32_t* data_error = nullptr;
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  // Checks shapes and books scratch. The default books nothing.
  virtual Result<Prepared> Prepare(const PrepareArgs& args) const;
  // REQUIRES: Prepare succeeded for these shapes. Errors only for what data can cause (an index out
  // of range).
  virtual Status Run(const RunArgs& args) const = 0;
};

using KernelFactory = Result<std::unique_ptr<const Kernel>> (*)(const Attributes& attributes);

// What input 1 of the layer was, for a kernel that reads those weights in a layout of its own.
// `packed` is what the step reads in their place.
using UnpackedType = Result<layers::TensorType> (*)(const Attributes& attributes,
                                                    const TensorView& packed);

struct KernelEntry {
  std::string_view id;  // permanent: "cpu.gemm", "ref.Softmax"
  KernelFactory create;
  layers::LayerKind kind;  // the layer that a step of this kernel is: see check_step.h
  UnpackedType unpacked;   // null: inputs are the layer's
};

// The entry with this id, or null. Thread-safe.
const KernelEntry* FindKernel(std::string_view id);
// Every kernel of this build: each folder contributes one table.
std::span<const KernelEntry> ReferenceKernels();  // reference/
std::span<const KernelEntry> CpuKernels();        // cpu/: row kernels, attention, data movement
std::span<const KernelEntry> CpuLoopKernels();    // cpu/loop
std::span<const KernelEntry> CpuGemmKernels();    // cpu/gemm: matrix products and convolutions
std::span<const KernelEntry> CudaKernels();       // cuda/: everything for NVIDIA GPUs

}  // namespace torch_tensorrt::core::kernels
