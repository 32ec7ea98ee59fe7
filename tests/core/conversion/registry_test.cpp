#include "core/conversion/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/conversion/families.h"

namespace torch_tensorrt::core::conversion {
namespace {

// Every family's own table, in full.
std::vector<ConverterTable> Families() {
  return {ActivationConverters(),   ArithmeticConverters(),    AttentionConverters(),
          CastConverters(),         ComparisonConverters(),    ConvolutionConverters(),
          CreationConverters(),     IndexingConverters(),      MatrixConverters(),
          PaddingConverters(),      NormalizationConverters(), PoolingConverters(),
          ReductionConverters(),    ResizeConverters(),        ScanConverters(),
          ScatterConverters(),      ShapeConverters(),         SlicingConverters(),
          StatisticsConverters(),   UnaryConverters(),         SpecialConverters(),
          EmbeddingBagConverters(), SelectionConverters()};
}

class ConvertTest : public ::testing::Test {
 protected:
  TensorId Input(DataType type, SymDims dims) {
    return network_.AddInput("x", type, std::move(dims));
  }
  Result<Values> Run(std::string_view target, const ArgMap& args) {
    return Convert(&network_, target, args, "node", "model.py:3");
  }
  // The type of the one tensor result.
  std::string TypeOf(const Result<Values>& values) {
    if (!values.ok()) return values.status().ToString();
    return Describe(values->at(0), network_);
  }
  std::string Layers() {
    std::string out;
    for (const ir::LayerId id : network_.order()) {
      out += std::string(out.empty() ? "" : " ") +
             std::string(ir::InfoOf(network_.layer(id)->kind).name);
    }
    return out;
  }

  ir::Network network_;
  const SymInt s_ = SymInt::Symbol("s0");
};

TEST(Registry, EveryOperatorHasOneConverter) {
  std::set<std::string_view> seen;
  for (const ConverterTable& family : Families()) {
    for (const ConverterEntry& entry : family) {
      EXPECT_TRUE(seen.insert(entry.target).second) << entry.target << " is registered twice";
      EXPECT_NE(entry.convert, nullptr) << entry.target;
      EXPECT_EQ(FindConverter(entry.target), &entry);
    }
  }
  EXPECT_EQ(ConverterTargets().size(), seen.size());
  EXPECT_GT(seen.size(), 300U);
}

TEST_F(ConvertTest, UnknownOperatorNamesItself) {
  const auto result = Run("aten.frobnicate.default", {});
  EXPECT_EQ(result.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(result.status().message().find("aten.frobnicate.default"), std::string::npos);
}

TEST_F(ConvertTest, RefusalNamesOperatorReasonAndShapes) {
  const Value x = Value::Tensor(Input(DataType::kFloat32, {s_, 3}));
  const auto result = Run("aten.split.Tensor", {{"self", x}, {"split_size", Value(SymInt(2))}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kUnsupported);
  for (const char* part : {"[aten.split.Tensor]", "s0", "f32[s0, 3]", "split_size: 2"}) {
    EXPECT_NE(result.status().message().find(part), std::string::npos) << result.status().message();
  }
}

TEST_F(ConvertTest, WrongKindOfArgumentIsAnError) {
  EXPECT_FALSE(Run("aten.relu.default", {{"self", Value(SymInt(3))}}).ok());
  EXPECT_FALSE(Run("aten.relu.default", {}).ok());
  const Value x = Value::Tensor(Input(DataType::kFloat32, {2, 3}));
  EXPECT_FALSE(Run("aten.transpose.int",
                   {{"self", x}, {"dim0", Value(SymInt(0))}, {"dim1", Value(SymInt(5))}})
                   .ok());
  EXPECT_FALSE(Run("aten.cat.default", {{"tensors", Value(Value::List{})}}).ok());
}

TEST_F(ConvertTest, EveryConverterSurvivesMissingArguments) {
  for (const std::string_view target : ConverterTargets()) {
    const auto result = Run(target, {});
    if (result.ok()) {
      // Only operators without a required tensor may succeed.
      EXPECT_TRUE(result->empty() || !result->at(0).is_none()) << target;
    }
  }
}

TEST_F(ConvertTest, EveryConverterSurvivesScalarAndEmptyTensors) {
  for (const std::string_view target : ConverterTargets()) {
    for (const SymDims& dims : {SymDims{}, SymDims{0}, SymDims{2, 0, 3}}) {
      const Value x = Value::Tensor(Input(DataType::kFloat32, dims));
      ArgMap args;
      for (const char* name : {"self", "input", "other", "weight", "query", "key", "value", "mat1",
                               "mat2", "tensor1", "tensor2", "indices", "index", "source"}) {
        args[name] = x;
      }
      args["dim"] = Value(SymInt(0));
      const auto result = Run(target, args);
      EXPECT_TRUE(result.ok() || !result.status().message().empty()) << target;
    }
  }
}

TEST_F(ConvertTest, NumbersMeetHalfTensorsUnrounded) {
  const Value x = Value::Tensor(Input(DataType::kBFloat16, {4}));
  EXPECT_EQ(TypeOf(Run("aten.mul.Tensor", {{"self", x}, {"other", Value(0.1)}})), "bf16[4]");
  EXPECT_EQ(Layers(), "Cast Constant Elementwise Cast");
}

// PyTorch raises an error for an integer divided by zero; an engine would not.
TEST_F(ConvertTest, IntegersAreDividedOnlyByWhatIsNeverZero) {
  ASSERT_TRUE(network_.AddSymbol({"s0", 1, 8, 64}).ok());
  ASSERT_TRUE(network_.AddSymbol({"z", 0, 8, 64}).ok());
  const Value x = Value::Tensor(Input(DataType::kInt64, {4}));
  const Value bytes = Value::Tensor(Input(DataType::kUInt8, {4}));
  const Value real = Value::Tensor(Input(DataType::kFloat32, {4}));
  const auto constant = [&](std::vector<int64_t> values) {
    ir::NewWeights made = ir::AllocateWeights(DataType::kInt64, {std::ssize(values)});
    std::copy(values.begin(), values.end(), static_cast<int64_t*>(made.data));
    return Value::Tensor(network_.AddConstant(made.weights, "c"));
  };
  const Value symbol(s_);
  const Value maybe(SymInt::Symbol("z"));
  for (const char* target : {"aten.floor_divide.default", "aten.remainder.Tensor",
                             "aten.fmod.Tensor", "aten.remainder.Scalar", "aten.fmod.Scalar"}) {
    const auto runs = [&](const Value& a, const Value& b) {
      return Run(target, {{"self", a}, {"other", b}}).ok();
    };
    EXPECT_TRUE(runs(x, Value(SymInt(3)))) << target;
    EXPECT_TRUE(runs(x, Value(SymInt(-1)))) << target;
    EXPECT_TRUE(runs(x, symbol)) << target;
    EXPECT_TRUE(runs(x, constant({1, -2, 3, 4}))) << target;
    EXPECT_TRUE(runs(real, x)) << target;
    EXPECT_TRUE(runs(x, Value(0.0))) << target;
    EXPECT_FALSE(runs(x, Value(SymInt(0)))) << target;
    EXPECT_FALSE(runs(x, maybe)) << target;
    EXPECT_FALSE(runs(x, constant({1, 0, 1, 1}))) << target;
    EXPECT_FALSE(runs(x, x)) << target;
    EXPECT_FALSE(runs(bytes, Value(SymInt(512)))) << target;
    EXPECT_FALSE(runs(bytes, symbol)) << target;
  }
  for (const char* mode : {"floor", "trunc"}) {
    const ArgMap args{{"self", x}, {"other", x}, {"rounding_mode", Value(std::string(mode))}};
    const auto result = Run("aten.div.Tensor_mode", args);
    ASSERT_EQ(result.status().code(), StatusCode::kUnsupported) << mode;
    EXPECT_NE(result.status().message().find("divisor may be zero"), std::string::npos);
  }
  EXPECT_TRUE(Run("aten.div.Tensor", {{"self", x}, {"other", x}}).ok());
}

TEST_F(ConvertTest, ViewInfersTheOpenDim) {
  const Value x = Value::Tensor(Input(DataType::kFloat32, {s_, 21, 768}));
  const Value size(Value::List{Value(s_), Value(SymInt(21)), Value(SymInt(-1)), Value(SymInt(64))});
  EXPECT_EQ(TypeOf(Run("aten.view.default", {{"self", x}, {"size", size}})), "f32[s0, 21, 12, 64]");
}

TEST_F(ConvertTest, SliceOfASymbolicDimKeepsItsLength) {
  const Value x = Value::Tensor(Input(DataType::kFloat32, {2, s_}));
  const ArgMap args{{"self", x},
                    {"dim", Value(SymInt(1))},
                    {"start", Value(SymInt(0))},
                    {"end", Value(s_)},
                    {"step", Value(SymInt(2))}};
  EXPECT_EQ(TypeOf(Run("aten.slice.Tensor", args)), "f32[2, floordiv(s0+1,2)]");
}

TEST_F(ConvertTest, StatisticsAreComputedBesideTheLayer) {
  const Value x = Value::Tensor(Input(DataType::kFloat32, {2, 8}));
  const auto result = Run("aten.native_layer_norm.default",
                          {{"input", x},
                           {"normalized_shape", Value(Value::List{Value(SymInt(8))})},
                           {"eps", Value(1e-5)}});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  ASSERT_EQ(result->size(), 3U);
  EXPECT_EQ(Describe(result->at(0), network_), "f32[2, 8]");
  EXPECT_EQ(Describe(result->at(1), network_), "f32[2, 1]");
  EXPECT_EQ(Describe(result->at(2), network_), "f32[2, 1]");
}

TEST_F(ConvertTest, LayersCarryNameAndSource) {
  const Value x = Value::Tensor(Input(DataType::kFloat32, {2}));
  ASSERT_TRUE(Run("aten.relu.default", {{"self", x}}).ok());
  const ir::Layer* layer = network_.layer(network_.order().front());
  EXPECT_EQ(layer->name, "node");
  EXPECT_EQ(layer->source, "model.py:3");
  EXPECT_TRUE(network_.Verify().ok());
}

TEST_F(ConvertTest, SizesThatValuesGiveAreComputedOnce) {
  ASSERT_TRUE(network_.AddSymbol({"s0", 0, 8, 64}).ok());
  ASSERT_TRUE(network_.AddSymbol({"u0", 0, 8, 192}).ok());
  const Value x = Value::Tensor(Input(DataType::kFloat32, {s_, 3}));
  const Value mask = Value::Tensor(Input(DataType::kBool, {s_, 3}));
  const Value count(SymInt::Symbol("u0"));
  const ArgMap args{
      {"self", x}, {"indices", Value(Value::List{mask})}, {"result", Value(Value::List{count})}};
  EXPECT_EQ(TypeOf(Run("aten.index.Tensor", args)), "f32[u0]");
  const std::string first = Layers();
  EXPECT_EQ(first, "Reshape Cast Reduce ReadSize NonZero Reshape Reshape Gather");
  EXPECT_EQ(TypeOf(Run("aten.index.Tensor", args)), "f32[u0]");
  EXPECT_EQ(Layers(), first + " Reshape Cast Reduce NonZero Reshape Reshape Gather");
  EXPECT_TRUE(network_.Verify().ok()) << network_.Verify().ToString();
}

TEST_F(ConvertTest, SizesThatAreGivenOrKnownAreNotRead) {
  const Value x = Value::Tensor(Input(DataType::kFloat32, {s_, 3}));
  for (const SymInt& count : {SymInt(2), s_, 2 * s_}) {
    const Value result(Value::List{Value(count), Value(SymInt(2))});
    EXPECT_TRUE(Run("aten.nonzero.default", {{"self", x}, {"result", result}}).ok());
  }
  EXPECT_EQ(Layers().find("ReadSize"), std::string::npos);
  const Value unknown(Value::List{Value(2 * SymInt::Symbol("u1")), Value(SymInt(2))});
  const auto refused = Run("aten.nonzero.default", {{"self", x}, {"result", unknown}});
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  EXPECT_FALSE(Run("aten.nonzero.default", {{"self", x}}).ok());
}

}  // namespace
}  // namespace torch_tensorrt::core::conversion
