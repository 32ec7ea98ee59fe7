// Lowering: optimised network -> plan, before its steps are tuned.
#pragma once

#include "core/builder/builder.h"
#include "core/builder/constants.h"

namespace torch_tensorrt::core::builder {

struct Lowered {
  engine::Plan plan;
  PlanConstants constants;  // what the plan has no data of yet
};

// Tactics, views and constants for an optimised network. The network is consumed; `report` learns
// which tactics were chosen.
Result<Lowered> LowerToPlan(ir::Network network, const BuilderConfig& config, BuildReport* report);

}  // namespace torch_tensorrt::core::builder
