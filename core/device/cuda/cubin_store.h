// CubinStore: cubins of kernel sources, from the cache on disk or from NVRTC (internal to
// core/device/cuda). Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "core/device/cuda/cubin_cache.h"
#include "core/device/cuda/gpu.h"

namespace torch_tensorrt::core::device::cuda {

class CubinStore {
 public:
  CubinStore() : cache_(CubinCache::DefaultDirectory()) {}

  // Everything that decides the cubin but NVRTC's version: equal keys, equal modules.
  static std::string KeyOf(const KernelSource& source, std::string_view arch);

  // `key` is KeyOf these.
  Result<std::vector<char>> Get(const KernelSource& source, std::string_view arch,
                                std::string_view key) const;
  LoadStats stats() const;

 private:
  CubinCache cache_;
  mutable std::mutex mutex_;  // guards stats_
  mutable LoadStats stats_;
};

}  // namespace torch_tensorrt::core::device::cuda
