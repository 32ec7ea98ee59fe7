// A constant mask that hides all later keys is what `causal` says, which kernels need not read.
#include <algorithm>
#include <cmath>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"
#include "core/optimizer/weights.h"

namespace torch_tensorrt::core::optimizer {
namespace {

constexpr int64_t kMostScanned = int64_t{1} << 26;

// The constant that `id` is, or repeats along its leading dims.
const ir::Weights* RepeatedConstant(const Rewriter& rw, TensorId id, size_t inner_dims) {
  while (const Layer* expand = rw.Made(id, LayerKind::kExpand)) {
    const SymDims& from = rw.dims(expand->inputs[0]);
    const SymDims& to = rw.dims(id);
    if (from.size() < inner_dims ||
        !std::equal(from.end() - static_cast<int64_t>(inner_dims), from.end(),
                    to.end() - static_cast<int64_t>(inner_dims))) {
      return nullptr;
    }
    id = expand->inputs[0];
  }
  const Layer* constant = rw.Made(id, LayerKind::kConstant);
  return constant == nullptr ? nullptr : &constant->weights;
}

// Query s sees key t when t <= s: true or 0 there, false or -inf elsewhere.
bool HidesLaterKeys(const ir::Weights& given) {
  const int64_t count = NumElements(given.dims);
  if (count == 0 || count > kMostScanned) return false;
  const ir::Weights mask = given.Made();
  const int64_t queries = mask.dims[mask.dims.size() - 2];
  const int64_t keys = mask.dims.back();
  const auto all = [&](const auto* values, auto seen, auto hidden) {
    for (int64_t i = 0; i < count; ++i) {
      const bool sees = i % keys <= i / keys % queries;
      if (values[i] != (sees ? seen : hidden)) return false;
    }
    return true;
  };
  if (mask.dtype == DataType::kBool) {
    return all(mask.as<uint8_t>(), uint8_t{1}, uint8_t{0});
  }
  if (!IsFloat(mask.dtype)) return false;
  const std::vector<double> values = ToDoubles(mask);
  return all(values.data(), 0.0, -static_cast<double>(INFINITY));
}

Result<TensorId> CausalMask(Rewriter& rw, const Layer& layer) {
  constexpr size_t kInner = 2;
  if (layer.inputs.size() != 4) return kNone;
  const ir::Weights* mask = RepeatedConstant(rw, layer.inputs[3], kInner);
  if (mask == nullptr || mask->dims.size() < kInner) return kNone;
  // A mask that is repeated for all queries or keys hides something else.
  if (rw.dims(layer.inputs[0])[2] != SymInt(mask->dims[mask->dims.size() - 2]) ||
      rw.dims(layer.inputs[1])[2] != SymInt(mask->dims.back()) || !HidesLaterKeys(*mask)) {
    return kNone;
  }
  Attributes attrs = layer.attrs;
  attrs.Set("causal", true);
  return rw.Add(layer.kind, {layer.inputs.begin(), layer.inputs.begin() + 3}, std::move(attrs),
                layer);
}

constexpr Rule kRules[] = {
    {"attention(q, k, v, lower triangle) -> causal attention(q, k, v)", LayerKind::kAttention,
     CausalMask},
};

}  // namespace

Result<bool> CausalMasks(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
