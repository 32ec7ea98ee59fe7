// Variants: the ways one kernel can run the same step, which only timing tells apart. The kernel's
// own choice (no attributes added) is not among them: it comes first, and wins ties.
#pragma once

#include <string_view>
#include <vector>

#include "core/device/cpu/isa.h"
#include "core/types/attributes.h"

namespace torch_tensorrt::core::tactics {

struct VariantQuery {
  std::string_view kernel;
  const Attributes& attributes;  // of the step
  Isa isa = Isa::kGeneric;
  int threads = 1;
  // Also variants that have won nowhere they were measured.
  bool exhaustive = false;
};

// Attributes to add to the step's own, in the order in which they are tried; empty when there is
// nothing to choose.
std::vector<Attributes> VariantsOf(const VariantQuery& query);

}  // namespace torch_tensorrt::core::tactics
