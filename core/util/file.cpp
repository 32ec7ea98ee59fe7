#include "core/util/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace torch_tensorrt::core {
namespace {

Status SystemError(std::string_view what, const std::string& path, int error) {
  return DeviceError("[file] cannot ", what, " ", path, ": ", std::strerror(error));
}

void MakeFolders(const std::string& path) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    (void)mkdir(path.substr(0, at).c_str(), 0700);  // what fails here shows when the file is opened
  }
}

// Distinct among the threads of this process; the process id keeps other processes apart.
std::string ScratchName(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  return StrCat(path, ".", getpid(), ".", counter.fetch_add(1));
}

// 0 or an errno.
int WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(descriptor) == 0 ? 0 : errno;
}

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return SystemError("open", path, errno);
  std::string out;
  char piece[1 << 14];
  ssize_t got = 0;
  int error = 0;
  while ((got = read(descriptor, piece, sizeof(piece))) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      error = errno;
      break;
    }
    out.append(piece, static_cast<size_t>(got));
  }
  close(descriptor);
  if (error != 0) return SystemError("read", path, error);
  return out;
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  MakeFolders(path);
  const std::string scratch = ScratchName(path);
  const int descriptor = open(scratch.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return SystemError("create", scratch, errno);
  int error = WriteAll(descriptor, bytes);
  if (close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && rename(scratch.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return Status::Ok();
  (void)unlink(scratch.c_str());
  return SystemError("write", path, error);
}

}  // namespace torch_tensorrt::core
