#include "core/conversion/context.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/types/half.h"

namespace torch_tensorrt::core::conversion {

DataType ConversionContext::Type(TensorId x) const {
  return x == ir::kNone ? DataType::kFloat32 : network_.tensor(x).dtype;
}

const SymDims& ConversionContext::Dims(TensorId x) const {
  static const SymDims none;
  return x == ir::kNone ? none : network_.tensor(x).dims;
}

SymInt ConversionContext::Dim(TensorId x, int64_t axis) const {
  const SymDims& dims = Dims(x);
  if (axis < 0) axis += static_cast<int64_t>(dims.size());
  if (axis < 0 || axis >= static_cast<int64_t>(dims.size())) return 0;
  return dims[static_cast<size_t>(axis)];
}

int64_t ConversionContext::Axis(int64_t axis, int64_t rank) {
  const int64_t count = std::max<int64_t>(rank, 1);
  if (axis < -count || axis >= count) {
    Fail(InvalidArgument("dim ", axis, " is out of range for rank ", rank));
    return 0;
  }
  return axis < 0 ? axis + count : axis;
}

core::Dims ConversionContext::Axes(const core::Dims& axes, int64_t rank) {
  core::Dims out;
  if (axes.empty()) {
    for (int64_t d = 0; d < rank; ++d) out.push_back(d);
    return out;
  }
  for (int64_t axis : axes) out.push_back(Axis(axis, rank));
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end()) {
    Fail(InvalidArgument("a dim appears twice in ", core::ToString(axes)));
  }
  if (rank == 0) out.clear();
  return out;
}

std::vector<TensorId> ConversionContext::AddMulti(LayerKind kind, std::vector<TensorId> inputs,
                                                  Attributes attrs) {
  // Callers index the outputs, so a failure still has some.
  std::vector<TensorId> nothing(4, ir::kNone);
  for (TensorId input : inputs) {
    if (input == ir::kNone) Fail(InternalError("a layer input is missing"));
  }
  if (!ok()) return nothing;
  auto added = network_.AddMultiLayer(kind, std::move(inputs), std::move(attrs), name_, source_);
  if (!added.ok()) {
    Fail(added.status());
    return nothing;
  }
  return *std::move(added);
}

TensorId ConversionContext::Add(LayerKind kind, std::vector<TensorId> inputs, Attributes attrs) {
  return AddMulti(kind, std::move(inputs), std::move(attrs))[0];
}

TensorId ConversionContext::Cast(TensorId x, DataType type) {
  if (Type(x) == type) return x;
  return Add(LayerKind::kCast, {x}, {{"to", type}});
}

TensorId ConversionContext::Unary(PointwiseOp op, TensorId x) {
  return Add(LayerKind::kUnary, {x}, {{"op", op}});
}

TensorId ConversionContext::Unary(PointwiseOp op, TensorId x, double p0, double p1) {
  return Add(LayerKind::kUnary, {x}, {{"op", op}, {"p0", p0}, {"p1", p1}});
}

TensorId ConversionContext::Binary(PointwiseOp op, TensorId a, TensorId b) {
  return Add(LayerKind::kElementwise, {a, b}, {{"op", op}});
}

TensorId ConversionContext::Select(TensorId condition, TensorId a, TensorId b) {
  return Add(LayerKind::kSelect, {condition, a, b});
}

namespace {

void Store(void* out, DataType type, double value, int64_t integer) {
  auto put = [out](auto typed) { std::memcpy(out, &typed, sizeof(typed)); };
  switch (type) {
    case DataType::kFloat32:
      return put(static_cast<float>(value));
    case DataType::kFloat64:
      return put(value);
    case DataType::kFloat16:
      return put(FloatToFloat16(static_cast<float>(value)));
    case DataType::kBFloat16:
      return put(FloatToBFloat16(static_cast<float>(value)));
    case DataType::kInt64:
      return put(integer);
    case DataType::kInt32:
      return put(static_cast<int32_t>(integer));
    case DataType::kInt16:
      return put(static_cast<int16_t>(integer));
    case DataType::kInt8:
      return put(static_cast<int8_t>(integer));
    case DataType::kUInt8:
      return put(static_cast<uint8_t>(integer));
    case DataType::kBool:
      return put(static_cast<uint8_t>(value != 0 ? 1 : 0));
  }
}

int64_t Truncated(double value) {
  if (std::isnan(value) || value >= 9.2e18 || value <= -9.2e18) return INT64_MIN;
  return static_cast<int64_t>(value);
}

}  // namespace

TensorId ConversionContext::Scalar(double value, DataType type) {
  if (!ok()) return ir::kNone;
  ir::NewWeights made = ir::AllocateWeights(type, {});
  Store(made.data, type, value, Truncated(value));
  return network_.AddConstant(std::move(made.weights), name_);
}

TensorId ConversionContext::Scalar(const SymInt& value, DataType type) {
  if (!ok()) return ir::kNone;
  if (value.is_constant()) {
    ir::NewWeights made = ir::AllocateWeights(type, {});
    Store(made.data, type, static_cast<double>(value.constant()), value.constant());
    return network_.AddConstant(std::move(made.weights), name_);
  }
  const TensorId filled =
      Add(LayerKind::kFill, {},
          {{"dims", core::Dims{}}, {"dtype", DataType::kInt64}, {"ivalue", value}});
  return Cast(filled, type);
}

TensorId ConversionContext::Number(const Value& value, DataType type) {
  if (const auto* d = value.get<double>()) return Scalar(*d, type);
  if (const auto* i = value.get<SymInt>()) return Scalar(*i, type);
  if (const auto* b = value.get<bool>()) return Scalar(*b ? 1.0 : 0.0, type);
  Fail(InvalidArgument("expected a number, got ", Describe(value, network_)));
  return ir::kNone;
}

TensorId ConversionContext::IntConstant(const std::vector<int64_t>& values) {
  if (!ok()) return ir::kNone;
  ir::NewWeights made =
      ir::AllocateWeights(DataType::kInt64, {static_cast<int64_t>(values.size())});
  if (!values.empty()) std::memcpy(made.data, values.data(), values.size() * sizeof(int64_t));
  return network_.AddConstant(std::move(made.weights), name_);
}

TensorId ConversionContext::Fill(const SymDims& dims, DataType type, const Value& number) {
  Attributes attrs{{"dims", dims}, {"dtype", type}};
  if (const auto* d = number.get<double>()) {
    if (IsFloat(type)) {
      attrs.Set("value", *d);
    } else if (type == DataType::kBool) {
      attrs.Set("ivalue", SymInt(*d != 0 ? 1 : 0));
    } else {
      attrs.Set("ivalue", SymInt(Truncated(*d)));
    }
  } else if (const auto* b = number.get<bool>()) {
    if (IsFloat(type)) {
      attrs.Set("value", *b ? 1.0 : 0.0);
    } else {
      attrs.Set("ivalue", SymInt(*b ? 1 : 0));
    }
  } else if (const auto* i = number.get<SymInt>()) {
    if (!i->is_constant() && (IsFloat(type) || type == DataType::kBool)) {
      return Expand(Number(number, type), dims);
    }
    if (IsFloat(type)) {
      attrs.Set("value", static_cast<double>(i->constant()));
    } else if (type == DataType::kBool) {
      attrs.Set("ivalue", SymInt(i->constant() != 0 ? 1 : 0));
    } else {
      attrs.Set("ivalue", *i);
    }
  } else {
    Fail(InvalidArgument("expected a number, got ", Describe(number, network_)));
  }
  return Add(LayerKind::kFill, {}, std::move(attrs));
}

TensorId ConversionContext::Iota(const SymInt& length, const SymInt& start, int64_t step,
                                 DataType type) {
  return Add(LayerKind::kIota, {},
             {{"length", length}, {"dtype", type}, {"start", start}, {"step", step}});
}

TensorId ConversionContext::Reshape(TensorId x, SymDims dims) {
  if (Dims(x) == dims) return x;
  return Add(LayerKind::kReshape, {x}, {{"dims", std::move(dims)}});
}

TensorId ConversionContext::Transpose(TensorId x, core::Dims perm) {
  if (std::is_sorted(perm.begin(), perm.end())) return x;
  return Add(LayerKind::kTranspose, {x}, {{"perm", std::move(perm)}});
}

TensorId ConversionContext::SwapDims(TensorId x, int64_t a, int64_t b) {
  const int64_t rank = Rank(x);
  if (rank == 0 || !ok()) return x;
  core::Dims perm(static_cast<size_t>(rank));
  for (size_t d = 0; d < perm.size(); ++d) perm[d] = static_cast<int64_t>(d);
  std::swap(perm[static_cast<size_t>(Axis(a, rank))], perm[static_cast<size_t>(Axis(b, rank))]);
  return Transpose(x, std::move(perm));
}

TensorId ConversionContext::Expand(TensorId x, SymDims dims) {
  if (Dims(x) == dims) return x;
  return Add(LayerKind::kExpand, {x}, {{"dims", std::move(dims)}});
}

TensorId ConversionContext::Unsqueeze(TensorId x, int64_t axis) {
  SymDims dims = Dims(x);
  axis = Axis(axis, Rank(x) + 1);
  if (!ok()) return ir::kNone;
  dims.insert(dims.begin() + axis, SymInt(1));
  return Reshape(x, std::move(dims));
}

TensorId ConversionContext::Squeeze(TensorId x, int64_t axis) {
  SymDims dims = Dims(x);
  axis = Axis(axis, Rank(x));
  if (!ok() || dims.empty()) return x;
  dims.erase(dims.begin() + axis);
  return Reshape(x, std::move(dims));
}

TensorId ConversionContext::Slice(TensorId x, int64_t axis, const SymInt& start, const SymInt& size,
                                  int64_t step) {
  const SymDims& dims = Dims(x);
  if (!ok() || axis < 0 || axis >= Rank(x)) {
    Fail(InvalidArgument("slice along dim ", axis, " of rank ", Rank(x)));
    return ir::kNone;
  }
  const auto a = static_cast<size_t>(axis);
  if (start.Equals(0) && step == 1 && size == dims[a]) return x;
  SymDims starts(dims.size(), SymInt(0));
  SymDims sizes = dims;
  core::Dims steps(dims.size(), 1);
  starts[a] = start;
  sizes[a] = size;
  steps[a] = step;
  return Add(LayerKind::kSlice, {x}, {{"starts", starts}, {"sizes", sizes}, {"steps", steps}});
}

TensorId ConversionContext::Concat(std::vector<TensorId> inputs, int64_t axis) {
  if (inputs.size() == 1) return inputs[0];
  return Add(LayerKind::kConcat, std::move(inputs), {{"axis", axis}});
}

TensorId ConversionContext::Reduce(std::string kind, TensorId x, core::Dims axes, bool keepdim) {
  return Add(LayerKind::kReduce, {x},
             {{"kind", std::move(kind)}, {"axes", std::move(axes)}, {"keepdim", keepdim}});
}

TensorId ConversionContext::AtLeast1d(TensorId x) {
  return Rank(x) == 0 ? Reshape(x, {SymInt(1)}) : x;
}

}  // namespace torch_tensorrt::core::conversion
