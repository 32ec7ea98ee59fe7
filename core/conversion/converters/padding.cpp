// Padding in all modes.
#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

// torch lists (begin, end) pairs from the last dim on; the layer wants all begins, then all ends.
TensorId PadWith(ConversionContext& ctx, const Args& args, const char* name,
                 const std::string& mode, double value) {
  TensorId x = args.Tensor("self");
  const SymDims pairs = args.Syms(name);
  const auto rank = static_cast<size_t>(ctx.Rank(x));
  ctx.Require(pairs.size() % 2 == 0 && pairs.size() <= 2 * rank, "pad ", core::ToString(pairs),
              " of rank ", rank);
  if (!ctx.ok()) return x;
  SymDims pads(2 * rank, SymInt(0));
  bool changes = false;
  for (size_t i = 0; i < pairs.size() / 2; ++i) {
    const size_t d = rank - 1 - i;
    pads[d] = pairs[2 * i];
    pads[d + rank] = pairs[2 * i + 1];
    changes = changes || !pads[d].Equals(0) || !pads[d + rank].Equals(0);
  }
  if (!changes) return x;
  return ctx.Add(LayerKind::kPad, {x}, {{"pads", pads}, {"mode", mode}, {"value", value}});
}

Values Constant(ConversionContext& ctx, const Args& args) {
  double value = 0;
  if (const auto* flag = args.Get("value").get<bool>()) {
    value = *flag ? 1 : 0;
  } else {
    value = args.Double("value", 0);
  }
  return Out(PadWith(ctx, args, "pad", "constant", value));
}

Values Reflect(ConversionContext& ctx, const Args& args) {
  return Out(PadWith(ctx, args, "padding", "reflect", 0));
}

Values Replicate(ConversionContext& ctx, const Args& args) {
  return Out(PadWith(ctx, args, "padding", "replicate", 0));
}

Values Circular(ConversionContext& ctx, const Args& args) {
  return Out(PadWith(ctx, args, "pad", "circular", 0));
}

Values Pad(ConversionContext& ctx, const Args& args) {
  return Out(PadWith(ctx, args, "pad", args.Str("mode", "constant"), args.Double("value", 0)));
}

constexpr ConverterEntry kTable[] = {
    {"aten.constant_pad_nd.default", &Constant},
    {"aten.reflection_pad1d.default", &Reflect},
    {"aten.reflection_pad2d.default", &Reflect},
    {"aten.reflection_pad3d.default", &Reflect},
    {"aten.replication_pad1d.default", &Replicate},
    {"aten.replication_pad2d.default", &Replicate},
    {"aten.replication_pad3d.default", &Replicate},
    {"aten._pad_circular.default", &Circular},
    {"aten.pad.default", &Pad},
};

}  // namespace

ConverterTable PaddingConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
