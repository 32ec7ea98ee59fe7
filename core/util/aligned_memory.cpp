#include "core/util/aligned_memory.h"

#include <cstdint>
#include <cstdlib>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace torch_tensorrt::core {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t RoundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

void* AllocateAligned(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  // Below four pages the rounding would waste more than the page table costs.
  if (bytes < 4 * kHugePage) {
    return std::aligned_alloc(kCacheLine, RoundUp(bytes == 0 ? 1 : bytes, kCacheLine));
  }
  const size_t size = RoundUp(bytes, kHugePage);
  void* memory = std::aligned_alloc(kHugePage, size);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (memory != nullptr) (void)madvise(memory, size, MADV_HUGEPAGE);  // advice: failing is no error
#endif
  return memory;
}

void FreeAligned(void* memory) { std::free(memory); }

}  // namespace torch_tensorrt::core
