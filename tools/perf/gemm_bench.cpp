// Times our packed matrix product beside oneDNN's with prepacked weights, interleaved, and prints
// GFLOP/s of both. Build: see the comment in core/kernels/cpu/gemm/README.md. Threads:
// OMP_NUM_THREADS. Arguments: name filter, rounds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/gemm/pack.h"
#include "core/kernels/cpu/gemm/rows.h"
#include "core/util/parallel.h"
#include "dnnl.hpp"

namespace {

namespace trt = torch_tensorrt::core;
namespace krn = torch_tensorrt::core::kernels;

float* Allocate(int64_t count) {
  auto* p = static_cast<float*>(
      std::aligned_alloc(64, static_cast<size_t>((count * 4 + 8191) / 64 * 64)));
  std::mt19937 random(7);
  std::uniform_real_distribution<float> value(-1, 1);
  for (int64_t i = 0; i < count; ++i) p[i] = value(random);
  return p;
}

template <typename Body>
double Seconds(const Body& body) {
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
  std::printf("%-22s ours %8.3f ms %6.1f GF/s  onednn %8.3f ms %6.1f GF/s  ratio %.2f  diff %.1e\n",
              name.c_str(), x * 1e3, flop / x * 1e-9, y * 1e3, flop / y * 1e-9, x / y, difference);
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
    krn::RunProduct(plan, {&rows, packed, nullptr, c, n, nullptr, scratch});
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
  return 0;
}
