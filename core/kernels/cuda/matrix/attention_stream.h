// Attention of many queries and keys on Hopper: the host side of attention_stream.cu.
#pragma once

#include <memory>

#include "core/device/cuda/gpu.h"
#include "core/kernels/cuda/matrix/attention_params.h"
#include "core/kernels/kernel.h"

namespace torch_tensorrt::core::kernels::cuda {

class AttentionStream {
 public:
  // What a kernel is compiled for.
  struct Problem {
    DataType dtype = DataType::kFloat16;
    int64_t batch = 1;
    bool causal = false;
    const TensorView* mask = nullptr;
    bool hidden_nan = false;
  };
  // Null where the other kernel is faster or the copy engine cannot read keys and values. p's
  // addresses are not looked at.
  static Result<std::unique_ptr<AttentionStream>> Create(const device::cuda::Gpu& gpu,
                                                         const AttentionParams& p,
                                                         const Problem& problem);
  // REQUIRES: q, k and v start at multiples of 16 bytes.
  Status Run(const RunArgs& args, AttentionParams p) const;

 private:
  // How the work is cut.
  struct Shape {
    int warpgroups = 2;  // that compute, 64 queries each
    int keys = 128;      // of a tile
    int resident = 1;    // blocks of a multiprocessor
  };
  static Shape ChooseShape(const device::cuda::GpuInfo& gpu, const AttentionParams& p,
                           int64_t batch);
  static std::string SourceOf(const AttentionParams& p, const Problem& problem, const Shape& shape);

  Shape shape_;
  int64_t batch_ = 1;
  device::cuda::Function function_;
  device::cuda::LaunchConfig config_;
};

}  // namespace torch_tensorrt::core::kernels::cuda
