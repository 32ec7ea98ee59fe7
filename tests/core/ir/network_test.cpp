#include "core/ir/network.h"

#include <gtest/gtest.h>

namespace torch_tensorrt::core::ir {
namespace {

constexpr char kText[] = R"(symbol s0 1 8 64
input %x : f32[s0, 3]
input %"odd name" : f32[3]
%w = Constant() data [0x1p+0, -0x0p+0, inf] : f32[3]
%h = Constant() data [0x1.8p+0, 0x1p-14] : f16[2]
%i = Constant() data [-1, 0, 9223372036854775807] : i64[3]
%a = Elementwise(%x, %w) {op=op:Add} : f32[s0, 3]
%b = Elementwise(%a, %"odd name") {op=op:Mul} : f32[s0, 3] layer "scale" at "model.py:3 \"q\""
%v, %k = TopK(%b) {axis=1, k=sym:2, largest=true} : f32[s0, 2], i64[s0, 2]
%r = Reshape(%v) {dims=sym[2*s0]} : f32[2*s0]
%u = Unary(%r) {op=op:Softplus, p0=0x1p+0, p1=0x1.4p+4} : f32[2*s0]
%z = Resize(%img) {mode="nearest", scales=f[0x1p+1, 0x0p+0], sizes=[4, 4]} : f32[1, 1, 4, 4]
output "y" %u
output "indices" %k
output "y again" %u
)";

std::string Full() {
  std::string text(kText);
  text.insert(text.find("%w ="), "input %img : f32[1, 1, 2, 2]\n");
  return text;
}

Network MustParse(std::string_view text) {
  auto network = Network::Parse(text);
  EXPECT_TRUE(network.ok()) << network.status().ToString();
  return network.ok() ? *std::move(network) : Network();
}

TensorId Find(const Network& network, std::string_view name) {
  for (TensorId id = 0; id < network.tensor_count(); ++id) {
    if (network.tensor(id).name == name) return id;
  }
  ADD_FAILURE() << "no tensor " << name;
  return kNone;
}

TEST(NetworkText, RoundTrips) {
  const Network network = MustParse(Full());
  EXPECT_EQ(network.ToString(), Full());
  EXPECT_TRUE(network.Verify().ok());
}

TEST(NetworkText, PrintsADigestOfLargeConstants) {
  Network network;
  NewWeights fresh = AllocateWeights(DataType::kFloat32, {100});
  std::fill_n(static_cast<float*>(fresh.data), 100, 1.0F);
  network.MarkOutput(network.AddConstant(fresh.weights, "w"), "y");
  const std::string text = network.ToString();
  EXPECT_NE(text.find("%w = Constant() digest "), std::string::npos) << text;
  EXPECT_FALSE(Network::Parse(text).ok());
  EXPECT_TRUE(Network::Parse(network.ToString(100)).ok());
}

TEST(NetworkText, RefusesWhatItCannotRead) {
  const char* const broken[] = {
      "input %x",
      "input %x : f99[2]",
      "input %x : f32[2]\ninput %x : f32[2]",
      "input %x : f32[2\n",
      "%y = Unary(%x) {op=op:Exp}",
      "input %x : f32[2]\n%y = Unary(%x) {op=op:Nope}",
      "input %x : f32[2]\n%y = Nope(%x)",
      "input %x : f32[2]\n%y = Unary(%x) {op=op:Exp} : f32[3]",
      "input %x : f32[2]\n%y = Unary(%x) {op=op:Exp} : f32[2] trailing",
      "input %x : f32[2]\noutput \"y",
      "symbol s 5 1 9",
      "symbol s 1 1 9\nsymbol s 1 1 9",
      "%c = Constant() data [1, 2] : i64[3]",
      "%c = Constant() data [1, 2, 3] : i64[2]",
      "%c = Constant() data [1",
      "%c = Constant() data [1] : i64[99999999999, 99999999999]",
  };
  for (const char* text : broken) {
    const auto network = Network::Parse(text);
    EXPECT_FALSE(network.ok()) << text;
    EXPECT_EQ(network.status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(Network, KeepsNamesUnique) {
  Network network;
  const TensorId x = network.AddInput("x", DataType::kFloat32, {2});
  const auto a = network.AddLayer(LayerKind::kCopy, {x}, {}, "x");
  const auto b = network.AddLayer(LayerKind::kCopy, {x}, {}, "x");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(network.tensor(*a).name, "x_1");
  EXPECT_EQ(network.tensor(*b).name, "x_2");
  network.RenameTensor(*b, "x");
  EXPECT_NE(network.tensor(*b).name, "x");
}

TEST(Network, RefusesUnknownTensorsAndBareConstants) {
  Network network;
  EXPECT_FALSE(network.AddLayer(LayerKind::kCopy, {3}, {}, "c").ok());
  EXPECT_FALSE(network.AddLayer(LayerKind::kConstant, {}, {}, "c").ok());
}

TEST(Network, TracksUses) {
  Network network = MustParse(
      "input %x : f32[2]\n%a = Elementwise(%x, %x) {op=op:Add}\n%b = Copy(%x)\n"
      "%c = Elementwise(%a, %b) {op=op:Mul}\noutput \"c\" %c\noutput \"a\" %a\n");
  const TensorId x = Find(network, "x");
  const TensorId a = Find(network, "a");
  EXPECT_EQ(network.use_count(x), 3);
  EXPECT_EQ(network.consumers(x).size(), 2U);
  EXPECT_EQ(network.use_count(a), 2);
  EXPECT_TRUE(network.is_output(a));
  ASSERT_TRUE(network.ReplaceAllUses(a, x).ok());
  EXPECT_EQ(network.use_count(a), 0);
  EXPECT_EQ(network.outputs()[1], x);
  EXPECT_EQ(network.RemoveDead(), 1);
  EXPECT_EQ(network.use_count(x), 3);
  EXPECT_TRUE(network.Verify().ok()) << network.Verify().ToString();
}

TEST(Network, ReplaceAllUsesNeedsEqualTypes) {
  Network network =
      MustParse("input %x : f32[2]\ninput %y : f32[3]\n%a = Copy(%x)\noutput \"a\" %a\n");
  EXPECT_EQ(network.ReplaceAllUses(Find(network, "x"), Find(network, "y")).code(),
            StatusCode::kInternal);
}

TEST(Network, SortsAfterRewriting) {
  Network network = MustParse("input %x : f32[2]\n%a = Copy(%x)\n%b = Copy(%a)\noutput \"b\" %b\n");
  const auto late = network.AddLayer(LayerKind::kUnary, {Find(network, "x")},
                                     {{"op", PointwiseOp::kExp}}, "late");
  ASSERT_TRUE(late.ok());
  network.ReplaceInput(network.tensor(Find(network, "b")).producer, 0, *late);
  EXPECT_NE(network.Verify().message().find("before it is made"), std::string::npos);
  ASSERT_TRUE(network.SortTopologically().ok());
  EXPECT_TRUE(network.Verify().ok());
  EXPECT_EQ(network.RemoveDead(), 1);
  EXPECT_EQ(network.ToString(),
            "input %x : f32[2]\n%late = Unary(%x) {op=op:Exp} : f32[2]\n"
            "%b = Copy(%late) : f32[2]\noutput \"b\" %b\n");
}

TEST(Network, SortReportsCycles) {
  Network network = MustParse("input %x : f32[2]\n%a = Copy(%x)\n%b = Copy(%a)\noutput \"b\" %b\n");
  network.ReplaceInput(network.tensor(Find(network, "a")).producer, 0, Find(network, "b"));
  EXPECT_NE(network.SortTopologically().message().find("cycle"), std::string::npos);
}

TEST(Network, ReinferRefusesOtherTypes) {
  Network network =
      MustParse("input %x : f32[2, 3]\n%a = Transpose(%x) {perm=[1, 0]}\noutput \"a\" %a\n");
  const LayerId layer = network.tensor(Find(network, "a")).producer;
  EXPECT_TRUE(network.Reinfer(layer).ok());
  network.mutable_layer(layer)->attrs.Set("perm", Dims{0, 1});
  EXPECT_EQ(network.Reinfer(layer).code(), StatusCode::kInternal);
}

// Each planted fault must be found and named.
struct Planted {
  const char* name;
  void (*plant)(Network*);
  const char* reason;
};

Layer* LayerOf(Network* network, std::string_view name) {
  return network->mutable_layer(network->tensor(Find(*network, name)).producer);
}

class Verifier : public testing::TestWithParam<Planted> {};

TEST_P(Verifier, FindsThePlantedFault) {
  Network network = MustParse(Full());
  ASSERT_TRUE(network.Verify().ok());
  GetParam().plant(&network);
  const Status status = network.Verify();
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_NE(status.message().find(GetParam().reason), std::string::npos) << status.ToString();
}

INSTANTIATE_TEST_SUITE_P(
    Faults, Verifier,
    testing::Values(
        Planted{"Attribute", [](Network* n) { LayerOf(n, "a")->attrs.Set("op", int64_t{1}); },
                "must be of type op"},
        Planted{"UnknownAttribute", [](Network* n) { LayerOf(n, "a")->attrs.Set("x", true); },
                "no attribute x"},
        Planted{"MissingAttribute", [](Network* n) { LayerOf(n, "v")->attrs.Erase("k"); },
                "k is missing"},
        Planted{"Dims", [](Network* n) { LayerOf(n, "v")->attrs.Set("k", SymInt(3)); },
                "yields f32[s0, 3]"},
        Planted{"Dtype", [](Network* n) { LayerOf(n, "a")->attrs.Set("op", PointwiseOp::kLt); },
                "yields bool"},
        Planted{"Arity", [](Network* n) { LayerOf(n, "a")->inputs.pop_back(); }, "inputs, got 1"},
        Planted{"UnknownTensor", [](Network* n) { LayerOf(n, "a")->inputs[0] = 999; },
                "unknown tensor"},
        Planted{"UseBeforeDef", [](Network* n) { LayerOf(n, "a")->inputs[0] = Find(*n, "b"); },
                "before it is made"},
        Planted{
            "Readers",
            [](Network* n) { std::swap(LayerOf(n, "b")->inputs[0], LayerOf(n, "a")->inputs[0]); },
            "before it is made"},
        Planted{"BehindTheBack", [](Network* n) { LayerOf(n, "b")->inputs[0] = Find(*n, "x"); },
                "behind the network's back"},
        Planted{"OutputCount", [](Network* n) { LayerOf(n, "v")->outputs.pop_back(); },
                "has 1 outputs"},
        Planted{"OutputOwner", [](Network* n) { LayerOf(n, "v")->outputs[0] = Find(*n, "a"); },
                "names another producer"},
        Planted{"Weights", [](Network* n) { LayerOf(n, "w")->weights.data = nullptr; }, "no data"},
        Planted{"WeightDims", [](Network* n) { LayerOf(n, "w")->weights.dims = {4}; },
                "yields f32[4]"},
        Planted{"ErasedProducer",
                [](Network* n) { n->EraseLayer(n->tensor(Find(*n, "u")).producer); },
                "output y is not made"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Network, DeferredWeightsAreMadeWhenTheirElementsAreAskedFor) {
  int made = 0;
  Weights deferred{DataType::kFloat32, {3}};
  deferred.recipe = std::make_shared<const Weights::Recipe>([&made] {
    ++made;
    NewWeights fresh = AllocateWeights(DataType::kFloat32, {3});
    for (int i = 0; i < 3; ++i) static_cast<float*>(fresh.data)[i] = static_cast<float>(i);
    return fresh.weights.data;
  });
  Network network;
  const TensorId w = network.AddConstant(deferred, "w");
  network.MarkOutput(w, "y");
  EXPECT_TRUE(network.Verify().ok());
  EXPECT_EQ(network.weights(w)->identity(), deferred.identity());
  EXPECT_EQ(network.weights(w)->dims, (Dims{3}));
  EXPECT_EQ(made, 0);
  EXPECT_EQ(network.weights(w)->Made().as<float>()[2], 2);
  EXPECT_EQ(network.weights(w)->data, nullptr);  // nobody keeps what Made gives
  EXPECT_NE(network.ToString().find("[0x0p+0, 0x1p+0, 0x1p+1]"), std::string::npos);
  EXPECT_EQ(made, 2);
  const float* kept = network.constant(w)->as<float>();
  EXPECT_EQ(kept[1], 1);
  EXPECT_EQ(network.constant(w)->as<float>(), kept);
  EXPECT_EQ(network.weights(w)->as<float>(), kept);
  EXPECT_EQ(made, 3);
}

}  // namespace
}  // namespace torch_tensorrt::core::ir
