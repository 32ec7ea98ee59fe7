// Inference of reductions, scans, sorts, softmax and normalisation.
#include "core/layers/infer_args.h"

namespace torch_tensorrt::core::layers {
namespace {

SymDims DropAxes(const SymDims& dims, const std::vector<bool>& reduced, bool keepdim) {
  SymDims out;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (!reduced[d]) {
      out.push_back(dims[d]);
    } else if (keepdim) {
      out.emplace_back(1);
    }
  }
  return out;
}

}  // namespace

InferResult InferReduce(const InferArgs& args) {
  const std::string kind = args.attrs.Str("kind");
  DataType type = args.in(0).dtype;
  const bool logical = kind == "any" || kind == "all";
  const bool extremum = kind == "max" || kind == "min";
  if (!logical && !extremum && kind != "sum" && kind != "mean" && kind != "prod") {
    return args.Error("unknown kind ", kind);
  }
  if (kind == "mean") TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  if (!logical && !extremum && type == DataType::kBool) {
    return args.Error(kind, " is not defined for bool; cast first");
  }
  if (logical) type = DataType::kBool;
  std::vector<bool> reduced(args.dims(0).size(), false);
  for (int64_t axis : args.attrs.Ints("axes")) {
    if (axis < 0 || axis >= args.rank(0) || reduced[static_cast<size_t>(axis)]) {
      return args.Error("axes ", core::ToString(args.attrs.Ints("axes")), " for rank ",
                        args.rank(0));
    }
    reduced[static_cast<size_t>(axis)] = true;
    if (extremum && args.dims(0)[static_cast<size_t>(axis)].Equals(0)) {
      return args.Error(kind, " over an empty dim has no value");
    }
  }
  return std::vector<TensorType>{
      {type, DropAxes(args.dims(0), reduced, args.attrs.Bool("keepdim"))}};
}

InferResult InferArgReduce(const InferArgs& args) {
  const std::string kind = args.attrs.Str("kind");
  if (kind != "argmax" && kind != "argmin") return args.Error("unknown kind ", kind);
  if (args.in(0).dtype == DataType::kBool) return args.Error("is not defined for bool");
  TRT_ASSIGN_OR_RETURN(const size_t axis, args.Axis("axis", 0));
  if (args.dims(0)[axis].Equals(0)) return args.Error(kind, " over an empty dim has no value");
  std::vector<bool> reduced(args.dims(0).size(), false);
  reduced[axis] = true;
  return std::vector<TensorType>{
      {DataType::kInt64, DropAxes(args.dims(0), reduced, args.attrs.Bool("keepdim"))}};
}

InferResult InferSoftmax(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  TRT_RETURN_IF_ERROR(args.Axis("axis", 0).status());
  return std::vector<TensorType>{args.in(0)};
}

InferResult InferTopK(const InferArgs& args) {
  TRT_ASSIGN_OR_RETURN(const size_t axis, args.Axis("axis", 0));
  const auto k = args.attrs.Get<SymInt>("k", 0);
  const SymInt& size = args.dims(0)[axis];
  if (k.is_constant() && k.constant() < 0) return args.Error("k ", k);
  if (k.is_constant() && size.is_constant() && k.constant() > size.constant()) {
    return args.Error("k ", k, " is larger than the dim of size ", size);
  }
  SymDims dims = args.dims(0);
  dims[axis] = k;
  return std::vector<TensorType>{{args.in(0).dtype, dims}, {DataType::kInt64, dims}};
}

InferResult InferSort(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.Axis("axis", 0).status());
  return std::vector<TensorType>{args.in(0), {DataType::kInt64, args.dims(0)}};
}

InferResult InferScan(const InferArgs& args) {
  const std::string kind = args.attrs.Str("kind");
  TRT_RETURN_IF_ERROR(args.Axis("axis", 0).status());
  if (kind == "max" || kind == "min") {
    return std::vector<TensorType>{args.in(0), {DataType::kInt64, args.dims(0)}};
  }
  if (kind == "logsumexp") {
    TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  } else if (kind != "sum" && kind != "prod") {
    return args.Error("unknown kind ", kind);
  } else if (args.in(0).dtype == DataType::kBool) {
    return args.Error(kind, " is not defined for bool; cast first");
  }
  return std::vector<TensorType>{args.in(0)};
}

namespace {

// weight, bias, mean, variance: of x's dtype or f32, with the given dims.
Status CheckNormOperand(const InferArgs& args, size_t i, const SymDims& dims) {
  const TensorType& operand = args.in(i);
  if (operand.dtype != args.in(0).dtype && operand.dtype != DataType::kFloat32) {
    return args.Error("input ", i, " is ", ToString(operand), " for x ", ToString(args.in(0)));
  }
  if (!MayEqual(operand.dims, dims)) {
    return args.Error("input ", i, " is ", ToString(operand), ", needs dims ",
                      core::ToString(dims));
  }
  return Status::Ok();
}

// The dims of weight and bias.
Result<SymDims> NormParameterDims(const InferArgs& args, const std::string& kind) {
  const SymDims& x = args.dims(0);
  if (kind == "layer" || kind == "rms") {
    const int64_t norm_rank = args.attrs.Int("norm_rank", 1);
    if (norm_rank < 1 || norm_rank > args.rank(0)) {
      return args.Error("norm_rank ", norm_rank, " for rank ", args.rank(0));
    }
    return SymDims(x.end() - norm_rank, x.end());
  }
  if (x.size() < 2) return args.Error(kind, " needs [N, C, ...], got ", ToString(args.in(0)));
  const SymInt channels = args.attrs.Bool("channels_last") ? x.back() : x[1];
  if (kind != "group") return SymDims{channels};
  const int64_t groups = args.attrs.Int("groups", 1);
  if (groups < 1 || (channels.is_constant() && channels.constant() % groups != 0)) {
    return args.Error(groups, " groups for ", channels, " channels");
  }
  return SymDims{channels};
}

}  // namespace

InferResult InferNormalization(const InferArgs& args) {
  const std::string kind = args.attrs.Str("kind");
  if (kind != "layer" && kind != "rms" && kind != "group" && kind != "batch") {
    return args.Error("unknown kind ", kind);
  }
  TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  TRT_ASSIGN_OR_RETURN(const SymDims dims, NormParameterDims(args, kind));
  const size_t operands = (kind == "batch" ? 2U : 0U) + (args.attrs.Bool("has_weight") ? 1U : 0U) +
                          (args.attrs.Bool("has_bias") ? 1U : 0U);
  if (args.inputs.size() != operands + 1) {
    return args.Error("takes ", operands + 1, " inputs, got ", args.inputs.size());
  }
  for (size_t i = 1; i <= operands; ++i) TRT_RETURN_IF_ERROR(CheckNormOperand(args, i, dims));
  return std::vector<TensorType>{args.in(0)};
}

}  // namespace torch_tensorrt::core::layers
