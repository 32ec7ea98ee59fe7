// What passes must leave alone because a rewritten network would compute something else, or
// nothing.
#include "tests/core/optimizer/harness.h"

namespace torch_tensorrt::core::optimizer {
namespace {

using ir::LayerKind;

// What is the same along a row cannot be reduced by a loop: it stays a layer of its own.
TEST(FusePointwise, LeavesReductionsOfWhatIsTheSameAlongTheRow) {
  const std::string head = "symbol s 1 3 9\ninput %x : f32[s, 7]\n";
  const std::string tail =
      "%r = Reduce(%e) {kind=\"sum\", axes=[1]}\n%y = Unary(%r) {op=op:Exp}\noutput \"y\" %y\n";
  for (const char* body :
       {"%m = Reduce(%x) {kind=\"max\", axes=[1], keepdim=true}\n"
        "%b = Expand(%m) {dims=sym[s, 3]}\n%e = Unary(%b) {op=op:Neg}\n",
        "%c = Slice(%x) {starts=[0, 2], sizes=sym[s, 1], steps=[1, 1]}\n%e = Unary(%c) "
        "{op=op:Neg}\n",
        "%f = Fill() {dims=[], dtype=dtype:f32, value=0x1p-1}\n%e = Expand(%f) {dims=sym[s, 4]}\n",
        "%i = Iota() {length=sym:s, dtype=dtype:i64}\n%k = Cast(%i) {to=dtype:f32}\n"
        "%j = Reshape(%k) {dims=sym[s, 1]}\n%e = Expand(%j) {dims=sym[s, 3]}\n"}) {
    const ir::Network network = Apply(FusePointwise, head + body + tail);
    EXPECT_GE(CountKind(network, LayerKind::kReduce), 1) << body;
  }
}

TEST(FusePointwise, LeavesAFillThatNoDoubleHolds) {
  const ir::Network network =
      Apply(FusePointwise,
            "symbol s 1 3 9\ninput %x : i64[s]\n"
            "%f = Fill() {dims=sym[s], dtype=dtype:i64, ivalue=sym:1152921504606846977}\n"
            "%y = Elementwise(%x, %f) {op=op:Add}\noutput \"y\" %y\n");
  EXPECT_EQ(CountKind(network, LayerKind::kFill), 1);
}

// Softmax of a row that a mask hides whole is NaN; Attention gives zeros if not told otherwise.
TEST(RecogniseAttention, GivesNanForRowsThatAreHidden) {
  const std::string head =
      "input %q : f32[2, 3, 2, 4]\ninput %k : f32[2, 3, 2, 4]\ninput %v : f32[2, 3, 2, 4]\n"
      "%qk = MatrixMultiply(%q, %k) {transpose_b=true}\n";
  const std::string tail =
      "%sm = Elementwise(%qk, %m) {op=op:Add}\n%p = Softmax(%sm) {axis=3}\n"
      "%y = MatrixMultiply(%p, %v)\noutput \"y\" %y\n";
  for (const std::string mask : {"%m = Constant() data [0, -inf, -inf, -inf] : f32[2, 2]\n",
                                 "input %m : f32[2, 1, 2, 2]\n"}) {
    const ir::Network network = Apply(RecogniseAttention, head + mask + tail);
    ASSERT_EQ(CountKind(network, LayerKind::kAttention), 1) << mask;
    for (const ir::LayerId id : network.order()) {
      const ir::Layer& layer = *network.layer(id);
      if (layer.kind != LayerKind::kAttention) continue;
      EXPECT_TRUE(layer.attrs.Bool("hidden_nan"));
    }
  }
}

TEST(RecogniseRotary, LeavesIntegers) {
  const ir::Network network =
      Apply(RecogniseRotary,
            "input %x : i64[3, 4]\ninput %c : i64[4]\n"
            "%a = Slice(%x) {starts=[0, 0], sizes=[3, 2], steps=[1, 1]}\n"
            "%b = Slice(%x) {starts=[0, 2], sizes=[3, 2], steps=[1, 1]}\n"
            "%m = Unary(%b) {op=op:Neg}\n%r = Concat(%m, %a) {axis=1}\n"
            "%xc = Elementwise(%x, %c) {op=op:Mul}\n%rs = Elementwise(%r, %c) {op=op:Mul}\n"
            "%y = Elementwise(%xc, %rs) {op=op:Add}\noutput \"y\" %y\n");
  EXPECT_EQ(CountKind(network, LayerKind::kRotaryEmbedding), 0);
}

// 0.7071 is not the root of one half: gelu would be off by far more than rounding.
TEST(RecogniseActivations, LeavesOtherConstantsThanGelus) {
  auto is_gelu = [](const std::string& type, const std::string& factor) {
    const ir::Network network = Apply(
        RecogniseActivations,
        "input %x : " + type + "[2, 5]\n%half = Constant() data [0.5] : " + type +
            "[]\n%one = Constant() data [1] : " + type + "[]\n%c = Constant() data [" + factor +
            "] : " + type + "[]\n%hx = Elementwise(%x, %half) {op=op:Mul}\n" +
            "%a = Elementwise(%x, %c) {op=op:Mul}\n%f = Unary(%a) {op=op:Erf}\n" +
            "%p = Elementwise(%f, %one) {op=op:Add}\n%y = Elementwise(%hx, %p) {op=op:Mul}\n" +
            "output \"y\" %y\n",
        type == "bf16" ? 1e-1 : 1e-6);
    return CountKind(network, LayerKind::kUnary) == 1 &&
           Only(network, LayerKind::kUnary).attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd) ==
               PointwiseOp::kGeluErf;
  };
  EXPECT_TRUE(is_gelu("f32", "0.70710678118654752"));
  EXPECT_TRUE(is_gelu("f64", "0.70710678118654752"));
  EXPECT_TRUE(is_gelu("bf16", "0.70710678118654752"));
  EXPECT_FALSE(is_gelu("f32", "0.7071"));
  EXPECT_FALSE(is_gelu("f64", "0.70710678"));
}

}  // namespace
}  // namespace torch_tensorrt::core::optimizer
