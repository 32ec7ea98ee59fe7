// Attention and RotaryEmbedding.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels::reference {
namespace {

struct AttentionDims {
  int64_t batch, heads, kv_heads, queries, keys, depth, value_depth;
};

Result<AttentionDims> DimsOf(const RefArgs& args) {
  const TensorView& q = args.in(0);
  const TensorView& k = args.in(1);
  const TensorView& v = args.in(2);
  if (q.rank != 4 || k.rank != 4 || v.rank != 4) {
    return InvalidArgument("[Attention] ranks ", q.rank, ", ", k.rank, ", ", v.rank,
                           ", expected 4");
  }
  const AttentionDims d{q.dims[0], q.dims[1], k.dims[1], q.dims[2],
                        k.dims[2], q.dims[3], v.dims[3]};
  if (k.dims[0] != d.batch || v.dims[0] != d.batch || v.dims[1] != d.kv_heads ||
      v.dims[2] != d.keys || k.dims[3] != d.depth || d.kv_heads == 0 || d.heads % d.kv_heads != 0) {
    return InvalidArgument("[Attention] q has ", d.heads, " heads of ", d.depth, ", k ", d.kv_heads,
                           " heads of ", k.dims[3], " over ", d.keys, " keys, v ", v.dims[1],
                           " heads over ", v.dims[2], " keys");
  }
  return d;
}

// Softmax that gives `hidden` where every score is -inf.
void SafeSoftmax(double hidden, std::vector<double>* scores) {
  double max = -INFINITY;
  for (const double s : *scores) max = std::isnan(s) || s > max ? s : max;
  for (const double s : *scores) max = std::isnan(s) ? s : max;
  if (max == -INFINITY) {
    for (double& s : *scores) s = hidden;
    return;
  }
  double sum = 0;
  for (double& s : *scores) sum += s = std::exp(s - max);
  for (double& s : *scores) s /= sum;
}

}  // namespace

Status RunAttention(const RefArgs& args) {
  TRT_ASSIGN_OR_RETURN(const AttentionDims d, DimsOf(args));
  const std::vector<double> q = ReadAll<double>(args.in(0));
  const std::vector<double> k = ReadAll<double>(args.in(1));
  const std::vector<double> v = ReadAll<double>(args.in(2));
  const double scale = args.attributes.Double("scale", 1);
  const bool causal = args.attributes.Bool("causal");
  TensorView score_shape;  // [B, H, S, T]
  score_shape.rank = 4;
  score_shape.dims = {d.batch, d.heads, d.queries, d.keys};
  const double hidden = args.attributes.Bool("hidden_nan") ? static_cast<double>(NAN) : 0.0;
  const bool masked = args.inputs.size() > 3;
  const TensorView mask = masked ? BroadcastTo(args.in(3), score_shape) : TensorView{};
  TensorView out = args.out();
  if (args.attributes.Bool("out_bshd")) {
    std::swap(out.dims[1], out.dims[2]);
    std::swap(out.strides[1], out.strides[2]);
  }
  const auto score = [&](int64_t b, int64_t h, int64_t s, int64_t t) {
    if (causal && t > s) return -static_cast<double>(INFINITY);
    const double* query = q.data() + ((b * d.heads + h) * d.queries + s) * d.depth;
    const int64_t kv_head = h / (d.heads / d.kv_heads);
    const double* key = k.data() + ((b * d.kv_heads + kv_head) * d.keys + t) * d.depth;
    double dot = 0;
    for (int64_t i = 0; i < d.depth; ++i) dot += query[i] * key[i];
    dot *= scale;
    if (!masked) return dot;
    const int64_t offset =
        b * mask.strides[0] + h * mask.strides[1] + s * mask.strides[2] + t * mask.strides[3];
    const auto value = ReadElement<double>(mask.data, mask.dtype, offset);
    if (mask.dtype == DataType::kBool) return value != 0 ? dot : -static_cast<double>(INFINITY);
    return dot + value;
  };
  std::vector<double> scores(At(d.keys));
  const std::array<int64_t, 3> walked{d.batch, d.heads, d.queries};
  for (Walker<1> w(walked.data(), 3, {out.strides.data()}); !w.done(); w.Next()) {
    const int64_t kv_head = w.index(1) / (d.heads / d.kv_heads);
    for (int64_t t = 0; t < d.keys; ++t) {
      scores[At(t)] = score(w.index(0), w.index(1), w.index(2), t);
    }
    SafeSoftmax(hidden, &scores);
    const int64_t visible = causal ? std::min(d.keys, w.index(2) + 1) : d.keys;
    const double* values = v.data() + (w.index(0) * d.kv_heads + kv_head) * d.keys * d.value_depth;
    for (int64_t e = 0; e < d.value_depth; ++e) {
      double sum = 0;
      for (int64_t t = 0; t < visible; ++t) sum += scores[At(t)] * values[t * d.value_depth + e];
      WriteElement(out.data, out.dtype, w.offset(0) + e * out.strides[3], sum);
    }
  }
  return Status::Ok();
}

Status RunRotaryEmbedding(const RefArgs& args) {
  const TensorView& x = args.in(0);
  if (x.rank < 1 || x.dims[At(x.rank - 1)] % 2 != 0) {
    return InvalidArgument("[RotaryEmbedding] rank ", x.rank, ", expected a last dim of even size");
  }
  const std::vector<double> values = ReadAll<double>(x);
  const std::vector<double> cos = ReadAll<double>(BroadcastTo(args.in(1), x));
  const std::vector<double> sin = ReadAll<double>(BroadcastTo(args.in(2), x));
  const size_t depth = At(x.dims[At(x.rank - 1)]);
  const bool interleaved = args.attributes.Bool("interleaved");
  std::vector<double> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t e = i % depth;
    const bool first = interleaved ? e % 2 == 0 : e < depth / 2;
    const size_t distance = interleaved ? 1 : depth / 2;
    const double rotated = first ? -values[i + distance] : values[i - distance];
    out[i] = values[i] * cos[i] + rotated * sin[i];
  }
  WriteAll(args.out(), out);
  return Status::Ok();
}

}  // namespace torch_tensorrt::core::kernels::reference
