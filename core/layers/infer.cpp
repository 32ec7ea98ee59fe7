// Helpers that all families of inference share.
#include "core/layers/infer_args.h"

namespace torch_tensorrt::core::layers {

Result<size_t> InferArgs::Axis(std::string_view name, size_t i) const {
  const int64_t axis = attrs.Int(name);
  if (axis < 0 || axis >= rank(i)) {
    return Error(name, " ", axis, " is out of range for rank ", rank(i));
  }
  return static_cast<size_t>(axis);
}

Status InferArgs::RequireFloat(size_t i) const {
  if (IsFloat(in(i).dtype)) return Status::Ok();
  return Error("input ", i, " must be floating point, is ", DataTypeName(in(i).dtype));
}

Status InferArgs::RequireSameType(size_t a, size_t b) const {
  if (in(a).dtype == in(b).dtype) return Status::Ok();
  return Error("inputs ", a, " and ", b, " must have one dtype: ", DataTypeName(in(a).dtype), ", ",
               DataTypeName(in(b).dtype));
}

Status InferArgs::RequireIndexType(size_t i) const {
  if (in(i).dtype == DataType::kInt64 || in(i).dtype == DataType::kInt32) return Status::Ok();
  return Error("input ", i, " must be i64 or i32 indices, is ", DataTypeName(in(i).dtype));
}

bool MayEqual(const SymInt& a, const SymInt& b) {
  const SymInt difference = a - b;
  return !difference.is_constant() || difference.constant() == 0;
}

bool MayEqual(const SymDims& a, const SymDims& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!MayEqual(a[i], b[i])) return false;
  }
  return true;
}

std::string ToString(const TensorType& type) {
  return StrCat(DataTypeName(type.dtype), core::ToString(type.dims));
}

Result<SymDims> BroadcastDims(const SymDims& a, const SymDims& b) {
  const SymDims& longer = a.size() >= b.size() ? a : b;
  const SymDims& shorter = a.size() >= b.size() ? b : a;
  SymDims out = longer;
  const size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    const SymInt& x = longer[offset + i];
    const SymInt& y = shorter[i];
    if (y.Equals(1) || x == y) continue;
    if (x.Equals(1)) {
      out[offset + i] = y;
      continue;
    }
    if (x.is_constant() && y.is_constant()) {
      return InvalidArgument("[broadcast] dims ", core::ToString(a), " and ", core::ToString(b),
                             " do not fit");
    }
    // A known dim says more than a symbol that must equal it (or be 1).
    if (y.is_constant()) out[offset + i] = y;
  }
  return out;
}

Status CheckProgramInput(const InferArgs& args, const TensorType& operand,
                         const std::vector<int8_t>& map, const SymDims& domain) {
  std::vector<bool> walked(operand.dims.size(), false);
  for (size_t d = 0; d < map.size(); ++d) {
    if (map[d] < 0) continue;
    const auto dim = static_cast<size_t>(map[d]);
    if (dim >= operand.dims.size()) {
      return args.Error("the program walks dim ", dim, " of ", ToString(operand));
    }
    walked[dim] = true;
    if (!operand.dims[dim].Equals(1) && !MayEqual(operand.dims[dim], domain[d])) {
      return args.Error("an operand ", ToString(operand), " does not fit the domain ",
                        core::ToString(domain));
    }
  }
  for (size_t dim = 0; dim < walked.size(); ++dim) {
    if (!walked[dim] && !operand.dims[dim].Equals(1)) {
      return args.Error("dim ", dim, " of the operand ", ToString(operand), " is not walked");
    }
  }
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::layers
