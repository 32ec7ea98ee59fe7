#include "core/util/hash.h"

#include <cstring>
#include <vector>

#include "core/util/parallel.h"

namespace torch_tensorrt::core {
namespace {

constexpr size_t kChunk = size_t{1} << 20;
constexpr uint64_t kMul1 = 0x9e3779b97f4a7c15ULL;
constexpr uint64_t kMul2 = 0xc2b2ae3d27d4eb4fULL;

uint64_t Rotate(uint64_t v, int by) { return (v << by) | (v >> (64 - by)); }

uint64_t Finish(uint64_t h) {
  h ^= h >> 33;
  h *= kMul2;
  h ^= h >> 29;
  h *= kMul1;
  return h ^ (h >> 32);
}

uint64_t Load64(const std::byte* p) {
  uint64_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// Four independent lanes keep the multiplier busy; each word is mixed into one lane.
uint64_t HashChunk(const std::byte* p, size_t size) {
  uint64_t lanes[4] = {kMul1, kMul2, ~kMul1, ~kMul2};
  size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    for (size_t lane = 0; lane < 4; ++lane) {
      lanes[lane] = Rotate(lanes[lane] ^ (Load64(p + i + 8 * lane) * kMul2), 31) * kMul1;
    }
  }
  uint64_t h = size * kMul1;
  for (uint64_t lane : lanes) h = Finish(h ^ lane);
  for (; i < size; ++i) h = Rotate(h ^ static_cast<uint64_t>(p[i]), 11) * kMul1;
  return Finish(h);
}

// `chunk(first, size)` hashes that part of `size` bytes in all.
template <typename Chunk>
uint64_t HashChunks(size_t size, const Chunk& chunk) {
  if (size <= kChunk) return chunk(size_t{0}, size);
  const size_t count = (size + kChunk - 1) / kChunk;
  std::vector<uint64_t> hashes(count);
  ParallelFor(static_cast<int64_t>(count), 4, [&](int64_t begin, int64_t end, int /*thread*/) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const size_t first = i * kChunk;
      hashes[i] = chunk(first, std::min(kChunk, size - first));
    }
  });
  return HashChunk(reinterpret_cast<const std::byte*>(hashes.data()), count * sizeof(uint64_t));
}

}  // namespace

uint64_t ContentHash(std::span<const std::byte> bytes) {
  return HashChunks(bytes.size(), [&](size_t first, size_t size) {
    return HashChunk(bytes.data() + first, size);
  });
}

uint64_t CopyAndHash(std::span<const std::byte> bytes, std::byte* to) {
  return HashChunks(bytes.size(), [&](size_t first, size_t size) {
    if (size > 0) std::memcpy(to + first, bytes.data() + first, size);
    return HashChunk(to + first, size);  // out of cache
  });
}

}  // namespace torch_tensorrt::core
