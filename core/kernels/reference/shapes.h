// What the reference kernels of every target check and derive of shapes.
#pragma once

#include <span>
#include <string>

#include "core/types/sym_int.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels::reference {

// InvalidArgument unless `mode` is one of Pad's, there are two pads for each dim, and no dim is
// padded by more than the mode can take from it.
Status CheckPads(const TensorView& in, const Dims& pads, const std::string& mode);

// Position that padded position `i` of a dim of `size` takes its value from, or -1 for the fill
// value. REQUIRES: CheckPads found the pads valid.
int64_t PadSource(int64_t i, int64_t size, const std::string& mode);

// InvalidArgument unless NonZero found as many elements as it has room for.
Status CheckFound(int64_t found, int64_t count);

// Dims of index tensors broadcast together; InvalidArgument when they do not broadcast.
Result<Dims> JointDims(std::span<const TensorView> indices);

}  // namespace torch_tensorrt::core::kernels::reference
