#include "core/engine/plan_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/engine/format.h"

namespace torch_tensorrt::core::engine {
namespace {

Status SystemError(const std::string& path, int error) {
  return DeviceError("[plan file] cannot open ", path, ": ", std::strerror(error));
}

struct Mapping {
  std::shared_ptr<const void> data;
  size_t size = 0;
};

Result<Mapping> MapFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return SystemError(path, errno);
  struct stat info{};
  if (fstat(descriptor, &info) != 0 || info.st_size == 0) {
    const int error = errno;
    close(descriptor);
    if (info.st_size == 0) return Mapping();
    return SystemError(path, error);
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error = errno;
  close(descriptor);
  if (memory == MAP_FAILED) return SystemError(path, error);
#ifdef MADV_HUGEPAGE
  (void)madvise(memory, size, MADV_HUGEPAGE);  // advice: failing is no error
#endif
  auto unmap = [size](const void* p) { munmap(const_cast<void*>(p), size); };
  return Mapping{std::shared_ptr<const void>(memory, unmap), size};
}

}  // namespace

Result<Plan> OpenPlanFile(const std::string& path) {
  TRT_ASSIGN_OR_RETURN(Mapping mapping, MapFile(path));
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(mapping.data.get()),
                                         mapping.size);
  return DecodePlan(bytes, std::move(mapping.data));
}

}  // namespace torch_tensorrt::core::engine
