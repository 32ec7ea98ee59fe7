#include "core/kernels/cuda/matrix/stream.h"

#include <algorithm>
#include <utility>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using device::cuda::Gpu;
using device::cuda::GpuInfo;
using device::cuda::TensorMapSpec;

constexpr int64_t kDepth = 64;           // values of a stage along k
constexpr size_t kStagedPerWarp = 4096;  // bytes; as in gemm_stream.cu
constexpr size_t kMostShared = 227 * 1024;
constexpr int kRegisters = 65536;  // of a multiprocessor
constexpr int kMostWorkerRegisters = 240;

// A tile and what was measured of it.
struct Candidate {
  int m, n, warpgroups, teams;
  double step_ns;     // along k
  double results_ns;  // bias, epilogue, stores
};

// Measured on an H200.
constexpr Candidate kCandidates[] = {
    {128, 256, 2, 1, 683, 3300}, {128, 192, 2, 1, 504, 2650}, {128, 128, 2, 1, 351, 1900},
    {256, 128, 2, 1, 683, 3200}, {192, 192, 3, 1, 794, 3870}, {192, 128, 3, 1, 508, 2700},
    {128, 64, 2, 1, 272, 1100},  {256, 64, 2, 1, 444, 1770},  {128, 128, 2, 2, 375, 3400},
    {192, 128, 2, 2, 540, 4700}, {128, 192, 2, 2, 550, 3800}, {64, 192, 2, 2, 330, 1500},
    {192, 64, 2, 2, 384, 2000},  {128, 64, 2, 2, 250, 2700},  {256, 160, 2, 1, 860, 3900},
    {128, 160, 2, 1, 430, 2300}, {128, 160, 2, 2, 460, 3500}, {64, 64, 1, 1, 150, 1000},
    {64, 192, 1, 1, 277, 1500},
};
constexpr double kStartNs = 2200;

int StagesFor(const StreamTile& tile) {
  const size_t fixed = 1024 + 256 + static_cast<size_t>(tile.warpgroups) * 4 * kStagedPerWarp;
  return static_cast<int>((kMostShared - fixed) / (static_cast<size_t>(tile.m + tile.n) * 128));
}

// Images that the copy engine can read through windows.
bool HasWindows(const ConvShape& s) {
  constexpr int kMostStep = 8;
  constexpr int kMostOffset = 255;
  constexpr int kMostCorner = 127;
  const auto upper = [](int pad, int out, int stride, int in) {
    return (out - 1) * stride - pad - (in - 1);
  };
  const int corners[] = {s.pad_left, s.pad_top, upper(s.pad_left, s.out_w, s.stride_w, s.in_w),
                         upper(s.pad_top, s.out_h, s.stride_h, s.in_h)};
  return s.group_c == s.in_c && s.in_c % kDepth == 0 && s.stride_h <= kMostStep &&
         s.stride_w <= kMostStep && (s.kernel_h - 1) * s.dilation_h <= kMostOffset &&
         (s.kernel_w - 1) * s.dilation_w <= kMostOffset &&
         std::all_of(std::begin(corners), std::end(corners),
                     [](int c) { return c >= -kMostCorner && c <= kMostCorner; });
}

bool CanStream(const GpuInfo& gpu, const Product& p) {
  constexpr int64_t kGranule = 8;  // 16 bytes
  if (gpu.compute_major != 9 || !IsHalf(p.dtype) || !p.b_constant || p.batch_count() != 1) {
    return false;
  }
  if (p.m < 1 || p.n < 1 || p.k < 1 || p.b.column != 1 || p.b.row % kGranule != 0) return false;
  if (p.windows)
    return HasWindows(p.conv) && p.k == p.conv.in_c * int64_t{p.conv.kernel_h} * p.conv.kernel_w;
  return p.a.column == 1 && p.a.row % kGranule == 0 && p.a.row >= p.k;
}

// The block that has most tiles decides. Teams write results while the other one multiplies.
double Nanoseconds(const GpuInfo& gpu, const Candidate& c, const Product& p) {
  const int64_t tiles = CeilDiv(p.m, c.m) * CeilDiv(p.n, c.n);
  const auto rounds = static_cast<double>(CeilDiv(tiles, std::max(gpu.multiprocessors, 1)));
  const double products = static_cast<double>(CeilDiv(p.k, kDepth)) * c.step_ns;
  if (c.teams == 1) return kStartNs + rounds * (products + c.results_ns);
  return kStartNs + c.results_ns + rounds * std::max(products, c.results_ns / 2);
}

// Are whole vectors of results stored, where the output's address allows?
bool HasVectors(const Product& p) { return p.n % 8 == 0 && p.out_row % 8 == 0; }

std::string SourceOf(const Product& p, const StreamTile& tile, const std::string& result) {
  const std::string_view type = StorageName(p.dtype);
  const int per_thread = kRegisters / tile.threads() / 8 * 8;
  const int loader = tile.warpgroups < 3 ? 24 : 32;
  const int worker = std::min(kMostWorkerRegisters, (per_thread * tile.threads() - loader * 128) /
                                                        (tile.warpgroups * 128) / 8 * 8);
  return StrCat(
      "#include \"common.cuh\"\n", Define("TRT_MMA_TYPES", StrCat("\"", type, ".", type, "\"")),
      Define("TRT_IN", type), Define("TRT_HALF_MATH", 1), Define("TILE_M", tile.m),
      Define("TILE_N", tile.n), Define("STAGES", tile.stages), Define("TEAMS", tile.teams),
      Define("WARPS_M", tile.warpgroups * 4 / tile.teams), Define("WARPS_N", 1),
      Define("TRT_WGMMA", 1), Define("A_ALIGN", 8), Define("B_ALIGN", 8),
      Define("CONV", p.windows ? 1 : 0), Define("B_CONSTANT", 1), Define("SPLIT", 1),
      Define("TERMS", 1), Define("TRT_STREAM", 1), Define("VECTORS", HasVectors(p) ? 1 : 0),
      Define("LOADER_REGISTERS", loader), Define("WORKER_REGISTERS", worker),
      "#include \"tile_load.cuh\"\n", result, SourceText("gemm_stream.cu"));
}

// Rows of k values.
TensorMapSpec RowsSpec(const void* data, int64_t rows, int64_t k, int64_t row, int box_rows) {
  TensorMapSpec spec;
  spec.data = const_cast<void*>(data);
  spec.dims = {static_cast<uint64_t>(k), static_cast<uint64_t>(rows)};
  spec.strides = {2, static_cast<uint64_t>(row) * 2};
  spec.box = {static_cast<uint32_t>(kDepth), static_cast<uint32_t>(box_rows)};
  return spec;
}

TensorMapSpec ImageSpec(const void* data, const Product& p, int windows) {
  const ConvShape& s = p.conv;
  const auto wide = [](int64_t x) { return static_cast<uint64_t>(x); };
  const int64_t images = p.m / (int64_t{s.out_h} * s.out_w);
  const int64_t pixel = int64_t{s.in_c} * 2;
  TensorMapSpec spec;
  spec.data = const_cast<void*>(data);
  spec.rank = 4;
  spec.dims = {wide(s.in_c), wide(s.in_w), wide(s.in_h), wide(images)};
  spec.strides = {2, wide(pixel), wide(pixel * s.in_w), wide(pixel * s.in_w * s.in_h)};
  spec.box = {static_cast<uint32_t>(kDepth)};
  spec.windows = static_cast<uint32_t>(windows);
  spec.lower = {-s.pad_left, -s.pad_top};
  // As many corners along each dim as the output has, whatever the padding on the far side is.
  spec.upper = {(s.out_w - 1) * s.stride_w - s.pad_left - (s.in_w - 1),
                (s.out_h - 1) * s.stride_h - s.pad_top - (s.in_h - 1)};
  spec.step = {static_cast<uint32_t>(s.stride_w), static_cast<uint32_t>(s.stride_h)};
  return spec;
}

}  // namespace

size_t StreamTile::shared_bytes() const {
  return static_cast<size_t>(stages) * (static_cast<size_t>(m + n) * 128 + 16) +
         static_cast<size_t>(teams) * 8 + static_cast<size_t>(warpgroups) * 4 * kStagedPerWarp +
         1024;
}

std::optional<StreamChoice> ChooseStream(const GpuInfo& gpu, const Product& product) {
  if (!CanStream(gpu, product)) return std::nullopt;
  std::optional<StreamChoice> best;
  for (const Candidate& c : kCandidates) {
    // Where each block has one tile, one of two teams has none.
    const int64_t tiles = CeilDiv(product.m, c.m) * CeilDiv(product.n, c.n);
    if (c.teams > 1 && tiles <= gpu.multiprocessors) continue;
    // Flat tiles that stand out beyond the last column were slower than the model says.
    if (c.m < 128 && product.n % c.n != 0) continue;
    const double ns = Nanoseconds(gpu, c, product);
    if (best.has_value() && best->nanoseconds <= ns) continue;
    StreamTile tile{c.m, c.n, c.warpgroups, 0, c.teams};
    tile.stages = StagesFor(tile);
    best = StreamChoice{tile, ns};
  }
  return best;
}

Result<std::unique_ptr<StreamState>> StreamState::Create(std::string_view /*tag*/, const Gpu& gpu,
                                                         const Product& product,
                                                         const StreamTile& tile,
                                                         ResultPlan result) {
  auto state = std::make_unique<StreamState>();
  state->product_ = product;
  state->result_ = std::move(result);
  state->tile_ = tile;
  const auto source = MakeSource(product.windows ? "convolution stream" : "gemm stream",
                                 SourceOf(product, tile, state->result_.text));
  TRT_ASSIGN_OR_RETURN(state->function_, gpu.Load(source, "trt_gemm_stream"));
  const int64_t tiles = CeilDiv(product.m, tile.m) * CeilDiv(product.n, tile.n);
  const int64_t blocks = std::min<int64_t>(tiles, std::max(gpu.info().multiprocessors, 1));
  state->config_.grid[0] = static_cast<unsigned>(blocks);
  state->config_.block[0] = static_cast<unsigned>(tile.threads());
  state->config_.shared_bytes = static_cast<unsigned>(tile.shared_bytes());
  state->config_.overlap_previous = true;
  return state;
}

Status StreamState::Run(const RunArgs& args, const ResultStage& stage, const void* a,
                        const void* b) {
  const bool results_fit = !HasVectors(product_) ||
                           (IsAligned(args.outputs[0].data) && IsAligned(stage.Bias(args.inputs)));
  if (!IsAligned(a) || !IsAligned(b) || !results_fit) {
    if (any_ == nullptr) {
      TRT_ASSIGN_OR_RETURN(any_, ProductState::Create("cuda.gemm", args.gpu, product_, result_));
    }
    return any_->Run(args, stage, a, b);
  }
  const Product& p = product_;
  Tile tile;
  tile.m = tile_.m;
  tile.n = tile_.n;
  ProductParams params =
      MakeProductParams(p, tile, a, b, stage.Bias(args.inputs), args.outputs[0].data);
  std::vector<std::byte> epilogue = stage.Arguments(result_, args.inputs);
  TRT_ASSIGN_OR_RETURN(
      auto map_a, args.gpu->EncodeTensorMap(p.windows ? ImageSpec(a, p, tile_.m)
                                                      : RowsSpec(a, p.m, p.k, p.a.row, tile_.m)));
  TRT_ASSIGN_OR_RETURN(auto map_b,
                       args.gpu->EncodeTensorMap(RowsSpec(b, p.n, p.k, p.b.row, tile_.n)));
  void* pointers[] = {&params, epilogue.data(), &map_a, &map_b, nullptr};
  return args.gpu->Launch(function_, config_, args.stream, pointers);
}

namespace {

// What the model expects of a ProductState.
double NanosecondsOfThreads(const GpuInfo& gpu, const Product& p) {
  // Reading windows by threads takes so much longer than the model of plain products says.
  constexpr double kWindows = 1.5;
  return ChooseTile(gpu, p.dtype, p.m, p.n, p.k, p.batch_count(), false).nanoseconds *
         (p.windows ? kWindows : 1);
}

Result<std::unique_ptr<MatrixState>> CreateStream(std::string_view tag, const Gpu& gpu,
                                                  const Product& product, const StreamTile& tile,
                                                  ResultPlan result) {
  TRT_ASSIGN_OR_RETURN(auto state, StreamState::Create(tag, gpu, product, tile, std::move(result)));
  return std::unique_ptr<MatrixState>(std::move(state));
}

Result<std::unique_ptr<MatrixState>> CreateThreads(std::string_view tag, const Gpu* gpu,
                                                   const Product& product, ResultPlan result) {
  TRT_ASSIGN_OR_RETURN(auto state, ProductState::Create(tag, gpu, product, std::move(result)));
  return std::unique_ptr<MatrixState>(std::move(state));
}

}  // namespace

Result<std::unique_ptr<MatrixState>> CreateProduct(std::string_view tag, const Gpu* gpu,
                                                   const Product& product, ResultPlan result) {
  if (gpu != nullptr) {
    const auto stream = ChooseStream(gpu->info(), product);
    if (stream.has_value() && stream->nanoseconds < NanosecondsOfThreads(gpu->info(), product)) {
      return CreateStream(tag, *gpu, product, stream->tile, std::move(result));
    }
  }
  return CreateThreads(tag, gpu, product, std::move(result));
}

Result<std::unique_ptr<MatrixState>> CreateOtherProduct(std::string_view tag, const Gpu* gpu,
                                                        const Product& product, ResultPlan result) {
  constexpr double kWorthATry = 1.5;  // the model is off by about as much
  std::unique_ptr<MatrixState> none;
  if (gpu == nullptr) return none;
  const auto stream = ChooseStream(gpu->info(), product);
  if (!stream.has_value()) return none;
  const double threads = NanosecondsOfThreads(gpu->info(), product);
  if (std::max(threads, stream->nanoseconds) >
      kWorthATry * std::min(threads, stream->nanoseconds)) {
    return none;
  }
  if (stream->nanoseconds < threads) return CreateThreads(tag, gpu, product, std::move(result));
  return CreateStream(tag, *gpu, product, stream->tile, std::move(result));
}

}  // namespace torch_tensorrt::core::kernels::cuda
