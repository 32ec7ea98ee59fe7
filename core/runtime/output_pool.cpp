#include "core/runtime/output_pool.h"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <iterator>

#include "core/util/aligned_memory.h"

namespace torch_tensorrt::core::runtime {

// What a tensor's storage holds.
struct OutputPool::Loan {
  std::shared_ptr<OutputPool> pool;
  Block block;
  ~Loan() { pool->GiveBack(block); }
};

OutputPool::~OutputPool() {
  for (const Block& block : free_) FreeAligned(block.data);
}

void* OutputPool::Take(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(free_.rbegin(), free_.rend(),
                                  [&](const Block& block) { return block.bytes == bytes; });
  if (found == free_.rend()) return nullptr;
  void* data = found->data;
  free_bytes_ -= bytes;
  free_.erase(std::next(found).base());
  return data;
}

// The oldest blocks beyond what may wait: they are of sizes that calls no longer ask for.
std::vector<OutputPool::Block> OutputPool::SurplusLocked() {
  auto kept = free_.begin();
  for (; free_bytes_ > kept_bytes_ && kept != free_.end(); ++kept) free_bytes_ -= kept->bytes;
  std::vector<Block> surplus(free_.begin(), kept);
  free_.erase(free_.begin(), kept);
  return surplus;
}

void OutputPool::GiveBack(Block block) {
  std::unique_lock<std::mutex> lock(mutex_);
  free_.push_back(block);
  free_bytes_ += block.bytes;
  const std::vector<Block> surplus = SurplusLocked();
  lock.unlock();
  for (const Block& one : surplus) FreeAligned(one.data);
}

void OutputPool::ExpectCall(size_t bytes) {
  std::unique_lock<std::mutex> lock(mutex_);
  kept_bytes_ = bytes;
  const std::vector<Block> surplus = SurplusLocked();
  lock.unlock();
  for (const Block& one : surplus) FreeAligned(one.data);
}

size_t OutputPool::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return free_bytes_;
}

at::Tensor OutputPool::Empty(const Dims& dims, at::ScalarType dtype) {
  const auto bytes = static_cast<size_t>(NumElements(dims)) * c10::elementSize(dtype);
  if (bytes < kPooledBytes) return at::empty(dims, at::TensorOptions(dtype));
  void* data = Take(bytes);
  if (data == nullptr) data = AllocateAligned(bytes);
  TORCH_CHECK(data != nullptr, "[tensorrt] no memory for an output of ", bytes, " bytes");
  auto* loan = new Loan{shared_from_this(), {data, bytes}};
  c10::DataPtr pointer(
      data, loan, [](void* context) { delete static_cast<Loan*>(context); }, c10::kCPU);
  // With PyTorch's allocator behind it the storage can grow like any other.
  c10::Storage storage(c10::Storage::use_byte_size_t(), bytes, std::move(pointer),
                       c10::GetCPUAllocator(), /*resizable=*/true);
  at::Tensor tensor = at::detail::make_tensor<c10::TensorImpl>(
      std::move(storage), c10::DispatchKeySet(c10::DispatchKey::CPU),
      c10::scalarTypeToTypeMeta(dtype));
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(dims);
  return tensor;
}

}  // namespace torch_tensorrt::core::runtime
