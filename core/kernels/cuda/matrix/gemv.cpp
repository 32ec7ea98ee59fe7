#include "core/kernels/cuda/matrix/gemv.h"

#include <algorithm>
#include <utility>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

constexpr int64_t kMaxRows = 8;
constexpr int kWarps = 8;  // per block

// Params of gemv.cu.
struct Params {
  const void* a;
  const void* b;
  const void* bias;
  void* out;
  int32_t m, n, k, unused;
  int64_t a_row, b_row, out_row;
};

struct Shape {
  int rows_a = 1;
  int rows_b = 2;
  int warps_k = 1;
  int unroll = 2;
};

// Enough warps to keep every multiprocessor busy, each with enough loads under way.
Shape ChooseShape(const Product& p, int multiprocessors) {
  constexpr int64_t kWarpsPerMultiprocessor = 24;
  constexpr int64_t kManyRows = 4096;
  Shape shape;
  while (shape.rows_a < p.m) shape.rows_a *= 2;
  if (p.n >= kManyRows) {
    shape.rows_b = 4;
    shape.unroll = 1;
  }
  const int64_t step = 32 * 16 / static_cast<int64_t>(SizeOf(p.dtype));
  while (shape.warps_k < kWarps && step * shape.warps_k < p.k &&
         CeilDiv(p.n, shape.rows_b) * shape.warps_k < kWarpsPerMultiprocessor * multiprocessors) {
    shape.warps_k *= 2;
  }
  if (step * shape.warps_k >= p.k) shape.unroll = 1;
  return shape;
}

std::string SourceOf(const Product& p, const Shape& shape, const std::string& result) {
  return StrCat(Define("TRT_IN", StorageName(p.dtype)), Define("ROWS_A", shape.rows_a),
                Define("ROWS_B", shape.rows_b), Define("WARPS_N", kWarps / shape.warps_k),
                Define("WARPS_K", shape.warps_k), Define("UNROLL", shape.unroll),
                "#include \"tile_load.cuh\"\n", result, SourceText("gemv.cu"));
}

}  // namespace

bool GemvState::Takes(const Product& p) {
  const int64_t granule = 16 / static_cast<int64_t>(SizeOf(p.dtype));
  return p.m >= 1 && p.m <= kMaxRows && p.n >= 1 && p.k >= 1 && p.batch_count() == 1 &&
         p.b_constant && p.a.column == 1 && p.k % granule == 0 &&
         (p.m == 1 || p.a.row % granule == 0) && p.b.row % granule == 0;
}

Result<std::unique_ptr<GemvState>> GemvState::Create(std::string_view tag,
                                                     const device::cuda::Gpu* gpu,
                                                     const Product& product, ResultPlan result) {
  constexpr int64_t kMaxSize = int64_t{1} << 30;
  if (product.n > kMaxSize || product.k > kMaxSize) {
    return Unsupported("[", tag, "] ", product.n, " x ", product.k, " weights");
  }
  auto state = std::make_unique<GemvState>();
  state->product_ = product;
  state->result_ = std::move(result);
  if (gpu == nullptr) return state;
  const Shape shape = ChooseShape(product, std::max(gpu->info().multiprocessors, 1));
  const auto source = MakeSource("gemv", SourceOf(product, shape, state->result_.text));
  TRT_ASSIGN_OR_RETURN(state->function_, gpu->Load(source, "trt_gemv"));
  const int64_t columns = int64_t{kWarps / shape.warps_k} * shape.rows_b;
  state->config_.grid[0] = static_cast<unsigned>(CeilDiv(product.n, columns));
  state->config_.block[0] = kWarps * 32;
  state->config_.shared_bytes =
      static_cast<unsigned>(kWarps * shape.rows_b * shape.rows_a * 4 + 1024);
  state->config_.overlap_previous = gpu->info().compute_major >= 9;
  return state;
}

Status GemvState::Run(const RunArgs& args, const ResultStage& stage, const void* a, const void* b) {
  if (!IsAligned(a) || !IsAligned(b)) {
    if (any_ == nullptr) {
      TRT_ASSIGN_OR_RETURN(any_, ProductState::Create("cuda.gemm", args.gpu, product_, result_));
    }
    return any_->Run(args, stage, a, b);
  }
  const Product& p = product_;
  Params params{a,
                b,
                stage.Bias(args.inputs),
                args.outputs[0].data,
                static_cast<int32_t>(p.m),
                static_cast<int32_t>(p.n),
                static_cast<int32_t>(p.k),
                0,
                p.a.row,
                p.b.row,
                p.out_row};
  std::vector<std::byte> epilogue = stage.Arguments(result_, args.inputs);
  void* pointers[] = {&params, epilogue.data(), nullptr};
  return args.gpu->Launch(function_, config_, args.stream, pointers);
}

}  // namespace torch_tensorrt::core::kernels::cuda
