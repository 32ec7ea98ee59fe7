#include "core/conversion/promote.h"

#include <algorithm>
#include <utility>

namespace torch_tensorrt::core::conversion {

DataType PromoteTypes(DataType a, DataType b) {
  if (a == b) return a;
  if (a == DataType::kBool) return b;
  if (b == DataType::kBool) return a;
  if (IsFloat(a) != IsFloat(b)) return IsFloat(a) ? a : b;
  if (IsFloat(a)) {
    if (a == DataType::kFloat64 || b == DataType::kFloat64) return DataType::kFloat64;
    return DataType::kFloat32;  // f16 with bf16, or either with f32
  }
  if (IsUnsigned(b)) std::swap(a, b);
  if (IsUnsigned(a)) return b == DataType::kInt8 ? DataType::kInt16 : b;
  return SizeOf(a) > SizeOf(b) ? a : b;
}

void ResultTypeState::Join(Slot* slot, DataType type) {
  slot->type = slot->set ? PromoteTypes(slot->type, type) : type;
  slot->set = true;
}

void ResultTypeState::AddTensor(DataType type, bool has_dims) {
  Join(has_dims ? &dims_ : &zero_, type);
}

void ResultTypeState::AddNumber(DataType type) { Join(&number_, type); }

ResultTypeState::Slot ResultTypeState::Combine(const Slot& higher, const Slot& lower) {
  if (!higher.set) return lower;
  if (!lower.set || IsFloat(higher.type)) return higher;
  if (higher.type == DataType::kBool || IsFloat(lower.type)) {
    return {true, PromoteTypes(higher.type, lower.type)};
  }
  return higher;
}

DataType ResultTypeState::Get() const { return Combine(dims_, Combine(zero_, number_)).type; }

}  // namespace torch_tensorrt::core::conversion
