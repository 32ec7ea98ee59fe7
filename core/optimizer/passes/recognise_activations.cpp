// Activations spelled out in primitive operations become one operation: one pass over the data and
// better numerics.
#include <cmath>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// Is the constant `a` of a network of this type `b`, but for rounding? A model that means another
// constant (0.7071 for the root of one half) gets what it says.
bool Near(double a, double b, DataType type) {
  const double eps = type == DataType::kFloat64   ? 0x1p-52
                     : type == DataType::kFloat32 ? 0x1p-23
                     : type == DataType::kFloat16 ? 0x1p-10
                                                  : 0x1p-7;
  return std::abs(a - b) <= 2 * eps * std::abs(b);
}

// What `id` is but for casts among floats of up to 32 bits: operations of halves and numbers are
// spelled in f32 with casts around them, which fusion drops.
TensorId Bare(const Rewriter& rw, TensorId id) {
  const auto narrow = [&](TensorId x) {
    return IsFloat(rw.dtype(x)) && rw.dtype(x) != DataType::kFloat64;
  };
  while (const Layer* cast = rw.Made(id, LayerKind::kCast)) {
    if (!narrow(id) || !narrow(cast->inputs[0])) break;
    id = cast->inputs[0];
  }
  return id;
}

// A product taken apart: the factor of all constants and the other operands. Shared inner products
// are taken apart too.
struct Factors {
  double constant = 1;
  std::vector<TensorId> tensors;
};

void CollectFactors(const Rewriter& rw, TensorId id, int depth, Factors* out) {
  if (const auto value = rw.Uniform(id)) {
    out->constant *= *value;
    return;
  }
  id = Bare(rw, id);
  const Layer* mul = rw.MadeBy(id, PointwiseOp::kMul);
  const Layer* div = rw.MadeBy(id, PointwiseOp::kDiv);
  if (div != nullptr && depth > 0) {
    if (const auto value = rw.Uniform(div->inputs[1])) {
      out->constant /= *value;
      CollectFactors(rw, div->inputs[0], depth - 1, out);
      return;
    }
  }
  if (mul == nullptr || depth == 0) {
    out->tensors.push_back(id);
    return;
  }
  CollectFactors(rw, mul->inputs[0], depth - 1, out);
  CollectFactors(rw, mul->inputs[1], depth - 1, out);
}

Factors FactorsOf(const Rewriter& rw, TensorId id) {
  Factors out;
  CollectFactors(rw, id, 4, &out);
  return out;
}

// The operand when `id` is operand + value.
TensorId AddedTo(const Rewriter& rw, TensorId id, double value) {
  const Layer* add = rw.MadeBy(Bare(rw, id), PointwiseOp::kAdd);
  if (add == nullptr) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    if (rw.IsUniform(add->inputs[1 - i], value)) return Bare(rw, add->inputs[i]);
  }
  return kNone;
}

// Is `id` sqrt(2/pi) * (x + 0.044715 x^3)?
bool IsTanhArgument(const Rewriter& rw, TensorId id, TensorId x) {
  const DataType type = rw.dtype(id);
  const Factors outer = FactorsOf(rw, id);
  if (outer.tensors.size() != 1 || !Near(outer.constant, 0.7978845608028654, type)) return false;
  const Layer* sum = rw.MadeBy(outer.tensors[0], PointwiseOp::kAdd);
  if (sum == nullptr) return false;
  for (size_t i = 0; i < 2; ++i) {
    if (Bare(rw, sum->inputs[i]) != x) continue;
    const Factors cube = FactorsOf(rw, sum->inputs[1 - i]);
    if (Near(cube.constant, 0.044715, type) && cube.tensors == std::vector<TensorId>{x, x, x}) {
      return true;
    }
  }
  return false;
}

// The gelu that 0.5 * x * (1 + curve(...)) is.
std::optional<PointwiseOp> GeluKind(const Rewriter& rw, TensorId curve, TensorId x) {
  const DataType type = rw.dtype(x);
  if (const Layer* erf = rw.MadeBy(curve, PointwiseOp::kErf)) {
    const Factors argument = FactorsOf(rw, erf->inputs[0]);
    const bool matches = argument.tensors == std::vector<TensorId>{x} &&
                         Near(argument.constant, 0.7071067811865476, type);
    if (matches) return PointwiseOp::kGeluErf;
  }
  if (const Layer* tanh = rw.MadeBy(curve, PointwiseOp::kTanh)) {
    if (IsTanhArgument(rw, tanh->inputs[0], x)) return PointwiseOp::kGeluTanh;
  }
  return std::nullopt;
}

bool IsMul(const Layer& layer) {
  return layer.attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd) == PointwiseOp::kMul;
}

Result<TensorId> Gelu(Rewriter& rw, const Layer& layer) {
  if (!IsMul(layer) || !IsFloat(rw.dtype(layer.outputs[0]))) return kNone;
  const Factors factors = FactorsOf(rw, layer.outputs[0]);
  if (factors.tensors.size() != 2 || factors.constant != 0.5) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    const TensorId x = factors.tensors[i];
    const TensorId curve = AddedTo(rw, factors.tensors[1 - i], 1);
    if (curve == kNone || rw.dims(x) != rw.dims(layer.outputs[0])) continue;
    if (rw.dtype(x) != rw.dtype(layer.outputs[0])) continue;
    if (const auto kind = GeluKind(rw, curve, x)) return rw.Unary(*kind, x, layer);
  }
  return kNone;
}

Result<TensorId> Silu(Rewriter& rw, const Layer& layer) {
  if (!IsMul(layer)) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    const Layer* sigmoid = rw.MadeBy(layer.inputs[i], PointwiseOp::kSigmoid);
    if (sigmoid == nullptr || sigmoid->inputs[0] != layer.inputs[1 - i]) continue;
    return rw.Unary(PointwiseOp::kSilu, layer.inputs[1 - i], layer);
  }
  return kNone;
}

constexpr Rule kRules[] = {
    {"0.5*x*(1 + erf(x/sqrt 2)) -> gelu(x)", LayerKind::kElementwise, Gelu},
    {"x*sigmoid(x) -> silu(x)", LayerKind::kElementwise, Silu},
};

}  // namespace

Result<bool> RecogniseActivations(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
