// Status and Result<T>: how core reports failure. Core never throws, prints or aborts.
//
// A Status is OK or carries a code of a closed set and a message "[where] what: values".
// An OK Status costs one null pointer. Both types are value types, safe to copy between threads.
#pragma once

#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace torch_tensorrt::core {

enum class StatusCode {
  kOk = 0,
  kInvalidArgument,    // the caller's input is wrong (dtype, rank, shape, option)
  kUnsupported,        // legal input that this build cannot do; the message says why
  kOutOfRange,         // a shape outside the range declared at build time
  kResourceExhausted,  // memory or a configured limit
  kDataLoss,           // a plan or cache file is corrupt or foreign
  kDeviceError,        // a device library reported an error
  kInternal,           // our bug
};

// Name of a code as users see it, e.g. "Unsupported".
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, std::string message);

  static Status Ok() { return Status(); }
  bool ok() const { return rep_ == nullptr; }
  StatusCode code() const { return rep_ ? rep_->code : StatusCode::kOk; }
  // Empty for OK.
  const std::string& message() const;
  // "Unsupported: [softmax] ..." ; "OK" for OK.
  std::string ToString() const;

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

// Concatenates its arguments with operator<< ; the one way messages are built.
template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  std::ostringstream out;
  ((out << parts), ...);
  return out.str();
}

template <typename... Parts>
Status InvalidArgument(const Parts&... parts) {
  return Status(StatusCode::kInvalidArgument, StrCat(parts...));
}
template <typename... Parts>
Status Unsupported(const Parts&... parts) {
  return Status(StatusCode::kUnsupported, StrCat(parts...));
}
template <typename... Parts>
Status OutOfRange(const Parts&... parts) {
  return Status(StatusCode::kOutOfRange, StrCat(parts...));
}
template <typename... Parts>
Status ResourceExhausted(const Parts&... parts) {
  return Status(StatusCode::kResourceExhausted, StrCat(parts...));
}
template <typename... Parts>
Status DataLoss(const Parts&... parts) {
  return Status(StatusCode::kDataLoss, StrCat(parts...));
}
template <typename... Parts>
Status DeviceError(const Parts&... parts) {
  return Status(StatusCode::kDeviceError, StrCat(parts...));
}
template <typename... Parts>
Status InternalError(const Parts&... parts) {
  return Status(StatusCode::kInternal, StrCat(parts...));
}

// A value or a non-OK Status.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    if (status_.ok()) status_ = InternalError("[Result] built from an OK status without a value");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  // REQUIRES: ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace torch_tensorrt::core

// Returns from the enclosing function when `expr` (a Status) is not OK.
#define TRT_RETURN_IF_ERROR(expr)                        \
  do {                                                   \
    ::torch_tensorrt::core::Status trt_status_ = (expr); \
    if (!trt_status_.ok()) return trt_status_;           \
  } while (false)

#define TRT_CONCAT_INNER_(a, b) a##b
#define TRT_CONCAT_(a, b) TRT_CONCAT_INNER_(a, b)
// `TRT_ASSIGN_OR_RETURN(auto x, F());` declares x from a Result or returns its status.
#define TRT_ASSIGN_OR_RETURN(lhs, expr) \
  TRT_ASSIGN_OR_RETURN_IMPL_(TRT_CONCAT_(trt_result_, __LINE__), lhs, expr)
#define TRT_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr) \
  auto result = (expr);                               \
  if (!result.ok()) return result.status();           \
  lhs = std::move(result).value()
