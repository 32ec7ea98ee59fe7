#include <gtest/gtest.h>

#include <set>

#include "core/ir/network.h"

namespace torch_tensorrt::core::ir {
namespace {

// One layer on inputs of the given types (separated by spaces), and the output types or a part of
// the error.
struct Case {
  const char* kind;
  const char* inputs;
  const char* attrs;
  const char* expected;  // "!..." : an error that contains ...
};

Result<std::string> Infer(const Case& c) {
  std::string text = "symbol s 1 8 64\nsymbol t 1 8 64\nsymbol u 0 8 64\n";
  std::string arguments;
  std::string types(c.inputs);
  int count = 0;
  for (size_t pos = 0; pos < types.size();) {
    const size_t end = std::min(types.find(' ', pos), types.size());
    text += StrCat("input %i", count, " : ", types.substr(pos, end - pos), "\n");
    arguments += StrCat(count == 0 ? "" : ", ", "%i", count);
    pos = end + 1;
    ++count;
  }
  TRT_ASSIGN_OR_RETURN(const Network inputs, Network::Parse(text));
  std::vector<TensorType> in;
  for (TensorId id : inputs.inputs())
    in.push_back({inputs.tensor(id).dtype, inputs.tensor(id).dims});
  const std::string many[] = {"%o", "%o, %p"};
  Status last;
  for (const std::string& outputs : many) {
    auto network = Network::Parse(StrCat(text, outputs, " = ", c.kind, "(", arguments, ")",
                                         c.attrs[0] == 0 ? "" : " {", c.attrs,
                                         c.attrs[0] == 0 ? "" : "}", "\n"));
    if (!network.ok()) {
      if (last.ok()) last = network.status();
      if (network.status().message().find("outputs at column") != std::string::npos) continue;
      return network.status();
    }
    std::string out;
    for (TensorId id : network->layer(network->order().back())->outputs) {
      const Tensor& tensor = network->tensor(id);
      out += (out.empty() ? "" : " ") + ToString(TensorType{tensor.dtype, tensor.dims});
    }
    return out;
  }
  return last;
}

const Case kCases[] = {
    {"Constant", "", "", "!expected 'data '"},
    {"Cast", "f32[2,s]", "to=dtype:bf16", "bf16[2, s]"},
    {"Cast", "f32[2]", "", "!attribute to is missing"},
    {"Cast", "f32[2]", "to=3", "!must be of type dtype"},
    {"Cast", "f32[2]", "to=dtype:f32, from=1", "!no attribute from"},
    {"Cast", "f32[2] f32[2]", "to=dtype:f32", "!inputs, got 2"},
    {"Unary", "f16[0,3]", "op=op:Exp", "f16[0, 3]"},
    {"Unary", "i32[3]", "op=op:Exp", "!Exp is not defined for i32"},
    {"Unary", "i32[3]", "op=op:Relu", "i32[3]"},
    {"Unary", "f32[]", "op=op:IsNan", "bool[]"},
    {"Unary", "f32[3]", "op=op:Add", "!operation of 1"},
    {"Unary", "f32[3]", "op=op:Cast", "!operation of 1"},
    {"Unary", "f32[3]", "op=op:BitNot", "!BitNot is not defined for f32"},
    {"Elementwise", "f32[2,1,s] f32[5,1]", "op=op:Add", "f32[2, 5, s]"},
    {"Elementwise", "f32[s] f32[7]", "op=op:Add", "f32[7]"},
    {"Elementwise", "f32[s] f32[t]", "op=op:Add", "f32[s]"},
    {"Elementwise", "f32[0] f32[1]", "op=op:Mul", "f32[0]"},
    {"Elementwise", "f32[2] f32[3]", "op=op:Add", "!do not fit"},
    {"Elementwise", "f32[2] f16[2]", "op=op:Add", "!one dtype"},
    {"Elementwise", "i64[2] i64[]", "op=op:Lt", "bool[2]"},
    {"Elementwise", "i64[2] i64[2]", "op=op:Div", "!not defined for i64"},
    {"Elementwise", "bool[2] bool[2]", "op=op:Sub", "!not defined for bool"},
    {"Select", "bool[2,1] f32[3] f32[]", "", "f32[2, 3]"},
    {"Select", "f32[2] f32[2] f32[2]", "", "!condition must be bool"},
    {"Fill", "", "dims=sym[s, 2], dtype=dtype:i64, ivalue=sym:s", "i64[s, 2]"},
    {"Fill", "", "dims=[-1], dtype=dtype:f32", "!dims [-1]"},
    {"Iota", "", "length=sym:s+1, dtype=dtype:i64", "i64[s+1]"},
    {"Iota", "", "length=sym:3, dtype=dtype:bool", "!cannot be bool"},
    {"Reduce", "f32[2,s,4]", "kind=\"mean\", axes=[0, 2]", "f32[s]"},
    {"Reduce", "f32[2,s,4]", "kind=\"sum\", axes=[0, 1, 2], keepdim=true", "f32[1, 1, 1]"},
    {"Reduce", "f32[2,0]", "kind=\"sum\", axes=[1]", "f32[2]"},
    {"Reduce", "f32[2,0]", "kind=\"max\", axes=[1]", "!no value"},
    {"Reduce", "f32[2]", "kind=\"any\", axes=[0]", "bool[]"},
    {"Reduce", "f32[2]", "kind=\"sum\", axes=[1]", "!axes [1]"},
    {"Reduce", "f32[2]", "kind=\"sum\", axes=[0, 0]", "!axes [0, 0]"},
    {"Reduce", "i64[2]", "kind=\"mean\", axes=[0]", "!floating point"},
    {"Reduce", "i64[2]", "kind=\"median\", axes=[0]", "!unknown kind"},
    {"ArgReduce", "f32[2,3]", "kind=\"argmax\", axis=1", "i64[2]"},
    {"ArgReduce", "f32[2,0]", "kind=\"argmax\", axis=1", "!no value"},
    {"Softmax", "f32[2,3]", "axis=1, log=true", "f32[2, 3]"},
    {"Softmax", "f32[2,3]", "axis=2", "!out of range"},
    {"Softmax", "i32[2,3]", "axis=1", "!floating point"},
    {"MatrixMultiply", "f32[s,1,2,3] f32[5,3,4]", "", "f32[s, 5, 2, 4]"},
    {"MatrixMultiply", "f32[3,2] f32[4,3] f32[4]",
     "transpose_a=true, transpose_b=true, has_bias=true", "f32[2, 4]"},
    {"MatrixMultiply", "f32[2,3] f32[4,3]", "", "!inner dims 3 and 4"},
    {"MatrixMultiply", "f32[2,3] f32[3,4] f32[5]", "has_bias=true", "!bias"},
    {"MatrixMultiply", "f32[2,3] f32[3,4] f32[4]", "", "!without an epilogue"},
    {"MatrixMultiply", "f32[3] f32[3,4]", "", "!rank 2"},
    {"MatrixMultiply", "f32[2,3] f32[3,4] bf16[4]",
     "epilogue=prog\"loop 2\\nin f32 acc [0, 1]\\nin bf16 [-1, 0]\\nout bf16\\n%0 = f32 load 0\\n"
     "%1 = f32 load 1\\n%2 = f32 Add %0 %1\\n%3 = f32 store 0 %2\"",
     "bf16[2, 4]"},
    {"MatrixMultiply", "f32[2,3] f32[3,4]",
     "epilogue=prog\"loop 1\\nin f32 acc [0]\\nout f32\\n%0 = f32 load 0\\n%1 = f32 store 0 %0\"",
     "!over the output dims"},
    {"MatrixMultiply", "f32[2,3] f32[3,4] f32[7]",
     "epilogue=prog\"loop 2\\nin f32 acc [0, 1]\\nin f32 [-1, 0]\\nout f32\\n%0 = f32 load 0\\n"
     "%1 = f32 load 1\\n%2 = f32 Add %0 %1\\n%3 = f32 store 0 %2\"",
     "!does not fit the domain"},
    {"Convolution", "f32[s,3,t,8] f32[16,3,3,3] f32[16]",
     "stride=[2, 1], padding=[1, 1, 1, 0], dilation=[1, 1], groups=1, has_bias=true",
     "f32[s, 16, floordiv(t+1,2), 7]"},
    {"Convolution", "f32[1,8,9,6] f32[4,3,3,3]",
     "stride=[1, 1], padding=[0, 0, 0, 0], dilation=[1, 2], groups=2, channels_last=true",
     "f32[1, 6, 5, 4]"},
    {"Convolution", "f32[1,4,8] f32[4,3,3]", "stride=[1], padding=[0, 0], dilation=[1], groups=1",
     "!do not fit"},
    {"Convolution", "f32[1,3,2] f32[4,3,3]", "stride=[1], padding=[0, 0], dilation=[1], groups=1",
     "!window does not fit"},
    {"Convolution", "f32[1,3,2] f32[4,3,3]", "stride=[1], padding=[0], dilation=[1], groups=1",
     "!padding [0] must be 2 values"},
    {"Deconvolution", "f32[1,4,s] f32[4,3,3]",
     "stride=[2], padding=[1, 1], dilation=[1], output_padding=[1], groups=2", "f32[1, 6, 2*s]"},
    {"Deconvolution", "f32[1,s,4] f32[4,3,3]",
     "stride=[2], padding=[1, 1], dilation=[1], output_padding=[1], groups=2, channels_last=true",
     "f32[1, 2*s, 6]"},
    {"Normalization", "f32[2,s,8] f32[8] f32[8]",
     "kind=\"layer\", eps=0x1p-10, has_weight=true, has_bias=true", "f32[2, s, 8]"},
    {"Normalization", "bf16[2,3,8] f32[3,8]",
     "kind=\"rms\", eps=0x1p-10, norm_rank=2, has_weight=true", "bf16[2, 3, 8]"},
    {"Normalization", "f32[2,6,8]", "kind=\"group\", eps=0x1p-10, groups=4", "!4 groups for 6"},
    {"Normalization", "f32[2,8,8,6] f32[6]",
     "kind=\"group\", eps=0x1p-10, groups=3, channels_last=true, has_weight=true",
     "f32[2, 8, 8, 6]"},
    {"Normalization", "f32[2,6,8] f32[6] f32[6] f32[6]",
     "kind=\"batch\", eps=0x1p-10, has_bias=true", "f32[2, 6, 8]"},
    {"Normalization", "f32[2,6,8] f32[6]", "kind=\"batch\", eps=0x1p-10", "!takes 3 inputs"},
    {"Attention", "f32[1,8,s,16] f32[1,2,t,16] f32[1,2,t,32] bool[s,t]", "scale=0.25",
     "f32[1, 8, s, 32]"},
    {"Attention", "f32[1,8,s,16] f32[1,8,s,16] f32[1,8,s,16]",
     "scale=0.25, causal=true, out_bshd=true", "f32[1, s, 8, 16]"},
    {"Attention", "f32[1,8,4,16] f32[1,3,4,16] f32[1,3,4,16]", "scale=0.25", "!do not fit"},
    {"Attention", "f32[1,8,4,16] f32[1,8,5,16] f32[1,8,5,16] f32[5,4]", "scale=0.25", "!mask"},
    {"RotaryEmbedding", "bf16[1,8,s,64] f32[1,1,s,64] f32[1,1,s,64]", "", "bf16[1, 8, s, 64]"},
    {"RotaryEmbedding", "f32[8,63] f32[8,63] f32[8,63]", "", "!odd width"},
    {"Reshape", "f32[2,s,4]", "dims=sym[8*s]", "f32[8*s]"},
    {"Reshape", "f32[2,3]", "dims=[7]", "!as many elements"},
    {"Reshape", "f32[2,s]", "dims=sym[2, s+1]", "!as many elements"},
    {"Reshape", "f32[0,3]", "dims=[3, 0]", "f32[3, 0]"},
    {"Transpose", "f32[2,s,4]", "perm=[2, 0, 1]", "f32[4, 2, s]"},
    {"Transpose", "f32[2,3]", "perm=[0, 0]", "!perm"},
    {"Transpose", "f32[2,3]", "perm=[0]", "!perm"},
    {"Expand", "f32[1,3]", "dims=sym[s, 5, 3]", "f32[s, 5, 3]"},
    {"Expand", "f32[2]", "dims=[3]", "!does not expand"},
    {"Slice", "f32[10,s]", "starts=sym[9, 0], sizes=sym[5, s], steps=[-2, 1]", "f32[5, s]"},
    {"Slice", "f32[10]", "starts=[9], sizes=[6], steps=[-2]", "!leave dim 0"},
    {"Slice", "f32[10]", "starts=[4], sizes=[4], steps=[2]", "!leave dim 0"},
    {"Slice", "f32[10]", "starts=[4], sizes=[3], steps=[2]", "f32[3]"},
    {"Slice", "f32[10]", "starts=[0], sizes=[0], steps=[1]", "f32[0]"},
    {"Slice", "f32[10]", "starts=[0], sizes=[1], steps=[0]", "!step 0"},
    {"Slice", "f32[10]", "starts=[0, 0], sizes=[1], steps=[1]", "!one value per dim"},
    {"Concat", "f32[2,s] f32[2,t] f32[2,3]", "axis=1", "f32[2, s+t+3]"},
    {"Concat", "f32[2,3] f32[3,3]", "axis=1", "!along axis 1"},
    {"Concat", "f32[2,3] f64[2,3]", "axis=1", "!one dtype"},
    {"Gather", "f32[9,s,4] i64[2,3]", "axis=1", "f32[9, 2, 3, 4]"},
    {"Gather", "f32[9] f32[2]", "axis=0", "!i64 or i32"},
    {"GatherElements", "f32[9,4] i64[7,9]", "axis=1", "f32[7, 9]"},
    {"GatherElements", "f32[9,4] i64[10,4]", "axis=1", "!exceeds"},
    {"ScatterElements", "f32[9,4] i64[2,4] f32[3,4]", "axis=0, reduce=\"amax\"", "f32[9, 4]"},
    {"ScatterElements", "f32[9,4] i64[2,4] f32[1,4]", "axis=0", "!exceeds"},
    {"Index", "f32[5,6,7] i64[3,1] i64[4]", "dims=[0, 1]", "f32[3, 4, 7]"},
    {"Index", "f32[5,6,7] i64[3] i64[3]", "dims=[0, 2]", "f32[3, 6]"},
    {"Index", "f32[5,6,7] i64[3] i64[3]", "dims=[1, 2]", "f32[5, 3]"},
    {"Index", "f32[5,6,7] bool[5]", "dims=[0]", "!i64 or i32"},
    {"IndexPut", "f32[5,6] f32[6] i64[3]", "dims=[0], accumulate=true", "f32[5, 6]"},
    {"IndexPut", "f32[5,6] f32[7] i64[3]", "dims=[0]", "!do not expand"},
    {"Pad", "f32[2,s]", "pads=sym[0, 1, 0, t], mode=\"constant\"", "f32[2, s+t+1]"},
    {"Pad", "f32[3]", "pads=[-2, -2], mode=\"constant\"", "!leave nothing"},
    {"Pad", "f32[3]", "pads=[3, 0], mode=\"reflect\"", "!reflect pad 3"},
    {"Pool", "f32[1,4,s,9]",
     "kind=\"max\", kernel=[3, 3], stride=[2, 2], padding=[1, 1, 1, 1], with_indices=true",
     "f32[1, 4, floordiv(s+1,2), 5] i64[1, 4, floordiv(s+1,2), 5]"},
    {"Pool", "f32[1,4,6]", "kind=\"avg\", kernel=[3], stride=[4], padding=[1, 1], ceil_mode=true",
     "f32[1, 4, 2]"},
    {"Pool", "f32[1,4,4]", "kind=\"max\", kernel=[1], stride=[4], padding=[0, 0], ceil_mode=true",
     "f32[1, 4, 1]"},
    {"Pool", "f32[1,4,8]", "kind=\"sum\", kernel=[3], stride=[4], padding=[1, 1]", "!unknown kind"},
    {"AdaptivePool", "f32[1,7,7,512]", "kind=\"avg\", sizes=[1, 1], channels_last=true",
     "f32[1, 1, 1, 512]"},
    {"Resize", "f32[1,3,8,8]", "mode=\"linear\", sizes=sym[s, 16]", "f32[1, 3, s, 16]"},
    {"Resize", "f32[1,3,8,8]", "mode=\"area\", sizes=[2, 2]", "!unknown mode"},
    {"TopK", "f32[2,9]", "k=sym:3, axis=1", "f32[2, 3] i64[2, 3]"},
    {"TopK", "f32[2,9]", "k=sym:10, axis=1", "!larger than"},
    {"Sort", "f32[2,9]", "axis=0", "f32[2, 9] i64[2, 9]"},
    {"Scan", "f32[2,9]", "kind=\"sum\", axis=1", "f32[2, 9]"},
    {"Scan", "f32[2,9]", "kind=\"max\", axis=1", "f32[2, 9] i64[2, 9]"},
    {"Scan", "i64[2,9]", "kind=\"logsumexp\", axis=1", "!floating point"},
    {"Copy", "f32[2,s]", "", "f32[2, s]"},
    {"Fused", "f32[2,s] f32[2,1]",
     "domain=sym[2, s], program=prog\"loop 2\\nin f32 [0, 1]\\nin f32 [0, -1]\\nout f32\\n"
     "out f32 row\\n%0 = f32 load 0\\n%1 = f32 load 1\\n%2 = f32 Mul %0 %1\\n"
     "%3 = f32 store 0 %2\\n%4 = f32 reduce.max %2\\n%5 = f32 storerow 1 %4\"",
     "f32[2, s] f32[2]"},
    {"Fused", "f32[3]",
     "domain=[3, 3], program=prog\"loop 1\\nin f32 [0]\\nout f32\\n%0 = f32 load 0\\n"
     "%1 = f32 store 0 %0\"",
     "!rank 2 for a program of rank 1"},
    {"Fused", "f32[3,2]",
     "domain=[3], program=prog\"loop 1\\nin f32 [0]\\nout f32\\n%0 = f32 load 0\\n"
     "%1 = f32 store 0 %0\"",
     "!is not walked"},
    {"NonZero", "f32[2,s]", "count=sym:u", "i64[u, 2]"},
    {"NonZero", "bool[]", "count=sym:1", "i64[1, 0]"},
    {"NonZero", "bool[2,3]", "count=sym:7", "!7 elements"},
    {"ReadSize", "i64[]", "symbol=\"u\"", "i64[]"},
    {"ReadSize", "i64[1]", "symbol=\"u\"", "!one i64"},
    {"ReadSize", "i32[]", "symbol=\"u\"", "!one i64"},
    {"ReadSize", "i64[]", "symbol=\"\"", "!without a symbol"},
};

class Inference : public testing::TestWithParam<Case> {};

TEST_P(Inference, FollowsTheTable) {
  const Case& c = GetParam();
  const Result<std::string> result = Infer(c);
  if (c.expected[0] == '!') {
    ASSERT_FALSE(result.ok()) << *result;
    EXPECT_NE(result.status().message().find(c.expected + 1), std::string::npos)
        << result.status().ToString();
    return;
  }
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(*result, c.expected);
}

INSTANTIATE_TEST_SUITE_P(Cases, Inference, testing::ValuesIn(kCases),
                         [](const auto& each) { return StrCat(each.param.kind, "_", each.index); });

TEST(LayerTable, EveryKindHasCasesAndANameThatParses) {
  std::set<std::string_view> tested;
  for (const Case& c : kCases) tested.insert(c.kind);
  for (int i = 0; i < kLayerKindCount; ++i) {
    const auto kind = static_cast<LayerKind>(i);
    EXPECT_EQ(ParseLayerKind(InfoOf(kind).name), kind);
    EXPECT_EQ(tested.count(InfoOf(kind).name), 1U) << InfoOf(kind).name;
  }
  EXPECT_EQ(ParseLayerKind("Frobnicate"), std::nullopt);
}

}  // namespace
}  // namespace torch_tensorrt::core::ir
