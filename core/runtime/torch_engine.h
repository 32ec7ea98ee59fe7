// The torch custom class `tensorrt.Engine`: an engine as PyTorch sees it. Immutable; `Execute` may
// be called from any number of threads at once: each call takes an execution context from a pool
// and gives it back.
#pragma once

#include <torch/custom_class.h>

#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "core/engine/engine.h"
#include "core/execution/execution_context.h"

namespace torch_tensorrt::core::runtime {

class TorchEngine : public torch::CustomClassHolder {
 public:
  explicit TorchEngine(std::shared_ptr<const engine::Engine> engine);

  // From the bytes of a plan file (1-d uint8 CPU tensor, not copied). Throws c10::Error with the
  // typed message on a bad plan.
  static c10::intrusive_ptr<TorchEngine> FromTensor(const at::Tensor& plan);
  // The plan file as a 1-d uint8 tensor.
  at::Tensor ToTensor() const;

  // Runs the engine. Inputs: as declared, on the CPU, made contiguous if they are not. Throws
  // ValueError on a wrong dtype, device, rank or dim, IndexError-like c10::Error on a data error;
  // the engine works on the next call.
  std::vector<at::Tensor> Execute(const std::vector<at::Tensor>& inputs);

  const engine::Plan& plan() const { return engine_->plan(); }
  std::string LayerInfoJson() const { return engine::InspectJson(*engine_); }
  // Names, dtypes and symbolic dims of inputs and outputs and the symbols' ranges, as JSON; enough
  // to infer output shapes.
  std::string IoSpecJson() const;
  // {"arena_bytes", "arena_lower_bound", "constant_bytes", "contexts", "steps"} for the last run's
  // shapes.
  std::string StatsJson() const;
  void EnableProfiling(bool on);
  // [{"name", "kernel", "calls", "microseconds"}] since profiling was enabled.
  std::string ProfileJson() const;

 private:
  // A context borrowed for one call.
  class Lease;

  std::shared_ptr<const engine::Engine> engine_;
  mutable std::mutex mutex_;  // guards everything below
  std::vector<std::unique_ptr<execution::ExecutionContext>> idle_;
  int64_t contexts_ = 0;
  execution::MemoryStats last_memory_;
  bool profiling_ = false;
  execution::Profile profile_;
};

// torch dtype of a core dtype and back; throws for types engines do not know.
at::ScalarType ToTorch(DataType type);
DataType FromTorch(at::ScalarType type);
// Throws the exception that torch users expect for this status: ValueError for arguments,
// IndexError for ranges, NotImplementedError for Unsupported, RuntimeError otherwise. REQUIRES:
// !status.ok().
[[noreturn]] void ThrowStatus(const Status& status);

}  // namespace torch_tensorrt::core::runtime
