#include "core/engine/format.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/util/aligned_memory.h"
#include "core/util/hash.h"

namespace torch_tensorrt::core::engine {
namespace {

constexpr size_t kHeaderBytes = 64;
constexpr size_t kEntryBytes = 32;
constexpr uint32_t kMaxSections = 64;
constexpr uint32_t kRequired = 1;

struct Section {
  uint32_t tag = 0;
  uint32_t flags = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t hash = 0;
};
static_assert(sizeof(Section) == kEntryBytes);

size_t Align(size_t n) { return (n + kPlanAlignment - 1) & ~(kPlanAlignment - 1); }

template <typename T>
void Put(std::byte* out, size_t offset, T value) {
  std::memcpy(out + offset, &value, sizeof(value));
}
template <typename T>
T Load(std::span<const std::byte> bytes, size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

Status Corrupt(std::string_view what) {
  return DataLoss("[plan file] ", what,
                  "; the file is damaged or no engine file: build and save the engine again");
}

// The section table; the sections lie inside the file, in order, and are of kinds that may be left
// out. Their contents are not looked at.
Result<std::vector<Section>> ReadSections(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes ||
      std::memcmp(bytes.data(), kPlanMagic, sizeof(kPlanMagic)) != 0) {
    return Corrupt("no engine plan (wrong magic)");
  }
  const auto version = Load<uint32_t>(bytes, 8);
  if (version < kPlainPlanVersion || version > kPlanVersion) {
    return DataLoss("[plan file] format version ", version, ", this build reads versions ",
                    kPlainPlanVersion, " to ", kPlanVersion,
                    "; rebuild the engine or update torch_tensorrt");
  }
  const auto count = Load<uint32_t>(bytes, 12);
  if (Load<uint64_t>(bytes, 16) != bytes.size()) return Corrupt("truncated or extended");
  if (count > kMaxSections || kHeaderBytes + count * kEntryBytes > bytes.size()) {
    return Corrupt("bad section table");
  }
  const auto table = bytes.subspan(kHeaderBytes, count * kEntryBytes);
  if (ContentHash(table) != Load<uint64_t>(bytes, 24)) return Corrupt("section table hash");
  std::vector<Section> sections(count);
  if (count > 0) std::memcpy(sections.data(), table.data(), table.size());
  size_t end = kHeaderBytes + table.size();
  for (const Section& section : sections) {
    if (section.offset < end || section.offset % kPlanAlignment != 0 ||
        section.offset > bytes.size() || section.size > bytes.size() - section.offset) {
      return Corrupt("section out of bounds");
    }
    end = section.offset + section.size;
    const bool known = section.tag == static_cast<uint32_t>(SectionTag::kMeta) ||
                       section.tag == static_cast<uint32_t>(SectionTag::kData);
    if (!known && (section.flags & kRequired) != 0) {
      return DataLoss("[plan file] needs section ", section.tag, " of a newer version");
    }
  }
  return sections;
}

// Aligned memory of `size` bytes, kept by `owner`.
Result<std::byte*> AllocateCopy(size_t size, std::shared_ptr<const void>* owner) {
  void* memory = AllocateAligned(size);
  if (memory == nullptr) return ResourceExhausted("[plan file] no memory for ", size, " bytes");
  owner->reset(memory, [](void* p) { FreeAligned(p); });
  return static_cast<std::byte*>(memory);
}

}  // namespace

PlanEncoder::PlanEncoder(const Plan& plan) : plan_(plan) {
  for (const PlanConstant& constant : plan.constants) {
    constant_offsets_.push_back(data_size_);
    data_size_ = Align(data_size_ + constant.bytes());
  }
  meta_ = EncodeMeta(plan, constant_offsets_);
  data_offset_ = Align(Align(kHeaderBytes + 2 * kEntryBytes) + meta_.size());
  size_ = data_offset_ + data_size_;
}

void PlanEncoder::WriteTo(std::byte* out) const {
  const size_t meta_offset = Align(kHeaderBytes + 2 * kEntryBytes);
  std::memset(out, 0, meta_offset);
  std::memcpy(out + meta_offset, meta_.data(), meta_.size());
  std::memset(out + meta_offset + meta_.size(), 0, data_offset_ - meta_offset - meta_.size());
  std::byte* data = out + data_offset_;
  for (size_t i = 0; i < plan_.constants.size(); ++i) {
    const size_t begin = constant_offsets_[i];
    const size_t bytes = plan_.constants[i].bytes();
    const size_t next = i + 1 < constant_offsets_.size() ? constant_offsets_[i + 1] : data_size_;
    if (bytes > 0) std::memcpy(data + begin, plan_.constants[i].data.get(), bytes);
    std::memset(data + begin + bytes, 0, next - begin - bytes);
  }
  const Section sections[2] = {{static_cast<uint32_t>(SectionTag::kMeta), kRequired, meta_offset,
                                meta_.size(), ContentHash({out + meta_offset, meta_.size()})},
                               {static_cast<uint32_t>(SectionTag::kData), kRequired, data_offset_,
                                data_size_, ContentHash({data, data_size_})}};
  const bool computes_sizes =
      std::any_of(plan_.symbols.begin(), plan_.symbols.end(),
                  [](const PlanSymbol& symbol) { return symbol.source >= 0; });
  std::memcpy(out + kHeaderBytes, sections, sizeof(sections));
  std::memcpy(out, kPlanMagic, sizeof(kPlanMagic));
  Put<uint32_t>(out, 8, computes_sizes ? kPlanVersion : kPlainPlanVersion);
  Put<uint32_t>(out, 12, 2);
  Put<uint64_t>(out, 16, size_);
  Put<uint64_t>(out, 24, ContentHash({out + kHeaderBytes, sizeof(sections)}));
}

Result<Plan> DecodePlan(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  TRT_ASSIGN_OR_RETURN(const std::vector<Section> sections, ReadSections(bytes));
  const std::shared_ptr<const void> source = owner;  // of `bytes`, until all is read
  const bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % kPlanAlignment == 0;
  std::optional<std::string_view> meta;
  std::span<const std::byte> data;
  for (const Section& section : sections) {
    const auto content = bytes.subspan(section.offset, section.size);
    const bool is_data = section.tag == static_cast<uint32_t>(SectionTag::kData);
    uint64_t hash = 0;
    if (is_data && !aligned) {
      TRT_ASSIGN_OR_RETURN(std::byte* const copy, AllocateCopy(content.size(), &owner));
      hash = CopyAndHash(content, copy);
      data = {copy, content.size()};
    } else {
      hash = ContentHash(content);
      if (is_data) data = content;
    }
    if (hash != section.hash) return Corrupt("section hash");
    if (section.tag == static_cast<uint32_t>(SectionTag::kMeta)) {
      meta.emplace(reinterpret_cast<const char*>(content.data()), content.size());
    }
  }
  if (!meta.has_value()) return Corrupt("no section that describes the engine");
  TRT_ASSIGN_OR_RETURN(Plan plan, DecodeMeta(*meta, data, owner));
  TRT_RETURN_IF_ERROR(VerifyPlan(plan));
  return plan;
}

}  // namespace torch_tensorrt::core::engine
