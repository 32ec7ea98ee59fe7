// What matrix kernels compile to: tensor core instructions, and no spills where only a GPU with
// clusters could run the kernel.
#include "tests/core/kernels/cuda/matrix/matrix_testing.h"

namespace torch_tensorrt::core::kernels::testing {
namespace {

using device::cuda::Function;
using device::cuda::KernelSource;
using device::cuda::Stream;

// Keeps the sources that it is asked to load, and loads none.
class SourceKeeper final : public device::cuda::Gpu {
 public:
  explicit SourceKeeper(std::string_view arch)
      : info_(device::cuda::Gpu::CompileOnly(arch)->info()) {}

  std::vector<KernelSource> sources() const { return sources_; }

  const device::cuda::GpuInfo& info() const override { return info_; }
  Result<Function> Load(const KernelSource& source, const std::string& /*entry*/) const override {
    sources_.push_back(source);
    return Function{};
  }
  Status Launch(const Function&, const device::cuda::LaunchConfig&, Stream, void**) const override {
    return No();
  }
  Result<std::shared_ptr<void>> Allocate(size_t) const override { return No(); }
  Result<std::shared_ptr<void>> AllocateShared(size_t) const override { return No(); }
  Status CopyToDevice(void*, const void*, size_t) const override { return No(); }
  Status CopyToHost(void*, const void*, size_t) const override { return No(); }
  Status CopyOnDevice(void*, const void*, size_t, Stream) const override { return No(); }
  Status FillBytes(void*, int, size_t, Stream) const override { return No(); }
  Status Synchronize(Stream) const override { return No(); }
  Result<std::shared_ptr<void>> NewEvent(bool) const override { return No(); }
  Status RecordEvent(void*, Stream) const override { return No(); }
  Status WaitEvent(Stream, void*) const override { return No(); }
  Result<double> SecondsBetween(void*, void*) const override { return No(); }
  Result<bool> IsCapturing(Stream) const override { return No(); }
  Result<std::unique_ptr<const device::cuda::Graph>> Capture(
      const std::function<Status(Stream)>&) const override {
    return No();
  }
  device::cuda::LoadStats load_stats() const override { return {}; }
  Result<const struct device::cuda::CublasLt*> cublaslt() const override { return No(); }

 private:
  static Status No() { return Unsupported("[test] keeps sources only"); }

  device::cuda::GpuInfo info_;
  mutable std::vector<KernelSource> sources_;
};

struct Layer {
  std::string_view id;
  Attributes attributes;
  std::vector<Dims> inputs;
  Dims output;
};

std::vector<Layer> Layers(DataType dtype) {
  const Dims gemm_a{512, 768};
  return {
      {"cuda.gemm", {{"n", int64_t{768}}, {"k", int64_t{768}}}, {gemm_a, {768, 768}}, {512, 768}},
      {"cuda.batched_gemm", {}, {{12, 128, 64}, {12, 64, 128}}, {12, 128, 128}},
      {"cuda.convolution",
       {{"stride", Dims{1, 1}},
        {"padding", Dims{1, 1, 1, 1}},
        {"dilation", Dims{1, 1}},
        {"groups", int64_t{1}},
        {"out_channels", int64_t{64}},
        {"in_channels", int64_t{64}},
        {"kernel", Dims{3, 3}},
        {"b_dtype", dtype}},
       {{8, 28, 28, 64}, {64, 576}},
       {8, 28, 28, 64}},
      {"cuda.attention",
       {{"scale", 0.125}},
       {{4, 12, 197, 64}, {4, 12, 197, 64}, {4, 12, 197, 64}},
       {4, 12, 197, 64}},
  };
}

std::vector<KernelSource> SourcesOf(const Layer& layer, DataType dtype, std::string_view arch) {
  const SourceKeeper gpu(arch);
  std::vector<TensorView> inputs;
  for (const Dims& dims : layer.inputs) inputs.push_back(MakeView(nullptr, dtype, dims));
  const std::vector<TensorView> outputs{MakeView(nullptr, dtype, layer.output)};
  const auto kernel = FindKernel(layer.id)->create(layer.attributes);
  EXPECT_TRUE(kernel.ok()) << layer.id << kernel.status().ToString();
  if (!kernel.ok()) return {};
  const auto prepared = (*kernel)->Prepare({layer.attributes, inputs, outputs, &gpu});
  EXPECT_TRUE(prepared.ok()) << layer.id << prepared.status().ToString();
  return gpu.sources();
}

// The 16-bit product on tensor cores: of a warpgroup (Hopper) or of a warp.
bool MultipliesOnTensorCores(const std::string& ptx, DataType dtype, bool warpgroup) {
  const std::string type = dtype == DataType::kFloat16 ? ".f16.f16" : ".bf16.bf16";
  const std::string warp = "mma.sync.aligned.m16n8k16.row.col.f32" + type;
  const size_t group = ptx.find("wgmma.mma_async.sync.aligned.m64n");
  if (!warpgroup) return ptx.find(warp) != std::string::npos;
  return group != std::string::npos && ptx.find("k16.f32" + type, group) < ptx.find('\n', group);
}

class MatrixInstructions : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto version = device::cuda::NvrtcVersion();
    if (!version.ok()) GTEST_SKIP() << version.status().ToString();
  }
};

void ExpectAsynchronous(const std::vector<KernelSource>& sources) {
  for (const KernelSource& source : sources) {
    const auto compiled = device::cuda::Compile(source, "sm_90a");
    ASSERT_TRUE(compiled.ok()) << compiled.status().ToString();
    EXPECT_TRUE(CheckDeviceCode(source).ok()) << source.name;
    EXPECT_EQ(compiled->log.find("(C75"), std::string::npos) << compiled->log;
  }
}

TEST_F(MatrixInstructions, HalvesUseTensorCores) {
  for (const std::string_view arch : {"sm_80", "sm_90a"}) {
    for (const DataType dtype : {DataType::kFloat16, DataType::kBFloat16}) {
      for (const Layer& layer : Layers(dtype)) {
        const std::string what = StrCat(layer.id, " ", DataTypeName(dtype), " ", arch);
        const std::vector<KernelSource> sources = SourcesOf(layer, dtype, arch);
        ASSERT_FALSE(sources.empty()) << what;
        for (const KernelSource& source : sources) {
          const auto ptx = device::cuda::CompileToPtx(source, arch);
          ASSERT_TRUE(ptx.ok()) << what << ptx.status().ToString();
          // Operands of any strides multiply by warps everywhere.
          const bool warpgroup = arch == "sm_90a" && layer.id != "cuda.batched_gemm";
          EXPECT_TRUE(MultipliesOnTensorCores(*ptx, dtype, warpgroup)) << what << source.name;
        }
      }
    }
  }
}

// Large problems, which tiles of every sort and attention of every head size make on Hopper:
// nothing spills, in what is tried beside them neither, and ptxas leaves products asynchronous
// (C7510 and its kin say when it does not).
TEST_F(MatrixInstructions, StreamsDoNotSpillOrWait) {
  const DataType f16 = DataType::kFloat16;
  std::vector<Layer> layers;
  for (const auto& [m, n] : {std::pair{4096, 3072}, {6304, 768}, {100352, 64}}) {
    layers.push_back(
        {"cuda.gemm", {{"n", int64_t{n}}, {"k", int64_t{768}}}, {{m, 768}, {n, 768}}, {m, n}});
  }
  layers.push_back(Layers(f16)[2]);
  layers.back().inputs[0] = layers.back().output = {32, 28, 28, 64};
  for (const int64_t d : {64, 80, 128}) {
    for (const int64_t batch : {1, 16}) {
      const Dims dims{batch, 8, 1024, d};
      layers.push_back({"cuda.attention", {{"scale", 0.1}}, {dims, dims, dims}, dims});
    }
  }
  for (const Layer& layer : layers) {
    const std::vector<KernelSource> sources = SourcesOf(layer, f16, "sm_90a");
    ASSERT_FALSE(sources.empty()) << layer.id;
    EXPECT_NE(sources[0].name.find("stream"), std::string::npos)
        << layer.id << ToString(layer.output);
    ExpectAsynchronous(sources);
  }
}

// Where the model of the GPU cannot tell which is faster, both are compiled and timed.
TEST_F(MatrixInstructions, ProductsOfFewTilesAreTriedBothWays) {
  const Layer layer = {"cuda.gemm",
                       {{"n", int64_t{768}}, {"k", int64_t{3072}}},
                       {{512, 3072}, {768, 3072}},
                       {512, 768}};
  const std::vector<KernelSource> sources = SourcesOf(layer, DataType::kFloat16, "sm_90a");
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_NE(sources[0].name == "gemm stream", sources[1].name == "gemm stream");
  ExpectAsynchronous(sources);
}

// Of a batch of one, whose stride says nothing.
TEST_F(MatrixInstructions, AttentionOfOneImageStreams) {
  const SourceKeeper gpu("sm_90a");
  TensorView x = MakeView(nullptr, DataType::kFloat16, {1, 8, 1024, 80});
  const TensorView out = x;
  x.strides = {1, 80, 1920, 1};
  const std::vector<TensorView> inputs{x, x, x};
  const Attributes attributes{{"scale", 0.1}};
  const auto kernel = FindKernel("cuda.attention")->create(attributes);
  ASSERT_TRUE(kernel.ok());
  ASSERT_TRUE((*kernel)->Prepare({attributes, inputs, std::span(&out, 1), &gpu}).ok());
  ASSERT_EQ(gpu.sources().size(), 1u);
  EXPECT_EQ(gpu.sources()[0].name, "attention stream");
}

// Products of floats that share out k over a cluster, which the HostGpu has not.
TEST_F(MatrixInstructions, FloatClustersDoNotSpill) {
  const DataType f32 = DataType::kFloat32;
  std::vector<Layer> layers = Layers(f32);
  layers[0].inputs = {{64, 768}, {768, 768}};
  layers[0].output = {64, 768};
  layers[2].inputs[0] = layers[2].output = {1, 14, 14, 64};
  layers[3].inputs = {{1, 2, 16, 64}, {1, 2, 1024, 64}, {1, 2, 1024, 64}};
  layers[3].output = {1, 2, 16, 64};
  for (const size_t i : {size_t{0}, size_t{2}, size_t{3}}) {
    const std::vector<KernelSource> sources = SourcesOf(layers[i], f32, "sm_90a");
    ASSERT_EQ(sources.size(), 1u) << layers[i].id;
    EXPECT_NE(sources[0].text.find("#define TRT_CLUSTERS"), std::string::npos) << layers[i].id;
    const Status status = CheckDeviceCode(sources[0]);
    EXPECT_TRUE(status.ok()) << layers[i].id << status.ToString();
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::kernels::testing
