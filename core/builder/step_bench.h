// Runs single steps of a CPU plan at an optimisation point, on random data, and times them.
//
// Not thread-safe: one bench per build. Kernels run on the caller's threads as they will in an
// engine. The plan outlives the bench; its constants are read, never written.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/engine/plan.h"
#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::builder {

class StepBench {
 public:
  // `point`: sizes of symbols instead of their opt, where it names them and they are in range.
  explicit StepBench(const engine::Plan& plan, const std::map<std::string, int64_t>& point = {});
  ~StepBench();
  StepBench(const StepBench&) = delete;
  StepBench& operator=(const StepBench&) = delete;

  // One way to run a step: its kernel, created and prepared.
  struct Candidate {
    std::unique_ptr<const kernels::Kernel> kernel;
    std::unique_ptr<kernels::KernelState> state;
    size_t scratch_bytes = 0;
  };

  // Chooses the step that the calls below mean. InvalidArgument when its sizes are unknown.
  Status Select(const engine::PlanStep& step);
  // Kernel, attributes, dtypes, dims and strides of the selected step, as text.
  const std::string& text() const { return text_; }
  // The selected step with `extra` attributes; whatever the kernel refuses is an error.
  Result<Candidate> Make(const Attributes& extra);
  // Seconds of one run, wall clock. Before it each thread writes its part of the inputs, as the
  // steps before would have; where the plan's weights exceed any cache the step's are evicted, as
  // in an engine that has run other steps since.
  Result<double> Time(const Candidate& candidate);

 private:
  class Buffer;

  Result<TensorView> ViewOf(int32_t tensor) const;
  Result<int64_t> StorageElements(int32_t tensor) const;
  Status PlaceInputs();
  std::vector<TensorView> Shapes() const;
  void Produce() const;
  void Evict() const;

  const engine::Plan& plan_;
  SymbolLookup opt_;
  bool cold_ = false;
  const engine::PlanStep* step_ = nullptr;
  Attributes attributes_;  // of the step, resolved
  std::string text_;
  std::vector<TensorView> inputs_;
  std::vector<TensorView> outputs_;
  std::vector<std::span<std::byte>> activations_;  // what the inputs that are no constants hold
  std::map<DataType, std::unique_ptr<Buffer>> random_;
  std::unique_ptr<Buffer> results_;
  std::unique_ptr<Buffer> scratch_;
};

}  // namespace torch_tensorrt::core::builder
