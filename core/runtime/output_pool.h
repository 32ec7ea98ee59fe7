// OutputPool: CPU memory of an engine's large outputs (internal to core/runtime).
//
// Fresh memory costs a page fault for every page that a kernel writes, on every call. Here a block
// comes back when the last tensor that uses it is gone, and the next call takes it. What waits is
// never more than one call's outputs. Tensors keep the pool alive, the engine need not live.
// Thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "core/types/sym_int.h"

namespace torch_tensorrt::core::runtime {

class OutputPool : public std::enable_shared_from_this<OutputPool> {
 public:
  // Smaller outputs come from PyTorch's allocator, which has such memory at hand.
  static constexpr size_t kPooledBytes = size_t{1} << 20;

  ~OutputPool();

  // An uninitialised contiguous tensor like at::empty's, which may be resized and shared likewise.
  at::Tensor Empty(const Dims& dims, at::ScalarType dtype);
  // Says what one call's outputs take: that much may wait for the next call.
  void ExpectCall(size_t bytes);
  // Bytes that wait.
  size_t waiting() const;

 private:
  struct Block {
    void* data;
    size_t bytes;
  };
  struct Loan;

  void* Take(size_t bytes);
  void GiveBack(Block block);
  // REQUIRES: mutex_ is held.
  std::vector<Block> SurplusLocked();

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Block> free_;
  size_t free_bytes_ = 0;
  size_t kept_bytes_ = 0;  // how much may wait
};

}  // namespace torch_tensorrt::core::runtime
