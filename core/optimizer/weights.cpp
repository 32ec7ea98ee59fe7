#include "core/optimizer/weights.h"

#include <cstring>
#include <utility>

#include "core/types/half.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// Smaller blocks come from malloc, which keeps what is freed.
constexpr size_t kDeferredBytes = size_t{256} << 10;
// Elements that are worth a thread.
constexpr size_t kScaleGrain = size_t{1} << 15;

// One element of a float type's storage as a double, and a double as one.
double ToDouble(DataType dtype, const void* data, size_t i) {
  switch (dtype) {
    case DataType::kFloat64:
      return static_cast<const double*>(data)[i];
    case DataType::kFloat16:
      return static_cast<double>(Float16ToFloat(static_cast<const uint16_t*>(data)[i]));
    case DataType::kBFloat16:
      return static_cast<double>(BFloat16ToFloat(static_cast<const uint16_t*>(data)[i]));
    default:  // f32, by the contract of the callers
      return static_cast<double>(static_cast<const float*>(data)[i]);
  }
}

void PutDouble(DataType dtype, double value, void* data, size_t i) {
  const auto single = static_cast<float>(value);
  switch (dtype) {
    case DataType::kFloat64:
      static_cast<double*>(data)[i] = value;
      break;
    case DataType::kFloat16:
      static_cast<uint16_t*>(data)[i] = FloatToFloat16(single);
      break;
    case DataType::kBFloat16:
      static_cast<uint16_t*>(data)[i] = FloatToBFloat16(single);
      break;
    default:  // f32, by the contract of the callers
      static_cast<float*>(data)[i] = single;
      break;
  }
}

}  // namespace

ir::Weights Defer(DataType dtype, const Dims& dims, std::function<ir::Weights()> make) {
  ir::Weights out{dtype, dims};
  if (out.bytes() < kDeferredBytes) return make();
  out.recipe =
      std::make_shared<const ir::Weights::Recipe>([make = std::move(make)] { return make().data; });
  return out;
}

std::vector<double> ToDoubles(const ir::Weights& given) {
  const ir::Weights weights = given.Made();
  std::vector<double> out(static_cast<size_t>(NumElements(weights.dims)));
  for (size_t i = 0; i < out.size(); ++i) out[i] = ToDouble(weights.dtype, weights.data.get(), i);
  return out;
}

ir::Weights FromDoubles(const std::vector<double>& values, DataType dtype, const Dims& dims) {
  ir::NewWeights fresh = ir::AllocateWeights(dtype, dims);
  for (size_t i = 0; i < values.size(); ++i) PutDouble(dtype, values[i], fresh.data, i);
  return fresh.weights;
}

ir::Weights ScaleRuns(const ir::Weights& weights, size_t run, const std::vector<double>& scale,
                      const std::function<size_t(size_t)>& channel_of) {
  ir::NewWeights fresh = ir::AllocateWeights(weights.dtype, weights.dims);
  const auto count = static_cast<size_t>(NumElements(weights.dims));
  if (count == 0) return fresh.weights;
  const auto grain = static_cast<int64_t>(kScaleGrain / run);
  const auto body = [&](int64_t begin, int64_t end, int /*thread*/) {
    for (auto r = static_cast<size_t>(begin); r < static_cast<size_t>(end); ++r) {
      const double factor = scale[channel_of(r)];
      for (size_t i = r * run; i < (r + 1) * run; ++i) {
        const double value = ToDouble(weights.dtype, weights.data.get(), i) * factor;
        PutDouble(weights.dtype, value, fresh.data, i);
      }
    }
  };
  ParallelFor(static_cast<int64_t>(count / run), grain, body);
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

// REQUIRES: not deferred.
ir::Weights CopyTransposed(const ir::Weights& weights, const Walk& walk, const Dims& dims) {
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

}  // namespace

ir::Weights TransposeWeights(const ir::Weights& weights, const Dims& perm) {
  Dims dims(perm.size());
  for (size_t d = 0; d < perm.size(); ++d) dims[d] = weights.dims[static_cast<size_t>(perm[d])];
  const Walk walk = WalkOf(weights.dims, perm);
  const bool moves = walk.dims.size() > 1 && NumElements(dims) > 0;
  if (!moves) return {weights.dtype, dims, weights.data, weights.recipe};
  return Defer(weights.dtype, dims,
               [weights, walk, dims] { return CopyTransposed(weights.Made(), walk, dims); });
}

namespace {

ir::Weights CopyJoined(std::vector<ir::Weights> parts, size_t axis, const Dims& dims) {
  for (ir::Weights& part : parts) part = part.Made();
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

}  // namespace

ir::Weights ConcatWeights(const std::vector<ir::Weights>& parts, size_t axis) {
  Dims dims = parts[0].dims;
  dims[axis] = 0;
  for (const ir::Weights& part : parts) dims[axis] += part.dims[axis];
  return Defer(parts[0].dtype, dims, [parts, axis, dims] { return CopyJoined(parts, axis, dims); });
}

}  // namespace torch_tensorrt::core::optimizer
