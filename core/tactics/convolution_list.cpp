#include "core/tactics/lists.h"

namespace torch_tensorrt::core::tactics {

std::span<const Tactic> ConvolutionTactics() {
  static constexpr Tactic kList[] = {{"ref", DescribeReference}};
  return kList;
}

}  // namespace torch_tensorrt::core::tactics
