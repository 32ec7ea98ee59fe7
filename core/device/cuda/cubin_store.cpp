#include "core/device/cuda/cubin_store.h"

#include <chrono>

namespace torch_tensorrt::core::device::cuda {

std::string CubinStore::KeyOf(const KernelSource& source, std::string_view arch) {
  std::string key = StrCat(arch, '\0');
  for (const std::string& option : source.options) key.append(option).push_back('\0');
  // A text without includes stays the same module when headers change.
  if (source.text.find("#include") != std::string::npos) {
    for (const SourceHeader& header : source.headers) {
      key.append(header.name).push_back('\0');
      key.append(header.text).push_back('\0');
    }
  }
  return key += source.text;
}

Result<std::vector<char>> CubinStore::Get(const KernelSource& source, std::string_view arch,
                                          std::string_view key) const {
  const Result<int> version = NvrtcVersion();
  const std::string disk_key = StrCat(version.ok() ? *version : 0, '\0', key);
  if (auto cubin = cache_.Get(disk_key)) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++stats_.from_cache;
    return std::move(*cubin);
  }
  const auto start = std::chrono::steady_clock::now();
  TRT_ASSIGN_OR_RETURN(Compiled compiled, Compile(source, arch));
  cache_.Put(disk_key, compiled.cubin);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  const std::lock_guard<std::mutex> lock(mutex_);
  ++stats_.compiled;
  stats_.compile_seconds += spent.count();
  return std::move(compiled.cubin);
}

LoadStats CubinStore::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stats_;
}

}  // namespace torch_tensorrt::core::device::cuda
