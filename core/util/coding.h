// Tagged binary records: the only byte coding of plan files. Little-endian.
//
// A record is a sequence of fields: varint (tag << 1 | kind), then a varint value (kind 0) or a
// varint length and bytes (kind 1). Tags are permanent; readers skip tags they do not know, so old
// readers read new files and new readers old ones. Reading is bounded: a length never exceeds the
// bytes left, and any malformed byte ends in DataLoss.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/util/status.h"

namespace torch_tensorrt::core {

class RecordWriter {
 public:
  void Unsigned(uint32_t tag, uint64_t value) {
    Varint(uint64_t{tag} << 1);
    Varint(value);
  }
  // Zigzag, so small negatives stay small.
  void Signed(uint32_t tag, int64_t value) {
    Unsigned(tag, (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void Double(uint32_t tag, double value) {
    char bytes[sizeof(value)];
    std::memcpy(bytes, &value, sizeof(value));
    Bytes(tag, std::string_view(bytes, sizeof(value)));
  }
  void Bytes(uint32_t tag, std::string_view bytes) {
    Varint((uint64_t{tag} << 1) | 1U);
    Varint(bytes.size());
    out_.append(bytes);
  }
  void Record(uint32_t tag, const RecordWriter& record) { Bytes(tag, record.out_); }
  const std::string& bytes() const { return out_; }

 private:
  void Varint(uint64_t value) {
    while (value >= 0x80U) {
      out_.push_back(static_cast<char>(value | 0x80U));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }
  std::string out_;
};

// Iterates the fields of a record: `while (reader.Next()) switch (reader.tag()) ...`, then check
// status().
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

  // Advances to the next field; false at the end or on malformed bytes.
  bool Next() {
    if (rest_.empty() || !status_.ok()) return false;
    uint64_t key = 0;
    uint64_t value = 0;
    if (!Varint(&key) || !Varint(&value) || (key >> 1) > UINT32_MAX) return Fail();
    tag_ = static_cast<uint32_t>(key >> 1);
    is_bytes_ = (key & 1U) != 0;
    if (!is_bytes_) {
      value_ = value;
      bytes_ = {};
      return true;
    }
    if (value > rest_.size()) return Fail();
    value_ = 0;
    bytes_ = rest_.substr(0, static_cast<size_t>(value));
    rest_.remove_prefix(static_cast<size_t>(value));
    return true;
  }

  uint32_t tag() const { return tag_; }
  bool is_bytes() const { return is_bytes_; }
  // 0 for a bytes field.
  uint64_t Unsigned() const { return value_; }
  int64_t Signed() const {
    return static_cast<int64_t>(value_ >> 1) ^ -static_cast<int64_t>(value_ & 1U);
  }
  // 0 unless the field holds eight bytes.
  double Double() const {
    double value = 0;
    if (bytes_.size() == sizeof(value)) std::memcpy(&value, bytes_.data(), sizeof(value));
    return value;
  }
  std::string_view Bytes() const { return bytes_; }
  std::string String() const { return std::string(bytes_); }
  const Status& status() const { return status_; }

 private:
  bool Fail() {
    status_ = DataLoss("[plan] malformed record");
    return false;
  }
  bool Varint(uint64_t* value) {
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) return false;
      *value |= static_cast<uint64_t>(byte & 0x7fU) << shift;
      if ((byte & 0x80U) == 0) return true;
    }
    return false;
  }

  std::string_view rest_;
  std::string_view bytes_;
  uint64_t value_ = 0;
  uint32_t tag_ = 0;
  bool is_bytes_ = false;
  Status status_;
};

}  // namespace torch_tensorrt::core
