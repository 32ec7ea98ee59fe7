// Products of 16-bit types by cuBLASLt, where the result is no more than the library can finish: a
// bias, a tensor that is added, ReLU.
#pragma once

#include <memory>
#include <vector>

#include "core/device/cuda/cublaslt.h"
#include "core/kernels/cuda/matrix/product.h"

namespace torch_tensorrt::core::kernels::cuda {

// One algorithm of the library for one product.
class LibraryState final : public MatrixState {
 public:
  // What the library offers, best guess first, at most `most`; empty where it cannot compute this
  // product or is missing. `inputs` and `output` are the step's.
  static std::vector<std::unique_ptr<LibraryState>> Offers(const device::cuda::Gpu& gpu,
                                                           const Product& product,
                                                           const ResultStage& stage,
                                                           std::span<const TensorView> inputs,
                                                           const TensorView& output, int most);
  Status Run(const RunArgs& args, const ResultStage& stage, const void* a, const void* b) override;
  // Allocates what the algorithm needs while it runs. Run before it fails.
  Status Reserve(const device::cuda::Gpu& gpu);

 private:
  struct Problem;
  std::shared_ptr<const Problem> problem_;
  device::cuda::LtAlgorithm algorithm_{};
  size_t workspace_bytes_ = 0;
  std::shared_ptr<void> workspace_;
};

// The fastest on this GPU of what CreateProduct and CreateOtherProduct give and the library offers:
// timed once per process and problem, weights out of the cache where they are what takes the time.
// The first of these where nothing can be timed (no GPU, no memory, a stream that is being
// captured).
Result<std::unique_ptr<MatrixState>> CreateFastest(std::string_view tag, const PrepareArgs& args,
                                                   const Product& product, const ResultStage& stage,
                                                   const ResultPlan& result);

}  // namespace torch_tensorrt::core::kernels::cuda
