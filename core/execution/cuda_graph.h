// GraphCache: the CUDA graphs of one set of input shapes (internal to core/execution).
//
// A graph is bound to addresses. The first call with new addresses runs step by step, the second
// records a graph, later ones launch it. Callers whose addresses never come back are served by one
// graph over buffers of our own, with copies before and after. Used by one thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/device/cuda/gpu.h"
#include "core/types/tensor_view.h"
#include "core/util/lru_cache.h"

namespace torch_tensorrt::core::execution {

class GraphCache {
 public:
  // Runs or records all steps on a stream, with these bindings.
  using Submit =
      std::function<Status(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                           device::cuda::Stream stream)>;

  static constexpr size_t kCapacity = 8;
  // Calls in a row without a launch of a known graph before buffers of our own are used.
  static constexpr int kPatience = 8;

  // What was done, for reports and tests.
  struct Counters {
    int64_t direct = 0;    // calls that ran step by step
    int64_t recorded = 0;  // graphs made
    int64_t launched = 0;  // calls served by a graph bound to the caller's addresses
    int64_t staged = 0;    // calls served through our own buffers
  };

  explicit GraphCache(std::shared_ptr<const device::cuda::Gpu> gpu)
      : gpu_(std::move(gpu)), graphs_(kCapacity) {}

  // Runs one call. `memory`: the address of the memory that steps share; graphs of another one are
  // forgotten.
  Status Run(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
             const void* memory, device::cuda::Stream stream, const Submit& submit);

  const Counters& counters() const { return counters_; }

 private:
  using GraphPtr = std::unique_ptr<const device::cuda::Graph>;

  Status RunBound(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                  device::cuda::Stream stream, const Submit& submit);
  Status RunStaged(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                   device::cuda::Stream stream, const Submit& submit);
  Status MakeStaged(std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                    const Submit& submit);

  // The graph of the last launch by caller's addresses, which is most often the next one too.
  void Remember(const device::cuda::Graph& graph, std::span<const TensorView> inputs,
                std::span<const TensorView> outputs);
  bool SameAddresses(std::span<const TensorView> inputs, std::span<const TensorView> outputs) const;

  std::shared_ptr<const device::cuda::Gpu> gpu_;
  LruCache<std::string, GraphPtr> graphs_;     // by addresses; null: seen once
  const device::cuda::Graph* last_ = nullptr;  // one of graphs_
  std::vector<const void*> last_addresses_;    // its inputs and outputs
  const void* memory_ = nullptr;
  int calls_without_launch_ = 0;
  // Buffers of our own, when in use.
  std::shared_ptr<void> buffers_;
  std::vector<TensorView> staged_inputs_;
  std::vector<TensorView> staged_outputs_;
  GraphPtr staged_;
  Counters counters_;
};

}  // namespace torch_tensorrt::core::execution
