#include "core/kernels/cuda/matrix/attention_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/matrix/product.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using device::cuda::Gpu;
using device::cuda::TensorMapSpec;

constexpr int kStages = 2;
constexpr int kRowsPerGroup = 64;

int64_t RoundUp(int64_t a, int64_t to) { return (a + to - 1) / to * to; }
// Tiles of 128-byte rows that hold a head.
int64_t Parts(int64_t d) { return CeilDiv(RoundUp(d, 16) * 2, 128); }

// Dims that are walked at all must move.
bool Moves(const AttentionParams& p, const int64_t (&stride)[3], int64_t batch) {
  return (batch == 1 || stride[0] > 0) && (p.key_heads == 1 || stride[1] > 0) &&
         (p.t == 1 || stride[2] > 0);
}

TensorMapSpec SpecOf(const AttentionParams& p, const void* data, int d, const int64_t (&stride)[3],
                     int64_t batch, int keys) {
  const auto wide = [](int64_t x) { return static_cast<uint64_t>(x); };
  TensorMapSpec spec;
  spec.data = const_cast<void*>(data);
  spec.rank = 4;
  spec.dims = {wide(d), wide(p.t), wide(p.key_heads), wide(batch)};
  spec.strides[0] = 2;
  for (size_t i = 0; i < 3; ++i) {
    // Of dims of one element any stride will do that the driver takes.
    spec.strides[3 - i] = stride[i] > 0 ? wide(stride[i] * 2) : 16;
  }
  spec.box = {64, static_cast<uint32_t>(keys), 1, 1};
  return spec;
}

}  // namespace

AttentionStream::Shape AttentionStream::ChooseShape(const device::cuda::GpuInfo& gpu,
                                                    const AttentionParams& p, int64_t batch) {
  constexpr int kNarrowHead = 64;
  constexpr int kFewKeys = 512;
  constexpr int kManyKeys = 2048;
  Shape shape{1, 128, 1};
  const auto blocks = [&](int64_t rows) { return batch * p.key_heads * CeilDiv(p.rows, rows); };
  if (std::max(p.d, p.d_v) <= kNarrowHead) {
    if (p.t <= kFewKeys) return {1, 64, 3};
    // Every block reads all keys: where they are many, fewer and wider blocks.
    const bool wide = p.t > kManyKeys && blocks(3 * kRowsPerGroup) > gpu.multiprocessors;
    return wide ? Shape{3, 64, 1} : Shape{1, 128, 2};
  }
  if (blocks(kRowsPerGroup) > gpu.multiprocessors) {
    shape.warpgroups = 2;
  }
  return shape;
}

std::string AttentionStream::SourceOf(const AttentionParams& p, const Problem& problem,
                                      const Shape& shape) {
  constexpr int kRegisters = 65536;
  constexpr int kLoader = 24;
  constexpr int kMostWorker = 240;
  const int threads = (shape.warpgroups + 1) * 128;
  const int per_thread = kRegisters / shape.resident / threads / 8 * 8;
  const int worker = std::min(
      kMostWorker, (per_thread * threads - kLoader * 128) / (shape.warpgroups * 128) / 8 * 8);
  const std::string_view type = StorageName(problem.dtype);
  std::string text = StrCat("#include \"common.cuh\"\n",
                            Define("TRT_MMA_TYPES", StrCat("\"", type, ".", type, "\"")));
  if (problem.hidden_nan) text += Define("HIDDEN_NAN", 1);
  if (problem.mask != nullptr) text += Define("TRT_MASK", StorageName(problem.mask->dtype));
  text += Define("TRT_IN", type) + Define("TRT_FLOAT", 0) + Define("HEAD", RoundUp(p.d, 16)) +
          Define("HEAD_V", RoundUp(p.d_v, 16)) + Define("ALIGNED", 1) +
          Define("CAUSAL", problem.causal ? 1 : 0) + Define("WARPS_ROWS", shape.warpgroups * 4) +
          Define("WARPS_KEYS", 1) + Define("BLOCKS", 1) + Define("KEYS", shape.keys) +
          Define("SPLIT", 1) + Define("STAGES", kStages) + Define("RESIDENT", shape.resident) +
          Define("LOADER_REGISTERS", kLoader) + Define("WORKER_REGISTERS", worker);
  return StrCat(text, "#include \"tile_load.cuh\"\n", SourceText("attention_stream.cu"));
}

Result<std::unique_ptr<AttentionStream>> AttentionStream::Create(const Gpu& gpu,
                                                                 const AttentionParams& p,
                                                                 const Problem& problem) {
  constexpr int kLeastKeys = 128;
  constexpr int kMostHead = 128;
  std::unique_ptr<AttentionStream> none;
  if (gpu.info().compute_major != 9 || !IsHalf(problem.dtype) || !HasWideRows(p, problem.dtype) ||
      !Moves(p, p.k_stride, problem.batch) || !Moves(p, p.v_stride, problem.batch)) {
    return none;
  }
  const int64_t groups = problem.batch * p.key_heads * CeilDiv(p.rows, kRowsPerGroup);
  if (std::max(p.d, p.d_v) > kMostHead) return none;
  if (p.rows < kRowsPerGroup || p.t < kLeastKeys || groups * 4 < gpu.info().multiprocessors * 3) {
    return none;
  }
  auto stream = std::make_unique<AttentionStream>();
  stream->shape_ = ChooseShape(gpu.info(), p, problem.batch);
  stream->batch_ = problem.batch;
  const Shape& shape = stream->shape_;
  TRT_ASSIGN_OR_RETURN(stream->function_,
                       gpu.Load(MakeSource("attention stream", SourceOf(p, problem, shape)),
                                "trt_attention_stream"));
  const int64_t rows = int64_t{shape.warpgroups} * kRowsPerGroup;
  const int64_t parts = Parts(p.d);
  const int64_t parts_v = Parts(p.d_v);
  const int64_t bytes = rows * 128 * std::max(parts, parts_v) +
                        kStages * (shape.keys * 128 * (parts + parts_v) + 32) + 1024;
  stream->config_.grid[0] =
      static_cast<unsigned>(problem.batch * p.key_heads * CeilDiv(p.rows, rows));
  stream->config_.block[0] = static_cast<unsigned>((shape.warpgroups + 1) * 128);
  stream->config_.shared_bytes = static_cast<unsigned>(bytes);
  stream->config_.overlap_previous = true;
  return stream;
}

Status AttentionStream::Run(const RunArgs& args, AttentionParams p) const {
  p.row_tiles = static_cast<int32_t>(CeilDiv(p.rows, int64_t{shape_.warpgroups} * kRowsPerGroup));
  TRT_ASSIGN_OR_RETURN(
      auto keys, args.gpu->EncodeTensorMap(SpecOf(p, p.k, p.d, p.k_stride, batch_, shape_.keys)));
  TRT_ASSIGN_OR_RETURN(auto values, args.gpu->EncodeTensorMap(
                                        SpecOf(p, p.v, p.d_v, p.v_stride, batch_, shape_.keys)));
  void* pointers[] = {&p, &keys, &values, nullptr};
  return args.gpu->Launch(function_, config_, args.stream, pointers);
}

}  // namespace torch_tensorrt::core::kernels::cuda
