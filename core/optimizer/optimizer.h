// The optimiser's entry: runs the pipeline of passes over a network.
//
// Re-entrant; a network belongs to one call at a time.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/ir/network.h"
#include "core/types/target.h"

namespace torch_tensorrt::core::optimizer {

struct OptimizeOptions {
  std::set<std::string> disabled;  // names of passes to skip
  Target target = Target::kCpu;
  bool verify = true;  // Network::Verify after each pass
  // Called after each pass that ran with its name and the network's text, when set.
  std::function<void(const std::string& pass, const std::string& text)> dump;
};

struct PassReport {
  std::string name;
  double seconds = 0;
  bool changed = false;
};

struct OptimizeReport {
  std::vector<PassReport> passes;
};

// InvalidArgument when a disabled name is no pass; Internal when a pass broke the network.
Result<OptimizeReport> Optimize(ir::Network* network, const OptimizeOptions& options);

struct PassInfo {
  std::string_view name;
  std::string_view doc;
};
// The passes in the order they run, each name once.
std::vector<PassInfo> ListPasses();

}  // namespace torch_tensorrt::core::optimizer
