// Opening plan files on disk. (Writing is one write of PlanEncoder's bytes; who writes decides how
// the file gets its name.)
#pragma once

#include <string>

#include "core/engine/plan.h"

namespace torch_tensorrt::core::engine {

// Maps the file, decodes and verifies it. The plan's constants lie in the mapping, which processes
// that open the same file share: nothing is copied. The file may be replaced or removed afterwards
// but must not be written to. DataLoss: the file is damaged or no plan. DeviceError: the system
// cannot open or map it.
Result<Plan> OpenPlanFile(const std::string& path);

}  // namespace torch_tensorrt::core::engine
