// Data-parallel loops on the caller's OpenMP pool: the pool torch uses, so torch.set_num_threads
// holds for engines too. The only place that knows how threads are made; a serial build
// (TORCHTRT_SERIAL) keeps ThreadSanitizer free of the uninstrumented OpenMP runtime.
//
// Thread-safe: any number of callers may run loops at once. A loop inside a loop runs serially.
#pragma once

#include <algorithm>
#include <cstdint>

#ifndef TORCHTRT_SERIAL
#include <omp.h>
#endif

namespace torch_tensorrt::core {

// Number of threads the next loop of this caller may use (>= 1).
inline int MaxThreads() {
#ifdef TORCHTRT_SERIAL
  return 1;
#else
  return omp_in_parallel() ? 1 : omp_get_max_threads();
#endif
}

// Calls body(begin, end, thread) on a partition of [0, total) into at most MaxThreads() contiguous
// ranges of at least `grain` items (but the last). `thread` is in [0, number of ranges) and
// distinct per concurrent call, for per-thread scratch. `body` must not throw.
template <typename Body>
void ParallelFor(int64_t total, int64_t grain, const Body& body) {
  if (total <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t ranges = std::min<int64_t>(MaxThreads(), (total + grain - 1) / grain);
  if (ranges <= 1) {
    body(int64_t{0}, total, 0);
    return;
  }
#ifndef TORCHTRT_SERIAL
  const int64_t base = total / ranges;
  const int64_t rest = total % ranges;
#pragma omp parallel num_threads(static_cast<int>(ranges))
  {
    // The runtime may grant fewer threads than asked; the stride keeps every range covered.
    for (int64_t i = omp_get_thread_num(); i < ranges; i += omp_get_num_threads()) {
      const int64_t begin = i * base + std::min(i, rest);
      body(begin, begin + base + (i < rest ? 1 : 0), static_cast<int>(i));
    }
  }
#endif
}

}  // namespace torch_tensorrt::core
