// Status to Python exceptions: StatusError and one subclass a code, each with the attribute `code`.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "core/util/status.h"

namespace torch_tensorrt::python {

// Carries a Status to the translator that BindErrors registers.
class StatusException : public std::exception {
 public:
  explicit StatusException(core::Status status) : status_(std::move(status)) {}
  const char* what() const noexcept override { return status_.message().c_str(); }
  const core::Status& status() const { return status_; }

 private:
  core::Status status_;
};

inline void Check(const core::Status& status) {
  if (!status.ok()) throw StatusException(status);
}

template <typename T>
T Unwrap(core::Result<T> result) {
  Check(result.status());
  return std::move(result).value();
}

}  // namespace torch_tensorrt::python
