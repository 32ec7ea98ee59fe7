#include "core/builder/timing_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <thread>
#include <vector>

#include "core/util/file.h"

namespace torch_tensorrt::core::builder {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "timing_cache_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path_), {}));
  }

 private:
  fs::path path_;
};

TimingCache Sample() {
  TimingCache cache;
  cache.Put("gemm a", {"column_tasks=2", 12.5, 20.25});
  cache.Put("gemm b", {"", 3, 3});
  return cache;
}

TEST(TimingCache, RoundTrips) {
  const Result<TimingCache> read = TimingCache::Decode(Sample().Encode());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->size(), 2U);
  ASSERT_NE(read->Find("gemm a"), nullptr);
  EXPECT_EQ(*read->Find("gemm a"), (TimingRecord{"column_tasks=2", 12.5, 20.25}));
  EXPECT_EQ(read->Find("gemm c"), nullptr);
  EXPECT_EQ(read->Encode(), Sample().Encode());
}

TEST(TimingCache, AnyDamagedByteIsFound) {
  const std::string good = Sample().Encode();
  for (size_t i = 0; i < good.size(); ++i) {
    if (i >= 12 && i < 16) continue;  // zeros of the header that nobody reads
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_FALSE(TimingCache::Decode(bad).ok()) << "byte " << i;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(TimingCache::Decode(std::string_view(good).substr(0, size)).ok()) << size;
  }
}

TEST(TimingCache, RefusesRecordsThatMeanNothing) {
  TimingCache cache;
  cache.Put("key", {"", NAN, 1});
  EXPECT_FALSE(TimingCache::Decode(cache.Encode()).ok());
  TimingCache nameless;
  nameless.Put("", {"", 1, 1});
  EXPECT_FALSE(TimingCache::Decode(nameless.Encode()).ok());
}

TEST(TimingCache, MergeKeepsItsOwnRecords) {
  TimingCache cache = Sample();
  TimingCache other;
  other.Put("gemm a", {"block_rows=24", 1, 2});
  other.Put("gemm c", {"", 5, 5});
  cache.Merge(other);
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.Find("gemm a")->choice, "column_tasks=2");
}

TEST(TimingCache, IsBounded) {
  TimingCache cache;
  for (size_t i = 0; i < TimingCache::kMaxRecords; ++i) cache.Put(std::to_string(i), {});
  cache.Put("one more", {});
  EXPECT_EQ(cache.size(), TimingCache::kMaxRecords);
  cache.Put("7", {"changed", 1, 1});
  EXPECT_EQ(cache.Find("7")->choice, "changed");
}

TEST(TimingCache, LoadsWhatWasSavedAndKeepsWhatTheFileHeld) {
  const Folder folder;
  const std::string path = folder / "a/b/cache.bin";
  EXPECT_EQ(TimingCache::Load(path).size(), 0U);
  ASSERT_TRUE(Sample().Save(path).ok());
  TimingCache second;
  second.Put("gemm a", {"block_rows=24", 1, 2});
  second.Put("gemm c", {"", 5, 5});
  ASSERT_TRUE(second.Save(path).ok());
  const TimingCache read = TimingCache::Load(path);
  EXPECT_EQ(read.size(), 3U);
  EXPECT_EQ(read.Find("gemm a")->choice, "column_tasks=2");
}

TEST(TimingCache, ADamagedFileIsEmptyAndIsReplaced) {
  const Folder folder;
  const std::string path = folder / "cache.bin";
  ASSERT_TRUE(WriteFileAtomically(path, "TTRTTIME and then nonsense that is long enough").ok());
  EXPECT_EQ(TimingCache::Load(path).size(), 0U);
  ASSERT_TRUE(Sample().Save(path).ok());
  EXPECT_EQ(TimingCache::Load(path).size(), 2U);
}

TEST(TimingCache, ThreadsMaySaveAtOnce) {
  const Folder folder;
  const std::string path = folder / "cache.bin";
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&path, t] {
      for (int i = 0; i < 20; ++i) {
        TimingCache cache;
        cache.Put(std::to_string(t), {"", 1, 1});
        EXPECT_TRUE(cache.Save(path).ok());
        EXPECT_GE(TimingCache::Load(path).size(), 1U);  // never half a file
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(folder.files(), 1U);
}

TEST(File, SaysWhatCannotBeWritten) {
  const Folder folder;
  ASSERT_TRUE(WriteFileAtomically(folder / "file", "x").ok());
  const Status status = WriteFileAtomically(folder / "file/below", "x");
  EXPECT_EQ(status.code(), StatusCode::kDeviceError);
  EXPECT_NE(status.message().find("file/below"), std::string::npos);
  EXPECT_EQ(ReadFile(folder / "missing").status().code(), StatusCode::kDeviceError);
  EXPECT_EQ(folder.files(), 1U);
}

}  // namespace
}  // namespace torch_tensorrt::core::builder
