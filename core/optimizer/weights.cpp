#include "core/optimizer/weights.h"

#include <cstring>

#include "core/types/half.h"

namespace torch_tensorrt::core::optimizer {

std::vector<double> ToDoubles(const ir::Weights& weights) {
  const auto count = static_cast<size_t>(NumElements(weights.dims));
  std::vector<double> out(count);
  for (size_t i = 0; i < count; ++i) {
    if (weights.dtype == DataType::kFloat32) out[i] = static_cast<double>(weights.as<float>()[i]);
    if (weights.dtype == DataType::kFloat64) out[i] = weights.as<double>()[i];
    if (weights.dtype == DataType::kFloat16) {
      out[i] = static_cast<double>(Float16ToFloat(weights.as<uint16_t>()[i]));
    }
    if (weights.dtype == DataType::kBFloat16) {
      out[i] = static_cast<double>(BFloat16ToFloat(weights.as<uint16_t>()[i]));
    }
  }
  return out;
}

ir::Weights FromDoubles(const std::vector<double>& values, DataType dtype, const Dims& dims) {
  ir::NewWeights fresh = ir::AllocateWeights(dtype, dims);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto single = static_cast<float>(values[i]);
    if (dtype == DataType::kFloat32) static_cast<float*>(fresh.data)[i] = single;
    if (dtype == DataType::kFloat64) static_cast<double*>(fresh.data)[i] = values[i];
    if (dtype == DataType::kFloat16) static_cast<uint16_t*>(fresh.data)[i] = FloatToFloat16(single);
    if (dtype == DataType::kBFloat16) {
      static_cast<uint16_t*>(fresh.data)[i] = FloatToBFloat16(single);
    }
  }
  return fresh.weights;
}

namespace {

// A transpose without the dims of size 1 and with dims that stay neighbours as one.
struct Walk {
  Dims dims;     // of the result
  Dims strides;  // of the source along them, in elements
};

Walk WalkOf(const Dims& from, const Dims& perm) {
  Dims strides(from.size(), 1);
  for (size_t d = from.size(); d-- > 1;) strides[d - 1] = strides[d] * from[d];
  Walk walk;
  for (int64_t axis : perm) {
    const int64_t size = from[static_cast<size_t>(axis)];
    const int64_t stride = strides[static_cast<size_t>(axis)];
    if (size == 1) continue;
    if (!walk.dims.empty() && walk.strides.back() == stride * size) {
      walk.dims.back() *= size;
      walk.strides.back() = stride;
    } else {
      walk.dims.push_back(size);
      walk.strides.push_back(stride);
    }
  }
  return walk;
}

template <typename T>
void CopyWalk(const Walk& walk, size_t d, const T* from, T** to) {
  const int64_t stride = walk.strides[d];
  if (d + 1 == walk.dims.size()) {
    T* out = *to;
    for (int64_t i = 0; i < walk.dims[d]; ++i) out[i] = from[i * stride];
    *to = out + walk.dims[d];
    return;
  }
  for (int64_t i = 0; i < walk.dims[d]; ++i) CopyWalk(walk, d + 1, from + i * stride, to);
}

template <typename T>
void CopyAs(const Walk& walk, const void* from, void* to) {
  T* out = static_cast<T*>(to);
  CopyWalk(walk, 0, static_cast<const T*>(from), &out);
}

}  // namespace

ir::Weights TransposeWeights(const ir::Weights& weights, const Dims& perm) {
  Dims dims(perm.size());
  for (size_t d = 0; d < perm.size(); ++d) dims[d] = weights.dims[static_cast<size_t>(perm[d])];
  const Walk walk = WalkOf(weights.dims, perm);
  const bool moves = walk.dims.size() > 1 && NumElements(dims) > 0;
  if (!moves) return {weights.dtype, dims, weights.data};
  ir::NewWeights fresh = ir::AllocateWeights(weights.dtype, dims);
  switch (SizeOf(weights.dtype)) {
    case 1:
      CopyAs<uint8_t>(walk, weights.data.get(), fresh.data);
      break;
    case 2:
      CopyAs<uint16_t>(walk, weights.data.get(), fresh.data);
      break;
    case 4:
      CopyAs<uint32_t>(walk, weights.data.get(), fresh.data);
      break;
    default:
      CopyAs<uint64_t>(walk, weights.data.get(), fresh.data);
      break;
  }
  return fresh.weights;
}

ir::Weights ConcatWeights(const std::vector<ir::Weights>& parts, size_t axis) {
  Dims dims = parts[0].dims;
  dims[axis] = 0;
  for (const ir::Weights& part : parts) dims[axis] += part.dims[axis];
  ir::NewWeights fresh = ir::AllocateWeights(parts[0].dtype, dims);
  int64_t outer = 1;
  for (size_t d = 0; d < axis; ++d) outer *= dims[d];
  auto* to = static_cast<std::byte*>(fresh.data);
  for (int64_t o = 0; o < outer; ++o) {
    for (const ir::Weights& part : parts) {
      const size_t run = outer == 0 ? 0 : part.bytes() / static_cast<size_t>(outer);
      std::memcpy(to, part.as<std::byte>() + static_cast<size_t>(o) * run, run);
      to += run;
    }
  }
  return fresh.weights;
}

}  // namespace torch_tensorrt::core::optimizer
