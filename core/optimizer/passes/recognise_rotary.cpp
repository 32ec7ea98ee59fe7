// x * cos + concat(-x2, x1) * sin, x = (x1, x2) halved along the last dim -> RotaryEmbedding.
#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

// Does the Slice take dims [start, start + width/2) of the last dim, and everything of the others?
bool IsHalf(const Rewriter& rw, const Layer* slice, TensorId x, const SymInt& start) {
  if (slice == nullptr || slice->inputs[0] != x) return false;
  const SymDims& dims = rw.dims(x);
  const SymDims starts = slice->attrs.Syms("starts");
  const SymDims sizes = slice->attrs.Syms("sizes");
  for (int64_t step : slice->attrs.Ints("steps")) {
    if (step != 1) return false;
  }
  for (size_t d = 0; d + 1 < dims.size(); ++d) {
    if (!starts[d].Equals(0) || sizes[d] != dims[d]) return false;
  }
  return starts.back() == start && sizes.back() == FloorDiv(dims.back(), 2);
}

// The tensor that `id` is the rotated half of; kNone when it is not.
TensorId RotatedFrom(const Rewriter& rw, TensorId id) {
  const Layer* concat = rw.Made(id, LayerKind::kConcat);
  if (concat == nullptr || concat->inputs.size() != 2 ||
      concat->attrs.Int("axis") != rw.rank(id) - 1) {
    return kNone;
  }
  const Layer* negated = rw.MadeBy(concat->inputs[0], PointwiseOp::kNeg);
  const Layer* first = rw.Made(concat->inputs[1], LayerKind::kSlice);
  if (negated == nullptr || first == nullptr) return kNone;
  const TensorId x = first->inputs[0];
  const SymInt& width = rw.dims(x).back();
  if (!width.is_constant() || width.constant() % 2 != 0) return kNone;
  const Layer* second = rw.Made(negated->inputs[0], LayerKind::kSlice);
  if (!IsHalf(rw, first, x, 0) || !IsHalf(rw, second, x, width.constant() / 2)) return kNone;
  return x;
}

Result<TensorId> RotateHalf(Rewriter& rw, const Layer& add) {
  if (add.attrs.Get<PointwiseOp>("op", PointwiseOp::kSub) != PointwiseOp::kAdd) return kNone;
  if (!IsFloat(rw.dtype(add.outputs[0]))) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    const Layer* straight = rw.MadeBy(add.inputs[i], PointwiseOp::kMul);
    const Layer* rotated = rw.MadeBy(add.inputs[1 - i], PointwiseOp::kMul);
    if (straight == nullptr || rotated == nullptr) continue;
    for (size_t k = 0; k < 2; ++k) {
      const TensorId x = RotatedFrom(rw, rotated->inputs[k]);
      if (x == kNone || rw.dims(x) != rw.dims(add.outputs[0]) || rw.rank(x) < 2) continue;
      for (size_t j = 0; j < 2; ++j) {
        if (straight->inputs[j] != x) continue;
        return rw.Add(LayerKind::kRotaryEmbedding,
                      {x, straight->inputs[1 - j], rotated->inputs[1 - k]}, {}, add);
      }
    }
  }
  return kNone;
}

constexpr Rule kRules[] = {
    {"x*cos + rotate_half(x)*sin -> rotary(x, cos, sin)", LayerKind::kElementwise, RotateHalf},
};

}  // namespace

Result<bool> RecogniseRotary(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
