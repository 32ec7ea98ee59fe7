#include "core/util/aligned_memory.h"

#include <cstdint>
#include <cstdlib>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace torch_tensorrt::core {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Larger blocks are mapped one by one: what is freed goes back to the system at once. malloc would
// keep it for later, and a build frees as much as it keeps.
[[maybe_unused]] constexpr size_t kMapped = size_t{256} << 10;

// In front of each block, in a cache line of its own.
struct Header {
  void* base;     // of the allocation
  size_t mapped;  // bytes of the mapping, 0 when it is from malloc
};
static_assert(sizeof(Header) <= kCacheLine);

size_t RoundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// The block of an allocation at `base`, its header written.
void* BlockIn(void* base, size_t mapped, size_t alignment) {
  auto address = reinterpret_cast<uintptr_t>(base) + kCacheLine;
  address = (address + alignment - 1) / alignment * alignment;
  new (reinterpret_cast<void*>(address - kCacheLine)) Header{base, mapped};
  return reinterpret_cast<void*>(address);
}

#ifdef __linux__
void* AllocateMapped(size_t bytes) {
  // Below four pages the rounding would waste more than the page table costs.
  const bool huge = bytes >= 4 * kHugePage;
  const size_t alignment = huge ? kHugePage : kCacheLine;
  const size_t size = RoundUp(bytes, alignment) + kCacheLine + alignment;
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  void* block = BlockIn(base, size, alignment);
#ifdef MADV_HUGEPAGE
  if (huge) {  // advice: failing is no error
    (void)madvise(block, RoundUp(bytes, kHugePage), MADV_HUGEPAGE);
  }
#endif
  return block;
}
#endif

}  // namespace

void* AllocateAligned(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
#ifdef __linux__
  if (bytes >= kMapped) return AllocateMapped(bytes);
#endif
  void* base = std::aligned_alloc(kCacheLine, RoundUp(bytes, kCacheLine) + kCacheLine);
  return base == nullptr ? nullptr : BlockIn(base, 0, kCacheLine);
}

void FreeAligned(void* memory) {
  if (memory == nullptr) return;
  const auto* header = reinterpret_cast<const Header*>(static_cast<char*>(memory) - kCacheLine);
#ifdef __linux__
  if (header->mapped != 0) {
    (void)munmap(header->base, header->mapped);
    return;
  }
#endif
  std::free(header->base);
}

}  // namespace torch_tensorrt::core
