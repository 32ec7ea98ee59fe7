#include "core/builder/timing_cache.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "core/util/coding.h"
#include "core/util/file.h"
#include "core/util/hash.h"

namespace torch_tensorrt::core::builder {
namespace {

constexpr char kMagic[8] = {'T', 'T', 'R', 'T', 'T', 'I', 'M', 'E'};
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 24;

enum Tag : uint32_t { kRecord = 1, kKey = 1, kChoice = 2, kTime = 3, kTableTime = 4 };

uint64_t HashOf(std::string_view bytes) {
  return ContentHash(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

Status Damaged(std::string_view what) { return DataLoss("[timing cache] ", what); }

Status ReadRecord(std::string_view bytes, TimingCache* cache) {
  RecordReader reader(bytes);
  std::string key;
  TimingRecord record;
  while (reader.Next()) {
    if (reader.tag() == kKey) key = reader.String();
    if (reader.tag() == kChoice) record.choice = reader.String();
    if (reader.tag() == kTime) record.microseconds = reader.Double();
    if (reader.tag() == kTableTime) record.table_microseconds = reader.Double();
  }
  TRT_RETURN_IF_ERROR(reader.status());
  if (key.empty() || !std::isfinite(record.microseconds) ||
      !std::isfinite(record.table_microseconds)) {
    return Damaged("malformed record");
  }
  cache->Put(key, std::move(record));
  return Status::Ok();
}

}  // namespace

const TimingRecord* TimingCache::Find(const std::string& key) const {
  auto it = records_.find(key);
  return it == records_.end() ? nullptr : &it->second;
}

void TimingCache::Put(const std::string& key, TimingRecord record) {
  if (records_.size() >= kMaxRecords && records_.find(key) == records_.end()) return;
  records_[key] = std::move(record);
}

void TimingCache::Merge(const TimingCache& other) {
  for (const auto& [key, record] : other.records_) {
    if (Find(key) == nullptr) Put(key, record);
  }
}

std::string TimingCache::Encode() const {
  RecordWriter records;
  for (const auto& [key, record] : records_) {
    RecordWriter one;
    one.Bytes(kKey, key);
    one.Bytes(kChoice, record.choice);
    one.Double(kTime, record.microseconds);
    one.Double(kTableTime, record.table_microseconds);
    records.Record(kRecord, one);
  }
  const uint64_t hash = HashOf(records.bytes());
  std::string out(kHeaderBytes, '\0');
  std::memcpy(out.data(), kMagic, sizeof(kMagic));
  std::memcpy(out.data() + 8, &kVersion, sizeof(kVersion));
  std::memcpy(out.data() + 16, &hash, sizeof(hash));
  return out + records.bytes();
}

Result<TimingCache> TimingCache::Decode(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return Damaged("wrong magic");
  }
  uint32_t version = 0;
  uint64_t hash = 0;
  std::memcpy(&version, bytes.data() + 8, sizeof(version));
  std::memcpy(&hash, bytes.data() + 16, sizeof(hash));
  bytes.remove_prefix(kHeaderBytes);
  if (version != kVersion) return Damaged("another version");
  if (hash != HashOf(bytes)) return Damaged("wrong hash");
  TimingCache cache;
  RecordReader reader(bytes);
  while (reader.Next()) {
    if (reader.tag() == kRecord) TRT_RETURN_IF_ERROR(ReadRecord(reader.Bytes(), &cache));
  }
  TRT_RETURN_IF_ERROR(reader.status());
  return cache;
}

TimingCache TimingCache::Load(const std::string& path) {
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return {};
  Result<TimingCache> cache = Decode(*bytes);
  return cache.ok() ? std::move(cache).value() : TimingCache();
}

Status TimingCache::Save(const std::string& path) const {
  TimingCache merged = Load(path);
  merged.Merge(*this);
  return WriteFileAtomically(path, merged.Encode());
}

}  // namespace torch_tensorrt::core::builder
