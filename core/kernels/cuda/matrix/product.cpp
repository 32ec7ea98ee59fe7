#include "core/kernels/cuda/matrix/product.h"

#include <algorithm>
#include <utility>

#include "core/kernels/cuda/launch.h"
#include "core/kernels/cuda/sources.h"

namespace torch_tensorrt::core::kernels::cuda {
namespace {

using device::cuda::Gpu;

constexpr int64_t kMaxSize = int64_t{1} << 30;

// The widest copy of 16, 8 or 4 bytes that fits `granule` elements, in elements; else 0.
int CopyWidth(DataType dtype, int64_t granule) {
  const auto size = static_cast<int64_t>(SizeOf(dtype));
  for (int64_t bytes = 16; bytes >= 4; bytes /= 2) {
    if (bytes >= size && granule % (bytes / size) == 0) return static_cast<int>(bytes / size);
  }
  return 0;
}

int OperandWidth(DataType dtype, const ProductOperand& x, int64_t k) {
  if (x.column != 1) return 0;
  int width = CopyWidth(dtype, x.row);
  for (const int64_t granule : {k, x.batch[0], x.batch[1], x.batch[2]}) {
    width = std::min(width, CopyWidth(dtype, granule));
  }
  return width;
}

Status Check(std::string_view tag, const Product& p) {
  const int64_t rows = p.batch_count() * p.out_batch_rows + p.m;
  for (const int64_t size : {p.m, p.n, p.k, p.batch_count(), rows}) {
    if (size > kMaxSize) return Unsupported("[", tag, "] size ", size, " is above 2^30");
  }
  if (p.windows && static_cast<int64_t>(p.conv.in_h) * p.conv.in_w * p.conv.in_c > kMaxSize) {
    return Unsupported("[", tag, "] an image of more than 2^30 values");
  }
  return Status::Ok();
}

std::string SourceOf(const Product& p, const Tile& tile, int a_width, int b_width,
                     const std::string& result) {
  const std::string_view type = StorageName(p.dtype);
  const bool split_values = p.dtype == DataType::kFloat32 && !p.allow_tf32;
  std::string text = "#include \"common.cuh\"\n";
  if (tile.wgmma) text += Define("TRT_MMA_TYPES", StrCat("\"", type, ".", type, "\""));
  if (tile.split > 1) text += Define("TRT_CLUSTERS", 1);
  if (IsHalf(p.dtype)) text += Define("TRT_HALF_MATH", 1);
  text += Define("TRT_IN", type) + Define("TILE_M", tile.m) + Define("TILE_N", tile.n) +
          Define("STAGES", tile.stages) + Define("WARPS_M", tile.warps_m) +
          Define("WARPS_N", tile.warps_n) + Define("TRT_WGMMA", tile.wgmma ? 1 : 0) +
          Define("A_ALIGN", a_width) + Define("B_ALIGN", b_width) +
          Define("CONV", p.windows ? 1 : 0) + Define("B_CONSTANT", p.b_constant ? 1 : 0) +
          Define("SPLIT", tile.split) + Define("TERMS", split_values ? 3 : 1);
  return text + "#include \"tile_load.cuh\"\n" + result + std::string(SourceText("gemm.cu"));
}

}  // namespace

std::string Define(std::string_view name, std::string_view value) {
  return StrCat("#define ", name, " ", value, "\n");
}
std::string Define(std::string_view name, int64_t value) {
  return StrCat("#define ", name, " ", value, "\n");
}

ProductParams MakeProductParams(const Product& p, const Tile& tile, const void* a, const void* b,
                                const void* bias, void* out) {
  ProductParams params;
  params.a = a;
  params.b = b;
  params.bias = bias;
  params.out = out;
  params.m = static_cast<int32_t>(p.m);
  params.n = static_cast<int32_t>(p.n);
  params.k = static_cast<int32_t>(p.k);
  params.tiles_m = static_cast<int32_t>(CeilDiv(p.m, tile.m));
  params.tiles_n = static_cast<int32_t>(CeilDiv(p.n, tile.n));
  params.k_tiles = static_cast<int32_t>(CeilDiv(CeilDiv(p.k, TileDepth(p.dtype)), tile.split));
  params.vector = p.n % 8 == 0 && p.out_row % 8 == 0 && IsAligned(out) && IsAligned(bias) ? 1 : 0;
  params.a_row = p.a.row;
  params.a_column = p.a.column;
  params.b_row = p.b.row;
  params.b_column = p.b.column;
  params.batch1 = static_cast<int32_t>(p.batches[1]);
  params.batch2 = static_cast<int32_t>(p.batches[2]);
  std::copy_n(p.a.batch, 3, params.a_batch);
  std::copy_n(p.b.batch, 3, params.b_batch);
  params.out_batch_rows = static_cast<int32_t>(p.out_batch_rows);
  params.out_batch_columns = static_cast<int32_t>(p.out_batch_columns);
  params.out_row = p.out_row;
  params.conv = p.conv;
  return params;
}

Result<std::unique_ptr<ProductState>> ProductState::Create(std::string_view tag, const Gpu* gpu,
                                                           const Product& product,
                                                           ResultPlan result) {
  TRT_RETURN_IF_ERROR(Check(tag, product));
  auto state = std::make_unique<ProductState>();
  state->product_ = product;
  state->result_ = std::move(result);
  if (gpu == nullptr || product.m == 0 || product.n == 0 || product.batch_count() == 0) {
    return state;
  }
  TRT_ASSIGN_OR_RETURN(state->aligned_, state->Load(*gpu, true));
  return state;
}

Result<ProductState::Variant> ProductState::Load(const Gpu& gpu, bool aligned) const {
  const Product& p = product_;
  int a_width = 0;
  int b_width = 0;
  if (aligned) {
    a_width = p.windows ? CopyWidth(p.dtype, p.conv.group_c) : OperandWidth(p.dtype, p.a, p.k);
    // The rows of constants are padded: what lies beyond k may be read.
    b_width = OperandWidth(p.dtype, p.b, p.b_constant ? p.b.row : p.k);
  }
  if (p.windows) a_width = std::max(a_width, 1);
  const bool gathered = a_width == 0 || b_width == 0;
  Variant v;
  v.tile = ChooseTile(gpu.info(), p.dtype, p.m, p.n, p.k, p.batch_count(), gathered).tile;
  const auto source = MakeSource(p.windows ? "convolution" : "gemm",
                                 SourceOf(p, v.tile, a_width, b_width, result_.text));
  TRT_ASSIGN_OR_RETURN(v.function, gpu.Load(source, "trt_gemm"));
  const int64_t tiles = CeilDiv(p.m, v.tile.m) * CeilDiv(p.n, v.tile.n) * p.batch_count();
  v.config.grid[0] = static_cast<unsigned>(tiles);
  v.config.grid[2] = static_cast<unsigned>(v.tile.split);
  v.config.block[0] = static_cast<unsigned>(v.tile.threads());
  v.config.shared_bytes = static_cast<unsigned>(v.tile.shared_bytes());
  v.config.overlap_previous = gpu.info().compute_major >= 9;
  return v;
}

Status ProductState::Run(const RunArgs& args, const ResultStage& stage, const void* a,
                         const void* b) {
  if (!aligned_.has_value()) return Status::Ok();  // nothing to compute
  const Product& p = product_;
  const bool aligned = IsAligned(a) && IsAligned(b);
  if (!aligned && !any_.has_value()) {
    TRT_ASSIGN_OR_RETURN(any_, Load(*args.gpu, false));
  }
  const Variant& v = aligned ? *aligned_ : *any_;
  ProductParams params =
      MakeProductParams(p, v.tile, a, b, stage.Bias(args.inputs), args.outputs[0].data);
  std::vector<std::byte> epilogue = stage.Arguments(result_, args.inputs);
  void* pointers[] = {&params, epilogue.data(), nullptr};
  return args.gpu->Launch(v.function, v.config, args.stream, pointers);
}

}  // namespace torch_tensorrt::core::kernels::cuda
