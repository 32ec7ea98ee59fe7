// How the kernels of loop/, rows/ and reference/ are made: Prepare turns a step into a list of
// launches, Run fills in the addresses and launches them.
//
// Every such kernel takes one parameter by value, a struct of 8-byte words, which ParamBlock lays
// out in the order the struct declares its members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/device/cuda/gpu.h"
#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels::cuda {

// Where an address comes from when the step runs.
struct Place {
  enum class Of : uint8_t { kInput, kOutput, kScratch, kDataError };
  Of of = Of::kInput;
  size_t index = 0;
  int64_t bytes = 0;  // added to the address
};
inline Place InputPlace(size_t index, int64_t bytes = 0) {
  return {Place::Of::kInput, index, bytes};
}
inline Place OutputPlace(size_t index, int64_t bytes = 0) {
  return {Place::Of::kOutput, index, bytes};
}
inline Place ScratchPlace(size_t bytes) {
  return {Place::Of::kScratch, 0, static_cast<int64_t>(bytes)};
}
inline Place DataErrorPlace() { return {Place::Of::kDataError, 0, 0}; }

// One kernel parameter under construction. Value type.
class ParamBlock {
 public:
  ParamBlock& Pointer(const Place& place);
  ParamBlock& Int(int64_t value);
  ParamBlock& Float(double value);
  // A Divisor (common.cuh): two words. REQUIRES: 1 <= by < 2^31.
  ParamBlock& Divide(int64_t by);
  // A View (view.cuh): address, rank, dims, strides.
  ParamBlock& View(const Place& place, const TensorView& view);
  // One word; bit t is set when the address of places[t].first is a multiple of places[t].second
  // bytes (never, when that is 0).
  ParamBlock& AlignedBits(const std::vector<std::pair<Place, uint32_t>>& places);

  size_t bytes() const { return words_.size() * sizeof(uint64_t); }

 private:
  friend class LaunchList;
  struct Patch {
    size_t word;
    Place place;
    uint32_t alignment;  // 0: store the address, else set `bit` when it is aligned so
    int bit;
  };
  std::vector<uint64_t> words_;
  std::vector<Patch> patches_;
};

// The launches of one step, in order. Its ParamBlocks are written to in Run, which is why a
// KernelState is used by one thread at a time.
class LaunchList : public KernelState {
 public:
  // Loads the kernel, when there is a GPU. A launch of no blocks is left out.
  Status Add(const device::cuda::Gpu* gpu, const device::cuda::KernelSource& source,
             const std::string& entry, const device::cuda::LaunchConfig& config, ParamBlock params);
  Status Run(const RunArgs& args);
  size_t size() const { return launches_.size(); }

 private:
  struct Launch {
    device::cuda::Function function;
    device::cuda::LaunchConfig config;
    ParamBlock params;
  };
  std::vector<Launch> launches_;
};

// What a plan function sees of a step and where it puts its launches.
struct StepPlan {
  const Attributes& attributes;
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  const device::cuda::Gpu* gpu;
  LaunchList& launches;
  size_t scratch_bytes = 0;

  const TensorView& in(size_t i) const { return inputs[i]; }
  const TensorView& out(size_t i = 0) const { return outputs[i]; }
  // A place in scratch of its own, 256-byte aligned.
  Place BookScratch(int64_t bytes);
  // Of the GPU, or of a large one when there is none.
  int multiprocessors() const;
  Status Add(const device::cuda::KernelSource& source, const std::string& entry,
             const device::cuda::LaunchConfig& config, ParamBlock params);
  // The kernel `entry` of src/<file>, compiled with `options` and with KERNEL_<entry> defined, so
  // that files of several kernels may leave the others out.
  Status AddFile(const std::string& file, const std::string& entry,
                 std::vector<std::string> options, const device::cuda::LaunchConfig& config,
                 ParamBlock params);
};

using PlanFunction = Status (*)(StepPlan& plan);

// A kernel whose Prepare is one plan function. Checks the numbers of inputs and outputs.
class PlannedKernel : public Kernel {
 public:
  PlannedKernel(PlanFunction plan, size_t min_inputs, size_t min_outputs)
      : plan_(plan), min_inputs_(min_inputs), min_outputs_(min_outputs) {}
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  PlanFunction plan_;
  size_t min_inputs_;
  size_t min_outputs_;
};

template <PlanFunction kPlan, size_t kMinInputs, size_t kMinOutputs>
Result<std::unique_ptr<const Kernel>> CreatePlanned(const Attributes& /*attributes*/) {
  return std::unique_ptr<const Kernel>(
      std::make_unique<const PlannedKernel>(kPlan, kMinInputs, kMinOutputs));
}

// The name of a dtype's storage type in kernels' texts: "float", "f16", "b8".
std::string_view StorageName(DataType type);
// And of its register type: "float" for halves, "bool" for b8.
std::string_view RegisterName(DataType type);

// A grid of `threads`-thread blocks for `items`, one each, at most `most` blocks.
device::cuda::LaunchConfig GridFor(int64_t items, int threads, int64_t most = 1 << 30);

// For kernels that begin with WaitForPrevious (intrinsics.cuh): they start while the
// kernel before ends.
inline device::cuda::LaunchConfig Overlapping(device::cuda::LaunchConfig config) {
  config.overlap_previous = true;
  return config;
}

inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace torch_tensorrt::core::kernels::cuda
