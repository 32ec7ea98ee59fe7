#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <vector>

#include "core/util/checked.h"
#include "core/util/coding.h"
#include "core/util/hash.h"
#include "core/util/lru_cache.h"
#include "core/util/parallel.h"
#include "core/util/status.h"

namespace torch_tensorrt::core {
namespace {

Result<int> Half(int x) {
  if (x % 2 != 0) return InvalidArgument("[half] ", x, " is odd");
  return x / 2;
}
Result<int> Quarter(int x) {
  TRT_ASSIGN_OR_RETURN(const int half, Half(x));
  return Half(half);
}

TEST(Status, ErrorsTravelWithTheirMessage) {
  EXPECT_EQ(*Quarter(8), 2);
  const auto bad = Quarter(6);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().ToString(), "InvalidArgument: [half] 3 is odd");
}

TEST(Status, ResultFromOkStatusIsAnError) {
  const Result<int> wrong = Status::Ok();
  EXPECT_EQ(wrong.status().code(), StatusCode::kInternal);
}

TEST(Checked, OverflowIsReported) {
  EXPECT_EQ(*CheckedMul(3, 4), 12);
  EXPECT_FALSE(CheckedMul(INT64_MAX, 2).has_value());
  EXPECT_FALSE(CheckedAdd(INT64_MAX, 1).has_value());
}

TEST(LruCache, ForgetsTheLeastRecentlyUsed) {
  LruCache<int, int> cache(2);
  cache.Put(1, 10);
  cache.Put(2, 20);
  ASSERT_NE(cache.Get(1), nullptr);
  cache.Put(3, 30);
  EXPECT_EQ(cache.Get(2), nullptr);
  EXPECT_EQ(*cache.Get(1), 10);
  EXPECT_EQ(*cache.Get(3), 30);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(ParallelFor, CoversEveryItemOnce) {
  for (const int64_t total : {0, 1, 7, 31, 257, 10000}) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(total));
    ParallelFor(total, 3, [&](int64_t begin, int64_t end, int thread) {
      EXPECT_GE(thread, 0);
      for (int64_t i = begin; i < end; ++i) seen[static_cast<size_t>(i)].fetch_add(1);
    });
    for (const auto& count : seen) EXPECT_EQ(count.load(), 1);
  }
}

TEST(Hash, EveryByteMatters) {
  for (const size_t size : {size_t{1}, size_t{31}, size_t{33}, (size_t{1} << 20) + 5}) {
    std::vector<std::byte> bytes(size, std::byte{3});
    const uint64_t before = ContentHash(bytes);
    EXPECT_EQ(ContentHash(bytes), before);
    for (const size_t at : {size_t{0}, size / 2, size - 1}) {
      bytes[at] ^= std::byte{1};
      EXPECT_NE(ContentHash(bytes), before) << size << " " << at;
      bytes[at] ^= std::byte{1};
    }
  }
  EXPECT_NE(ContentHash(std::vector<std::byte>(1)), ContentHash(std::vector<std::byte>(2)));
}

// Files hold these values: another one would make every file look damaged.
TEST(Hash, StaysWhatFilesHold) {
  std::vector<std::byte> bytes((size_t{3} << 20) + 13);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  EXPECT_EQ(ContentHash({}), 0xb8b5fbf2291158fbU);
  EXPECT_EQ(ContentHash({bytes.data(), 100}), 0xa55f3f0e2eb3bca9U);
  EXPECT_EQ(ContentHash(bytes), 0x28a9748ee8d3e50U);
}

TEST(Hash, CopiesOnTheWay) {
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{31}, size_t{1} << 20, (size_t{9} << 20) + 7}) {
    std::vector<std::byte> bytes(size + 1);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 5 + i / 253);
    std::vector<std::byte> copy(size + 1, std::byte{77});
    EXPECT_EQ(CopyAndHash({bytes.data(), size}, copy.data()), ContentHash({bytes.data(), size}));
    bytes[size] = std::byte{77};  // what lies behind is left alone
    EXPECT_EQ(copy, bytes) << size;
  }
}

TEST(Coding, FieldsRoundTripAndUnknownTagsAreSkippable) {
  RecordWriter inner;
  inner.Bytes(1, "abc");
  RecordWriter writer;
  writer.Unsigned(1, UINT64_MAX);
  writer.Signed(2, INT64_MIN);
  writer.Double(3, -0.5);
  writer.Record(4, inner);
  RecordReader reader(writer.bytes());
  int fields = 0;
  while (reader.Next()) {
    ++fields;
    if (reader.tag() == 1) {
      EXPECT_EQ(reader.Unsigned(), UINT64_MAX);
    }
    if (reader.tag() == 2) {
      EXPECT_EQ(reader.Signed(), INT64_MIN);
    }
    if (reader.tag() == 3) {
      EXPECT_EQ(reader.Double(), -0.5);
    }
    if (reader.tag() == 4) {
      EXPECT_EQ(reader.Bytes(), inner.bytes());
    }
  }
  EXPECT_TRUE(reader.status().ok());
  EXPECT_EQ(fields, 4);
}

TEST(Coding, EveryTruncationEndsCleanly) {
  RecordWriter writer;
  writer.Bytes(1, std::string(300, 'x'));
  writer.Unsigned(2, 1 << 20);
  for (size_t size = 0; size < writer.bytes().size(); ++size) {
    RecordReader reader(std::string_view(writer.bytes()).substr(0, size));
    int fields = 0;
    while (reader.Next()) ++fields;
    EXPECT_LT(fields, 2) << size;
  }
  const std::string ones(20, '\xff');
  RecordReader endless(ones);
  EXPECT_FALSE(endless.Next());
  EXPECT_FALSE(endless.status().ok());
}

}  // namespace
}  // namespace torch_tensorrt::core
