// Tactics of matrix products, convolutions and attention on NVIDIA GPUs.
#include <cstring>

#include "core/tactics/lists.h"
#include "core/tactics/operands.h"

namespace torch_tensorrt::core::tactics {
namespace {

using ir::LayerKind;

bool IsMatrixType(DataType type) { return type == DataType::kFloat32 || IsHalf(type); }

int64_t RoundUp(int64_t a, int64_t to) { return (a + to - 1) / to * to; }

// Elements from one row to the next where rows of k values are padded to a multiple of 16 bytes.
int64_t RowPitch(DataType dtype, int64_t k) {
  return RoundUp(k, 16 / static_cast<int64_t>(SizeOf(dtype)));
}

// Writes constant weights as `rows` rows of k values, each padded by zeros to RowPitch. Element
// (r, i) is at r * row_stride + i * column_stride of the weights.
void PackRows(const ir::Weights& w, int64_t rows, int64_t k, int64_t row_stride,
              int64_t column_stride, void* out) {
  const auto size = static_cast<int64_t>(SizeOf(w.dtype));
  const int64_t pitch = RowPitch(w.dtype, k);
  auto* to = static_cast<std::byte*>(out);
  const auto* from = w.as<std::byte>();
  std::memset(to, 0, static_cast<size_t>(rows * pitch * size));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; column_stride != 1 && i < k; ++i) {
      std::memcpy(to + (r * pitch + i) * size, from + (r * row_stride + i * column_stride) * size,
                  static_cast<size_t>(size));
    }
    if (column_stride == 1) {
      std::memcpy(to + r * pitch * size, from + r * row_stride * size,
                  static_cast<size_t>(k * size));
    }
  }
}

// Dense rows of k values as rows of `padded`, with zeros after each.
ir::Weights PadRows(const ir::Weights& w, int64_t rows, int64_t k, int64_t padded) {
  const size_t size = SizeOf(w.dtype);
  ir::NewWeights out = ir::AllocateWeights(w.dtype, {rows, padded});
  auto* to = static_cast<std::byte*>(out.data);
  const auto from_bytes = static_cast<size_t>(k) * size;
  const auto to_bytes = static_cast<size_t>(padded) * size;
  std::memset(to, 0, static_cast<size_t>(rows) * to_bytes);
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
    std::memcpy(to + r * to_bytes, w.as<std::byte>() + r * from_bytes, from_bytes);
  }
  return std::move(out.weights);
}

// a [..., K] times constant weights [K, N].
Result<StepSpec> DescribeGemm(const TacticQuery& query) {
  const ir::Layer& layer = query.layer;
  const ir::Weights* b = query.network.weights(layer.inputs[1]);
  const ir::Tensor& a = query.network.tensor(layer.inputs[0]);
  if (b == nullptr) return Unsupported("the second operand is no constant");
  if (b->dims.size() != 2) return Unsupported("constant operand of rank ", b->dims.size());
  if (!IsMatrixType(b->dtype) || a.dtype != b->dtype) {
    return Unsupported("dtypes ", DataTypeName(a.dtype), " x ", DataTypeName(b->dtype));
  }
  if (layer.attrs.Bool("transpose_a")) return Unsupported("first operand transposed");
  const bool transposed = layer.attrs.Bool("transpose_b");
  const int64_t n = transposed ? b->dims[0] : b->dims[1];
  const int64_t k = transposed ? b->dims[1] : b->dims[0];
  if (n == 0 || k == 0) return Unsupported("empty weights");
  StepSpec spec{"cuda.gemm", Attributes(), {}};
  spec.attributes.Set("n", n).Set("k", k);
  if (layer.attrs.Bool("has_bias")) spec.attributes.Set("has_bias", true);
  if (layer.attrs.Has("epilogue")) {
    spec.attributes.Set("epilogue", layer.attrs.Get<ProgramText>("epilogue", {}));
  }
  const auto fill = [w = *b, n, k, transposed](void* to) {
    PackRows(w.Made(), n, k, transposed ? k : 1, transposed ? 1 : n, to);
  };
  spec.operands.push_back({0, LayoutNeed::kRows});
  spec.operands.push_back(PackedOperand(StrCat("rows.", WeightsName(query), transposed ? ".t" : ""),
                                        b->dtype, {n, RowPitch(b->dtype, k)}, fill));
  AddExtraOperands(query, LayoutNeed::kContiguous, &spec);
  return spec;
}

Result<StepSpec> DescribeBatchedGemm(const TacticQuery& query) {
  const ir::Tensor& a = query.network.tensor(query.layer.inputs[0]);
  const ir::Tensor& b = query.network.tensor(query.layer.inputs[1]);
  if (!IsMatrixType(a.dtype) || a.dtype != b.dtype) {
    return Unsupported("dtypes ", DataTypeName(a.dtype), " x ", DataTypeName(b.dtype));
  }
  StepSpec spec{"cuda.batched_gemm", query.layer.attrs, {}};
  spec.operands.push_back({0, LayoutNeed::kAny});
  spec.operands.push_back({1, LayoutNeed::kAny});
  AddExtraOperands(query, LayoutNeed::kContiguous, &spec);
  return spec;
}

// Few channels are padded to 4 or 8, tap by tap, so that wide copies can read them.
int64_t PaddedChannels(const ConvolutionWeights& c) {
  if (c.groups != 1 || c.in_channels >= 8 || c.in_channels == 4) return c.in_channels;
  return c.in_channels < 4 ? 4 : 8;
}

Result<StepSpec> DescribeConvolution(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights c, CheckConvolution(query, 2));
  const int64_t channels = c.weights->dims.back();
  const int64_t padded = c.groups == 1 ? PaddedChannels(c) : channels;
  const auto fill = [weights = *c.weights, c, channels, padded](void* to) {
    ir::Weights w = weights.Made();
    if (padded != channels) w = PadRows(w, c.out_channels * c.taps, channels, padded);
    PackRows(w, c.out_channels, c.taps * padded, c.taps * padded, 1, to);
  };
  const DataType dtype = c.weights->dtype;
  Operand rows = PackedOperand("rows." + WeightsName(query), dtype,
                               {c.out_channels, RowPitch(dtype, c.taps * padded)}, fill);
  StepSpec spec =
      ConvolutionStep(query, c, "cuda.convolution", std::move(rows), LayoutNeed::kContiguous);
  if (padded != channels) spec.attributes.Set("padded_channels", padded);
  return spec;
}

// An image of few channels in any order, little work per pixel; weights [O, taps * I] become
// [taps * I, O].
Result<StepSpec> DescribeFirstConvolution(const TacticQuery& query) {
  constexpr int64_t kMostProducts = 1024;  // per pixel: beyond, tensor cores are faster
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights c, CheckConvolution(query, 2));
  const int64_t k = c.taps * c.in_channels;
  if (c.groups != 1 || c.in_channels > 4 || c.out_channels % 8 != 0 || c.out_channels > 32 ||
      k * c.out_channels > kMostProducts || !IsMatrixType(c.weights->dtype)) {
    return Unsupported(c.in_channels, " -> ", c.out_channels, " channels in ", c.groups,
                       " groups, ", c.taps, " taps");
  }
  const auto fill = [weights = *c.weights, c, k](void* to) {
    PackRows(weights.Made(), k, c.out_channels, 1, k, to);
  };
  const DataType dtype = c.weights->dtype;
  Operand rows = PackedOperand("first." + WeightsName(query), dtype,
                               {k, RowPitch(dtype, c.out_channels)}, fill);
  StepSpec spec =
      ConvolutionStep(query, c, "cuda.first_convolution", std::move(rows), LayoutNeed::kContiguous);
  spec.operands[0].need = LayoutNeed::kAny;
  return spec;
}

// One filter per channel; weights [O, taps, 1] become [taps, O].
Result<StepSpec> DescribeDepthwise(const TacticQuery& query) {
  TRT_ASSIGN_OR_RETURN(const ConvolutionWeights c, CheckConvolution(query, 2));
  TRT_RETURN_IF_ERROR(CheckDepthwise(c));
  const Dims dilation = query.layer.attrs.Ints("dilation");
  const Dims stride = query.layer.attrs.Ints("stride");
  if (c.taps > 128 || dilation.empty() || (c.kernel.back() - 1) * dilation.back() > 32 ||
      stride.empty() || stride.back() > 8) {
    return Unsupported("a window of ", c.taps, " taps, or its stride or dilation");
  }
  const auto fill = [weights = *c.weights, c](void* to) {
    const ir::Weights w = weights.Made();
    const size_t size = SizeOf(w.dtype);
    for (int64_t i = 0; i < c.taps * c.out_channels; ++i) {
      const int64_t from = i % c.out_channels * c.taps + i / c.out_channels;
      std::memcpy(static_cast<std::byte*>(to) + static_cast<size_t>(i) * size,
                  w.as<std::byte>() + static_cast<size_t>(from) * size, size);
    }
  };
  Operand taps =
      PackedOperand("taps." + WeightsName(query), c.weights->dtype, {c.taps, c.out_channels}, fill);
  return ConvolutionStep(query, c, "cuda.depthwise_convolution", std::move(taps),
                         LayoutNeed::kContiguous);
}

Result<StepSpec> DescribeAttention(const TacticQuery& query) {
  const ir::Tensor& q = query.network.tensor(query.layer.inputs[0]);
  if (!IsMatrixType(q.dtype)) return Unsupported("dtype ", DataTypeName(q.dtype));
  StepSpec spec = PassThrough(query, "cuda.attention", LayoutNeed::kInnerUnit);
  if (spec.operands.size() > 3) spec.operands[3].need = LayoutNeed::kAny;
  return spec;
}

}  // namespace

std::span<const Tactic> CudaMatrixTactics(LayerKind kind) {
  static constexpr Tactic kAttention[] = {{"cuda.attention", DescribeAttention},
                                          {"cuda.ref", DescribeCudaReference}};
  static constexpr Tactic kConvolution[] = {{"cuda.depthwise_convolution", DescribeDepthwise},
                                            {"cuda.first_convolution", DescribeFirstConvolution},
                                            {"cuda.convolution", DescribeConvolution},
                                            {"cuda.ref", DescribeCudaReference}};
  static constexpr Tactic kMatrixMultiply[] = {{"cuda.gemm", DescribeGemm},
                                               {"cuda.batched_gemm", DescribeBatchedGemm},
                                               {"cuda.ref", DescribeCudaReference}};
  static constexpr Tactic kReferenceOnly[] = {{"cuda.ref", DescribeCudaReference}};
  switch (kind) {
    case LayerKind::kAttention:
      return kAttention;
    case LayerKind::kConvolution:
      return kConvolution;
    case LayerKind::kMatrixMultiply:
      return kMatrixMultiply;
    default:  // kinds of other lists
      return kReferenceOnly;
  }
}

}  // namespace torch_tensorrt::core::tactics
