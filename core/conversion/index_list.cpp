#include "core/conversion/index_list.h"

namespace torch_tensorrt::core::conversion {

IndexList ParseIndices(ConversionContext& ctx, const Args& args, TensorId data) {
  IndexList list;
  const Value::List& indices = args.List("indices");
  ctx.Require(static_cast<int64_t>(indices.size()) <= ctx.Rank(data), "more indices than dims");
  for (size_t d = 0; d < indices.size(); ++d) {
    if (indices[d].is_none()) continue;
    const auto* ref = indices[d].get<TensorRef>();
    if (ref == nullptr) {
      ctx.Fail(Unsupported("an index is no tensor"));
      break;
    }
    const DataType type = ctx.Type(ref->id);
    ctx.Require(type == DataType::kInt64 || type == DataType::kInt32,
                "a mask as an index gives a result whose size depends on data, index ", d, " is ",
                DataTypeName(type));
    // All index tensors of one layer share a type.
    list.dims.push_back(static_cast<int64_t>(d));
    list.tensors.push_back(ctx.Cast(ref->id, DataType::kInt64));
  }
  return list;
}

}  // namespace torch_tensorrt::core::conversion
