// Products on tensor cores: the host side of gemm.cu, shared by matrix products and convolutions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/device/cuda/gpu.h"
#include "core/kernels/cuda/matrix/result.h"
#include "core/kernels/cuda/matrix/tile.h"
#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels::cuda {

// As in tile_load.cuh.
struct ConvShape {
  int32_t in_h = 0, in_w = 0, in_c = 0, group_c = 0;
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  int32_t out_h = 0, out_w = 0;
};

// One operand: rows of k values. Strides in elements.
struct ProductOperand {
  int64_t row = 0;
  int64_t column = 1;
  int64_t batch[3] = {0, 0, 0};
};

// `batches[0] * [1] * [2]` products a b^T of one shape.
struct Product {
  DataType dtype = DataType::kFloat32;
  int64_t m = 0, n = 0, k = 0;
  int64_t batches[3] = {1, 1, 1};
  ProductOperand a, b;
  bool windows = false;  // a is read through `conv`; its channels are the k of a tap
  ConvShape conv;
  bool b_constant = false;
  bool allow_tf32 = false;
  // Where results go: see gemm.cu.
  int64_t out_batch_rows = 0, out_batch_columns = 0, out_row = 0;

  int64_t batch_count() const { return batches[0] * batches[1] * batches[2]; }
};

// Params of gemm_tile.cuh.
struct ProductParams {
  const void* a = nullptr;
  const void* b = nullptr;
  const void* bias = nullptr;
  void* out = nullptr;
  int32_t m = 0, n = 0, k = 0, tiles_m = 0, tiles_n = 0, k_tiles = 0, vector = 0;
  int64_t a_row = 0, a_column = 0, b_row = 0, b_column = 0;
  int32_t batch1 = 0, batch2 = 0;
  int64_t a_batch[3] = {}, b_batch[3] = {};
  int32_t out_batch_rows = 0, out_batch_columns = 0;
  int64_t out_row = 0;
  ConvShape conv;
};
// Of a product with operands, bias and output at these addresses.
ProductParams MakeProductParams(const Product& product, const Tile& tile, const void* a,
                                const void* b, const void* bias, void* out);

// A product ready to launch. Used by one thread at a time.
class MatrixState : public KernelState {
 public:
  virtual Status Run(const RunArgs& args, const ResultStage& stage, const void* a,
                     const void* b) = 0;
};

class ProductState final : public MatrixState {
 public:
  // With gpu == nullptr only checks. Unsupported for sizes beyond 32 bits.
  static Result<std::unique_ptr<ProductState>> Create(std::string_view tag,
                                                      const device::cuda::Gpu* gpu,
                                                      const Product& product, ResultPlan result);
  Status Run(const RunArgs& args, const ResultStage& stage, const void* a, const void* b) override;

 private:
  struct Variant {
    device::cuda::Function function;
    device::cuda::LaunchConfig config;
    Tile tile;
  };
  // `aligned`: operands start at multiples of 16 bytes.
  Result<Variant> Load(const device::cuda::Gpu& gpu, bool aligned) const;

  Product product_;
  ResultPlan result_;
  std::optional<Variant> aligned_;
  std::optional<Variant> any_;  // loaded when data at odd addresses is first met
};

// The state that is expected to be fastest: StreamState (stream.h) or ProductState. With
// gpu == nullptr only checks.
Result<std::unique_ptr<MatrixState>> CreateProduct(std::string_view tag,
                                                   const device::cuda::Gpu* gpu,
                                                   const Product& product, ResultPlan result);

// The other one of these, where the model expects it to take about as long; null otherwise.
Result<std::unique_ptr<MatrixState>> CreateOtherProduct(std::string_view tag,
                                                        const device::cuda::Gpu* gpu,
                                                        const Product& product, ResultPlan result);

// Does `p` start at a multiple of 16 bytes?
inline bool IsAligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

// "#define NAME value\n"
std::string Define(std::string_view name, std::string_view value);
std::string Define(std::string_view name, int64_t value);

}  // namespace torch_tensorrt::core::kernels::cuda
