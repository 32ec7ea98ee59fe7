// Reading plan files from disk. (Writing is one write of PlanEncoder's bytes; who writes decides
// how the file gets its name.)
#pragma once

#include <string>

#include "core/engine/plan.h"

namespace torch_tensorrt::core::engine {

// Reads the whole file, on all threads, into memory as AllocateAligned gives it, decodes and
// verifies it. The plan's constants keep that memory; the file may change or go afterwards.
// DataLoss: the file is damaged or no plan. DeviceError: the system cannot open or read it.
Result<Plan> ReadPlanFile(const std::string& path);

}  // namespace torch_tensorrt::core::engine
