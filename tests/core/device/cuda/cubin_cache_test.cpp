#include "core/device/cuda/cubin_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace torch_tensorrt::core::device::cuda {
namespace {

namespace fs = std::filesystem;

class CubinCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }
  fs::path OnlyFile() const { return fs::directory_iterator(directory_)->path(); }

  fs::path directory_;
};

const std::vector<char> kCubin = {'\177', 'E', 'L', 'F', 0, 1, 2};

TEST_F(CubinCacheTest, GivesBackWhatWasPut) {
  const CubinCache cache(directory_);
  EXPECT_FALSE(cache.Get("key").has_value());
  cache.Put("key", kCubin);
  EXPECT_EQ(cache.Get("key"), kCubin);
  EXPECT_FALSE(cache.Get("kez").has_value());
  EXPECT_EQ(CubinCache(directory_).Get("key"), kCubin);
}

TEST_F(CubinCacheTest, TakesDamagedFilesAsAbsent) {
  const CubinCache cache(directory_);
  cache.Put("key", kCubin);
  const auto size = fs::file_size(OnlyFile());
  for (const size_t at : {size_t{0}, size_t{9}, size_t{20}, size_t{28}, size_t{36}, size - 1}) {
    cache.Put("key", kCubin);
    std::fstream file(OnlyFile(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('\x5a');
    file.close();
    EXPECT_FALSE(cache.Get("key").has_value()) << "byte " << at;
  }
  cache.Put("key", kCubin);
  fs::resize_file(OnlyFile(), size - 2);
  EXPECT_FALSE(cache.Get("key").has_value());
}

TEST_F(CubinCacheTest, KeepsWithinItsCapacity) {
  const CubinCache cache(directory_, 3 * (kCubin.size() + 40));
  for (int i = 0; i < 8; ++i) cache.Put("key" + std::to_string(i), kCubin);
  int left = 0;
  for (int i = 0; i < 8; ++i) left += cache.Get("key" + std::to_string(i)).has_value() ? 1 : 0;
  EXPECT_EQ(left, 3);
}

TEST_F(CubinCacheTest, IsOffWithoutADirectoryOfItsOwn) {
  const CubinCache off("");
  off.Put("key", kCubin);
  EXPECT_FALSE(off.Get("key").has_value());
  fs::create_directories(directory_);
  fs::permissions(directory_, fs::perms::all);  // anyone could put a cubin there
  const CubinCache open(directory_);
  open.Put("key", kCubin);
  EXPECT_FALSE(open.Get("key").has_value());
  EXPECT_TRUE(fs::is_empty(directory_));
}

}  // namespace
}  // namespace torch_tensorrt::core::device::cuda
