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

ir::Weights TransposeWeights(const ir::Weights& weights, const Dims& perm) {
  const size_t rank = perm.size();
  Dims strides(rank, 1);
  for (size_t d = rank; d-- > 1;) strides[d - 1] = strides[d] * weights.dims[d];
  Dims dims(rank);
  Dims walk(rank);
  for (size_t d = 0; d < rank; ++d) {
    dims[d] = weights.dims[static_cast<size_t>(perm[d])];
    walk[d] = strides[static_cast<size_t>(perm[d])];
  }
  ir::NewWeights fresh = ir::AllocateWeights(weights.dtype, dims);
  const size_t size = SizeOf(weights.dtype);
  const auto* from = weights.as<std::byte>();
  auto* to = static_cast<std::byte*>(fresh.data);
  Dims index(rank, 0);
  int64_t offset = 0;
  const int64_t count = NumElements(dims);
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to, from + static_cast<size_t>(offset) * size, size);
    to += size;
    for (size_t d = rank; d-- > 0;) {
      offset += walk[d];
      if (++index[d] < dims[d]) break;
      offset -= walk[d] * dims[d];
      index[d] = 0;
    }
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
