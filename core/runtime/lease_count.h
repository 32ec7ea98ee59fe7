// LeaseCount: how many contexts of one engine were in use at once lately (internal to
// core/runtime).
//
// Plain values; the owner locks.
#pragma once

#include <algorithm>
#include <cstdint>

namespace torch_tensorrt::core::runtime {

class LeaseCount {
 public:
  // A context unused for between one and two windows of calls is not worth its memory.
  static constexpr int64_t kWindow = 256;

  void Take() {
    if (++calls_ == kWindow) {
      calls_ = 0;
      last_peak_ = peak_;
      peak_ = in_use_;
    }
    peak_ = std::max(peak_, ++in_use_);
  }
  void GiveBack() { --in_use_; }

  int64_t in_use() const { return in_use_; }
  // Most in use at once in this window and the one before.
  int64_t RecentPeak() const { return std::max(peak_, last_peak_); }

 private:
  int64_t in_use_ = 0;
  int64_t peak_ = 0;
  int64_t last_peak_ = 0;
  int64_t calls_ = 0;  // in this window
};

}  // namespace torch_tensorrt::core::runtime
