// Times our packed matrix product beside oneDNN's with prepacked weights, interleaved, and prints
// GFLOP/s of both. Threads: OMP_NUM_THREADS. Arguments: name filter, rounds. The product does not
// use oneDNN, so this is built by hand, after `make build`:
//   .venv/bin/pip install onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0
//   g++ -std=c++20 -O2 -fopenmp -I. -isystem .venv/include tools/perf/gemm_bench.cpp
//     build/release/core/libtorchtrt_core.a .venv/lib/libdnnl.so -Wl,-rpath,$PWD/.venv/lib
//     -o build/gemm_bench
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/kernels.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/rows.h"
#include "core/util/parallel.h"
#include "dnnl.hpp"

namespace {

namespace trt = torch_tensorrt::core;
namespace krn = torch_tensorrt::core::kernels;

float* Allocate(int64_t count) {
  constexpr size_t kHugePage = 2 << 20;  // weights that stream from memory run up to 1.3x faster
  const size_t bytes =
      (static_cast<size_t>(count) * 4 + 4096 + kHugePage - 1) / kHugePage * kHugePage;
  auto* p = static_cast<float*>(std::aligned_alloc(kHugePage, bytes));
  madvise(p, bytes, MADV_HUGEPAGE);
  std::mt19937 random(static_cast<uint32_t>(count));
  std::uniform_real_distribution<float> value(-1, 1);
  for (int64_t i = 0; i < count; ++i) p[i] = value(random);
  return p;
}

double ThreadSeconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// One thread is charged only for the time it ran, so that a busy machine distorts less.
template <typename Body>
double Seconds(const Body& body) {
  if (trt::MaxThreads() == 1) {
    const double start = ThreadSeconds();
    body();
    return ThreadSeconds() - start;
  }
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// Runs both alternately and prints one line.
template <typename Ours, typename Theirs>
void Compare(const std::string& name, double flop, int rounds, const Ours& ours,
             const Theirs& theirs, double difference) {
  std::vector<double> a, b;
  ours();
  theirs();
  for (int i = 0; i < rounds; ++i) {
    a.push_back(Seconds(ours));
    b.push_back(Seconds(theirs));
  }
  const double x = Median(a);
  const double y = Median(b);
  const double best = *std::min_element(a.begin(), a.end());
  const double their_best = *std::min_element(b.begin(), b.end());
  std::printf(
      "%-20s median: ours %7.3f ms %5.1f GF/s, onednn %7.3f ms %5.1f GF/s, ratio %.2f;"
      " best: %5.1f and %5.1f GF/s, ratio %.2f; diff %.1e\n",
      name.c_str(), x * 1e3, flop / x * 1e-9, y * 1e3, flop / y * 1e-9, x / y, flop / best * 1e-9,
      flop / their_best * 1e-9, best / their_best, difference);
}

double MaxDifference(const float* a, const float* b, int64_t n) {
  double worst = 0;
  for (int64_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(double{a[i]} - double{b[i]}));
  return worst;
}

void BenchMatmul(int64_t m, int64_t k, int64_t n, int rounds) {
  float* a = Allocate(m * k);
  float* b = Allocate(k * n);
  float* c = Allocate(m * n);
  float* d = Allocate(m * n);
  float* packed = Allocate(krn::PackedBytes(trt::DataType::kFloat32, n, 1, k) / 4);
  krn::PackMatrix({b, trt::DataType::kFloat32, 1, n}, trt::DataType::kFloat32, n, 1, k, packed);
  const krn::ProductPlan plan = krn::PlanProduct({m, n, 1, k}, trt::MaxThreads());
  const krn::MatrixRows rows({a, trt::DataType::kFloat32, m, k, k, 1}, true);
  std::byte* scratch =
      reinterpret_cast<std::byte*>(Allocate(static_cast<int64_t>(plan.scratch_bytes()) / 4 + 1));
  const auto ours = [&] {
    krn::ProductArgs args;
    args.a = &rows;
    args.b = packed;
    args.c = c;
    args.c_stride = n;
    args.scratch = scratch;
    krn::RunProduct(plan, args);
  };

  using dnnl::memory;
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  memory::desc a_desc({m, k}, memory::data_type::f32, memory::format_tag::ab);
  memory::desc any({k, n}, memory::data_type::f32, memory::format_tag::any);
  memory::desc b_desc({k, n}, memory::data_type::f32, memory::format_tag::ab);
  memory::desc c_desc({m, n}, memory::data_type::f32, memory::format_tag::ab);
  dnnl::matmul::primitive_desc pd(engine, a_desc, any, c_desc);
  memory a_mem(a_desc, engine, a);
  memory b_plain(b_desc, engine, b);
  memory b_mem(pd.weights_desc(), engine);
  dnnl::reorder(b_plain, b_mem).execute(stream, b_plain, b_mem);
  memory c_mem(c_desc, engine, d);
  dnnl::matmul prim(pd);
  const auto theirs = [&] {
    prim.execute(stream, {{DNNL_ARG_SRC, a_mem}, {DNNL_ARG_WEIGHTS, b_mem}, {DNNL_ARG_DST, c_mem}});
    stream.wait();
  };
  ours();
  theirs();
  const double flop =
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  Compare("mm " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n), flop,
          rounds, ours, theirs, MaxDifference(c, d, m * n));
  for (float* p : {a, b, c, d, packed, reinterpret_cast<float*>(scratch)}) std::free(p);
}

struct Conv {
  const char* name;
  int64_t size, in, out, kernel, stride, pad, groups;
};

void BenchConvolution(const Conv& c, int rounds) {
  const bool depthwise = c.groups > 1;
  const int64_t out_size = (c.size + 2 * c.pad - c.kernel) / c.stride + 1;
  const int64_t per_group = c.in / c.groups;
  const int64_t x_count = c.size * c.size * c.in;
  const int64_t w_count = c.out * c.kernel * c.kernel * per_group;
  const int64_t y_count = out_size * out_size * c.out;
  float* x = Allocate(x_count);
  float* w = Allocate(w_count);
  float* y = Allocate(y_count);
  float* z = Allocate(y_count);
  const trt::Dims kernel{c.kernel, c.kernel};
  const krn::ConvolutionTaps taps = krn::TapsOf(kernel, {1, 1}, c.in, c.groups);
  const int64_t bytes = depthwise
                            ? krn::PackedDepthwiseBytes(kernel, c.out)
                            : krn::PackedConvolutionBytes(trt::DataType::kFloat32, taps, c.out, 1);
  float* packed = Allocate(bytes / 4);
  if (depthwise) {
    krn::PackDepthwise(w, trt::DataType::kFloat32, kernel, c.out, packed);
  } else {
    krn::PackConvolution(w, trt::DataType::kFloat32, taps, c.out, 1, packed);
  }
  const trt::Attributes attributes{{"stride", trt::Dims{c.stride, c.stride}},
                                   {"padding", trt::Dims{c.pad, c.pad, c.pad, c.pad}},
                                   {"dilation", trt::Dims{1, 1}},
                                   {"groups", c.groups},
                                   {"kernel", kernel},
                                   {"in_channels", c.in},
                                   {"out_channels", c.out}};
  const auto create =
      depthwise ? krn::CreateDepthwiseConvolution(attributes) : krn::CreateConvolution(attributes);
  const std::vector<trt::TensorView> inputs{
      trt::MakeView(x, trt::DataType::kFloat32, {1, c.size, c.size, c.in}),
      trt::MakeView(packed, trt::DataType::kUInt8, {bytes})};
  const std::vector<trt::TensorView> outputs{
      trt::MakeView(y, trt::DataType::kFloat32, {1, out_size, out_size, c.out})};
  const auto prepared = create.value()->Prepare({attributes, inputs, outputs});
  if (!prepared.ok()) {
    std::printf("%s: %s\n", c.name, prepared.status().ToString().c_str());
    return;
  }
  auto* scratch = reinterpret_cast<std::byte*>(
      Allocate(static_cast<int64_t>(prepared.value().scratch_bytes) / 4 + 1));
  const auto ours = [&] {
    (void)create.value()->Run({inputs, outputs, scratch, prepared.value().state.get()}).ok();
  };

  using dnnl::memory;
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto f32 = memory::data_type::f32;
  memory::desc x_desc({1, c.in, c.size, c.size}, f32, memory::format_tag::nhwc);
  memory::desc y_desc({1, c.out, out_size, out_size}, f32, memory::format_tag::nhwc);
  memory::dims w_dims{c.out, per_group, c.kernel, c.kernel};
  memory::format_tag w_tag = memory::format_tag::ohwi;
  if (depthwise) {
    w_dims = {c.groups, c.out / c.groups, per_group, c.kernel, c.kernel};
    w_tag = memory::format_tag::goihw;  // one input channel a group: the same order as [O, H, W, I]
  }
  memory::desc any(w_dims, f32, memory::format_tag::any);
  dnnl::convolution_forward::primitive_desc pd(
      engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, x_desc, any,
      y_desc, {c.stride, c.stride}, {c.pad, c.pad}, {c.pad, c.pad});
  memory x_mem(x_desc, engine, x);
  memory w_plain({w_dims, f32, w_tag}, engine, w);
  memory w_mem(pd.weights_desc(), engine);
  dnnl::reorder(w_plain, w_mem).execute(stream, w_plain, w_mem);
  memory y_mem(y_desc, engine, z);
  dnnl::convolution_forward prim(pd);
  const auto theirs = [&] {
    prim.execute(stream, {{DNNL_ARG_SRC, x_mem}, {DNNL_ARG_WEIGHTS, w_mem}, {DNNL_ARG_DST, y_mem}});
    stream.wait();
  };
  ours();
  theirs();
  const double flop = 2.0 * static_cast<double>(y_count * per_group * c.kernel * c.kernel);
  Compare(c.name, flop, rounds, ours, theirs, MaxDifference(y, z, y_count));
  for (float* p : {x, w, y, z, packed, reinterpret_cast<float*>(scratch)}) std::free(p);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string filter = argc > 1 ? argv[1] : "";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 31;
  const int64_t matmuls[][3] = {{128, 768, 768},  {128, 768, 3072}, {128, 3072, 768},
                                {197, 768, 3072}, {64, 2048, 5632}, {1, 2048, 5632},
                                {1500, 384, 1536}};
  for (const auto& s : matmuls) {
    if (filter.empty() || filter == "mm") BenchMatmul(s[0], s[1], s[2], rounds);
  }
  const Conv convs[] = {{"conv 3x3 64@56", 56, 64, 64, 3, 1, 1, 1},
                        {"conv 1x1 256-64@56", 56, 256, 64, 1, 1, 0, 1},
                        {"conv 1x1 64-256@56", 56, 64, 256, 1, 1, 0, 1},
                        {"conv 3x3 128@28", 28, 128, 128, 3, 1, 1, 1},
                        {"conv 3x3 256@14", 14, 256, 256, 3, 1, 1, 1},
                        {"conv 3x3 512@7", 7, 512, 512, 3, 1, 1, 1},
                        {"conv 7x7s2 stem", 224, 3, 64, 7, 2, 3, 1},
                        {"dw 3x3 96@112", 112, 96, 96, 3, 1, 1, 96},
                        {"dw 3x3 384@14", 14, 384, 384, 3, 1, 1, 384},
                        {"dw 7x7 96@56", 56, 96, 96, 7, 1, 3, 96}};
  for (const Conv& c : convs) {
    if (filter.empty() || filter == "conv") BenchConvolution(c, rounds);
  }
  return 0;
}
