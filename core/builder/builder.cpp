#include "core/builder/builder.h"

#include <chrono>
#include <utility>

#include "core/builder/lower_to_plan.h"
#include "core/builder/tuner.h"
#include "core/optimizer/optimizer.h"

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
  optimizer::OptimizeOptions options;
  options.disabled = config.disabled_passes;
  options.target = config.target;
  options.dump = config.dump;
  if (config.optimization_level == 0) {
    for (const optimizer::PassInfo& pass : optimizer::ListPasses()) {
      options.disabled.insert(std::string(pass.name));
    }
  }
  TRT_ASSIGN_OR_RETURN(const optimizer::OptimizeReport optimized,
                       optimizer::Optimize(&network, options));
  for (const optimizer::PassReport& pass : optimized.passes) {
    result.report.passes.emplace_back(pass.name, pass.seconds);
  }
  result.report.optimize_seconds = Seconds(optimize_start);
  const auto lower_start = std::chrono::steady_clock::now();
  TRT_ASSIGN_OR_RETURN(Lowered lowered, LowerToPlan(std::move(network), config, &result.report));
  result.report.lower_seconds = Seconds(lower_start);
  const auto tune_start = std::chrono::steady_clock::now();
  TRT_RETURN_IF_ERROR(Tune(&lowered, config, &result.report));
  result.report.tune_seconds = Seconds(tune_start);
  const auto pack_start = std::chrono::steady_clock::now();
  result.report.packed_bytes = lowered.constants.Finish(&lowered.plan);
  result.report.lower_seconds += Seconds(pack_start);
  result.plan = std::move(lowered.plan);
  return result;
}

}  // namespace torch_tensorrt::core::builder
