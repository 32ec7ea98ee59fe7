// CubinCache: compiled kernels on disk, one file each, so that NVRTC runs once per kernel and
// machine. Corrupt or foreign files count as absent. Safe to share between threads and processes:
// files appear by rename.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace torch_tensorrt::core::device::cuda {

class CubinCache {
 public:
  // An empty directory disables the cache. When files take more than `capacity` bytes the oldest
  // are removed.
  explicit CubinCache(std::string directory, uint64_t capacity = uint64_t{512} << 20);

  // The directory named by TORCHTRT_CUBIN_CACHE ("0" disables), else torch_tensorrt/cubin in the
  // user's cache directory.
  static std::string DefaultDirectory();

  // `key` is everything that decides the cubin.
  std::optional<std::vector<char>> Get(std::string_view key) const;
  // Failures to write are ignored: the next process compiles again.
  void Put(std::string_view key, const std::vector<char>& cubin) const;

  const std::string& directory() const { return directory_; }

 private:
  std::string PathOf(std::string_view key) const;
  void Trim() const;

  std::string directory_;
  uint64_t capacity_;
};

}  // namespace torch_tensorrt::core::device::cuda
