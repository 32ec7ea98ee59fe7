#include "core/kernels/reference/shapes.h"

#include <algorithm>

#include "core/kernels/reference/strided.h"

namespace torch_tensorrt::core::kernels::reference {

Status CheckPads(const TensorView& in, const Dims& pads, const std::string& mode) {
  if (mode != "constant" && mode != "reflect" && mode != "replicate" && mode != "circular") {
    return InvalidArgument("[Pad] unknown mode '", mode, "'");
  }
  if (pads.size() != 2 * At(in.rank)) {
    return InvalidArgument("[Pad] ", pads.size(), " pads for a tensor of rank ", in.rank);
  }
  for (int d = 0; d < in.rank && mode != "constant"; ++d) {
    const int64_t most = std::max(pads[At(d)], pads[At(d + in.rank)]);
    const int64_t size = in.dims[At(d)];
    const int64_t limit = mode == "reflect" ? size - 1 : (mode == "circular" ? size : INT64_MAX);
    if (most > 0 && (most > limit || size == 0)) {
      return InvalidArgument("[Pad] ", mode, " by ", most, " of dim ", d, " of size ", size);
    }
  }
  return Status::Ok();
}

int64_t PadSource(int64_t i, int64_t size, const std::string& mode) {
  if (i >= 0 && i < size) return i;
  if (mode == "replicate") return i < 0 ? 0 : size - 1;
  if (mode == "reflect") return i < 0 ? -i : 2 * (size - 1) - i;
  if (mode == "circular") return ((i % size) + size) % size;
  return -1;
}

Result<Dims> JointDims(std::span<const TensorView> indices) {
  Dims joint;
  for (const TensorView& v : indices) {
    const size_t rank = At(v.rank);
    if (rank > joint.size()) joint.insert(joint.begin(), rank - joint.size(), 1);
    for (size_t d = 0; d < rank; ++d) {
      int64_t& size = joint[joint.size() - rank + d];
      if (size != 1 && v.dims[d] != 1 && v.dims[d] != size) {
        return InvalidArgument("[Index] index sizes ", size, " and ", v.dims[d],
                               " do not broadcast");
      }
      if (size == 1) size = v.dims[d];
    }
  }
  return joint;
}

Status CheckFound(int64_t found, int64_t count) {
  if (found == count) return Status::Ok();
  return InvalidArgument("[NonZero] ", found, " elements are not zero, where the program states ",
                         count);
}

}  // namespace torch_tensorrt::core::kernels::reference
