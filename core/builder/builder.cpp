#include "core/builder/builder.h"

#include <chrono>

namespace torch_tensorrt::core::builder {
namespace {

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

}  // namespace

Result<BuildResult> Build(ir::Network network, const BuilderConfig& config) {
  TRT_RETURN_IF_ERROR(network.Verify());
  BuildResult result;
  const auto optimize_start = std::chrono::steady_clock::now();
  result.report.optimize_seconds = Seconds(optimize_start);
  const auto lower_start = std::chrono::steady_clock::now();
  TRT_ASSIGN_OR_RETURN(result.plan, LowerToPlan(network, config, &result.report));
  result.report.lower_seconds = Seconds(lower_start);
  return result;
}

}  // namespace torch_tensorrt::core::builder
