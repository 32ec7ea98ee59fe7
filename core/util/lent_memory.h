// Memory that core reads and does not own: somebody else may write to it or free it.
#pragma once

#include <memory>

#include "core/util/status.h"

namespace torch_tensorrt::core {

// Whoever owns it, as core sees them. Thread-safe.
class Lender {
 public:
  Lender() = default;
  Lender(const Lender&) = delete;
  Lender& operator=(const Lender&) = delete;
  virtual ~Lender() = default;

  // OK while the memory is there and, as far as is looked, holds what it held when it was lent;
  // else DataLoss that names it and the way out. Costs a few compares: asked before every run.
  virtual Status Check() const = 0;
  // Whether Check notices that part of the memory was written to.
  virtual bool sees_writes() const = 0;
};

// `data` of the lender, who is kept as long as it is used.
std::shared_ptr<const void> Lend(std::shared_ptr<const Lender> lender, const void* data);
// Who lent `data`, or the memory that it points into; null for memory of our own. Lives as long as
// `data`.
const Lender* LenderOf(const std::shared_ptr<const void>& data);

}  // namespace torch_tensorrt::core
