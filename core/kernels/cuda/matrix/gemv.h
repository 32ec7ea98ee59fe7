// Products of a few rows by constant weights: the host side of gemv.cu.
#pragma once

#include <memory>
#include <string_view>

#include "core/kernels/cuda/matrix/product.h"

namespace torch_tensorrt::core::kernels::cuda {

class GemvState final : public MatrixState {
 public:
  // Few rows, constant weights and evenly spaced rows of multiples of 16 bytes?
  static bool Takes(const Product& product);
  // REQUIRES: Takes(product). With gpu == nullptr only checks.
  static Result<std::unique_ptr<GemvState>> Create(std::string_view tag,
                                                   const device::cuda::Gpu* gpu,
                                                   const Product& product, ResultPlan result);
  Status Run(const RunArgs& args, const ResultStage& stage, const void* a, const void* b) override;

 private:
  Product product_;
  ResultPlan result_;
  device::cuda::Function function_;
  device::cuda::LaunchConfig config_;
  std::unique_ptr<ProductState> any_;  // made when data at odd addresses is first met
};

}  // namespace torch_tensorrt::core::kernels::cuda
