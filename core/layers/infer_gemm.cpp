// Inference of matrix products, attention and rotary embedding.
#include "core/layers/infer_args.h"

namespace torch_tensorrt::core::layers {

InferResult InferMatrixMultiply(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 1));
  if (args.rank(0) < 2 || args.rank(1) < 2 || args.in(0).dtype == DataType::kBool) {
    return args.Error("needs numbers of rank 2 or more, got ", ToString(args.in(0)), " and ",
                      ToString(args.in(1)));
  }
  auto matrix = [&](size_t i, bool transposed) {
    const SymDims& dims = args.dims(i);
    const SymInt& a = dims[dims.size() - 2];
    const SymInt& b = dims.back();
    return transposed ? std::pair{b, a} : std::pair{a, b};
  };
  const auto [m, k] = matrix(0, args.attrs.Bool("transpose_a"));
  const auto [k2, n] = matrix(1, args.attrs.Bool("transpose_b"));
  if (!MayEqual(k, k2)) {
    return args.Error("inner dims ", k, " and ", k2, " differ: ", ToString(args.in(0)), ", ",
                      ToString(args.in(1)));
  }
  auto dims = BroadcastDims(SymDims(args.dims(0).begin(), args.dims(0).end() - 2),
                            SymDims(args.dims(1).begin(), args.dims(1).end() - 2));
  if (!dims.ok()) return args.Error(dims.status().message());
  dims->push_back(m);
  dims->push_back(n);
  size_t used = 2;
  if (args.attrs.Bool("has_bias")) {
    if (args.inputs.size() < 3) return args.Error("has_bias without a bias");
    TRT_RETURN_IF_ERROR(args.RequireSameType(0, 2));
    if (!MayEqual(args.dims(2), SymDims{n})) {
      return args.Error("bias ", ToString(args.in(2)), " for ", n, " columns");
    }
    used = 3;
  }
  TRT_ASSIGN_OR_RETURN(const DataType type, InferEpilogue(args, used, *dims, args.in(0).dtype));
  return std::vector<TensorType>{{type, *std::move(dims)}};
}

InferResult InferAttention(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 1));
  TRT_RETURN_IF_ERROR(args.RequireSameType(0, 2));
  if (args.rank(0) != 4 || args.rank(1) != 4 || args.rank(2) != 4) {
    return args.Error("q, k and v need rank 4: ", ToString(args.in(0)), ", ", ToString(args.in(1)),
                      ", ", ToString(args.in(2)));
  }
  const SymDims& q = args.dims(0);
  const SymDims& k = args.dims(1);
  const SymDims& v = args.dims(2);
  const bool heads_fit = !q[1].is_constant() || !k[1].is_constant() ||
                         (k[1].constant() > 0 && q[1].constant() % k[1].constant() == 0);
  if (!MayEqual(q[0], k[0]) || !MayEqual(q[0], v[0]) || !MayEqual(k[1], v[1]) ||
      !MayEqual(q[3], k[3]) || !MayEqual(k[2], v[2]) || !heads_fit) {
    return args.Error("q ", ToString(args.in(0)), ", k ", ToString(args.in(1)), " and v ",
                      ToString(args.in(2)), " do not fit");
  }
  if (args.inputs.size() == 4) {
    const SymDims scores{q[0], q[1], q[2], k[2]};
    const DataType type = args.in(3).dtype;
    const auto broadcast = BroadcastDims(scores, args.dims(3));
    const bool type_fits =
        type == DataType::kBool || type == args.in(0).dtype || type == DataType::kFloat32;
    if (!type_fits || !broadcast.ok() || !MayEqual(*broadcast, scores)) {
      return args.Error("mask ", ToString(args.in(3)), " for scores ", core::ToString(scores));
    }
  }
  SymDims dims{q[0], q[1], q[2], v[3]};
  if (args.attrs.Bool("out_bshd")) std::swap(dims[1], dims[2]);
  return std::vector<TensorType>{{args.in(0).dtype, std::move(dims)}};
}

InferResult InferRotaryEmbedding(const InferArgs& args) {
  TRT_RETURN_IF_ERROR(args.RequireFloat(0));
  if (args.rank(0) < 2) return args.Error("x ", ToString(args.in(0)), " needs [..., S, D]");
  const SymInt& width = args.dims(0).back();
  if (width.is_constant() && width.constant() % 2 != 0) return args.Error("odd width ", width);
  for (size_t i = 1; i <= 2; ++i) {
    const DataType type = args.in(i).dtype;
    const auto broadcast = BroadcastDims(args.dims(0), args.dims(i));
    if ((type != args.in(0).dtype && type != DataType::kFloat32) || !broadcast.ok() ||
        !MayEqual(*broadcast, args.dims(0))) {
      return args.Error(i == 1 ? "cos " : "sin ", ToString(args.in(i)), " for x ",
                        ToString(args.in(0)));
    }
  }
  return std::vector<TensorType>{args.in(0)};
}

}  // namespace torch_tensorrt::core::layers
