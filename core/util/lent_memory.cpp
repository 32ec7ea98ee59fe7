#include "core/util/lent_memory.h"

namespace torch_tensorrt::core {
namespace {

// Is asked for by its type, which pointers into the same memory share: whatever passes do with
// weights, those that were not copied stay known as lent.
struct GiveBack {
  std::shared_ptr<const Lender> lender;
  void operator()(const void* /*data*/) const {}
};

}  // namespace

std::shared_ptr<const void> Lend(std::shared_ptr<const Lender> lender, const void* data) {
  return {data, GiveBack{std::move(lender)}};
}

const Lender* LenderOf(const std::shared_ptr<const void>& data) {
  const GiveBack* held = std::get_deleter<GiveBack>(data);
  return held == nullptr ? nullptr : held->lender.get();
}

}  // namespace torch_tensorrt::core
