// Local identities. Every rule is exact for all values of its dtype, NaN, infinities and the sign
// of zero included.
#include <cmath>

#include "core/optimizer/pass.h"
#include "core/optimizer/rewriter.h"

namespace torch_tensorrt::core::optimizer {
namespace {

using Match = Result<TensorId>;

PointwiseOp OpOf(const Layer& layer) {
  return layer.attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd);
}

bool SameType(const Rewriter& rw, TensorId a, TensorId b) {
  return rw.dtype(a) == rw.dtype(b) && rw.dims(a) == rw.dims(b);
}

// `x` when it may stand for the output of `layer`.
TensorId IfSame(const Rewriter& rw, const Layer& layer, TensorId x) {
  return SameType(rw, x, layer.outputs[0]) ? x : kNone;
}

// Does every value of `from` survive a cast to `to`?
bool IsLossless(DataType from, DataType to) {
  if (from == to || from == DataType::kBool) return true;
  if (IsFloat(from)) {
    if (IsHalf(from)) return to == DataType::kFloat32 || to == DataType::kFloat64;
    return from == DataType::kFloat32 && to == DataType::kFloat64;
  }
  const size_t bits = 8 * SizeOf(from);
  if (IsFloat(to)) {
    const size_t mantissa = to == DataType::kFloat64   ? 53
                            : to == DataType::kFloat32 ? 24
                            : to == DataType::kFloat16 ? 11
                                                       : 8;
    return bits <= mantissa;
  }
  if (to == DataType::kBool || to == DataType::kUInt8) return false;
  return SizeOf(to) > SizeOf(from) || (SizeOf(to) == SizeOf(from) && !IsUnsigned(from));
}

Match CastOfSame(Rewriter& rw, const Layer& layer) { return IfSame(rw, layer, layer.inputs[0]); }

Match CastOfCast(Rewriter& rw, const Layer& layer) {
  const Layer* inner = rw.Made(layer.inputs[0], LayerKind::kCast);
  if (inner == nullptr) return kNone;
  const TensorId x = inner->inputs[0];
  if (!IsLossless(rw.dtype(x), rw.dtype(inner->outputs[0]))) return kNone;
  if (rw.dtype(x) == rw.dtype(layer.outputs[0])) return x;
  return rw.Add(LayerKind::kCast, {x}, layer.attrs, layer);
}

Match AddNothing(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kAdd) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    const auto value = rw.Uniform(layer.inputs[1 - i]);
    // -0.0 + 0.0 is +0.0: for floats only -0.0 adds nothing.
    if (!value || *value != 0) continue;
    if (IsFloat(rw.dtype(layer.inputs[i])) && !std::signbit(*value)) continue;
    return IfSame(rw, layer, layer.inputs[i]);
  }
  return kNone;
}

Match SubNothing(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kSub) return kNone;
  const auto value = rw.Uniform(layer.inputs[1]);
  if (!value || *value != 0 || std::signbit(*value)) return kNone;
  return IfSame(rw, layer, layer.inputs[0]);
}

Match MulByOne(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kMul) return kNone;
  for (size_t i = 0; i < 2; ++i) {
    if (rw.IsUniform(layer.inputs[1 - i], 1)) return IfSame(rw, layer, layer.inputs[i]);
  }
  return kNone;
}

Match DivByOne(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kDiv || !rw.IsUniform(layer.inputs[1], 1)) return kNone;
  return IfSame(rw, layer, layer.inputs[0]);
}

// The reciprocal of a power of two is exact, so multiplying by it is dividing.
Match DivByPowerOfTwo(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kDiv) return kNone;
  const auto value = rw.Uniform(layer.inputs[1]);
  if (!value || *value == 0 || !std::isfinite(*value)) return kNone;
  int exponent = 0;
  // Up to 2^14, whose reciprocal is a normal f16 too.
  if (std::abs(std::frexp(*value, &exponent)) != 0.5 || std::abs(exponent - 1) > 14) return kNone;
  const TensorId factor = rw.Scalar(1 / *value, rw.dtype(layer.inputs[0]), layer);
  TRT_ASSIGN_OR_RETURN(const TensorId out,
                       rw.Binary(PointwiseOp::kMul, layer.inputs[0], factor, layer));
  return IfSame(rw, layer, out);
}

Match OneOverX(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kDiv || !rw.IsUniform(layer.inputs[0], 1)) return kNone;
  if (!SameType(rw, layer.inputs[1], layer.outputs[0])) return kNone;
  return rw.Unary(PointwiseOp::kReciprocal, layer.inputs[1], layer);
}

// As torch computes powers by small constants.
Match PowByConstant(Rewriter& rw, const Layer& layer) {
  const TensorId x = layer.inputs[0];
  if (OpOf(layer) != PointwiseOp::kPow || !SameType(rw, x, layer.outputs[0])) return kNone;
  const auto value = rw.Uniform(layer.inputs[1]);
  if (!value) return kNone;
  if (*value == 1) return x;
  if (*value == 2) return rw.Binary(PointwiseOp::kMul, x, x, layer);
  if (*value == 3) {
    TRT_ASSIGN_OR_RETURN(const TensorId square, rw.Binary(PointwiseOp::kMul, x, x, layer));
    return rw.Binary(PointwiseOp::kMul, square, x, layer);
  }
  if (!IsFloat(rw.dtype(x))) return kNone;
  if (*value == 0.5) return rw.Unary(PointwiseOp::kSqrt, x, layer);
  if (*value == -0.5) return rw.Unary(PointwiseOp::kRsqrt, x, layer);
  if (*value == -1) return rw.Unary(PointwiseOp::kReciprocal, x, layer);
  return kNone;
}

Match ReciprocalOfSqrt(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kReciprocal) return kNone;
  const Layer* root = rw.MadeBy(layer.inputs[0], PointwiseOp::kSqrt);
  if (root == nullptr) return kNone;
  return rw.Unary(PointwiseOp::kRsqrt, root->inputs[0], layer);
}

Match NegOfNeg(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kNeg) return kNone;
  const Layer* inner = rw.MadeBy(layer.inputs[0], PointwiseOp::kNeg);
  return inner == nullptr ? kNone : inner->inputs[0];
}

Match ReluOfRelu(Rewriter& rw, const Layer& layer) {
  if (OpOf(layer) != PointwiseOp::kRelu) return kNone;
  return rw.MadeBy(layer.inputs[0], PointwiseOp::kRelu) == nullptr ? kNone : layer.inputs[0];
}

// An operand's Expand goes when the operation broadcasts as far without it.
Match ExpandedOperand(Rewriter& rw, const Layer& layer) {
  for (size_t i = 0; i < layer.inputs.size(); ++i) {
    const Layer* expand = rw.Made(layer.inputs[i], LayerKind::kExpand);
    if (expand == nullptr) continue;
    std::vector<TensorId> inputs = layer.inputs;
    inputs[i] = expand->inputs[0];
    SymDims dims = rw.dims(inputs[0]);
    bool fits = true;
    for (size_t k = 1; k < inputs.size() && fits; ++k) {
      auto broadcast = ir::BroadcastDims(dims, rw.dims(inputs[k]));
      fits = broadcast.ok();
      if (fits) dims = *std::move(broadcast);
    }
    if (!fits || dims != rw.dims(layer.outputs[0])) continue;
    return rw.Add(layer.kind, std::move(inputs), layer.attrs, layer);
  }
  return kNone;
}

Match SameInput(Rewriter& rw, const Layer& layer) { return IfSame(rw, layer, layer.inputs[0]); }

Match TransposeIdentity(Rewriter& rw, const Layer& layer) {
  return IsIdentityPerm(layer.attrs.Ints("perm")) ? IfSame(rw, layer, layer.inputs[0]) : kNone;
}

Match TransposeOfTranspose(Rewriter& rw, const Layer& layer) {
  const Layer* inner = rw.Made(layer.inputs[0], LayerKind::kTranspose);
  if (inner == nullptr) return kNone;
  const Dims perm = Permute(inner->attrs.Ints("perm"), layer.attrs.Ints("perm"));
  return rw.Transpose(inner->inputs[0], perm, layer);
}

// A transpose that keeps the order of all dims but those of size 1 moves nothing.
Match TransposeOfOnes(Rewriter& rw, const Layer& layer) {
  int64_t last = -1;
  for (int64_t p : layer.attrs.Ints("perm")) {
    if (rw.dims(layer.inputs[0])[static_cast<size_t>(p)].Equals(1)) continue;
    if (p < last) return kNone;
    last = p;
  }
  const SymDims dims = rw.dims(layer.outputs[0]);
  return rw.Reshape(layer.inputs[0], dims, layer);
}

Match ReshapeOfReshape(Rewriter& rw, const Layer& layer) {
  const Layer* inner = rw.Made(layer.inputs[0], LayerKind::kReshape);
  if (inner == nullptr) return kNone;
  if (SameType(rw, inner->inputs[0], layer.outputs[0])) return inner->inputs[0];
  return rw.Add(LayerKind::kReshape, {inner->inputs[0]}, layer.attrs, layer);
}

Match ExpandOfExpand(Rewriter& rw, const Layer& layer) {
  const Layer* inner = rw.Made(layer.inputs[0], LayerKind::kExpand);
  if (inner == nullptr) return kNone;
  return rw.Add(LayerKind::kExpand, {inner->inputs[0]}, layer.attrs, layer);
}

Match SliceOfEverything(Rewriter& rw, const Layer& layer) {
  for (const SymInt& start : layer.attrs.Syms("starts")) {
    if (!start.Equals(0)) return kNone;
  }
  for (int64_t step : layer.attrs.Ints("steps")) {
    if (step != 1) return kNone;
  }
  return IfSame(rw, layer, layer.inputs[0]);
}

Match SliceOfSlice(Rewriter& rw, const Layer& layer) {
  const Layer* inner = rw.Made(layer.inputs[0], LayerKind::kSlice);
  if (inner == nullptr) return kNone;
  SymDims starts = inner->attrs.Syms("starts");
  Dims steps = inner->attrs.Ints("steps");
  const SymDims outer_starts = layer.attrs.Syms("starts");
  const Dims outer_steps = layer.attrs.Ints("steps");
  for (size_t d = 0; d < starts.size(); ++d) {
    starts[d] = starts[d] + outer_starts[d] * steps[d];
    steps[d] *= outer_steps[d];
  }
  return rw.Add(LayerKind::kSlice, {inner->inputs[0]},
                {{"starts", starts}, {"sizes", layer.attrs.Syms("sizes")}, {"steps", steps}},
                layer);
}

Match ConcatOfOne(Rewriter& rw, const Layer& layer) {
  return layer.inputs.size() == 1 ? IfSame(rw, layer, layer.inputs[0]) : kNone;
}

// Reducing dims of size 1 keeps every value (any and all make bool of it).
Match ReduceOfOnes(Rewriter& rw, const Layer& layer) {
  for (int64_t axis : layer.attrs.Ints("axes")) {
    if (!rw.dims(layer.inputs[0])[static_cast<size_t>(axis)].Equals(1)) return kNone;
  }
  if (rw.dtype(layer.inputs[0]) != rw.dtype(layer.outputs[0])) return kNone;
  const SymDims dims = rw.dims(layer.outputs[0]);
  if (dims == rw.dims(layer.inputs[0])) return layer.inputs[0];
  return rw.Reshape(layer.inputs[0], dims, layer);
}

constexpr Rule kRules[] = {
    {"cast(x, type of x) -> x", LayerKind::kCast, CastOfSame},
    {"cast(cast(x, wider), t) -> cast(x, t)", LayerKind::kCast, CastOfCast},
    {"x + 0 -> x", LayerKind::kElementwise, AddNothing},
    {"x - 0 -> x", LayerKind::kElementwise, SubNothing},
    {"x * 1 -> x", LayerKind::kElementwise, MulByOne},
    {"x / 1 -> x", LayerKind::kElementwise, DivByOne},
    {"x / 2^n -> x * 2^-n", LayerKind::kElementwise, DivByPowerOfTwo},
    {"1 / x -> reciprocal(x)", LayerKind::kElementwise, OneOverX},
    {"pow(x, 2) -> x * x", LayerKind::kElementwise, PowByConstant},
    {"expand(x) + y -> x + y", LayerKind::kElementwise, ExpandedOperand},
    {"select(c, expand(x), y) -> select(c, x, y)", LayerKind::kSelect, ExpandedOperand},
    {"reciprocal(sqrt(x)) -> rsqrt(x)", LayerKind::kUnary, ReciprocalOfSqrt},
    {"-(-x) -> x", LayerKind::kUnary, NegOfNeg},
    {"relu(relu(x)) -> relu(x)", LayerKind::kUnary, ReluOfRelu},
    {"transpose(x, in order) -> x", LayerKind::kTranspose, TransposeIdentity},
    {"transpose(transpose(x)) -> transpose(x)", LayerKind::kTranspose, TransposeOfTranspose},
    {"transpose(x moving only ones) -> reshape(x)", LayerKind::kTranspose, TransposeOfOnes},
    {"reshape(x, dims of x) -> x", LayerKind::kReshape, SameInput},
    {"reshape(reshape(x)) -> reshape(x)", LayerKind::kReshape, ReshapeOfReshape},
    {"expand(x, dims of x) -> x", LayerKind::kExpand, SameInput},
    {"expand(expand(x)) -> expand(x)", LayerKind::kExpand, ExpandOfExpand},
    {"slice(x, everything) -> x", LayerKind::kSlice, SliceOfEverything},
    {"slice(slice(x)) -> slice(x)", LayerKind::kSlice, SliceOfSlice},
    {"concat(x) -> x", LayerKind::kConcat, ConcatOfOne},
    {"reduce(x over ones) -> reshape(x)", LayerKind::kReduce, ReduceOfOnes},
    {"copy(x) -> x", LayerKind::kCopy, SameInput},
};

}  // namespace

Result<bool> Canonicalise(Network* network) { return ApplyRules(network, kRules); }

}  // namespace torch_tensorrt::core::optimizer
