#include "core/types/pointwise_op.h"

#include <array>
#include <cstddef>

namespace torch_tensorrt::core {
namespace {
constexpr std::array<PointwiseOpInfo, kPointwiseOpCount> kInfo = {{
#define TRT_ROW(name, arity, result, commutative) {#name, arity, ResultType::result, commutative},
    TRT_POINTWISE_OPS(TRT_ROW)
#undef TRT_ROW
}};
}  // namespace

const PointwiseOpInfo& InfoOf(PointwiseOp op) { return kInfo[static_cast<size_t>(op)]; }

std::optional<PointwiseOp> ParsePointwiseOp(std::string_view name) {
  for (size_t i = 0; i < kInfo.size(); ++i) {
    if (kInfo[i].name == name) return static_cast<PointwiseOp>(i);
  }
  return std::nullopt;
}

}  // namespace torch_tensorrt::core
