// The passes beyond local rules: what they make of small networks, and that results stay equal.
#include "tests/core/optimizer/harness.h"

namespace torch_tensorrt::core::optimizer {
namespace {

using ir::LayerKind;

std::string ConvBatchNorm(const std::string& middle, const char* norm_input) {
  return "input %x : f32[2, 3, 5, 5]\n" + ConstantLine("w", {4, 3, 3, 3}, 1) +
         ConstantLine("cb", {4}, 2) +
         "%c = Convolution(%x, %w, %cb) {stride=[1, 1], padding=[1, 1, 1, 1], dilation=[1, 1], "
         "groups=1, has_bias=true}\n" +
         middle + ConstantLine("m", {4}, 3) + ConstantLine("v", {4}, 4, "f32", 0.1) +
         ConstantLine("g", {4}, 5) + ConstantLine("b", {4}, 6) + "%n = Normalization(%" +
         norm_input +
         ", %m, %v, %g, %b) {kind=\"batch\", eps=0x1p-10, has_weight=true, has_bias=true}\n"
         "output \"y\" %n\n";
}

TEST(FoldBatchNorm, GoesIntoTheConvolution) {
  const ir::Network network = Apply(FoldBatchNorm, ConvBatchNorm("", "c"));
  EXPECT_EQ(CountKind(network, LayerKind::kNormalization), 0);
  EXPECT_EQ(CountKind(network, LayerKind::kElementwise), 0);
  EXPECT_TRUE(Only(network, LayerKind::kConvolution).attrs.Bool("has_bias"));
}

TEST(FoldBatchNorm, BecomesScaleAndShiftWhenTheConvolutionIsReadTwice) {
  const ir::Network network =
      Apply(FoldBatchNorm, ConvBatchNorm("%r = Unary(%c) {op=op:Relu}\noutput \"r\" %r\n", "c"));
  EXPECT_EQ(CountKind(network, LayerKind::kNormalization), 0);
  EXPECT_EQ(CountKind(network, LayerKind::kElementwise), 2);
}

// Upsampling by transposed convolutions in three spatial dims, with norm, bias and activation.
std::string UpNet() {
  return "symbol n 1 2 4\ninput %x : f32[n, 4, 2, 3, 3]\n" +
         ConstantLine("w1", {4, 3, 1, 2, 2}, 1) +
         "%c1 = Deconvolution(%x, %w1) {stride=[1, 2, 2], padding=[0, 0, 0, 0, 0, 0], "
         "dilation=[1, 1, 1], output_padding=[0, 0, 0], groups=2}\n" +
         ConstantLine("m", {6}, 3) + ConstantLine("v", {6}, 4, "f32", 0.1) +
         "%n = Normalization(%c1, %m, %v) {kind=\"batch\", eps=0x1p-10}\n"
         "%r = Unary(%n) {op=op:Relu}\n" +
         ConstantLine("w2", {6, 2, 2, 3, 3}, 5) + ConstantLine("b", {2, 1, 1, 1}, 6) +
         "%c2 = Deconvolution(%r, %w2) {stride=[2, 1, 2], padding=[0, 1, 1, 0, 1, 1], "
         "dilation=[1, 1, 1], output_padding=[1, 0, 1], groups=1}\n"
         "%s = Elementwise(%c2, %b) {op=op:Add}\n%y = Unary(%s) {op=op:Sigmoid}\n"
         "output \"y\" %y\n";
}

TEST(FoldBatchNorm, GoesIntoTheTransposedConvolution) {
  const ir::Network network = Apply(FoldBatchNorm, UpNet());
  EXPECT_EQ(CountKind(network, LayerKind::kNormalization), 0);
  EXPECT_EQ(CountKind(network, LayerKind::kElementwise), 1);
}

TEST(SimplifyMatMul, TakesTransposesReshapesAndBiases) {
  const ir::Network network = Apply(
      SimplifyMatMul, "symbol s 1 3 9\ninput %x : f32[2, s, 3]\n" + ConstantLine("w", {4, 3}, 1) +
                          ConstantLine("b", {4}, 2) +
                          "%t = Transpose(%w) {perm=[1, 0]}\n"
                          "%f = Reshape(%x) {dims=sym[2*s, 3]}\n"
                          "%m = MatrixMultiply(%f, %t)\n%a = Elementwise(%b, %m) {op=op:Add}\n"
                          "%y = Reshape(%a) {dims=sym[2, s, 4]}\noutput \"y\" %y\n");
  const ir::Layer& product = Only(network, LayerKind::kMatrixMultiply);
  EXPECT_TRUE(product.attrs.Bool("transpose_b"));
  EXPECT_TRUE(product.attrs.Bool("has_bias"));
  EXPECT_EQ(CountKind(network, LayerKind::kTranspose), 0);
  EXPECT_EQ(ToString(network.tensor(product.outputs[0]).dims), "[2, s, 4]");
}

std::string Projections(bool attention) {
  std::string text = "input %x : f32[2, 5, 8]\n";
  for (const char* name : {"q", "k", "v"}) {
    text += ConstantLine(StrCat("w", name), {8, 8}, name[0]) +
            ConstantLine(StrCat("b", name), {8}, 2 * name[0]) +
            StrCat("%m", name, " = MatrixMultiply(%x, %w", name, ", %b", name,
                   ") {transpose_b=true, has_bias=true}\n%r", name, " = Reshape(%m", name,
                   ") {dims=[2, 5, 2, 4]}\n%", name, " = Transpose(%r", name,
                   ") {perm=[0, 2, 1, 3]}\n");
  }
  if (!attention) {
    return text +
           "%a = Elementwise(%q, %k) {op=op:Add}\n%y = Elementwise(%a, %v) {op=op:Mul}\n"
           "output \"y\" %y\n";
  }
  return text +
         "%a = Attention(%q, %k, %v) {scale=0.5}\n"
         "%t = Transpose(%a) {perm=[0, 2, 1, 3]}\n%y = Reshape(%t) {dims=[2, 5, 8]}\n"
         "output \"y\" %y\n";
}

TEST(MergeSiblingMatMuls, MergesProjectionsOfAttention) {
  const ir::Network network = Apply(MergeSiblingMatMuls, Projections(true));
  EXPECT_EQ(CountKind(network, LayerKind::kMatrixMultiply), 1);
  EXPECT_EQ(CountKind(network, LayerKind::kSlice), 3);
}

TEST(MergeSiblingMatMuls, LeavesWhatWouldCopySlices) {
  const ir::Network network = Apply(MergeSiblingMatMuls, Projections(false));
  EXPECT_EQ(CountKind(network, LayerKind::kMatrixMultiply), 3);
}

TEST(AttentionLayout, TakesTheTransposeBehind) {
  const ir::Network network = Apply(AttentionLayout, Projections(true));
  EXPECT_TRUE(Only(network, LayerKind::kAttention).attrs.Bool("out_bshd"));
  EXPECT_EQ(CountKind(network, LayerKind::kTranspose), 3);
}

TEST(RecogniseAttention, FindsTheSpelledOutForm) {
  const ir::Network network =
      Apply(RecogniseAttention,
            "symbol s 1 3 9\ninput %q : f32[2, 3, s, 4]\ninput %k : f32[2, 3, 5, 4]\n"
            "input %v : f32[2, 3, 5, 6]\ninput %m : f32[s, 5]\n"
            "%t = Transpose(%k) {perm=[0, 1, 3, 2]}\n%qk = MatrixMultiply(%q, %t)\n"
            "%c = Constant() data [0.5] : f32[]\n%sc = Elementwise(%qk, %c) {op=op:Mul}\n"
            "%sm = Elementwise(%sc, %m) {op=op:Add}\n%p = Softmax(%sm) {axis=3}\n"
            "%y = MatrixMultiply(%p, %v)\noutput \"y\" %y\n");
  const ir::Layer& attention = Only(network, LayerKind::kAttention);
  EXPECT_EQ(attention.inputs.size(), 4U);
  EXPECT_EQ(attention.attrs.Double("scale"), 0.5);
  EXPECT_EQ(CountKind(network, LayerKind::kSoftmax), 0);
}

TEST(RecogniseAttention, KeepsProbabilitiesThatAreRead) {
  const ir::Network network =
      Apply(RecogniseAttention,
            "input %q : f32[2, 3, 5, 4]\ninput %k : f32[2, 3, 5, 4]\ninput %v : f32[2, 3, 5, 4]\n"
            "%qk = MatrixMultiply(%q, %k) {transpose_b=true}\n%p = Softmax(%qk) {axis=3}\n"
            "%y = MatrixMultiply(%p, %v)\noutput \"y\" %y\noutput \"p\" %p\n");
  EXPECT_EQ(CountKind(network, LayerKind::kAttention), 0);
}

TEST(RecogniseAttention, ReadsRepeatedKeysWhereTheyAre) {
  std::string text =
      "symbol s 1 3 9\ninput %q : f32[2, 6, s, 4]\ninput %k : f32[2, 2, s, 4]\n"
      "input %v : f32[2, 2, s, 4]\n";
  for (const char* name : {"k", "v"}) {
    text += StrCat("%u", name, " = Reshape(%", name, ") {dims=sym[2, 2, 1, s, 4]}\n%e", name,
                   " = Expand(%u", name, ") {dims=sym[2, 2, 3, s, 4]}\n%r", name, " = Reshape(%e",
                   name, ") {dims=sym[2, 6, s, 4]}\n");
  }
  const ir::Network network =
      Apply(RecogniseAttention,
            text + "%y = Attention(%q, %rk, %rv) {scale=0.5, causal=true}\noutput \"y\" %y\n");
  EXPECT_EQ(CountKind(network, LayerKind::kExpand), 0);
}

// Attention of 3 queries and 4 keys behind a mask, whose text comes first.
std::string Masked(const std::string& mask, const std::string& attributes = "") {
  return StrCat(
      "input %q : f32[2, 6, 3, 4]\ninput %k : f32[2, 2, 4, 4]\ninput %v : f32[2, 2, 4, 5]\n", mask,
      "%y = Attention(%q, %k, %v, %m) {scale=0.5", attributes, "}\noutput \"y\" %y\n");
}

const std::string kLowerTriangle = "1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0";

TEST(CausalMasks, MasksThatHideLaterKeysAreNotRead) {
  const std::string masks[] = {
      StrCat("%m = Constant() data [", kLowerTriangle, "] : bool[3, 4]\n"),
      StrCat("%m = Constant() data [", kLowerTriangle, ", ", kLowerTriangle,
             "] : bool[2, 1, 3, 4]\n"),
      StrCat("%c = Constant() data [", kLowerTriangle,
             "] : bool[1, 1, 3, 4]\n%m = Expand(%c) {dims=sym[2, 6, 3, 4]}\n"),
      "%m = Constant() data [0, -inf, -inf, -inf, 0, 0, -inf, -inf, -0.0, 0, 0, -inf] : f32[3, "
      "4]\n",
  };
  for (const std::string& mask : masks) {
    const ir::Network network = Apply(CausalMasks, Masked(mask, ", causal=false"));
    const ir::Layer& attention = Only(network, LayerKind::kAttention);
    EXPECT_EQ(attention.inputs.size(), 3U) << mask;
    EXPECT_TRUE(attention.attrs.Bool("causal")) << mask;
    EXPECT_EQ(attention.attrs.Double("scale"), 0.5);
  }
}

TEST(CausalMasks, OtherMasksStay) {
  const std::string masks[] = {
      "%m = Constant() data [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1] : bool[3, 4]\n",
      "%m = Constant() data [1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0] : bool[3, 4]\n",
      StrCat("%m = Constant() data [", kLowerTriangle,
             ", 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0] : bool[2, 1, 3, 4]\n"),
      "%m = Constant() data [1, 0, 0, 0] : bool[1, 4]\n",
      "%c = Constant() data [1, 0, 0, 0] : bool[1, 4]\n%m = Expand(%c) {dims=sym[3, 4]}\n",
      "%m = Constant() data [1] : bool[1, 1]\n",
      "input %m : bool[3, 4]\n",
      "%m = Constant() data [0, -9e9, -9e9, -9e9, 0, 0, -9e9, -9e9, 0, 0, 0, -9e9] : f32[3, 4]\n",
      "%m = Constant() data [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0] : f32[3, 4]\n",
  };
  for (const std::string& mask : masks) {
    const ir::Network network = Apply(CausalMasks, Masked(mask));
    EXPECT_EQ(Only(network, LayerKind::kAttention).inputs.size(), 4U) << mask;
  }
}

TEST(RecogniseRotary, FindsRotateHalf) {
  const std::string head =
      "symbol s 1 3 9\ninput %x : f32[2, 3, s, 8]\ninput %c : f32[1, 1, s, 8]\n"
      "input %n : f32[1, 1, s, 8]\n"
      "%a = Slice(%x) {starts=[0, 0, 0, 0], sizes=sym[2, 3, s, 4], steps=[1, 1, 1, 1]}\n";
  const std::string tail =
      "%m = Unary(%b) {op=op:Neg}\n%r = Concat(%m, %a) {axis=3}\n"
      "%xc = Elementwise(%x, %c) {op=op:Mul}\n%rs = Elementwise(%r, %n) {op=op:Mul}\n"
      "%y = Elementwise(%xc, %rs) {op=op:Add}\noutput \"y\" %y\n";
  const std::string second =
      "%b = Slice(%x) {starts=[0, 0, 0, 4], sizes=sym[2, 3, s, 4], steps=[1, 1, 1, 1]}\n";
  const std::string wrong =
      "%b = Slice(%x) {starts=[0, 0, 0, 3], sizes=sym[2, 3, s, 4], steps=[1, 1, 1, 1]}\n";
  EXPECT_EQ(CountKind(Apply(RecogniseRotary, head + second + tail), LayerKind::kRotaryEmbedding),
            1);
  EXPECT_EQ(CountKind(Apply(RecogniseRotary, head + wrong + tail), LayerKind::kRotaryEmbedding), 0);
}

TEST(RecogniseNorms, FindsRmsNormWithCasts) {
  const ir::Network network =
      Apply(RecogniseNorms,
            "symbol s 1 3 9\ninput %x : bf16[2, s, 8]\n" + ConstantLine("w", {8}, 1, "bf16") +
                "%f = Cast(%x) {to=dtype:f32}\n%sq = Elementwise(%f, %f) {op=op:Mul}\n"
                "%m = Reduce(%sq) {kind=\"mean\", axes=[2], keepdim=true}\n"
                "%e = Constant() data [0.00001] : f32[]\n%v = Elementwise(%m, %e) {op=op:Add}\n"
                "%r = Unary(%v) {op=op:Rsqrt}\n%n = Elementwise(%f, %r) {op=op:Mul}\n"
                "%h = Cast(%n) {to=dtype:bf16}\n%y = Elementwise(%w, %h) {op=op:Mul}\n"
                "output \"y\" %y\n",
            1.6e-2);
  const ir::Layer& norm = Only(network, LayerKind::kNormalization);
  EXPECT_EQ(norm.attrs.Str("kind"), "rms");
  EXPECT_TRUE(norm.attrs.Bool("has_weight"));
  EXPECT_EQ(network.order().size(), 2U);
}

TEST(RecogniseNorms, FindsLayerNorm) {
  const ir::Network network =
      Apply(RecogniseNorms,
            "input %x : f32[2, 3, 8]\n" + ConstantLine("w", {8}, 1) + ConstantLine("b", {8}, 2) +
                "%mu = Reduce(%x) {kind=\"mean\", axes=[2], keepdim=true}\n"
                "%d = Elementwise(%x, %mu) {op=op:Sub}\n%sq = Elementwise(%d, %d) {op=op:Mul}\n"
                "%m = Reduce(%sq) {kind=\"mean\", axes=[2], keepdim=true}\n"
                "%e = Constant() data [0.00001] : f32[]\n%v = Elementwise(%m, %e) {op=op:Add}\n"
                "%r = Unary(%v) {op=op:Rsqrt}\n%n = Elementwise(%d, %r) {op=op:Mul}\n"
                "%s = Elementwise(%n, %w) {op=op:Mul}\n%y = Elementwise(%s, %b) {op=op:Add}\n"
                "output \"y\" %y\n");
  const ir::Layer& norm = Only(network, LayerKind::kNormalization);
  EXPECT_EQ(norm.attrs.Str("kind"), "layer");
  EXPECT_EQ(network.order().size(), 3U);
}

TEST(RecogniseActivations, FindsGeluAndSilu) {
  const std::string head =
      "input %x : f32[2, 5]\n%half = Constant() data [0.5] : f32[]\n"
      "%one = Constant() data [1] : f32[]\n%hx = Elementwise(%x, %half) {op=op:Mul}\n";
  const std::string tail =
      "%p = Elementwise(%f, %one) {op=op:Add}\n%y = Elementwise(%hx, %p) {op=op:Mul}\n"
      "output \"y\" %y\n";
  const std::string erf =
      "%c = Constant() data [0.70710678118654752] : f32[]\n"
      "%a = Elementwise(%x, %c) {op=op:Mul}\n%f = Unary(%a) {op=op:Erf}\n";
  const std::string tanh =
      "%sq = Elementwise(%x, %x) {op=op:Mul}\n%cu = Elementwise(%sq, %x) {op=op:Mul}\n"
      "%k = Constant() data [0.044715] : f32[]\n%kc = Elementwise(%cu, %k) {op=op:Mul}\n"
      "%in = Elementwise(%x, %kc) {op=op:Add}\n%s = Constant() data [0.7978845608028654] : f32[]\n"
      "%a = Elementwise(%in, %s) {op=op:Mul}\n%f = Unary(%a) {op=op:Tanh}\n";
  auto op_of = [](const ir::Network& network) {
    return Only(network, LayerKind::kUnary).attrs.Get<PointwiseOp>("op", PointwiseOp::kAdd);
  };
  EXPECT_EQ(op_of(Apply(RecogniseActivations, head + erf + tail)), PointwiseOp::kGeluErf);
  EXPECT_EQ(op_of(Apply(RecogniseActivations, head + tanh + tail)), PointwiseOp::kGeluTanh);
  // As halves spell it: numbers are f32, with casts around each operation.
  const std::string half =
      "input %h : f16[2, 5]\n%x = Cast(%h) {to=dtype:f32}\n" + head.substr(head.find('\n') + 1) +
      tanh.substr(0, tanh.find("%a =")) +
      "%a = Elementwise(%in, %s) {op=op:Mul}\n%ah = Cast(%a) {to=dtype:f16}\n"
      "%fh = Unary(%ah) {op=op:Tanh}\n%f = Cast(%fh) {to=dtype:f32}\n"
      "%p = Elementwise(%f, %one) {op=op:Add}\n%ph = Cast(%p) {to=dtype:f16}\n"
      "%hh = Cast(%hx) {to=dtype:f16}\n%y = Elementwise(%hh, %ph) {op=op:Mul}\n"
      "output \"y\" %y\n";
  EXPECT_EQ(op_of(Apply(RecogniseActivations, half, 2e-3)), PointwiseOp::kGeluTanh);
  EXPECT_EQ(op_of(Apply(RecogniseActivations,
                        "input %x : f32[5]\n%s = Unary(%x) {op=op:Sigmoid}\n"
                        "%y = Elementwise(%s, %x) {op=op:Mul}\noutput \"y\" %y\n")),
            PointwiseOp::kSilu);
}

TEST(JoinActivations, SiluIntoAGroupNormNobodyElseReads) {
  const std::string norm =
      "input %x : f32[2, 8, 5]\n%n = Normalization(%x) {kind=\"group\", eps=0x1p-10, groups=2}\n";
  const std::string silu = "%y = Unary(%n) {op=op:Silu}\noutput \"y\" %y\n";
  const ir::Network joined = Apply(JoinActivations, norm + silu);
  EXPECT_TRUE(Only(joined, LayerKind::kNormalization).attrs.Bool("silu"));
  EXPECT_EQ(joined.order().size(), 1U);
  const ir::Network read_twice = Apply(JoinActivations, norm + silu + "output \"n\" %n\n");
  EXPECT_FALSE(Only(read_twice, LayerKind::kNormalization).attrs.Bool("silu"));
}

// A block of a residual convolution network with pool, norm, padding, gates and a head.
std::string ConvNet() {
  return "symbol n 1 2 4\ninput %x : f32[n, 3, 8, 8]\n" + ConstantLine("w1", {4, 3, 3, 3}, 1) +
         "%c1 = Convolution(%x, %w1) {stride=[1, 1], padding=[1, 1, 1, 1], dilation=[1, 1], "
         "groups=1}\n" +
         ConstantLine("s", {4, 1, 1}, 2) +
         "%sc = Elementwise(%c1, %s) {op=op:Mul}\n%r1 = Unary(%sc) {op=op:Relu}\n"
         "%p = Pool(%r1) {kind=\"max\", kernel=[2, 2], stride=[2, 2], padding=[0, 0, 0, 0]}\n" +
         ConstantLine("w2", {4, 1, 3, 3}, 3) + ConstantLine("b2", {4}, 4) +
         "%c2 = Convolution(%p, %w2, %b2) {stride=[1, 1], padding=[1, 1, 1, 1], dilation=[1, 1], "
         "groups=4, has_bias=true}\n%add = Elementwise(%c2, %p) {op=op:Add}\n"
         "%g = Normalization(%add) {kind=\"group\", eps=0x1p-10, groups=2}\n"
         "%gate = Reduce(%g) {kind=\"mean\", axes=[2, 3], keepdim=true}\n"
         "%sg = Unary(%gate) {op=op:Sigmoid}\n%se = Elementwise(%g, %sg) {op=op:Mul}\n"
         "%cat = Concat(%se, %p) {axis=1}\n"
         "%pad = Pad(%cat) {pads=[0, 1, 0, 2, 0, 0, 1, 0], mode=\"constant\", value=0.5}\n"
         "%sl = Slice(%pad) {starts=sym[0, 1, 0, 2], sizes=sym[n, 8, 5, 4], steps=[1, 1, 1, 1]}\n"
         "%up = Resize(%sl) {mode=\"nearest\", sizes=[10, 8]}\n"
         "%flat = Reshape(%up) {dims=sym[n, 8, 80]}\n"
         "%tok = Transpose(%flat) {perm=[0, 2, 1]}\n"
         "%head = Reduce(%up) {kind=\"mean\", axes=[2, 3]}\noutput \"tok\" %tok\n"
         "output \"head\" %head\n";
}

TEST(AssignLayout, FollowsConvolutionsToTheEnd) {
  ir::Network network = Apply(AssignLayout, ConvNet());
  const auto changed = Canonicalise(&network);
  ASSERT_TRUE(changed.ok());
  const auto folded = FoldConstants(&network);
  ASSERT_TRUE(folded.ok());
  ExpectEqualResults(MustParse(ConvNet()), network);
  // Only the network's input is turned around.
  EXPECT_EQ(CountKind(network, LayerKind::kTranspose), 1) << network.ToString();
}

// Two filters of one shape that are made when they are packed are still two.
TEST(EliminateCommon, KeepsDeferredConstantsApart) {
  ir::Network network;
  ir::TensorId sum = network.AddInput("x", DataType::kFloat32, {64, 2048});
  for (unsigned seed : {1U, 2U}) {
    const ir::TensorId w = network.AddConstant(
        TransposeWeights(RandomWeights(DataType::kFloat32, {2048, 64}, seed), {1, 0}), "w");
    ASSERT_EQ(network.weights(w)->data, nullptr);
    sum = *network.AddLayer(LayerKind::kElementwise, {sum, w}, {{"op", PointwiseOp::kAdd}}, "a");
  }
  network.MarkOutput(sum, "y");
  const auto changed = EliminateCommon(&network);
  ASSERT_TRUE(changed.ok());
  EXPECT_FALSE(*changed);
  EXPECT_EQ(CountKind(network, LayerKind::kConstant), 2);
}

TEST(AssignLayout, TurnsTheImageAroundBeforeItIsPaddedForAConvolution) {
  const std::string text =
      "input %x : f32[2, 3, 5, 6]\n%p = Pad(%x) {pads=sym[0, 0, 1, 2, 0, 0, 1, 1], "
      "mode=\"reflect\"}\n" +
      ConstantLine("w", {4, 3, 3, 3}, 1) +
      "%y = Convolution(%p, %w) {stride=[1, 1], padding=[0, 0, 0, 0], dilation=[1, 1], "
      "groups=1}\noutput \"y\" %y\n";
  const ir::Network network = Apply(AssignLayout, text);
  EXPECT_EQ(network.producer(Only(network, LayerKind::kPad).inputs[0])->kind,
            LayerKind::kTranspose);
  EXPECT_EQ(network.producer(Only(network, LayerKind::kConvolution).inputs[0])->kind,
            LayerKind::kPad);
  // A reader that wants the channels first decides otherwise.
  const ir::Network shown = Apply(AssignLayout, text + "output \"p\" %p\n");
  EXPECT_EQ(shown.producer(Only(shown, LayerKind::kConvolution).inputs[0])->kind,
            LayerKind::kTranspose);
}

TEST(Pipeline, TransposedConvolutionsRunChannelsLastWithTheirActivations) {
  ir::Network network = MustParse(UpNet());
  ASSERT_TRUE(Optimize(&network, {.disabled = {}, .verify = true, .dump = {}}).ok());
  EXPECT_EQ(CountKind(network, LayerKind::kFused), 0) << network.ToString();
  EXPECT_EQ(CountKind(network, LayerKind::kTranspose), 2) << network.ToString();
  for (ir::LayerId id : network.order()) {
    const ir::Layer& layer = *network.layer(id);
    if (layer.kind != LayerKind::kDeconvolution) continue;
    EXPECT_TRUE(layer.attrs.Bool("channels_last"));
    EXPECT_TRUE(layer.attrs.Bool("has_bias"));
    EXPECT_TRUE(layer.attrs.Has("epilogue"));
  }
}

TEST(FusePointwise, MakesOneLoopOfAChain) {
  const ir::Network network =
      Apply(FusePointwise,
            "symbol s 1 3 9\ninput %x : f32[2, s]\ninput %r : f32[s]\ninput %t : f32[s, 2]\n"
            "%a = Elementwise(%x, %r) {op=op:Add}\n%g = Unary(%a) {op=op:GeluErf}\n"
            "%tt = Transpose(%t) {perm=[1, 0]}\n%c = Elementwise(%g, %tt) {op=op:Lt}\n"
            "%z = Fill() {dims=[], dtype=dtype:f32, value=0x1p+1}\n"
            "%y = Select(%c, %g, %z)\noutput \"y\" %y\n");
  EXPECT_EQ(network.order().size(), 1U) << network.ToString();
}

TEST(FusePointwise, SoftmaxByHandIsOneLoop) {
  const ir::Network network =
      Apply(FusePointwise,
            "symbol s 1 3 9\ninput %x : f32[2, s, 7]\n"
            "%m = Reduce(%x) {kind=\"max\", axes=[2], keepdim=true}\n"
            "%d = Elementwise(%x, %m) {op=op:Sub}\n%e = Unary(%d) {op=op:Exp}\n"
            "%t = Reduce(%e) {kind=\"sum\", axes=[2], keepdim=true}\n"
            "%y = Elementwise(%e, %t) {op=op:Div}\noutput \"y\" %y\n");
  EXPECT_EQ(network.order().size(), 1U) << network.ToString();
}

TEST(FusePointwise, RowResultsGetTheirDims) {
  const ir::Network network = Apply(FusePointwise,
                                    "input %x : bf16[3, 5]\n%e = Unary(%x) {op=op:Exp}\n"
                                    "%y = Reduce(%e) {kind=\"sum\", axes=[1], keepdim=true}\n"
                                    "%z = Reduce(%x) {kind=\"max\", axes=[0]}\n"
                                    "output \"y\" %y\noutput \"z\" %z\n",
                                    1e-2);
  EXPECT_EQ(CountKind(network, LayerKind::kFused), 1);
  EXPECT_EQ(CountKind(network, LayerKind::kReduce), 1);
}

TEST(FusePointwise, SharesAnInnerValueOnlyWithoutACycle) {
  // %a is read by both; %n waits for %a and the last loop waits for %n.
  const std::string cycle =
      "input %x : f32[4, 5]\n%a = Unary(%x) {op=op:Exp}\n%n = Softmax(%a) {axis=1}\n"
      "%y = Elementwise(%a, %n) {op=op:Add}\noutput \"y\" %y\n";
  EXPECT_EQ(CountKind(Apply(FusePointwise, cycle), LayerKind::kFused), 2);
  const std::string shared =
      "input %x : f32[4, 5]\n%a = Unary(%x) {op=op:Exp}\n%n = Softmax(%a) {axis=1}\n"
      "%y = Unary(%a) {op=op:Neg}\noutput \"y\" %y\noutput \"n\" %n\n";
  const ir::Network network = Apply(FusePointwise, shared);
  EXPECT_EQ(CountKind(network, LayerKind::kFused), 1);
  EXPECT_EQ(Only(network, LayerKind::kFused).outputs.size(), 2U);
}

TEST(FusePointwise, DoesNotRepeatExpensiveWork) {
  const ir::Network network =
      Apply(FusePointwise,
            "input %x : f32[64, 5]\ninput %r : f32[1, 5]\n"
            "%e = Unary(%r) {op=op:Exp}\n%y = Elementwise(%x, %e) {op=op:Mul}\n"
            "output \"y\" %y\n");
  EXPECT_EQ(CountKind(network, LayerKind::kFused), 2);
}

TEST(FusePointwise, ComputesIntegersBoolsAndRanges) {
  const ir::Network network =
      Apply(FusePointwise,
            "symbol s 1 3 9\ninput %k : bool[s]\n"
            "%i = Iota() {length=sym:s, dtype=dtype:i64, start=sym:2, step=3}\n"
            "%c = Reshape(%i) {dims=sym[s, 1]}\n%le = Elementwise(%i, %c) {op=op:Le}\n"
            "%b = Elementwise(%le, %k) {op=op:Mul}\n%n = Unary(%b) {op=op:BitNot}\n"
            "%f = Cast(%n) {to=dtype:i32}\n%y = Elementwise(%f, %f) {op=op:Add}\n"
            "output \"y\" %y\n");
  EXPECT_EQ(network.order().size(), 1U) << network.ToString();
}

std::string Feed(const std::string& dtype) {
  return "symbol s 1 3 9\ninput %x : " + dtype + "[2, s, 4]\ninput %r : " + dtype + "[2, s, 6]\n" +
         ConstantLine("w", {6, 4}, 1, dtype) + ConstantLine("u", {6, 4}, 2, dtype) +
         "%a = MatrixMultiply(%x, %w) {transpose_b=true}\n"
         "%b = MatrixMultiply(%x, %u) {transpose_b=true}\n%g = Unary(%a) {op=op:Silu}\n"
         "%m = Elementwise(%g, %b) {op=op:Mul}\n%y = Elementwise(%r, %m) {op=op:Add}\n"
         "output \"y\" %y\n";
}

TEST(FuseEpilogues, OneProductTakesTheLoop) {
  for (const char* dtype : {"f32", "bf16"}) {
    ir::Network network = MustParse(Feed(dtype));
    ASSERT_TRUE(FusePointwise(&network).ok());
    ASSERT_TRUE(FuseEpilogues(&network).ok());
    EXPECT_TRUE(network.Verify().ok()) << network.Verify().ToString();
    EXPECT_EQ(CountKind(network, LayerKind::kFused), 0) << network.ToString();
    ExpectEqualResults(MustParse(Feed(dtype)), network, dtype[0] == 'f' ? 1e-5 : 3e-2);
  }
}

TEST(FuseEpilogues, LeavesProductsThatOthersRead) {
  ir::Network network = MustParse(
      "input %x : f32[3, 4]\n" + ConstantLine("w", {4, 6}, 1) +
      "%a = MatrixMultiply(%x, %w)\n%y = Unary(%a) {op=op:Relu}\n%n = Softmax(%a) {axis=1}\n"
      "output \"y\" %y\noutput \"n\" %n\n");
  ASSERT_TRUE(FusePointwise(&network).ok());
  ASSERT_TRUE(FuseEpilogues(&network).ok());
  EXPECT_EQ(CountKind(network, LayerKind::kFused), 1);
}

// Whole pipeline, and each pass switched off in turn.
class WholePipeline : public testing::TestWithParam<std::string> {};

TEST_P(WholePipeline, KeepsResultsUnderEverySwitch) {
  const std::string& text = GetParam();
  const ir::Network before = MustParse(text);
  std::vector<std::set<std::string>> switches{{}};
  for (const PassInfo& pass : ListPasses()) switches.push_back({std::string(pass.name)});
  for (const auto& disabled : switches) {
    ir::Network network = MustParse(text);
    const auto report = Optimize(&network, {.disabled = disabled, .verify = true, .dump = {}});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    const bool half = text.find("bf16") != std::string::npos;
    ExpectEqualResults(before, network, half ? 3e-2 : 1e-5, 4);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, WholePipeline,
                         testing::Values(ConvNet(), Projections(true), Projections(false),
                                         Feed("f32"), Feed("bf16"), ConvBatchNorm("", "c"),
                                         UpNet()));

// Its value is what the network's symbol is; no constant says that.
TEST(FoldConstants, LeavesSizesThatAreRead) {
  const ir::Network network = Apply(FoldConstants, R"(symbol u 0 4 9
%n = Constant() data [3] : i64[]
%m = Elementwise(%n, %n) {op=op:Add}
%u = ReadSize(%m) {symbol="u"}
%f = Fill() {dims=sym[u], dtype=dtype:f32, value=1.0}
output "f" %f
)");
  EXPECT_EQ(CountKind(network, LayerKind::kElementwise), 0);
  EXPECT_EQ(CountKind(network, LayerKind::kReadSize), 1);
}

}  // namespace
}  // namespace torch_tensorrt::core::optimizer
