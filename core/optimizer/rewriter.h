// Rewriter: how passes change a network, and the questions their patterns ask.
//
// A `const Layer&` stays valid while layers are added; references to tensors do not: copy what you
// need first.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ir/network.h"

namespace torch_tensorrt::core::optimizer {

using ir::kNone;
using ir::Layer;
using ir::LayerId;
using ir::LayerKind;
using ir::Network;
using ir::TensorId;

class Rewriter {
 public:
  explicit Rewriter(Network* network) : network_(network) {}

  Network& network() { return *network_; }
  const ir::Tensor& tensor(TensorId id) const { return network_->tensor(id); }
  const SymDims& dims(TensorId id) const { return network_->tensor(id).dims; }
  DataType dtype(TensorId id) const { return network_->tensor(id).dtype; }
  int rank(TensorId id) const { return network_->tensor(id).rank(); }

  // Adds a layer that stands for (a part of) `like`: it takes its name and source.
  Result<TensorId> Add(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs,
                       const Layer& like);
  Result<TensorId> Unary(PointwiseOp op, TensorId x, const Layer& like);
  Result<TensorId> Binary(PointwiseOp op, TensorId a, TensorId b, const Layer& like);
  Result<TensorId> Reshape(TensorId x, const SymDims& dims, const Layer& like);
  Result<TensorId> Transpose(TensorId x, const Dims& perm, const Layer& like);
  // One value of `dtype` and dims [].
  TensorId Scalar(double value, DataType dtype, const Layer& like);

  // --- patterns ---
  // The layer that makes `id` when it is of this kind, else null.
  const Layer* Made(TensorId id, LayerKind kind) const;
  // As Made, and nothing else reads the tensor.
  const Layer* OnlyMade(TensorId id, LayerKind kind) const;
  // The Unary / Elementwise layer of this op that makes `id`, else null.
  const Layer* MadeBy(TensorId id, PointwiseOp op) const;
  // The value when every element of `id` is the same known number.
  std::optional<double> Uniform(TensorId id) const;
  bool IsUniform(TensorId id, double value) const;
  bool IsConstant(TensorId id) const { return network_->weights(id) != nullptr; }

 private:
  Network* network_;
};

// As Rewriter::Uniform.
std::optional<double> UniformValue(const Network& network, TensorId id);

// A local rewrite: when `layer` matches, the tensor that takes the place of its first output (its
// only used one); kNone when it does not match. `doc` reads "x*1 -> x".
struct Rule {
  std::string_view doc;
  LayerKind kind;
  Result<TensorId> (*apply)(Rewriter& rewriter, const Layer& layer);
};

// Applies the rules bottom-up until none matches, removes what died and restores the order.
Result<bool> ApplyRules(Network* network, std::span<const Rule> rules);

// --- dims ---
// out[i] = dims[perm[i]]
template <typename T>
std::vector<T> Permute(const std::vector<T>& values, const Dims& perm) {
  std::vector<T> out;
  out.reserve(perm.size());
  for (int64_t p : perm) out.push_back(values[static_cast<size_t>(p)]);
  return out;
}
Dims InversePerm(const Dims& perm);
bool IsIdentityPerm(const Dims& perm);
// [0, 2, .., rank-1, 1] and back: channels-first to channels-last.
Dims ToChannelsLast(int rank);
Dims ToChannelsFirst(int rank);

}  // namespace torch_tensorrt::core::optimizer
