// PyTorch's type promotion.
#pragma once

#include "core/types/data_type.h"

namespace torch_tensorrt::core::conversion {

// torch.promote_types.
DataType PromoteTypes(DataType a, DataType b);

// torch.result_type over operands added one by one: tensors with dims decide, then tensors without,
// then Python numbers, unless a later one is of a higher category (bool < integer < float).
class ResultTypeState {
 public:
  void AddTensor(DataType type, bool has_dims);
  // A Python number: bool, i64 for integers, f32 (the default float type) for floats.
  void AddNumber(DataType type);
  // REQUIRES: something was added.
  DataType Get() const;

 private:
  struct Slot {
    bool set = false;
    DataType type = DataType::kBool;
  };
  static void Join(Slot* slot, DataType type);
  static Slot Combine(const Slot& higher, const Slot& lower);

  Slot dims_;
  Slot zero_;
  Slot number_;
};

}  // namespace torch_tensorrt::core::conversion
