// One built engine and many threads: what a server does. ThreadSanitizer runs this, so the engine
// has the fast kernels: products, convolutions, attention, loops, norms, and copies between them.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <thread>

#include "core/builder/builder.h"
#include "core/engine/engine.h"
#include "core/execution/execution_context.h"
#include "tests/core/optimizer/harness.h"

namespace torch_tensorrt::core::execution {
namespace {

using optimizer::ConstantLine;

constexpr int kThreads = 8;
constexpr int kCalls = 200;
constexpr int64_t kMostRows = 13;

// x[n, 6, 5, 5] -> scores[n, 7] and images[n, 12, 9, 9].
std::string NetworkText() {
  const std::string window = "padding=[1, 1, 1, 1], dilation=[1, 1]";
  return "symbol n 1 4 13\ninput %x : f32[n, 6, 5, 5]\n" + ConstantLine("w1", {6, 6, 3, 3}, 1) +
         ConstantLine("m", {6}, 2) + ConstantLine("v", {6}, 3, "f32", 0.1) +
         "%c1 = Convolution(%x, %w1) {stride=[1, 1], " + window + ", groups=1}\n" +
         "%n1 = Normalization(%c1, %m, %v) {kind=\"batch\", eps=0x1p-10}\n"
         "%r1 = Unary(%n1) {op=op:Relu}\n" +
         ConstantLine("w2", {6, 1, 3, 3}, 4) + "%d = Convolution(%r1, %w2) {stride=[1, 1], " +
         window + ", groups=6}\n%sum = Elementwise(%d, %x) {op=op:Add}\n" +
         ConstantLine("w3", {6, 12, 3, 3}, 5) + "%up = Deconvolution(%sum, %w3) {stride=[2, 2], " +
         window + ", output_padding=[0, 0], groups=1}\noutput \"images\" %up\n" +
         "%q = Reshape(%sum) {dims=sym[n, 2, 3, 25]}\n"
         "%qk = MatrixMultiply(%q, %q) {transpose_b=true}\n%p = Softmax(%qk) {axis=3}\n"
         "%a = MatrixMultiply(%p, %q)\n%flat = Reshape(%a) {dims=sym[n, 150]}\n" +
         ConstantLine("w4", {150, 7}, 6) +
         "%s = MatrixMultiply(%flat, %w4)\n%y = Softmax(%s) {axis=1}\noutput \"scores\" %y\n";
}

std::shared_ptr<const engine::Engine> MakeEngine() {
  auto built = builder::Build(optimizer::MustParse(NetworkText()), {});
  EXPECT_TRUE(built.ok()) << built.status().ToString();
  if (!built.ok()) return nullptr;
  auto made = engine::Engine::Create(std::move(built->plan));
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return made.ok() ? *made : nullptr;
}

// The outputs for a batch, one after the other; empty when the call failed.
std::vector<float> Call(ExecutionContext* context, int64_t rows) {
  std::vector<float> x(static_cast<size_t>(rows * 6 * 25));
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = std::sin(static_cast<float>(i) * 1.7F + static_cast<float>(rows));
  }
  const TensorView in = MakeView(x.data(), DataType::kFloat32, {rows, 6, 5, 5});
  if (!context->SetInputShapes({&in, 1}).ok()) return {};
  std::vector<TensorView> outputs;
  size_t count = 0;
  for (size_t o = 0; o < 2; ++o) {
    outputs.push_back(MakeView(nullptr, DataType::kFloat32, context->OutputDims(o)));
    count += static_cast<size_t>(outputs.back().numel());
  }
  std::vector<float> y(count, std::nanf(""));
  outputs[0].data = y.data();
  outputs[1].data = y.data() + outputs[0].numel();
  if (!context->Run({&in, 1}, outputs).ok()) return {};
  return y;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Contexts see more batch sizes than they keep, so that they prepare while others run.
TEST(SharedEngine, ThreadsGetTheSerialResultsToTheBit) {
  const auto engine = MakeEngine();
  ASSERT_NE(engine, nullptr);
  for (const engine::PlanStep& step : engine->plan().steps) {
    EXPECT_EQ(step.kernel.find("ref."), std::string::npos) << step.kernel;
  }
  std::map<int64_t, std::vector<float>> serial;
  ExecutionContext alone(engine);
  for (int64_t rows = 1; rows <= kMostRows; ++rows) {
    serial[rows] = Call(&alone, rows);
    ASSERT_FALSE(serial[rows].empty());
  }
  std::vector<int> failures(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ExecutionContext context(engine, 3);
      for (int call = 0; call < kCalls; ++call) {
        const int64_t rows = 1 + (call * 7 + t) % kMostRows;
        if (!SameBits(Call(&context, rows), serial.at(rows))) ++failures[static_cast<size_t>(t)];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, std::vector<int>(kThreads, 0));
}

}  // namespace
}  // namespace torch_tensorrt::core::execution
