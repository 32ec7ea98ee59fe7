#include "core/conversion/masks.h"

#include <algorithm>
#include <set>
#include <string>

#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

// Symbols that input dims or layers of the network give.
std::set<std::string> GivenSymbols(const ir::Network& network) {
  std::set<std::string> given;
  for (TensorId input : network.inputs()) {
    for (const SymInt& dim : network.tensor(input).dims) dim.CollectSymbols(&given);
  }
  for (const auto& [name, layer] : network.computed_sizes()) given.insert(name);
  return given;
}

}  // namespace

void ComputeSize(ConversionContext& ctx, TensorId value, const SymInt& size) {
  if (!ctx.ok()) return;
  std::set<std::string> names;
  size.CollectSymbols(&names);
  const std::set<std::string> given = GivenSymbols(ctx.network());
  if (std::includes(given.begin(), given.end(), names.begin(), names.end())) return;
  const std::string& name = *names.begin();
  if (names.size() > 1 || !(size == SymInt::Symbol(name))) {
    ctx.Fail(Unsupported("the number of elements, ", size, ", is no size that stands for itself"));
    return;
  }
  ctx.Add(LayerKind::kReadSize, {value}, {{"symbol", name}});
}

TensorId NonZero(ConversionContext& ctx, TensorId x, const SymInt& count) {
  const DataType type = ctx.Type(x);
  const TensorId flags =
      type == DataType::kBool ? x : ctx.Binary(PointwiseOp::kNe, x, ctx.Scalar(SymInt(0), type));
  const TensorId flat = ctx.Reshape(flags, {NumElements(ctx.Dims(x))});
  const TensorId found = ctx.Reduce("sum", ctx.Cast(flat, DataType::kInt64), {0}, false);
  ComputeSize(ctx, found, count);
  return ctx.Add(LayerKind::kNonZero, {flags}, {{"count", count}});
}

TensorId FlatNonZero(ConversionContext& ctx, TensorId x, const SymInt& count) {
  const TensorId flat = ctx.Reshape(x, {NumElements(ctx.Dims(x))});
  return ctx.Reshape(NonZero(ctx, flat, count), {count});
}

}  // namespace torch_tensorrt::core::conversion
