// Conversions of dtype, and operators that hand a tensor on.
#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

Values Identity(ConversionContext& ctx, const Args& args) {
  (void)ctx;
  return Out(args.Tensor("self"));
}

Values ToType(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("self");
  return Out(ctx.Cast(x, args.Type("dtype").value_or(ctx.Type(x))));
}

Values ConvertElementType(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("a");
  return Out(ctx.Cast(x, args.Type("dtype").value_or(ctx.Type(x))));
}

Values TypeAs(ConversionContext& ctx, const Args& args) {
  return Out(ctx.Cast(args.Tensor("self"), ctx.Type(args.Tensor("other"))));
}

// copy(self, src): src with the type and dims of self.
Values Copy(ConversionContext& ctx, const Args& args) {
  const TensorId self = args.Tensor("self");
  return Out(ctx.Expand(ctx.Cast(args.Tensor("src"), ctx.Type(self)), ctx.Dims(self)));
}

Values Dropout(ConversionContext& ctx, const Args& args) {
  ctx.Require(!args.Bool("train") || args.Double("p") == 0,
              "dropout in training mode: call model.eval() before compiling");
  return Out(args.Tensor("input"));
}

Values NativeDropout(ConversionContext& ctx, const Args& args) {
  ctx.Require(args.Has("train") && !args.Bool("train"),
              "dropout in training mode: call model.eval() before compiling");
  const TensorId x = args.Tensor("input");
  return {Value::Tensor(x), Value::Tensor(ctx.Fill(ctx.Dims(x), DataType::kBool, Value(true)))};
}

constexpr ConverterEntry kTable[] = {
    {"aten._to_copy.default", &ToType},
    {"aten.to.dtype", &ToType},
    {"aten.to.dtype_layout", &ToType},
    {"aten.to.device", &ToType},
    {"aten.to.other", &TypeAs},
    {"aten.type_as.default", &TypeAs},
    {"prims.convert_element_type.default", &ConvertElementType},
    {"aten.clone.default", &Identity},
    {"aten.contiguous.default", &Identity},
    {"aten.alias.default", &Identity},
    {"aten.detach.default", &Identity},
    {"aten.lift_fresh.default", &Identity},
    {"aten.lift_fresh_copy.default", &Identity},
    {"aten.positive.default", &Identity},
    {"aten.conj.default", &Identity},
    {"aten.resolve_conj.default", &Identity},
    {"aten.resolve_neg.default", &Identity},
    {"aten.real.default", &Identity},
    {"aten.copy.default", &Copy},
    {"aten.dropout.default", &Dropout},
    {"aten.feature_dropout.default", &Dropout},
    {"aten.alpha_dropout.default", &Dropout},
    {"aten.native_dropout.default", &NativeDropout},
};

}  // namespace

ConverterTable CastConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
