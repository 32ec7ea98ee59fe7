#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/matrix/attention_stream.h"
#include "core/kernels/cuda/matrix/kernels.h"
#include "core/kernels/cuda/matrix/product.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using device::cuda::Gpu;

constexpr std::string_view kTag = "cuda.attention";
constexpr int64_t kMaxHead = 256;       // of 16-bit types
constexpr int64_t kMaxFloatHead = 128;  // registers

// How the work is cut.
struct Shape {
  int warps_rows = 4;
  int warps_keys = 1;
  int blocks = 1;  // of 16 rows per warp
  int keys = 64;
  int split = 1;

  int threads() const { return warps_rows * warps_keys * 32; }
  int64_t rows() const { return warps_rows * blocks * 16; }
};

int64_t RoundUp(int64_t a, int64_t to) { return (a + to - 1) / to * to; }

int64_t SharedBytes(const Shape& shape, DataType dtype, int64_t d, int64_t d_v) {
  constexpr int64_t kStages = 2;
  const auto size = static_cast<int64_t>(SizeOf(dtype));
  const auto parts_of = [size](int64_t head) {  // as in attention_load.cuh
    int64_t parts = 1;
    while (parts * 128 < head * size) parts *= 2;
    return parts;
  };
  const int64_t parts = parts_of(d);
  const int64_t parts_v = parts_of(d_v);
  const int64_t operands = (shape.rows() * parts + kStages * shape.keys * (parts + parts_v)) * 128;
  const int64_t groups = shape.warps_keys + (shape.split > 1 ? 1 : 0);
  const int64_t sums = groups * shape.rows() * (d_v + 8 + 4) * 4;
  return std::max(operands, sums) + 1024;
}

// `pairs` of batch and key head, `rows` queries each, heads of `d`. The widest tile of rows that
// still gives every multiprocessor work; few rows share out the keys instead.
Shape ChooseShape(const device::cuda::GpuInfo& gpu, DataType dtype, int64_t pairs, int64_t rows,
                  int64_t keys, int64_t d) {
  constexpr int64_t kMostForTwoBlocks = 64;  // registers
  constexpr int64_t kMostForWideTiles = 192;
  const int64_t multiprocessors = std::max(gpu.multiprocessors, 1);
  Shape shape;
  shape.blocks = IsHalf(dtype) && d <= kMostForTwoBlocks ? 2 : 1;
  const auto too_wide = [&] {
    return pairs * CeilDiv(rows, shape.rows()) < multiprocessors || shape.rows() / 2 >= rows;
  };
  if (too_wide()) shape.blocks = 1;
  while (shape.warps_rows > 1 && too_wide()) shape.warps_rows /= 2;
  shape.warps_keys = std::max(1, 4 / shape.warps_rows);
  // Floats take three products and so more registers.
  if (!IsHalf(dtype)) shape.keys = 16 * shape.warps_keys;
  if (d > kMostForWideTiles) shape.keys = std::max(32, 16 * shape.warps_keys);
  while (shape.keys > 16 * shape.warps_keys && gpu.shared_per_block != 0 &&
         SharedBytes(shape, dtype, d, d) > static_cast<int64_t>(gpu.shared_per_block)) {
    shape.keys /= 2;
  }
  if (gpu.compute_major < 9) return shape;
  const int64_t tiles = CeilDiv(keys, shape.keys);
  const int64_t blocks = pairs * CeilDiv(rows, shape.rows());
  while (shape.split < 8 && blocks * shape.split * 2 <= 2 * multiprocessors &&
         tiles >= shape.split * 4) {
    shape.split *= 2;
  }
  return shape;
}

struct AttentionState final : KernelState {
  struct Variant {
    device::cuda::Function function;
    device::cuda::LaunchConfig config;
  };
  AttentionParams params{};
  Shape shape;
  std::optional<Variant> aligned;  // rows of q, k, v start at multiples of 16 bytes
  std::optional<Variant> any;
  std::unique_ptr<AttentionStream> stream;  // in place of both, where it is faster
};

// "cuda.attention": f32, f16 and bf16, heads of up to 128, of 16-bit types 256.
class AttentionKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& attributes) {
    auto kernel = std::make_unique<AttentionKernel>();
    kernel->scale_ = attributes.Double("scale", 1);
    kernel->causal_ = attributes.Bool("causal");
    kernel->out_bshd_ = attributes.Bool("out_bshd");
    kernel->hidden_nan_ = attributes.Bool("hidden_nan");
    return std::unique_ptr<const Kernel>(std::move(kernel));
  }
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  Status Check(const PrepareArgs& args) const;
  Result<AttentionParams> ParamsOf(const PrepareArgs& args) const;
  Result<AttentionState::Variant> Load(const Gpu& gpu, const AttentionState& state, DataType type,
                                       const TensorView* mask, bool aligned) const;

  double scale_ = 1;
  bool causal_ = false;
  bool out_bshd_ = false;
  bool hidden_nan_ = false;
};

Status AttentionKernel::Check(const PrepareArgs& args) const {
  if (args.inputs.size() < 3 || args.inputs.size() > 4 || args.outputs.size() != 1) {
    return InvalidArgument("[", kTag, "] got ", args.inputs.size(), " inputs and ",
                           args.outputs.size(), " outputs");
  }
  const TensorView& q = args.inputs[0];
  const TensorView& k = args.inputs[1];
  const TensorView& v = args.inputs[2];
  if (q.rank != 4 || k.rank != 4 || v.rank != 4 || args.outputs[0].rank != 4 ||
      k.dims[0] != q.dims[0] || v.dims[0] != q.dims[0] || v.dims[1] != k.dims[1] ||
      v.dims[2] != k.dims[2] || k.dims[3] != q.dims[3] || k.dims[1] == 0 ||
      q.dims[1] % k.dims[1] != 0) {
    return InvalidArgument("[", kTag, "] q ", DimsText(q), ", k ", DimsText(k), ", v ",
                           DimsText(v));
  }
  if (!IsTensorCoreType(q.dtype) || k.dtype != q.dtype || v.dtype != q.dtype ||
      args.outputs[0].dtype != q.dtype) {
    return Unsupported("[", kTag, "] q of type ", DataTypeName(q.dtype),
                       "; f32, f16 and bf16 are supported");
  }
  const int64_t most = IsHalf(q.dtype) ? kMaxHead : kMaxFloatHead;
  if (q.dims[3] > most || v.dims[3] > most || q.dims[3] == 0) {
    return Unsupported("[", kTag, "] heads of ", q.dims[3], " and ", v.dims[3], ", at most ", most);
  }
  for (const TensorView* x : {&q, &k, &v}) {
    if (x->strides[3] != 1 && x->dims[3] > 1) {
      return Unsupported("[", kTag, "] the values of a head are not adjacent");
    }
  }
  if (!args.outputs[0].contiguous()) return Unsupported("[", kTag, "] output with gaps");
  return Status::Ok();
}

Result<AttentionParams> AttentionKernel::ParamsOf(const PrepareArgs& args) const {
  constexpr int64_t kMaxSize = int64_t{1} << 30;
  const TensorView& q = args.inputs[0];
  const TensorView& k = args.inputs[1];
  const TensorView& v = args.inputs[2];
  const TensorView& out = args.outputs[0];
  const int64_t group = q.dims[1] / k.dims[1];
  if (q.dims[2] * group > kMaxSize || k.dims[2] > kMaxSize ||
      q.dims[0] * q.dims[1] * std::max<int64_t>(q.dims[2], 1) > kMaxSize) {
    return Unsupported("[", kTag, "] q ", DimsText(q), ", k ", DimsText(k), " are too large");
  }
  AttentionParams p{};
  p.group = static_cast<int32_t>(group);
  p.s = static_cast<int32_t>(q.dims[2]);
  p.rows = static_cast<int32_t>(q.dims[2] * group);
  p.t = static_cast<int32_t>(k.dims[2]);
  p.d = static_cast<int32_t>(q.dims[3]);
  p.d_v = static_cast<int32_t>(v.dims[3]);
  p.key_heads = static_cast<int32_t>(k.dims[1]);
  p.scale = static_cast<float>(scale_ * 1.4426950408889634);
  // Strides of dims of one element may be anything, also what no wide copy could follow.
  const auto stride = [](const TensorView& x, size_t d) {
    return x.dims[d] == 1 ? int64_t{0} : x.strides[d];
  };
  for (size_t i = 0; i < 3; ++i) {
    p.q_stride[i] = stride(q, i);
    p.k_stride[i] = stride(k, i);
    p.v_stride[i] = stride(v, i);
  }
  const size_t head = out_bshd_ ? 2 : 1;
  p.out_stride[0] = out.strides[0];
  p.out_stride[1] = out.strides[head];
  p.out_stride[2] = out.strides[3 - head];
  if (args.inputs.size() < 4) return p;
  const TensorView& mask = args.inputs[3];
  const int64_t want[4] = {q.dims[0], q.dims[1], q.dims[2], k.dims[2]};
  for (int d = 0; d < mask.rank; ++d) {
    const auto from = static_cast<size_t>(mask.rank - 1 - d);
    const auto to = static_cast<size_t>(3 - d);
    if (d > 3 || (mask.dims[from] != 1 && mask.dims[from] != want[to])) {
      return InvalidArgument("[", kTag, "] mask ", DimsText(mask), " for scores [", want[0], ", ",
                             want[1], ", ", want[2], ", ", want[3], "]");
    }
    p.mask_stride[to] = mask.dims[from] == 1 ? 0 : mask.strides[from];
  }
  if (mask.dtype != DataType::kBool && !IsTensorCoreType(mask.dtype)) {
    return Unsupported("[", kTag, "] mask of type ", DataTypeName(mask.dtype));
  }
  return p;
}

Result<AttentionState::Variant> AttentionKernel::Load(const Gpu& gpu, const AttentionState& state,
                                                      DataType type, const TensorView* mask,
                                                      bool aligned) const {
  const AttentionParams& p = state.params;
  const Shape& shape = state.shape;
  std::string text;
  if (hidden_nan_ && p.t > 0) text += Define("HIDDEN_NAN", 1);
  if (mask != nullptr) text += Define("TRT_MASK", StorageName(mask->dtype));
  if (shape.split > 1) text += Define("TRT_CLUSTERS", 1);
  text += Define("TRT_IN", StorageName(type)) +
          Define("TRT_FLOAT", type == DataType::kFloat32 ? 1 : 0) +
          Define("HEAD", RoundUp(p.d, 16)) + Define("HEAD_V", RoundUp(p.d_v, 16)) +
          Define("ALIGNED", aligned ? 1 : 0) + Define("CAUSAL", causal_ ? 1 : 0) +
          Define("WARPS_ROWS", shape.warps_rows) + Define("WARPS_KEYS", shape.warps_keys) +
          Define("BLOCKS", shape.blocks) + Define("KEYS", shape.keys) +
          Define("SPLIT", shape.split) + "#include \"tile_load.cuh\"\n";
  AttentionState::Variant v;
  TRT_ASSIGN_OR_RETURN(
      v.function, gpu.Load(MakeSource("attention", text + std::string(SourceText("attention.cu"))),
                           "trt_attention"));
  const int64_t pairs = int64_t{p.key_heads} * p.row_tiles;  // per batch
  v.config.grid[0] = static_cast<unsigned>(pairs);
  v.config.grid[2] = static_cast<unsigned>(shape.split);
  v.config.block[0] = static_cast<unsigned>(shape.threads());
  v.config.shared_bytes =
      static_cast<unsigned>(SharedBytes(shape, type, RoundUp(p.d, 16), RoundUp(p.d_v, 16)));
  v.config.overlap_previous = gpu.info().compute_major >= 9;
  return v;
}

Result<Prepared> AttentionKernel::Prepare(const PrepareArgs& args) const {
  TRT_RETURN_IF_ERROR(Check(args));
  auto state = std::make_unique<AttentionState>();
  TRT_ASSIGN_OR_RETURN(state->params, ParamsOf(args));
  if (args.gpu == nullptr || args.outputs[0].numel() == 0) return Prepared{std::move(state), 0};
  AttentionParams& p = state->params;
  const int64_t batch = args.inputs[0].dims[0];
  state->shape = ChooseShape(args.gpu->info(), args.inputs[0].dtype, batch * p.key_heads, p.rows,
                             p.t, RoundUp(std::max(p.d, p.d_v), 16));
  p.row_tiles = static_cast<int32_t>(CeilDiv(p.rows, state->shape.rows()));
  const TensorView* mask = args.inputs.size() > 3 ? &args.inputs[3] : nullptr;
  TRT_ASSIGN_OR_RETURN(
      state->stream, AttentionStream::Create(
                         *args.gpu, p, {args.inputs[0].dtype, batch, causal_, mask, hidden_nan_}));
  if (state->stream != nullptr) return Prepared{std::move(state), 0};
  TRT_ASSIGN_OR_RETURN(state->aligned, Load(*args.gpu, *state, args.inputs[0].dtype, mask,
                                            HasWideRows(p, args.inputs[0].dtype)));
  return Prepared{std::move(state), 0};
}

Status AttentionKernel::Run(const RunArgs& args) const {
  auto& state = *static_cast<AttentionState*>(args.state);
  if (!state.aligned.has_value() && state.stream == nullptr) return Status::Ok();
  const TensorView* mask = args.inputs.size() > 3 ? &args.inputs[3] : nullptr;
  AttentionParams& p = state.params;
  p.q = args.inputs[0].data;
  p.k = args.inputs[1].data;
  p.v = args.inputs[2].data;
  p.mask = mask == nullptr ? nullptr : mask->data;
  p.out = args.outputs[0].data;
  p.vector = IsAligned(p.out) && p.d_v % 8 == 0 ? 1 : 0;
  const bool aligned = IsAligned(p.q) && IsAligned(p.k) && IsAligned(p.v);
  if (aligned && state.stream != nullptr) return state.stream->Run(args, p);
  if (!aligned && !state.any.has_value()) {
    TRT_ASSIGN_OR_RETURN(state.any, Load(*args.gpu, state, args.inputs[0].dtype, mask, false));
  }
  AttentionState::Variant v = aligned ? *state.aligned : *state.any;
  v.config.grid[0] *= static_cast<unsigned>(args.inputs[0].dims[0]);
  void* pointers[] = {&p, nullptr};
  return args.gpu->Launch(v.function, v.config, args.stream, pointers);
}

}  // namespace

Result<std::unique_ptr<const Kernel>> CreateAttention(const Attributes& attributes) {
  return AttentionKernel::Create(attributes);
}

}  // namespace torch_tensorrt::core::kernels::cuda
