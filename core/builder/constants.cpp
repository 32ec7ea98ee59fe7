#include "core/builder/constants.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/util/lent_memory.h"

namespace torch_tensorrt::core::builder {
namespace {

// Making smaller constants twice costs more than keeping them.
constexpr size_t kDeferredBytes = size_t{256} << 10;
// Lent weights of this size and more stay where they are: copies of all would double the peak of a
// build.
constexpr size_t kSharedBytes = size_t{1} << 20;

// Copies what is lent, unless it is large and watched; the bytes that took.
size_t Own(engine::PlanConstant* constant) {
  const Lender* lender = LenderOf(constant->data);
  if (lender == nullptr) return 0;
  if (constant->bytes() >= kSharedBytes && lender->sees_writes()) return 0;
  const ir::NewWeights own = ir::AllocateWeights(constant->dtype, constant->dims);
  if (constant->bytes() > 0) std::memcpy(own.data, constant->data.get(), constant->bytes());
  constant->data = own.weights.data;
  return constant->bytes();
}

}  // namespace

int32_t PlanConstants::Add(engine::Plan* plan, const ir::Weights& weights) {
  const size_t index = plan->constants.size();
  const bool deferred = weights.recipe != nullptr;
  if (deferred) allocated_ += weights.bytes();
  if (deferred && weights.bytes() >= kDeferredBytes) {
    deferred_.emplace(index, weights);
    plan->constants.push_back({weights.dtype, weights.dims, nullptr});
  } else {
    plan->constants.push_back({weights.dtype, weights.dims, weights.Made().data});
  }
  return static_cast<int32_t>(index);
}

template <typename Visit>
void PlanConstants::ForEachDeferred(engine::Plan* plan, const engine::PlanStep& step,
                                    const Visit& visit) const {
  for (const int32_t input : step.inputs) {
    const engine::PlanTensor* tensor = &plan->tensors[static_cast<size_t>(input)];
    if (tensor->location == engine::Location::kView) {
      tensor = &plan->tensors[static_cast<size_t>(tensor->index)];
    }
    if (tensor->location != engine::Location::kConstant) continue;
    const auto found = deferred_.find(static_cast<size_t>(tensor->index));
    if (found != deferred_.end()) visit(found->second, &plan->constants[found->first]);
  }
}

void PlanConstants::Make(engine::Plan* plan, const engine::PlanStep& step) const {
  ForEachDeferred(plan, step, [](const ir::Weights& weights, engine::PlanConstant* constant) {
    if (constant->data == nullptr) constant->data = weights.Made().data;
  });
}

void PlanConstants::Drop(engine::Plan* plan, const engine::PlanStep& step) const {
  ForEachDeferred(plan, step, [](const ir::Weights& /*weights*/, engine::PlanConstant* constant) {
    constant->data = nullptr;
  });
}

size_t PlanConstants::Finish(engine::Plan* plan) {
  std::vector<size_t> order;
  for (const auto& [index, weights] : deferred_) order.push_back(index);
  // What making one takes beside its result then finds the most of the plan still unmade.
  std::stable_sort(order.begin(), order.end(), [plan](size_t a, size_t b) {
    return plan->constants[a].bytes() > plan->constants[b].bytes();
  });
  for (const size_t index : order) {
    plan->constants[index].data = deferred_.at(index).Made().data;
    deferred_.erase(index);  // and what only this recipe keeps
  }
  for (engine::PlanConstant& constant : plan->constants) allocated_ += Own(&constant);
  return allocated_;
}

}  // namespace torch_tensorrt::core::builder
