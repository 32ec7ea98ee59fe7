// Matrix products.
#include "core/conversion/families.h"
#include "core/conversion/operands.h"

namespace torch_tensorrt::core::conversion {
namespace {

using Op = PointwiseOp;

TensorId Product(ConversionContext& ctx, TensorId a, TensorId b, bool transpose_b = false) {
  return ctx.Add(LayerKind::kMatrixMultiply, {a, b}, {{"transpose_b", transpose_b}});
}

TensorId ProductWithBias(ConversionContext& ctx, TensorId a, TensorId b, TensorId bias,
                         bool transpose_b) {
  return ctx.Add(LayerKind::kMatrixMultiply, {a, b, bias},
                 {{"transpose_b", transpose_b}, {"has_bias", true}});
}

// torch.matmul of tensors of any rank from 1.
TensorId Matmul(ConversionContext& ctx, TensorId a, TensorId b) {
  ctx.Require(ctx.Rank(a) > 0 && ctx.Rank(b) > 0, "a scalar operand");
  const bool row = ctx.Rank(a) == 1;
  const bool column = ctx.Rank(b) == 1;
  if (row) a = ctx.Unsqueeze(a, 0);
  if (column) b = ctx.Unsqueeze(b, 1);
  TensorId out = Product(ctx, a, b);
  if (row) out = ctx.Squeeze(out, -2);
  if (column) out = ctx.Squeeze(out, -1);
  return out;
}

Values Linear(ConversionContext& ctx, const Args& args) {
  const TensorId x = args.Tensor("input");
  const TensorId weight = args.Tensor("weight");
  const TensorId bias = args.OptTensor("bias");
  ctx.Require(ctx.Rank(x) > 0, "a scalar input");
  const bool vector = ctx.Rank(x) == 1;
  const bool one_output = ctx.Rank(weight) == 1;
  const TensorId a = vector ? ctx.Unsqueeze(x, 0) : x;
  const TensorId b = one_output ? ctx.Unsqueeze(weight, 0) : weight;
  TensorId out = ir::kNone;
  if (bias != ir::kNone && ctx.Rank(bias) == 1 && !one_output) {
    out = ProductWithBias(ctx, a, b, bias, true);
  } else {
    out = Product(ctx, a, b, true);
  }
  if (one_output) out = ctx.Squeeze(out, -1);
  if (vector) out = ctx.Squeeze(out, 0);
  if (bias != ir::kNone && (ctx.Rank(bias) != 1 || one_output)) {
    out = ctx.Binary(Op::kAdd, out, bias);
  }
  return Out(out);
}

// beta * self + alpha * product; beta 0 ignores NaN in self.
Values Scaled(ConversionContext& ctx, const Args& args, TensorId a, TensorId b) {
  const TensorId self = args.Tensor("self");
  const Value one(SymInt(1));
  const Value& beta = args.Has("beta") ? args.Get("beta") : one;
  const Value& alpha = args.Has("alpha") ? args.Get("alpha") : one;
  const bool plain = IsNumber(beta, 1) && IsNumber(alpha, 1);
  if (plain && ctx.Rank(self) == 1 && ctx.Rank(a) == 2 && ctx.Rank(b) == 2 &&
      ctx.Dim(self, 0) == ctx.Dim(b, 1)) {
    return Out(ProductWithBias(ctx, a, b, self, false));
  }
  const DataType type = ctx.Type(a);
  const DataType compute = plain ? type : ComputeTypeOf(type);
  TensorId out = ctx.Cast(Matmul(ctx, a, b), compute);
  if (!IsNumber(alpha, 1)) out = ctx.Binary(Op::kMul, out, ctx.Number(alpha, compute));
  if (IsNumber(beta, 0)) return Out(ctx.Cast(out, type));
  TensorId addend = ctx.Cast(self, compute);
  if (!IsNumber(beta, 1)) addend = ctx.Binary(Op::kMul, addend, ctx.Number(beta, compute));
  return Out(ctx.Cast(ctx.Binary(Op::kAdd, out, addend), type));
}

Values Addmm(ConversionContext& ctx, const Args& args) {
  return Scaled(ctx, args, args.Tensor("mat1"), args.Tensor("mat2"));
}

Values Baddbmm(ConversionContext& ctx, const Args& args) {
  return Scaled(ctx, args, args.Tensor("batch1"), args.Tensor("batch2"));
}

Values Addmv(ConversionContext& ctx, const Args& args) {
  return Scaled(ctx, args, args.Tensor("mat"), args.Tensor("vec"));
}

Values Mm(ConversionContext& ctx, const Args& args) {
  return Out(Product(ctx, args.Tensor("self"), args.Tensor("mat2")));
}

Values MatmulOp(ConversionContext& ctx, const Args& args) {
  return Out(Matmul(ctx, args.Tensor("self"), args.Tensor("other")));
}

Values Mv(ConversionContext& ctx, const Args& args) {
  return Out(Matmul(ctx, args.Tensor("self"), args.Tensor("vec")));
}

Values Dot(ConversionContext& ctx, const Args& args) {
  const char* other = args.Has("tensor") ? "tensor" : "other";
  return Out(Matmul(ctx, args.Tensor("self"), args.Tensor(other)));
}

Values Outer(ConversionContext& ctx, const Args& args) {
  return Out(PromotedBinary(ctx, Op::kMul, Value::Tensor(ctx.Unsqueeze(args.Tensor("self"), 1)),
                            Value::Tensor(ctx.Unsqueeze(args.Tensor("vec2"), 0))));
}

// Cross product along a dim of size 3.
Values Cross(ConversionContext& ctx, const Args& args) {
  TensorId a = args.Tensor("self");
  TensorId b = args.Tensor("other");
  auto dims = ir::BroadcastDims(ctx.Dims(a), ctx.Dims(b));
  if (!dims.ok()) {
    ctx.Fail(dims.status());
    return {};
  }
  a = ctx.Expand(a, *dims);
  b = ctx.Expand(b, *dims);
  const int64_t axis = ctx.Axis(args.Int("dim", -1), ctx.Rank(a));
  ctx.Require(ctx.Dim(a, axis).Equals(3), "a cross product needs a dim of size 3");
  const auto part = [&](TensorId x, int i) { return ctx.Slice(x, axis, i, 1); };
  std::vector<TensorId> parts;
  for (int i = 0; i < 3; ++i) {
    const int j = (i + 1) % 3;
    const int k = (i + 2) % 3;
    parts.push_back(ctx.Binary(Op::kSub, ctx.Binary(Op::kMul, part(a, j), part(b, k)),
                               ctx.Binary(Op::kMul, part(a, k), part(b, j))));
  }
  return Out(ctx.Concat(parts, axis));
}

constexpr ConverterEntry kTable[] = {
    {"aten.linear.default", &Linear},   {"aten.addmm.default", &Addmm},
    {"aten.baddbmm.default", &Baddbmm}, {"aten.addmv.default", &Addmv},
    {"aten.mm.default", &Mm},           {"aten.bmm.default", &Mm},
    {"aten.matmul.default", &MatmulOp}, {"aten.mv.default", &Mv},
    {"aten.dot.default", &Dot},         {"aten.vdot.default", &Dot},
    {"aten.outer.default", &Outer},     {"aten.linalg_cross.default", &Cross},
};

}  // namespace

ConverterTable MatrixConverters() { return kTable; }

}  // namespace torch_tensorrt::core::conversion
