#include "core/execution/execution_context.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "core/engine/engine.h"
#include "core/kernels/kernel.h"
#include "core/util/lent_memory.h"

namespace torch_tensorrt::core::execution {
namespace {

using engine::Location;
using engine::Plan;
using engine::PlanStep;

PlanStep Step(std::string kernel, Attributes attributes, std::vector<int32_t> in,
              std::vector<int32_t> out) {
  PlanStep step;
  step.kernel = std::move(kernel);
  step.name = "layer";
  step.source = "model.py:7";
  step.attributes = std::move(attributes);
  step.inputs = std::move(in);
  step.outputs = std::move(out);
  return step;
}

// y[4, s] = transpose(relu(x[s, 4] + w)), s in [1, 64].
Plan AddReluTranspose() {
  Plan plan;
  plan.name = "test";
  plan.symbols = {{"s", 1, 4, 64}};
  auto w = std::shared_ptr<float>(new float[4]{-1, 0, 1, 2}, std::default_delete<float[]>());
  plan.constants.push_back({DataType::kFloat32, {4}, w});
  const SymInt s = SymInt::Symbol("s");
  plan.tensors = {
      {"x", DataType::kFloat32, {s, 4}, Location::kInput, 0, 0, {}},
      {"w", DataType::kFloat32, {4}, Location::kConstant, 0, 0, {}},
      {"sum", DataType::kFloat32, {s, 4}, Location::kArena, -1, 0, {}},
      {"relu", DataType::kFloat32, {s, 4}, Location::kArena, -1, 0, {}},
      {"t", DataType::kFloat32, {4, s}, Location::kView, 3, 0, {1, 4}},
      {"y", DataType::kFloat32, {4, s}, Location::kOutput, 0, 0, {}},
  };
  plan.inputs = {{"x", 0}};
  plan.outputs = {{"y", 5}};
  plan.steps = {Step("ref.Elementwise", {{"op", PointwiseOp::kAdd}}, {0, 1}, {2}),
                Step("ref.Unary", {{"op", PointwiseOp::kRelu}}, {2}, {3}),
                Step("ref.Copy", {}, {4}, {5})};
  return plan;
}

std::shared_ptr<const engine::Engine> MakeEngine(Plan plan) {
  auto made = engine::Engine::Create(std::move(plan));
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return made.ok() ? *made : nullptr;
}

std::vector<float> Input(int64_t rows, int seed) {
  std::vector<float> x(static_cast<size_t>(rows) * 4);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = std::sin(static_cast<float>(i) * 1.7F + static_cast<float>(seed));
  }
  return x;
}

Status RunOnce(ExecutionContext* context, std::vector<float>& x, int64_t rows,
               std::vector<float>* y) {
  const TensorView in = MakeView(x.data(), DataType::kFloat32, {rows, 4});
  TRT_RETURN_IF_ERROR(context->SetInputShapes({&in, 1}));
  EXPECT_EQ(context->OutputDims(0), (Dims{4, rows}));
  y->assign(x.size(), std::nanf(""));
  const TensorView out = MakeView(y->data(), DataType::kFloat32, {4, rows});
  return context->Run({&in, 1}, {&out, 1});
}

void Check(const std::vector<float>& x, int64_t rows, const std::vector<float>& y) {
  const float w[4] = {-1, 0, 1, 2};
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < 4; ++c) {
      const float expected = std::max(0.0F, x[static_cast<size_t>(r * 4 + c)] + w[c]);
      ASSERT_EQ(y[static_cast<size_t>(c * rows + r)], expected) << r << "," << c;
    }
  }
}

TEST(ExecutionContext, NewShapesNeedNoRebuild) {
  ExecutionContext context(MakeEngine(AddReluTranspose()), 2);
  for (const int64_t rows : {1, 7, 33, 64, 7, 2, 1}) {
    auto x = Input(rows, static_cast<int>(rows));
    std::vector<float> y;
    ASSERT_TRUE(RunOnce(&context, x, rows, &y).ok());
    Check(x, rows, y);
    EXPECT_LE(context.memory().lower_bound, context.memory().arena_bytes);
  }
}

// s - s/2 is 3 for s = 5 and s = 6: only the second input says which.
TEST(ExecutionContext, SizesAreReadBeforeTheyAreSolvedFor) {
  Plan plan = AddReluTranspose();
  const SymInt s = SymInt::Symbol("s");
  plan.tensors.push_back(
      {"half", DataType::kFloat32, {s - FloorDiv(s, 2)}, Location::kInput, 0, 0, {}});
  plan.inputs.insert(plan.inputs.begin(), {"half", static_cast<int32_t>(plan.tensors.size() - 1)});
  plan.tensors[0].index = 1;
  ExecutionContext context(MakeEngine(std::move(plan)));
  for (const int64_t rows : {1, 2, 5, 6, 63}) {
    auto x = Input(rows, 3);
    const TensorView in[] = {MakeView(x.data(), DataType::kFloat32, {rows - rows / 2}),
                             MakeView(x.data(), DataType::kFloat32, {rows, 4})};
    const Status set = context.SetInputShapes(in);
    ASSERT_TRUE(set.ok()) << set.ToString();
    EXPECT_EQ(context.OutputDims(0), (Dims{4, rows}));
  }
}

TEST(ExecutionContext, WrongInputsAreTypedErrorsAndTheContextSurvives) {
  ExecutionContext context(MakeEngine(AddReluTranspose()));
  std::vector<float> data(4 * 100);
  auto status_of = [&](DataType type, Dims dims) {
    const TensorView in = MakeView(data.data(), type, dims);
    return context.SetInputShapes({&in, 1});
  };
  EXPECT_EQ(status_of(DataType::kFloat32, {65, 4}).code(), StatusCode::kOutOfRange);
  EXPECT_EQ(status_of(DataType::kFloat32, {0, 4}).code(), StatusCode::kOutOfRange);
  EXPECT_EQ(status_of(DataType::kFloat32, {3, 5}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status_of(DataType::kFloat32, {3}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status_of(DataType::kFloat64, {3, 4}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(context.SetInputShapes({}).code(), StatusCode::kInvalidArgument);
  const Status wrong = status_of(DataType::kFloat64, {3, 4});
  EXPECT_NE(wrong.message().find("'x'"), std::string::npos) << wrong.message();
  EXPECT_NE(wrong.message().find("f64"), std::string::npos) << wrong.message();
  auto x = Input(3, 1);
  std::vector<float> y;
  ASSERT_TRUE(RunOnce(&context, x, 3, &y).ok());
  Check(x, 3, y);
}

// A message names the input, the axis, what was compiled for and what was given; no symbol.
TEST(ExecutionContext, MessagesSayWhatFitsInTermsOfTheInput) {
  Plan plan = AddReluTranspose();
  plan.tensors.push_back(
      {"z", DataType::kFloat32, {SymInt::Symbol("s")}, Location::kInput, 1, 0, {}});
  plan.inputs.push_back({"z", static_cast<int32_t>(plan.tensors.size() - 1)});
  ExecutionContext context(MakeEngine(std::move(plan)));
  auto message_of = [&](const Dims& x, const Dims& z) {
    const TensorView in[] = {MakeView(nullptr, DataType::kFloat32, x),
                             MakeView(nullptr, DataType::kFloat32, z)};
    return std::string(context.SetInputShapes(in).message());
  };
  EXPECT_EQ(message_of({3}, {3}),
            "[test] input 'x' must have 2 axes of sizes [1 to 64, 4], got shape [3]");
  EXPECT_EQ(message_of({65, 4}, {65}),
            "[test] input 'x' has size 65 on axis 0, outside the range [1, 64] it was compiled for "
            "(shape [65, 4], compiled for [1 to 64, 4]); compile again with a wider "
            "min_shape/max_shape");
  EXPECT_EQ(message_of({3, 4}, {5}),
            "[test] input 'z' has shape [5] but axis 0 must be 3, the size of axis 0 of 'x'; pass "
            "inputs whose sizes agree as those did that were compiled for");
}

TEST(ExecutionContext, RangesOfLinearDimsNameTheSymbol) {
  Plan plan = AddReluTranspose();
  const SymInt s = SymInt::Symbol("s") * 2 + 1;
  for (const size_t t : {size_t{0}, size_t{2}, size_t{3}}) plan.tensors[t].dims[0] = s;
  for (const size_t t : {size_t{4}, size_t{5}}) plan.tensors[t].dims[1] = s;
  ExecutionContext context(MakeEngine(std::move(plan)));
  const TensorView in = MakeView(nullptr, DataType::kFloat32, {131, 4});
  const Status status = context.SetInputShapes({&in, 1});
  EXPECT_EQ(status.code(), StatusCode::kOutOfRange);
  for (const char* part : {"size 131 on axis 0", "s of 2*s+1 is 65", "[3 to 129, 4]"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

TEST(ExecutionContext, SolvesLinearDimsForTheirSymbol) {
  Plan plan = AddReluTranspose();
  const SymInt s = SymInt::Symbol("s") * 2 + 1;
  for (const size_t t : {size_t{0}, size_t{2}, size_t{3}}) plan.tensors[t].dims[0] = s;
  for (const size_t t : {size_t{4}, size_t{5}}) plan.tensors[t].dims[1] = s;
  ExecutionContext context(MakeEngine(std::move(plan)));
  auto x = Input(9, 0);
  std::vector<float> y;
  ASSERT_TRUE(RunOnce(&context, x, 9, &y).ok());
  Check(x, 9, y);
  auto even = Input(8, 0);
  EXPECT_EQ(RunOnce(&context, even, 8, &y).code(), StatusCode::kInvalidArgument);
}

TEST(ExecutionContext, ViewsOutsideTheirTensorAreRefused) {
  Plan plan = AddReluTranspose();
  plan.tensors[4].offset = 1;
  ExecutionContext context(MakeEngine(std::move(plan)));
  auto x = Input(3, 0);
  std::vector<float> y;
  const Status status = RunOnce(&context, x, 3, &y);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("view 't' of shape [4, 3] reads outside its tensor 'relu' of 12"),
            std::string::npos)
      << status.message();
}

class Model : public Lender {
 public:
  Status Check() const override { return same ? Status::Ok() : DataLoss("[weights] changed"); }
  bool sees_writes() const override { return true; }
  bool same = true;
};

TEST(ExecutionContext, ConstantsThatTheirLenderChangedAreRefused) {
  Plan plan = AddReluTranspose();
  const auto model = std::make_shared<Model>();
  const auto w = plan.constants[0].data;
  plan.constants[0].data = Lend(model, w.get());
  ExecutionContext context(MakeEngine(std::move(plan)));
  auto x = Input(3, 0);
  std::vector<float> y;
  ASSERT_TRUE(RunOnce(&context, x, 3, &y).ok());
  Check(x, 3, y);
  model->same = false;
  EXPECT_EQ(RunOnce(&context, x, 3, &y).message(), "[weights] changed");
  model->same = true;
  ASSERT_TRUE(RunOnce(&context, x, 3, &y).ok());
  Check(x, 3, y);
}

TEST(ExecutionContext, ProfileCountsEveryStep) {
  ExecutionContext context(MakeEngine(AddReluTranspose()));
  auto x = Input(3, 0);
  std::vector<float> y(12);
  const TensorView in = MakeView(x.data(), DataType::kFloat32, {3, 4});
  const TensorView out = MakeView(y.data(), DataType::kFloat32, {4, 3});
  ASSERT_TRUE(context.SetInputShapes({&in, 1}).ok());
  Profile profile;
  ASSERT_TRUE(context.Run({&in, 1}, {&out, 1}, &profile).ok());
  ASSERT_TRUE(context.Run({&in, 1}, {&out, 1}, &profile).ok());
  EXPECT_EQ(profile.runs, 2);
  EXPECT_EQ(profile.seconds.size(), 3U);
}

// One engine, a context per thread, mixed shapes: equal to the serial result to the bit.
TEST(ExecutionContext, ThreadsShareAnEngine) {
  const auto engine = MakeEngine(AddReluTranspose());
  std::vector<std::thread> threads;
  std::vector<int> failures(8, 0);
  for (size_t t = 0; t < failures.size(); ++t) {
    threads.emplace_back([&, t] {
      ExecutionContext context(engine, 3);
      for (int call = 0; call < 200; ++call) {
        const int64_t rows = 1 + (call * 7 + static_cast<int>(t)) % 13;
        auto x = Input(rows, call);
        std::vector<float> y;
        if (!RunOnce(&context, x, rows, &y).ok()) ++failures[t];
        const float w[4] = {-1, 0, 1, 2};
        for (int64_t i = 0; i < rows * 4; ++i) {
          const float expected = std::max(0.0F, x[static_cast<size_t>(i)] + w[i % 4]);
          if (y[static_cast<size_t>((i % 4) * rows + i / 4)] != expected) ++failures[t];
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const int count : failures) EXPECT_EQ(count, 0);
}

}  // namespace
}  // namespace torch_tensorrt::core::execution
