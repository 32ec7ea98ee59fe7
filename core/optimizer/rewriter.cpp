#include "core/optimizer/rewriter.h"

#include <cstring>

#include "core/types/half.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// Scans of longer constants would cost more than the rewrites they enable.
constexpr int64_t kMaxUniformScan = 65536;
constexpr int kMaxRounds = 64;

double ElementAsDouble(const ir::Weights& w, int64_t i) {
  switch (w.dtype) {
    case DataType::kFloat32:
      return static_cast<double>(w.as<float>()[i]);
    case DataType::kFloat64:
      return w.as<double>()[i];
    case DataType::kFloat16:
      return static_cast<double>(Float16ToFloat(w.as<uint16_t>()[i]));
    case DataType::kBFloat16:
      return static_cast<double>(BFloat16ToFloat(w.as<uint16_t>()[i]));
    case DataType::kInt64:
      return static_cast<double>(w.as<int64_t>()[i]);
    case DataType::kInt32:
      return static_cast<double>(w.as<int32_t>()[i]);
    case DataType::kInt16:
      return static_cast<double>(w.as<int16_t>()[i]);
    case DataType::kInt8:
      return static_cast<double>(w.as<int8_t>()[i]);
    case DataType::kUInt8:
    case DataType::kBool:
      return static_cast<double>(w.as<uint8_t>()[i]);
  }
  return 0;
}

std::optional<double> UniformWeights(const ir::Weights& given) {
  const int64_t count = NumElements(given.dims);
  if (count == 0 || count > kMaxUniformScan) return std::nullopt;
  const ir::Weights weights = given.Made();
  const size_t size = SizeOf(weights.dtype);
  const auto* bytes = weights.as<unsigned char>();
  for (int64_t i = 1; i < count; ++i) {
    if (std::memcmp(bytes, bytes + static_cast<size_t>(i) * size, size) != 0) return std::nullopt;
  }
  // Integers that a double cannot hold stay unknown.
  if (weights.dtype == DataType::kInt64) {
    const int64_t value = weights.as<int64_t>()[0];
    if (value > (int64_t{1} << 53) || value < -(int64_t{1} << 53)) return std::nullopt;
  }
  return ElementAsDouble(weights, 0);
}

std::optional<double> FillValue(const Layer& fill) {
  const auto dtype = fill.attrs.Get<DataType>("dtype", DataType::kFloat32);
  if (IsFloat(dtype)) return fill.attrs.Double("value");
  const auto value = fill.attrs.Get<SymInt>("ivalue", 0);
  if (!value.is_constant() || value.constant() > (int64_t{1} << 53) ||
      value.constant() < -(int64_t{1} << 53)) {
    return std::nullopt;
  }
  return static_cast<double>(value.constant());
}

}  // namespace

Result<TensorId> Rewriter::Add(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs,
                               const Layer& like) {
  return network_->AddLayer(kind, std::move(inputs), std::move(attrs), like.name, like.source);
}

Result<TensorId> Rewriter::Unary(PointwiseOp op, TensorId x, const Layer& like) {
  return Add(LayerKind::kUnary, {x}, {{"op", op}}, like);
}

Result<TensorId> Rewriter::Binary(PointwiseOp op, TensorId a, TensorId b, const Layer& like) {
  return Add(LayerKind::kElementwise, {a, b}, {{"op", op}}, like);
}

Result<TensorId> Rewriter::Reshape(TensorId x, const SymDims& dims, const Layer& like) {
  return Add(LayerKind::kReshape, {x}, {{"dims", dims}}, like);
}

Result<TensorId> Rewriter::Transpose(TensorId x, const Dims& perm, const Layer& like) {
  if (IsIdentityPerm(perm)) return x;
  return Add(LayerKind::kTranspose, {x}, {{"perm", perm}}, like);
}

TensorId Rewriter::Scalar(double value, DataType dtype, const Layer& like) {
  ir::NewWeights fresh = ir::AllocateWeights(dtype, {});
  const auto single = static_cast<float>(value);
  if (dtype == DataType::kFloat64) *static_cast<double*>(fresh.data) = value;
  if (dtype == DataType::kFloat32) *static_cast<float*>(fresh.data) = single;
  if (dtype == DataType::kFloat16) *static_cast<uint16_t*>(fresh.data) = FloatToFloat16(single);
  if (dtype == DataType::kBFloat16) *static_cast<uint16_t*>(fresh.data) = FloatToBFloat16(single);
  if (dtype == DataType::kInt64) *static_cast<int64_t*>(fresh.data) = static_cast<int64_t>(value);
  if (dtype == DataType::kInt32) *static_cast<int32_t*>(fresh.data) = static_cast<int32_t>(value);
  if (dtype == DataType::kInt16) *static_cast<int16_t*>(fresh.data) = static_cast<int16_t>(value);
  if (SizeOf(dtype) == 1) *static_cast<int8_t*>(fresh.data) = static_cast<int8_t>(value);
  return network_->AddConstant(std::move(fresh.weights), like.name);
}

const Layer* Rewriter::Made(TensorId id, LayerKind kind) const {
  const Layer* layer = network_->producer(id);
  return layer != nullptr && layer->kind == kind ? layer : nullptr;
}

const Layer* Rewriter::OnlyMade(TensorId id, LayerKind kind) const {
  return network_->use_count(id) == 1 ? Made(id, kind) : nullptr;
}

const Layer* Rewriter::MadeBy(TensorId id, PointwiseOp op) const {
  const Layer* layer = network_->producer(id);
  if (layer == nullptr ||
      (layer->kind != LayerKind::kUnary && layer->kind != LayerKind::kElementwise)) {
    return nullptr;
  }
  return layer->attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd) == op ? layer : nullptr;
}

std::optional<double> Rewriter::Uniform(TensorId id) const { return UniformValue(*network_, id); }

std::optional<double> UniformValue(const Network& network, TensorId id) {
  const Layer* layer = network.producer(id);
  while (layer != nullptr &&
         (layer->kind == LayerKind::kExpand || layer->kind == LayerKind::kReshape)) {
    layer = network.producer(layer->inputs[0]);
  }
  if (layer == nullptr) return std::nullopt;
  if (layer->kind == LayerKind::kConstant) return UniformWeights(layer->weights);
  return layer->kind == LayerKind::kFill ? FillValue(*layer) : std::nullopt;
}

bool Rewriter::IsUniform(TensorId id, double value) const {
  const std::optional<double> known = Uniform(id);
  return known && *known == value;
}

namespace {

Result<bool> ApplyTo(Network* network, std::span<const Rule> rules, LayerId id) {
  bool changed = false;
  Rewriter rewriter(network);
  for (const Rule& rule : rules) {
    const Layer* layer = network->layer(id);
    if (layer->kind != rule.kind || network->use_count(layer->outputs[0]) == 0) continue;
    TRT_ASSIGN_OR_RETURN(const TensorId to, rule.apply(rewriter, *layer));
    if (to == kNone || to == layer->outputs[0]) continue;
    TRT_RETURN_IF_ERROR(network->ReplaceAllUses(layer->outputs[0], to));
    changed = true;
    break;
  }
  return changed;
}

}  // namespace

Result<bool> ApplyRules(Network* network, std::span<const Rule> rules) {
  bool any = false;
  for (int round = 0; round < kMaxRounds; ++round) {
    bool changed = false;
    const std::vector<LayerId> order = network->order();
    for (LayerId id : order) {
      TRT_ASSIGN_OR_RETURN(const bool here, ApplyTo(network, rules, id));
      changed = changed || here;
    }
    if (!changed) break;
    network->RemoveDead();
    TRT_RETURN_IF_ERROR(network->SortTopologically());
    any = true;
  }
  return any;
}

Dims InversePerm(const Dims& perm) {
  Dims inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) {
    inverse[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  }
  return inverse;
}

bool IsIdentityPerm(const Dims& perm) {
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

Dims ToChannelsLast(int rank) {
  Dims perm{0};
  for (int64_t d = 2; d < rank; ++d) perm.push_back(d);
  perm.push_back(1);
  return perm;
}

Dims ToChannelsFirst(int rank) { return InversePerm(ToChannelsLast(rank)); }

}  // namespace torch_tensorrt::core::optimizer
