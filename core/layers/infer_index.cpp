// Inference of kinds that read or write through index tensors.
#include <algorithm>

#include "core/layers/infer_args.h"

namespace torch_tensorrt::core::layers {
namespace {

// Index tensors `first`.. at positions `dims` of the data (input 0): the shape of data[..., i0, i1,
// ...].
Result<SymDims> IndexedDims(const InferArgs& args, size_t first) {
  const Dims positions = args.attrs.Ints("dims");
  if (positions.empty() || positions.size() != args.inputs.size() - first) {
    return args.Error(positions.size(), " dims for ", args.inputs.size() - first, " index tensors");
  }
  SymDims index_dims;
  for (size_t i = 0; i < positions.size(); ++i) {
    const bool ascending = i == 0 || positions[i] > positions[i - 1];
    if (positions[i] < 0 || positions[i] >= args.rank(0) || !ascending) {
      return args.Error("dims ", core::ToString(positions), " for ", ToString(args.in(0)));
    }
    TRT_RETURN_IF_ERROR(args.RequireIndexType(first + i));
    auto broadcast = BroadcastDims(index_dims, args.dims(first + i));
    if (!broadcast.ok()) return args.Error(broadcast.status().message());
    index_dims = *std::move(broadcast);
  }
  const bool adjacent =
      positions.back() - positions.front() + 1 == static_cast<int64_t>(positions.size());
  const int64_t place = adjacent ? positions.front() : 0;
  SymDims out;
  for (int64_t d = 0; d <= args.rank(0); ++d) {
    if (d == place) out.insert(out.end(), index_dims.begin(), index_dims.end());
    if (d == args.rank(0)) break;
    if (std::find(positions.begin(), positions.end(), d) != positions.end()) continue;
    out.push_back(args.dims(0)[static_cast<size_t>(d)]);
  }
  if (out.size() > static_cast<size_t>(kMaxRank)) return args.Error("result of rank ", out.size());
  return out;
}

// Dims of `inner` that are larger than those of `outer` (axis excepted) cannot be addressed.
Status CheckWithin(const InferArgs& args, size_t inner, size_t outer, int64_t except_axis) {
  for (size_t d = 0; d < args.dims(inner).size(); ++d) {
    if (static_cast<int64_t>(d) == except_axis) continue;
    const SymInt room = args.dims(outer)[d] - args.dims(inner)[d];
    if (room.is_constant() && room.constant() < 0) {
      return args.Error("input ", inner, " ", ToString(args.in(inner)), " exceeds input ", outer,
                        " ", ToString(args.in(outer)), " along dim ", d);
    }
  }
  return Status::Ok();
}

}  // namespace

InferResult InferGather(const InferArgs& args) {
  TRT_ASSIGN_OR_RETURN(const size_t axis, args.Axis("axis", 0));
  TRT_RETURN_IF_ERROR(args.RequireIndexType(1));
  SymDims dims(args.dims(0).begin(), args.dims(0).begin() + static_cast<int64_t>(axis));
  dims.insert(dims.end(), args.dims(1).begin(), args.dims(1).end());
  dims.insert(dims.end(), args.dims(0).begin() + static_cast<int64_t>(axis) + 1,
              args.dims(0).end());
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

InferResult InferGatherElements(const InferArgs& args) {
  TRT_ASSIGN_OR_RETURN(const size_t axis, args.Axis("axis", 0));
  TRT_RETURN_IF_ERROR(args.RequireIndexType(1));
  if (args.rank(1) != args.rank(0)) {
    return args.Error("data ", ToString(args.in(0)), " and indices ", ToString(args.in(1)),
                      " need one rank");
  }
  TRT_RETURN_IF_ERROR(CheckWithin(args, 1, 0, static_cast<int64_t>(axis)));
  return std::vector<TensorType>{{args.in(0).dtype, args.dims(1)}};
}

InferResult InferScatterElements(const InferArgs& args) {
  TRT_ASSIGN_OR_RETURN(const size_t axis, args.Axis("axis", 0));
  TRT_RETURN_IF_ERROR(args.RequireIndexType(1));
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 2));
  const std::string reduce = args.attrs.Str("reduce", "none");
  if (reduce != "none" && reduce != "sum" && reduce != "prod" && reduce != "mean" &&
      reduce != "amax" && reduce != "amin") {
    return args.Error("unknown reduce ", reduce);
  }
  if (args.rank(1) != args.rank(0) || args.rank(2) != args.rank(0)) {
    return args.Error("data ", ToString(args.in(0)), ", indices ", ToString(args.in(1)),
                      " and src ", ToString(args.in(2)), " need one rank");
  }
  TRT_RETURN_IF_ERROR(CheckWithin(args, 1, 0, static_cast<int64_t>(axis)));
  TRT_RETURN_IF_ERROR(CheckWithin(args, 1, 2, -1));
  return std::vector<TensorType>{args.in(0)};
}

InferResult InferIndex(const InferArgs& args) {
  TRT_ASSIGN_OR_RETURN(SymDims dims, IndexedDims(args, 1));
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

InferResult InferIndexPut(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 1));
  TRT_ASSIGN_OR_RETURN(const SymDims dims, IndexedDims(args, 2));
  const auto broadcast = BroadcastDims(dims, args.dims(1));
  if (!broadcast.ok() || !MayEqual(*broadcast, dims)) {
    return args.Error("values ", ToString(args.in(1)), " do not expand to ", core::ToString(dims));
  }
  return std::vector<TensorType>{args.in(0)};
}

InferResult InferNonZero(const InferArgs& args) {
  const SymInt count = args.attrs.Get<SymInt>("count", args.attrs.Int("count"));
  const SymInt room = NumElements(args.dims(0)) - count;
  if ((room.is_constant() && room.constant() < 0) ||
      (count.is_constant() && count.constant() < 0)) {
    return args.Error(count, " elements of ", ToString(args.in(0)));
  }
  return std::vector<TensorType>{{DataType::kInt64, {count, SymInt(args.rank(0))}}};
}

InferResult InferReadSize(const InferArgs& args) {
  if (args.in(0).dtype != DataType::kInt64 || args.rank(0) != 0) {
    return args.Error("a size is one i64, not ", ToString(args.in(0)));
  }
  if (args.attrs.Str("symbol").empty()) return args.Error("a size without a symbol");
  return std::vector<TensorType>{args.in(0)};
}

}  // namespace torch_tensorrt::core::layers
