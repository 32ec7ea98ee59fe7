#include "core/engine/plan_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/engine/format.h"
#include "core/util/aligned_memory.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::engine {
namespace {

constexpr size_t kPiece = size_t{4} << 20;  // read by one thread at a time

class File {
 public:
  explicit File(const std::string& path) : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Status SystemError(std::string_view what, const std::string& path, int error) {
  return DeviceError("[plan file] cannot ", what, " ", path, ": ", std::strerror(error));
}

// 0, or the errno of the failure; a file that ends early counts as one of no more bytes.
int ReadPiece(int descriptor, std::byte* to, size_t size, size_t offset) {
  while (size > 0) {
    const ssize_t got = pread(descriptor, to, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return EIO;
    to += got;
    offset += static_cast<size_t>(got);
    size -= static_cast<size_t>(got);
  }
  return 0;
}

int ReadAll(int descriptor, std::byte* to, size_t size) {
  std::atomic<int> error{0};
  const auto pieces = static_cast<int64_t>((size + kPiece - 1) / kPiece);
  ParallelFor(pieces, 1, [&](int64_t begin, int64_t end, int /*thread*/) {
    for (int64_t i = begin; i < end; ++i) {
      const size_t first = static_cast<size_t>(i) * kPiece;
      const int failed = ReadPiece(descriptor, to + first, std::min(kPiece, size - first), first);
      if (failed != 0) error = failed;
    }
  });
  return error;
}

}  // namespace

Result<Plan> ReadPlanFile(const std::string& path) {
  const File file(path);
  struct stat info{};
  if (file.descriptor() < 0 || fstat(file.descriptor(), &info) != 0) {
    return SystemError("open", path, errno);
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* memory = AllocateAligned(size);
  if (memory == nullptr) return ResourceExhausted("[plan file] no memory for ", size, " bytes");
  const std::shared_ptr<const void> owner(memory,
                                          [](const void* p) { FreeAligned(const_cast<void*>(p)); });
  const int failed = ReadAll(file.descriptor(), static_cast<std::byte*>(memory), size);
  if (failed != 0) return SystemError("read", path, failed);
  return DecodePlan({static_cast<const std::byte*>(memory), size}, owner);
}

}  // namespace torch_tensorrt::core::engine
