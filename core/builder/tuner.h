// Tuner: chooses among the variants of a plan's steps (core/tactics/variants.h) by timing them on
// this machine at the optimisation points, inside a time budget, and remembers what won. With
// several points a choice has to win over them together, each weighing the same.
//
// With a TimingCache that knows every problem of the plan nothing is timed: the same cache gives
// the same plan. Re-entrant; builds that tune at the same time disturb each other's timings.
#pragma once

#include <string>
#include <vector>

#include "core/builder/lower_to_plan.h"
#include "core/builder/timing_cache.h"

namespace torch_tensorrt::core::builder {

// What an optimisation level spends.
struct TuneLimits {
  double budget_seconds = 0;  // for the whole plan; 0: no timing
  double least_seconds = 0;   // steps faster than this keep the table's choice
  int repeats = 0;            // timings per variant, of which the median counts
  bool exhaustive = false;    // try variants that have won nowhere, too
};
TuneLimits LimitsOf(int optimization_level);

// Index of the variant to take, from seconds by variant and round; the table's choice is variant 0.
// Another one must be 3 % faster than it in three rounds of four, so that noise does not overturn
// the table's order; of those the first within 3 % of the fastest median. REQUIRES: not empty, and
// as many rounds for each.
size_t PickVariant(const std::vector<std::vector<double>>& seconds);

// The TimingCache's key of a step that StepBench describes as `text`, on this machine.
std::string TuningKey(const std::string& text);

// Sets the attributes of winners in the plan's steps. Constants are made for the steps that are
// timed, and dropped. Reads and writes the file
// config.timing_cache_path, if there is something to choose. What cannot be timed keeps the table's
// choice; a cache file that cannot be written is no error.
Status Tune(Lowered* lowered, const BuilderConfig& config, BuildReport* report);

}  // namespace torch_tensorrt::core::builder
