// Engines that compute sizes of their tensors: built from networks, run by a context.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <thread>

#include "core/builder/builder.h"
#include "core/engine/engine.h"
#include "core/execution/execution_context.h"

namespace torch_tensorrt::core::execution {
namespace {

std::shared_ptr<const engine::Engine> Built(const std::string& text, bool reference = false) {
  auto network = ir::Network::Parse(text);
  EXPECT_TRUE(network.ok()) << network.status().ToString();
  if (!network.ok()) return nullptr;
  builder::BuilderConfig config;
  config.name = "phased";
  config.reference_only = reference;
  auto built = builder::Build(*std::move(network), config);
  EXPECT_TRUE(built.ok()) << built.status().ToString();
  if (!built.ok()) return nullptr;
  auto made = engine::Engine::Create(std::move(built->plan));
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return made.ok() ? *made : nullptr;
}

// The rows of x whose sum is positive, doubled; of those the ones whose first element is above 1;
// and how many rows there are.
constexpr char kTwice[] = R"(symbol s 0 6 64
symbol u 0 3 64
symbol v 0 2 64
input %x : f32[s, 3]
%zero = Fill() {dims=[], dtype=dtype:f32, value=0.0}
%one = Fill() {dims=[], dtype=dtype:f32, value=1.0}
%sum = Reduce(%x) {kind="sum", axes=[1]}
%m = Elementwise(%sum, %zero) {op=op:Gt}
%mi = Cast(%m) {to=dtype:i64}
%n = Reduce(%mi) {kind="sum", axes=[0]}
%u = ReadSize(%n) {symbol="u"}
%i = NonZero(%m) {count=sym:u}
%f = Reshape(%i) {dims=sym[u]}
%g = Gather(%x, %f) {axis=0}
%d = Elementwise(%g, %g) {op=op:Add}
%c = Slice(%d) {starts=sym[0, 0], sizes=sym[u, 1], steps=[1, 1]}
%r = Reshape(%c) {dims=sym[u]}
%m2 = Elementwise(%r, %one) {op=op:Gt}
%mi2 = Cast(%m2) {to=dtype:i64}
%n2 = Reduce(%mi2) {kind="sum", axes=[0]}
%v = ReadSize(%n2) {symbol="v"}
%i2 = NonZero(%m2) {count=sym:v}
%f2 = Reshape(%i2) {dims=sym[v]}
%g2 = Gather(%d, %f2) {axis=0}
%e = Elementwise(%x, %one) {op=op:Add}
output "first" %d
output "second" %g2
output "count" %n2
output "same" %e
)";

using Rows = std::vector<std::vector<float>>;

struct Answer {
  Rows first;
  Rows second;
  int64_t count = -1;
  Rows same;
};

Answer Expected(const Rows& x) {
  Answer out;
  for (const auto& row : x) {
    out.same.push_back({row[0] + 1, row[1] + 1, row[2] + 1});
    if (row[0] + row[1] + row[2] <= 0) continue;
    out.first.push_back({2 * row[0], 2 * row[1], 2 * row[2]});
    if (2 * row[0] > 1) out.second.push_back(out.first.back());
  }
  out.count = static_cast<int64_t>(out.second.size());
  return out;
}

Rows AsRows(const std::vector<std::byte>& bytes) {
  Rows rows(bytes.size() / (3 * sizeof(float)), std::vector<float>(3));
  for (size_t r = 0; r < rows.size(); ++r) {
    std::memcpy(rows[r].data(), bytes.data() + r * 3 * sizeof(float), 3 * sizeof(float));
  }
  return rows;
}

// Runs the context on `x`; every output is asked for or allocated before, as its dims allow.
Result<Answer> RunOn(ExecutionContext* context, const Rows& x, Profile* profile = nullptr) {
  std::vector<float> data;
  for (const auto& row : x) data.insert(data.end(), row.begin(), row.end());
  const TensorView in = MakeView(data.data(), DataType::kFloat32, {std::ssize(x), 3});
  TRT_RETURN_IF_ERROR(context->SetInputShapes({&in, 1}));
  std::map<size_t, std::vector<std::byte>> memory;
  const OutputAllocator allocate = [&](size_t i, const Dims& dims) -> Result<TensorView> {
    EXPECT_EQ(memory.count(i), 0U) << "asked twice for output " << i;
    const DataType type = i == 2 ? DataType::kInt64 : DataType::kFloat32;
    memory[i].assign(static_cast<size_t>(NumElements(dims)) * SizeOf(type), std::byte{0xff});
    return MakeView(memory[i].data(), type, dims);
  };
  std::vector<TensorView> outputs(4);
  for (size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_EQ(context->OutputDimsKnown(i), i >= 2) << i;
    if (!context->OutputDimsKnown(i)) continue;
    TRT_ASSIGN_OR_RETURN(outputs[i], allocate(i, context->OutputDims(i)));
  }
  RunOptions options;
  options.allocate = &allocate;
  TRT_RETURN_IF_ERROR(context->Run({&in, 1}, outputs, profile, options));
  Answer out{AsRows(memory[0]), AsRows(memory[1]), 0, AsRows(memory[3])};
  std::memcpy(&out.count, memory[2].data(), sizeof(out.count));
  return out;
}

Rows RandomRows(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-2, 2);
  Rows rows(count, std::vector<float>(3));
  for (auto& row : rows) {
    for (float& v : row) v = uniform(random);
  }
  return rows;
}

void ExpectRight(ExecutionContext* context, const Rows& x) {
  const auto got = RunOn(context, x);
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  const Answer expected = Expected(x);
  EXPECT_EQ(got->first, expected.first);
  EXPECT_EQ(got->second, expected.second);
  EXPECT_EQ(got->count, expected.count);
  EXPECT_EQ(got->same, expected.same);
}

TEST(Phases, AnyNumberOfRowsIsFound) {
  for (const bool reference : {false, true}) {
    const auto engine = Built(kTwice, reference);
    ASSERT_NE(engine, nullptr);
    EXPECT_EQ(engine->phases().phases.size(), 3U);
    ExecutionContext context(engine, 3);
    for (const size_t rows : {7U, 0U, 1U, 33U, 64U, 7U, 31U}) {
      for (unsigned seed = 0; seed < 6; ++seed) ExpectRight(&context, RandomRows(rows, seed));
    }
    ExpectRight(&context, Rows(64, {1, 1, 1}));
    ExpectRight(&context, Rows(64, {-1, -1, -1}));
    ExpectRight(&context, Rows(64, {0.25, 1, 1}));
  }
}

TEST(Phases, ThreadsWithContextsOfTheirOwnShareAnEngine) {
  const auto engine = Built(kTwice);
  ASSERT_NE(engine, nullptr);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      ExecutionContext context(engine);
      for (unsigned i = 0; i < 40; ++i) ExpectRight(&context, RandomRows(1 + i % 9, 100 * t + i));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Phases, AProfileHasAllStepsOfAllPhases) {
  const auto engine = Built(kTwice);
  ASSERT_NE(engine, nullptr);
  ExecutionContext context(engine);
  Profile profile;
  ASSERT_TRUE(RunOn(&context, RandomRows(50, 1), &profile).ok());
  ASSERT_TRUE(RunOn(&context, RandomRows(50, 2), &profile).ok());
  EXPECT_EQ(profile.runs, 2);
  ASSERT_EQ(profile.seconds.size(), engine->plan().steps.size());
  for (const double seconds : profile.seconds) EXPECT_GT(seconds, 0);
  EXPECT_GE(context.memory().arena_bytes, context.memory().lower_bound);
}

TEST(Phases, ASizeOutsideItsRangeIsATypedErrorAndTheContextSurvives) {
  std::string text = kTwice;
  text.replace(text.find("symbol u 0 3 64"), 15, "symbol u 1 3 5 ");
  const auto engine = Built(text);
  ASSERT_NE(engine, nullptr);
  ExecutionContext context(engine);
  for (const Rows& x : {Rows(6, {1, 1, 1}), Rows(6, {-1, -1, -1})}) {
    const auto got = RunOn(&context, x);
    EXPECT_EQ(got.status().code(), StatusCode::kOutOfRange) << got.status().ToString();
    EXPECT_NE(got.status().message().find("outside the range [1, 5]"), std::string::npos)
        << got.status().ToString();
  }
  ExpectRight(&context, Rows(5, {1, 1, 1}));
}

TEST(Phases, WithoutMemoryForAnOutputARunIsRefused) {
  const auto engine = Built(kTwice);
  ASSERT_NE(engine, nullptr);
  ExecutionContext context(engine);
  std::vector<float> x(6, 1);
  int64_t count = 0;
  const TensorView in = MakeView(x.data(), DataType::kFloat32, {2, 3});
  ASSERT_TRUE(context.SetInputShapes({&in, 1}).ok());
  std::vector<float> same(6);
  const std::vector<TensorView> outputs = {TensorView(), TensorView(),
                                           MakeView(&count, DataType::kInt64, {}),
                                           MakeView(same.data(), DataType::kFloat32, {2, 3})};
  EXPECT_EQ(context.Run({&in, 1}, outputs).code(), StatusCode::kInvalidArgument);
  const OutputAllocator refuse = [](size_t, const Dims&) -> Result<TensorView> {
    return ResourceExhausted("none");
  };
  RunOptions options;
  options.allocate = &refuse;
  EXPECT_EQ(context.Run({&in, 1}, outputs, nullptr, options).code(),
            StatusCode::kResourceExhausted);
}

// A scalar that the size is computed from is read again with what needs the size: one loop for
// both would wait for itself.
TEST(Phases, WhatASizeIsComputedFromIsNotFusedWithWhatNeedsIt) {
  const auto engine = Built(R"(symbol u 0 3 9
input %x : i64[]
%two = Fill() {dims=[], dtype=dtype:i64, ivalue=sym:2}
%y = Elementwise(%x, %two) {op=op:Mul}
%u = ReadSize(%y) {symbol="u"}
%o = Fill() {dims=sym[u], dtype=dtype:i64, ivalue=sym:5}
%s = Reduce(%o) {kind="sum", axes=[0]}
%z = Elementwise(%s, %y) {op=op:Add}
output "z" %z
)");
  ASSERT_NE(engine, nullptr);
  ExecutionContext context(engine);
  for (const int64_t x : {0, 1, 4}) {
    int64_t in = x;
    int64_t out = -1;
    const TensorView input = MakeView(&in, DataType::kInt64, {});
    const TensorView output = MakeView(&out, DataType::kInt64, {});
    ASSERT_TRUE(context.SetInputShapes({&input, 1}).ok());
    const Status ran = context.Run({&input, 1}, {&output, 1});
    ASSERT_TRUE(ran.ok()) << ran.ToString();
    EXPECT_EQ(out, 5 * 2 * x + 2 * x);
  }
}

}  // namespace
}  // namespace torch_tensorrt::core::execution
