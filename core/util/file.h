// Small files, whole. Thread-safe; safe with several processes.
#pragma once

#include <string>
#include <string_view>

#include "core/util/status.h"

namespace torch_tensorrt::core {

// DeviceError when the system cannot open or read it.
Result<std::string> ReadFile(const std::string& path);

// Makes the folders above `path` (for this user only), writes a scratch file beside it, syncs and
// renames: afterwards `path` holds all of `bytes` or what it held before. DeviceError when the
// system cannot.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);

}  // namespace torch_tensorrt::core
