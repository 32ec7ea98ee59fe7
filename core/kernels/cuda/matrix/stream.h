// Large products on Hopper: the host side of gemm_stream.cu.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "core/kernels/cuda/matrix/product.h"

namespace torch_tensorrt::core::kernels::cuda {

// How a product is cut for gemm_stream.cu.
struct StreamTile {
  int m = 128;
  int n = 256;
  int warpgroups = 2;  // that compute
  int stages = 4;
  int teams = 1;  // 2: each warpgroup computes tiles of its own

  int threads() const { return (warpgroups + 1) * 128; }
  size_t shared_bytes() const;
};
struct StreamChoice {
  StreamTile tile;
  double nanoseconds = 0;  // that a model of the GPU expects
};
// Nothing where the copy engine cannot read the operands: other GPUs, floats, batches, transposed
// operands, windows of channels that are no multiple of 64.
std::optional<StreamChoice> ChooseStream(const device::cuda::GpuInfo& gpu, const Product& product);

class StreamState final : public MatrixState {
 public:
  // REQUIRES: ChooseStream gave this tile.
  static Result<std::unique_ptr<StreamState>> Create(std::string_view tag,
                                                     const device::cuda::Gpu& gpu,
                                                     const Product& product, const StreamTile& tile,
                                                     ResultPlan result);
  Status Run(const RunArgs& args, const ResultStage& stage, const void* a, const void* b) override;

 private:
  Product product_;
  ResultPlan result_;
  StreamTile tile_;
  device::cuda::Function function_;
  device::cuda::LaunchConfig config_;
  std::unique_ptr<ProductState> any_;  // made when data at odd addresses is first met
};

}  // namespace torch_tensorrt::core::kernels::cuda
