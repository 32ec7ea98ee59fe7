// TimingCache: what tuning has measured, so that the same problem is timed once per machine.
//
// A key is text that names everything a timing depends on (see TuningKey in tuner.cpp); a record is
// the variant that won. Value type, no locks: each build works on its own copy and Save merges.
//
// File: magic "TTRTTIME", u32 version, u32 zero, u64 hash of the rest; then tagged records
// (core/util/coding.h), one field 1 per entry holding 1: key, 2: choice, 3: microseconds of the
// choice, 4: microseconds of the table's choice. A file that is damaged, or of another version,
// reads as empty: it costs time, never a wrong engine.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/util/status.h"

namespace torch_tensorrt::core::builder {

struct TimingRecord {
  std::string choice;             // text of the variant's attributes; empty: the table's choice
  double microseconds = 0;        // of the choice
  double table_microseconds = 0;  // of the table's choice
  bool operator==(const TimingRecord&) const = default;
};

class TimingCache {
 public:
  static constexpr size_t kMaxRecords = 1 << 16;

  // Null when the key is unknown.
  const TimingRecord* Find(const std::string& key) const;
  // Replaces the record of this key. A full cache takes no new keys.
  void Put(const std::string& key, TimingRecord record);
  // Takes the records of keys that this one lacks.
  void Merge(const TimingCache& other);
  size_t size() const { return records_.size(); }

  std::string Encode() const;
  // DataLoss when the bytes are damaged.
  static Result<TimingCache> Decode(std::string_view bytes);

  // The cache in this file; empty when there is none or it cannot be used.
  static TimingCache Load(const std::string& path);
  // Writes this cache and what the file holds by now. Where both know a key the file's record
  // stays, so that all processes come to the same engine.
  Status Save(const std::string& path) const;

 private:
  std::map<std::string, TimingRecord> records_;
};

}  // namespace torch_tensorrt::core::builder
