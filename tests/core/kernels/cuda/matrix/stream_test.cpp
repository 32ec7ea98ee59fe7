// Products of gemm_stream.cu on the HostGpu against the reference, with tiles chosen here.
#include "core/kernels/cuda/matrix/stream.h"

#include <cmath>

#include "tests/core/kernels/cuda/matrix/matrix_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using cuda::Product;
using cuda::ResultStage;
using cuda::StreamState;
using cuda::StreamTile;

StreamTile TileOf(int m, int n, int warpgroups, int stages, int teams = 1) {
  return {m, n, warpgroups, stages, teams};
}

// Runs a stream of this tile on x and packed weights, then a bias when there is one, and what the
// epilogue reads.
Status RunStream(const Product& product, const StreamTile& tile, const Attributes& attributes,
                 const std::vector<TensorView>& inputs, const TensorView& out) {
  const auto gpu = OpenTestGpu();
  TRT_ASSIGN_OR_RETURN(const ResultStage stage, ResultStage::Create(attributes, 2));
  TRT_ASSIGN_OR_RETURN(auto plan, stage.Prepare("test", inputs, out, product.n));
  TRT_ASSIGN_OR_RETURN(const auto state,
                       StreamState::Create("test", *gpu, product, tile, std::move(plan)));
  OnGpu memory(*gpu);
  TRT_ASSIGN_OR_RETURN(const auto device_inputs, memory.UploadAll(inputs));
  const std::vector<TensorView> outs{out};
  TRT_ASSIGN_OR_RETURN(const auto device_outs, memory.UploadAll(outs));
  RunArgs args{device_inputs, device_outs, nullptr, nullptr};
  args.gpu = gpu.get();
  TRT_RETURN_IF_ERROR(state->Run(args, stage, device_inputs[0].data, device_inputs[1].data));
  TRT_RETURN_IF_ERROR(gpu->Synchronize(nullptr));
  return gpu->CopyToHost(out.data, device_outs[0].data, SpanBytes(out));
}

struct GemmCase {
  DataType dtype;
  int64_t m, n, k;
  StreamTile tile;
  bool result = true;  // bias and epilogue
};

void ExpectProduct(const GemmCase& c) {
  const TestTensor a = RandomTensor(c.dtype, {c.m, c.k}, 1);
  const TestTensor w = RandomTensor(c.dtype, {c.n, c.k}, 2);
  const TestTensor bias = RandomTensor(c.dtype, {c.n}, 3);
  const TestTensor residual = RandomTensor(c.dtype, {c.m, c.n}, 4);
  const TestTensor packed = PaddedRows(w, c.n, c.k);
  Attributes attributes;
  Attributes reference{{"transpose_b", true}};
  std::vector<TensorView> inputs{a.view, packed.view};
  std::vector<TensorView> plain{a.view, w.view};
  for (int extra = 0; c.result && extra < 2; ++extra) {
    inputs.push_back(extra == 0 ? bias.view : residual.view);
    plain.push_back(inputs.back());
  }
  for (Attributes* set : {&attributes, &reference}) {
    if (c.result) set->Set("has_bias", true).Set("epilogue", ReluAdd(2, c.dtype));
  }
  Product product;
  product.dtype = c.dtype;
  product.m = c.m;
  product.n = c.n;
  product.k = c.k;
  product.a.row = c.k;
  product.b.row = packed.view.dims[1];
  product.b_constant = true;
  product.out_row = c.n;
  const std::string what = StrCat(c.m, " x ", c.n, " x ", c.k, " in ", c.tile.m, " x ", c.tile.n);
  ASSERT_TRUE(cuda::ChooseStream(OpenTestGpu()->info(), product).has_value()) << what;
  const Dims dims{c.m, c.n};
  const TestTensor out(c.dtype, dims, std::vector<double>(static_cast<size_t>(c.m * c.n), 77));
  const Status status = RunStream(product, c.tile, attributes, inputs, out.view);
  ASSERT_TRUE(status.ok()) << what << status.ToString();
  ExpectNear(out.values(), Output("ref.MatrixMultiply", reference, plain, c.dtype, dims),
             MatrixTolerance(c.dtype), what);
}

TEST(CudaStreamTest, Products) {
  TRT_NEED_HOST_GPU();
  // Several tiles a block, a ring that goes round, a last tile of few rows and columns.
  ExpectProduct({DataType::kFloat16, 700, 136, 328, TileOf(128, 128, 2, 3)});
  ExpectProduct({DataType::kBFloat16, 200, 264, 64, TileOf(128, 256, 2, 4)});
  ExpectProduct({DataType::kFloat16, 260, 70, 128, TileOf(256, 128, 2, 3), false});
  ExpectProduct({DataType::kFloat16, 193, 200, 72, TileOf(192, 192, 3, 3)});
  ExpectProduct({DataType::kFloat16, 130, 75, 64, TileOf(128, 128, 2, 3, 2)});
  // Chunks of 32 columns; rows of odd lengths.
  ExpectProduct({DataType::kFloat16, 300, 320, 72, TileOf(128, 160, 2, 3)});
  ExpectProduct({DataType::kBFloat16, 260, 161, 64, TileOf(128, 160, 2, 3, 2)});
  ExpectProduct({DataType::kFloat16, 270, 321, 64, TileOf(256, 160, 2, 3), false});
  ExpectProduct({DataType::kFloat16, 140, 193, 64, TileOf(128, 128, 2, 3)});
  // Tiles of several rounds of the ring, which teams must not take for each other's.
  ExpectProduct({DataType::kFloat16, 200, 130, 576, TileOf(128, 64, 2, 3, 2)});
  ExpectProduct({DataType::kFloat16, 900, 264, 200, TileOf(128, 128, 2, 5, 2)});
}

// out = op(acc).
ProgramText Apply(PointwiseOp op) {
  loop::Program p;
  p.rank = 2;
  loop::Input accumulator;
  accumulator.map = {0, 1};
  accumulator.accumulator = true;
  p.inputs = {accumulator};
  p.outputs = {loop::Output{DataType::kFloat16, false}};
  loop::Instr load, apply, store;
  load.kind = loop::InstrKind::kLoad;
  apply.kind = loop::InstrKind::kPointwise;
  apply.op = op;
  apply.args[0] = 0;
  store.kind = loop::InstrKind::kStore;
  store.args[0] = 1;
  p.instrs = {load, apply, store};
  EXPECT_TRUE(p.Verify().ok()) << p.Verify().ToString();
  return {p.ToString()};
}

// The short formulas of results in 16 bits, from deep in the tails to the ends of f16, and what is
// no number.
TEST(CudaStreamTest, Activations) {
  TRT_NEED_HOST_GPU();
  const DataType f16 = DataType::kFloat16;
  const int64_t m = 130;
  const int64_t n = 72;
  std::vector<double> values(static_cast<size_t>(m * 8), 0.0);
  for (int64_t r = 0; r < m; ++r) {
    values[static_cast<size_t>(r * 8)] = static_cast<double>(r - 65) / 8;
  }
  const double special[] = {INFINITY, -INFINITY, NAN, 60000, -60000};
  for (size_t i = 0; i < std::size(special); ++i) values[i * 8] = special[i];
  const TestTensor a(f16, {m, 8}, values);
  std::vector<double> scales(static_cast<size_t>(n * 8), 0.0);
  for (int64_t c = 0; c < n; ++c) {
    scales[static_cast<size_t>(c * 8)] = 0.25 + static_cast<double>(c) / 64;
    for (size_t k = 1; k < 8; ++k) scales[static_cast<size_t>(c * 8) + k] = 0;
  }
  const TestTensor w(f16, {n, 8}, scales);
  Product product;
  product.dtype = f16;
  product.m = m;
  product.n = n;
  product.k = 8;
  product.a.row = product.b.row = 8;
  product.b_constant = true;
  product.out_row = n;
  for (const PointwiseOp op : {PointwiseOp::kGeluErf, PointwiseOp::kGeluTanh, PointwiseOp::kSilu,
                               PointwiseOp::kSigmoid, PointwiseOp::kTanh}) {
    const Attributes attributes{{"epilogue", Apply(op)}};
    const Attributes reference{{"epilogue", Apply(op)}, {"transpose_b", true}};
    const Dims dims{m, n};
    const TestTensor out(f16, dims, std::vector<double>(static_cast<size_t>(m * n), 77));
    const Status status =
        RunStream(product, TileOf(128, 64, 2, 4, 2), attributes, {a.view, w.view}, out.view);
    ASSERT_TRUE(status.ok()) << status.ToString();
    const std::vector<double> want =
        Output("ref.MatrixMultiply", reference, {a.view, w.view}, f16, dims);
    const std::vector<double> got = out.values();
    for (size_t i = 0; i < got.size(); ++i) {
      const double unit = std::max(std::abs(want[i]) * 0x1p-10, 0x1p-24);
      const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
      EXPECT_TRUE(same || std::abs(got[i] - want[i]) <= unit)
          << InfoOf(op).name << " " << got[i] << ", expected " << want[i] << " at " << i;
    }
  }
}

struct ConvCase {
  int64_t images, h, w, c, o;
  int kernel, stride, dilation, pad;
};

void ExpectConvolution(const ConvCase& c) {
  const DataType f16 = DataType::kFloat16;
  const auto out_of = [&](int64_t in) {
    return (in + 2 * c.pad - (c.kernel - 1) * c.dilation - 1) / c.stride + 1;
  };
  const Dims dims{c.images, out_of(c.h), out_of(c.w), c.o};
  const TestTensor x = RandomTensor(f16, {c.images, c.h, c.w, c.c}, 1);
  const TestTensor w = RandomTensor(f16, {c.o, c.kernel, c.kernel, c.c}, 2);
  const TensorView rows = MakeView(w.view.data, f16, {c.o, c.kernel * c.kernel * c.c});
  Product product;
  product.dtype = f16;
  product.m = dims[0] * dims[1] * dims[2];
  product.n = c.o;
  product.k = rows.dims[1];
  product.a.row = c.c;
  product.b.row = rows.dims[1];
  product.windows = true;
  const auto narrow = [](int64_t v) { return static_cast<int32_t>(v); };
  product.conv = {narrow(c.h), narrow(c.w), narrow(c.c),     narrow(c.c),    c.kernel,
                  c.kernel,    c.stride,    c.stride,        c.dilation,     c.dilation,
                  c.pad,       c.pad,       narrow(dims[1]), narrow(dims[2])};
  product.b_constant = true;
  product.out_row = c.o;
  const std::string what = StrCat("image ", ToString(Dims{c.images, c.h, c.w, c.c}), " window ",
                                  c.kernel, " stride ", c.stride);
  ASSERT_TRUE(cuda::ChooseStream(OpenTestGpu()->info(), product).has_value()) << what;
  const TestTensor out(f16, dims, std::vector<double>(static_cast<size_t>(NumElements(dims)), 77));
  const Status status = RunStream(product, TileOf(128, 128, 2, 4), {}, {x.view, rows}, out.view);
  ASSERT_TRUE(status.ok()) << what << status.ToString();
  const Attributes reference{{"stride", Dims{c.stride, c.stride}},
                             {"padding", Dims{c.pad, c.pad, c.pad, c.pad}},
                             {"dilation", Dims{c.dilation, c.dilation}},
                             {"groups", int64_t{1}},
                             {"channels_last", true}};
  ExpectNear(out.values(), Output("ref.Convolution", reference, {x.view, w.view}, f16, dims),
             4 * MatrixTolerance(f16), what);
}

TEST(CudaStreamTest, Convolutions) {
  TRT_NEED_HOST_GPU();
  ExpectConvolution({2, 9, 7, 64, 40, 3, 1, 1, 1});
  ExpectConvolution({1, 15, 13, 128, 72, 3, 2, 1, 1});
  ExpectConvolution({3, 10, 8, 64, 16, 3, 1, 2, 2});
  ExpectConvolution({1, 8, 9, 64, 64, 1, 2, 1, 0});
}

TEST(CudaStreamTest, Choices) {
  Product product;
  product.dtype = DataType::kFloat16;
  product.m = product.n = product.k = 1024;
  product.a.row = product.b.row = 1024;
  product.b_constant = true;
  const device::cuda::GpuInfo hopper = device::cuda::Gpu::CompileOnly("sm_90a")->info();
  EXPECT_TRUE(cuda::ChooseStream(hopper, product).has_value());
  EXPECT_FALSE(
      cuda::ChooseStream(device::cuda::Gpu::CompileOnly("sm_80")->info(), product).has_value());
  EXPECT_EQ(cuda::ChooseStream(hopper, product)->tile.teams, 1);  // a tile for each block
  Product many = product;
  many.m = 65536;
  EXPECT_EQ(cuda::ChooseStream(hopper, many)->tile.teams, 2);
  Product odd = product;
  odd.a.row = 1028;
  EXPECT_FALSE(cuda::ChooseStream(hopper, odd).has_value());
  Product image = product;
  image.windows = true;
  image.conv.in_c = image.conv.group_c = 96;
  EXPECT_FALSE(cuda::ChooseStream(hopper, image).has_value());
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
