#include "core/device/cuda/cubin_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <thread>

#include "core/util/hash.h"

namespace torch_tensorrt::core::device::cuda {
namespace {

namespace fs = std::filesystem;

// "TTRTCUB1", key size, hash of the key, cubin size, hash of the cubin; then the cubin.
struct Header {
  char magic[8];
  uint64_t key_size;
  uint64_t key_hash;
  uint64_t size;
  uint64_t hash;
};
constexpr std::string_view kMagic = "TTRTCUB1";
constexpr std::string_view kSuffix = ".cubin";
constexpr uint64_t kMaxCubin = uint64_t{256} << 20;

uint64_t HashOf(std::string_view bytes) {
  return ContentHash({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

// Independent of the hash in the file's name, so that two keys of one name are told apart.
uint64_t SecondHash(std::string_view key) { return HashOf(std::string(key) + "#2"); }

// Nobody else may have put a cubin there: code of it runs on the user's GPU.
bool OnlyOursToWrite(const std::string& directory) {
  struct stat info{};
  return stat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
         (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

CubinCache::CubinCache(std::string directory, uint64_t capacity)
    : directory_(std::move(directory)), capacity_(capacity) {
  if (directory_.empty()) return;
  std::error_code error;
  const bool made = fs::create_directories(directory_, error);
  if (made && !error) fs::permissions(directory_, fs::perms::owner_all, error);
  if (error || !OnlyOursToWrite(directory_)) directory_.clear();
}

std::string CubinCache::DefaultDirectory() {
  const std::string named = Environment("TORCHTRT_CUBIN_CACHE");
  if (named == "0") return {};
  if (!named.empty()) return named;
  const std::string base = Environment("XDG_CACHE_HOME");
  if (!base.empty()) return base + "/torch_tensorrt/cubin";
  const std::string home = Environment("HOME");
  return home.empty() ? std::string() : home + "/.cache/torch_tensorrt/cubin";
}

std::string CubinCache::PathOf(std::string_view key) const {
  std::array<char, 17> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(HashOf(key)));
  return directory_ + "/" + hex.data() + std::string(kSuffix);
}

std::optional<std::vector<char>> CubinCache::Get(std::string_view key) const {
  if (directory_.empty()) return std::nullopt;
  const std::string path = PathOf(key);
  std::ifstream file(path, std::ios::binary);
  Header header{};
  if (!file.read(reinterpret_cast<char*>(&header), sizeof(header))) return std::nullopt;
  if (std::string_view(header.magic, sizeof(header.magic)) != kMagic ||
      header.key_size != key.size() || header.key_hash != SecondHash(key) || header.size == 0 ||
      header.size > kMaxCubin) {
    return std::nullopt;
  }
  std::vector<char> cubin(header.size);
  if (!file.read(cubin.data(), static_cast<std::streamsize>(header.size))) return std::nullopt;
  if (HashOf({cubin.data(), cubin.size()}) != header.hash) return std::nullopt;
  std::error_code ignored;  // the time of last use decides what Trim removes
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
  return cubin;
}

void CubinCache::Put(std::string_view key, const std::vector<char>& cubin) const {
  if (directory_.empty() || cubin.empty()) return;
  Header header{};
  std::memcpy(header.magic, kMagic.data(), kMagic.size());
  header.key_size = key.size();
  header.key_hash = SecondHash(key);
  header.size = cubin.size();
  header.hash = HashOf({cubin.data(), cubin.size()});
  const std::string path = PathOf(key);
  const std::string temporary =  // one per thread of every process
      path + "." + std::to_string(getpid()) + "." +
      std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id()));
  bool written = false;
  {
    std::ofstream file(temporary, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&header), sizeof(header));
    file.write(cubin.data(), static_cast<std::streamsize>(cubin.size()));
    file.flush();
    written = file.good();
  }
  std::error_code error;
  if (written) fs::rename(temporary, path, error);
  if (!written || error) {
    fs::remove(temporary, error);
    return;
  }
  Trim();
}

void CubinCache::Trim() const {
  struct Entry {
    fs::file_time_type used;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator it(directory_, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() != kSuffix) continue;
    std::error_code gone;  // another process may remove it meanwhile
    const uint64_t bytes = it->file_size(gone);
    if (gone) continue;
    entries.push_back({it->last_write_time(gone), bytes, it->path()});
    total += bytes;
  }
  if (total <= capacity_) return;
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= capacity_) break;
    fs::remove(entry.path, error);
    total -= entry.bytes;
  }
}

}  // namespace torch_tensorrt::core::device::cuda
