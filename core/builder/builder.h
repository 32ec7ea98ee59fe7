// Builder: network -> plan. Optimises, decides which tensors are views, chooses a tactic per layer,
// packs weights.
//
// Re-entrant: any number of builds may run at once. The network is consumed.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/engine/plan.h"
#include "core/ir/network.h"
#include "core/types/target.h"

namespace torch_tensorrt::core::builder {

struct BuilderConfig {
  std::string name = "engine";
  Target target = Target::kCpu;
  // 0: no optimiser passes but those needed to run; 1..5: all passes. Tuning by timing starts at 3.
  int optimization_level = 3;
  std::set<std::string> disabled_passes;
  // Tactic names never to use; "reference_only" leaves just the reference kernels.
  std::set<std::string> disabled_tactics;
  bool reference_only = false;
  int timing_iterations = 1;      // runs averaged per timing
  std::string timing_cache_path;  // file of the TimingCache; empty: none is read or written
  // Sizes of symbols for which the plan is tuned beside their opt, one map an optimisation profile.
  std::vector<std::map<std::string, int64_t>> points;
  std::map<std::string, std::string> metadata;  // copied into the plan
  // Called with a phase name and the network's text after each pass, when set.
  std::function<void(const std::string&, const std::string&)> dump;
};

struct TacticChoice {
  std::string layer;
  std::string kind;
  std::string tactic;
  std::vector<std::string> refused;  // "name: reason" of faster tactics that refused
};

// A step whose variants were timed, in this build or an earlier one.
struct TunedStep {
  std::string layer;
  std::string kernel;
  std::string choice;  // attributes added; empty: the table's choice
  double microseconds = 0;
  double table_microseconds = 0;
  bool cached = false;
};

struct BuildReport {
  double optimize_seconds = 0;
  double lower_seconds = 0;  // tactics, views and packing for good
  double tune_seconds = 0;
  std::vector<TunedStep> tuned;
  std::vector<std::pair<std::string, double>> passes;
  std::vector<TacticChoice> choices;
  size_t packed_bytes = 0;  // memory the build allocated for constants
};

struct BuildResult {
  engine::Plan plan;
  BuildReport report;
};

Result<BuildResult> Build(ir::Network network, const BuilderConfig& config);

}  // namespace torch_tensorrt::core::builder
