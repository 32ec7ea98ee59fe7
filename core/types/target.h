// Target: the kind of device an engine runs on.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace torch_tensorrt::core {

// Values are stored in plan files: append only.
enum class Target : uint8_t { kCpu = 0, kCuda = 1 };
inline constexpr int kTargetCount = 2;

// "cpu", "cuda".
constexpr std::string_view TargetName(Target target) {
  return target == Target::kCuda ? "cuda" : "cpu";
}

constexpr std::optional<Target> ParseTarget(std::string_view name) {
  if (name == "cpu") return Target::kCpu;
  if (name == "cuda") return Target::kCuda;
  return std::nullopt;
}

}  // namespace torch_tensorrt::core
