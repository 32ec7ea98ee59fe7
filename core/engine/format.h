// The plan file, format 2. Data only: no code, no paths, no pickles. Documented byte by byte in
// docsrc/contributors/plan_format.rst.
//
//   header (64 bytes)   magic "TTRTPLAN", u32 version, u32 section count, u64 file size,
//                       u64 hash of the section table, zeros
//   section table       per section 32 bytes: u32 tag, u32 flags (bit 0: required), u64 offset,
//                       u64 size, u64 content hash
//   sections            at 64-byte aligned offsets: kMeta (tagged records, core/util/coding.h),
//                       kData (constants, each 64-byte aligned)
//
// All integers little-endian. A reader refuses: a wrong magic, a newer version, a size that differs
// from the file's, sections out of bounds or overlapping, a hash mismatch, an unknown required
// section. It allocates nothing in proportion to unverified numbers.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/engine/plan.h"

namespace torch_tensorrt::core::engine {

inline constexpr char kPlanMagic[8] = {'T', 'T', 'R', 'T', 'P', 'L', 'A', 'N'};
inline constexpr uint32_t kPlanVersion = 2;
// What a plan without computed sizes is written as: builds that know no others read it.
inline constexpr uint32_t kPlainPlanVersion = 1;
inline constexpr size_t kPlanAlignment = 64;

enum class SectionTag : uint32_t { kMeta = 1, kData = 2 };

// A plan laid out for writing: call size(), provide memory, WriteTo. Keeps a reference to the plan.
class PlanEncoder {
 public:
  explicit PlanEncoder(const Plan& plan);
  size_t size() const { return size_; }
  // Writes size() bytes.
  void WriteTo(std::byte* out) const;

 private:
  const Plan& plan_;
  std::string meta_;
  std::vector<size_t> constant_offsets_;  // in the data section
  size_t data_offset_ = 0;
  size_t data_size_ = 0;
  size_t size_ = 0;
};

// Decodes and verifies a plan. Constants point into `bytes`, kept alive by `owner`, when `bytes` is
// 64-byte aligned; else they are copied.
Result<Plan> DecodePlan(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

// Meta section coding, used by PlanEncoder and DecodePlan.
std::string EncodeMeta(const Plan& plan, const std::vector<size_t>& constant_offsets);
Result<Plan> DecodeMeta(std::string_view meta, std::span<const std::byte> data,
                        const std::shared_ptr<const void>& owner);

// Attribute coding: one record per attribute.
std::string EncodeAttributes(const Attributes& attributes);
Result<Attributes> DecodeAttributes(std::string_view bytes);

}  // namespace torch_tensorrt::core::engine
