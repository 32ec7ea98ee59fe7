// Small networks that together have a step of every kernel of the CPU: what plan_fuzz.cpp mutates
// the plans of.
#pragma once

#include <string>
#include <vector>

#include "core/types/sym_int.h"

namespace torch_tensorrt::core::fuzz {

// "%name = Constant() data [...] : dtype[dims]".
inline std::string Constant(const std::string& name, const Dims& dims,
                            const std::string& dtype = "f32") {
  std::string out = "%" + name + " = Constant() data [";
  for (int64_t i = 0; i < NumElements(dims); ++i) {
    out += StrCat(i == 0 ? "" : ", ", dtype == "i64" ? "1" : (i % 3 == 0 ? "-0.25" : "0.5"));
  }
  return StrCat(out, "] : ", dtype, ToString(dims), "\n");
}

inline constexpr char kAttention[] = R"(symbol s 1 5 9
input %q : f32[2, 4, s, 8]
input %k : f32[2, 2, s, 8]
input %m : f32[s, s]
input %c : f32[s, 8]
%a = Attention(%q, %k, %k, %m) {scale=0.5, out_bshd=true}
%t = Transpose(%a) {perm=[0, 2, 1, 3]}
%r = RotaryEmbedding(%t, %c, %c)
%i = RotaryEmbedding(%q, %c, %c) {interleaved=true}
%e = Attention(%i, %k, %k) {scale=0.5, causal=true}
%x = Softmax(%r) {axis=3}
%l = Softmax(%e) {axis=1, log=true}
output "x" %x
output "l" %l
)";

inline std::string LongAttention() {
  return R"(input %q : bf16[1, 2, 96, 16]
input %k : bf16[1, 2, 96, 16]
input %m : bool[1, 96]
%a = Attention(%q, %k, %k, %m) {scale=0.25, causal=true}
output "a" %a
)";
}

inline std::string Images() {
  return StrCat("symbol n 1 2 3\ninput %x : f32[n, 16, 9, 8]\n", Constant("w", {16, 16, 3, 3}),
                Constant("b", {16}), Constant("d", {16, 1, 3, 3}), Constant("g", {16, 8, 1, 1}),
                Constant("u", {16, 8, 2, 2}), R"(
%c = Convolution(%x, %w, %b) {stride=[1, 1], padding=[1, 1, 1, 1], dilation=[1, 1], groups=1, has_bias=true}
%r = Unary(%c) {op=op:Relu}
%p = Pool(%r) {kind="max", kernel=[3, 3], stride=[2, 2], padding=[1, 1, 1, 1], dilation=[1, 1]}
%v = Pool(%r) {kind="avg", kernel=[2, 2], stride=[2, 1], padding=[0, 0, 1, 1], ceil_mode=true, count_include_pad=true}
%z = Convolution(%p, %d) {stride=[1, 1], padding=[1, 1, 1, 1], dilation=[1, 1], groups=16}
%n = Normalization(%z, %b, %b) {kind="group", eps=0x1p-10, groups=4, has_weight=true, has_bias=true}
%s = Convolution(%n, %g) {stride=[1, 1], padding=[0, 0, 0, 0], dilation=[1, 1], groups=2}
%t = Resize(%s) {mode="nearest", sizes=[10, 7], scales=f[2.0, 2.0]}
%l = Resize(%s) {mode="linear", sizes=[7, 9]}
%k = Resize(%s) {mode="cubic", sizes=[6, 6], align_corners=true}
%o = Deconvolution(%s, %u) {stride=[2, 2], padding=[0, 0, 0, 0], dilation=[1, 1], output_padding=[0, 0], groups=1}
%q = AdaptivePool(%o) {kind="avg", sizes=[3, 3]}
%i, %j = Pool(%x) {kind="max", kernel=[2, 2], stride=[2, 2], padding=[0, 0, 0, 0], with_indices=true}
%m = Reduce(%n) {kind="mean", axes=[2, 3]}
%h = Normalization(%x, %b, %b) {kind="batch", eps=0x1p-10}
output "v" %v
output "t" %t
output "l" %l
output "k" %k
output "q" %q
output "j" %j
output "m" %m
output "h" %h
)");
}

inline std::string Lines() {
  return StrCat("input %x : f32[2, 3, 20]\n", Constant("w", {5, 3, 4}), R"(
%c = Convolution(%x, %w) {stride=[2], padding=[1, 2], dilation=[2], groups=1}
%p = Pool(%c) {kind="avg", kernel=[3], stride=[1], padding=[1, 1], count_include_pad=false}
%r = Resize(%p) {mode="linear", sizes=[12]}
output "r" %r
)");
}

inline std::string Products(const std::string& dtype) {
  return StrCat("symbol s 1 4 9\ninput %x : ", dtype, "[s, 24]\ninput %y : ", dtype, "[3, s, 24]\n",
                Constant("w", {24, 40}, dtype), Constant("t", {8, 40}, dtype),
                Constant("b", {40}, dtype), Constant("g", {8}, dtype), R"(
%a = MatrixMultiply(%x, %w, %b) {has_bias=true}
%r = Unary(%a) {op=op:Tanh}
%c = MatrixMultiply(%r, %t) {transpose_b=true}
%n = Normalization(%c, %g, %g) {kind="layer", eps=0x1p-10, norm_rank=1, has_weight=true, has_bias=true}
%m = Normalization(%n, %g) {kind="rms", eps=0x1p-10, has_weight=true}
%z = MatrixMultiply(%y, %x) {transpose_b=true}
%q = Unary(%z) {op=op:Relu}
%k = MatrixMultiply(%q, %y)
%u = Softmax(%k) {axis=2}
%e = Elementwise(%m, %g) {op=op:Add}
%f = Unary(%e) {op=op:Exp}
%h = Reduce(%f) {kind="sum", axes=[1]}
%o = Reduce(%f) {kind="max", axes=[0], keepdim=true}
output "u" %u
output "h" %h
output "o" %o
)");
}

inline constexpr char kIndices[] = R"(symbol s 1 4 9
input %x : f32[6, s, 4]
input %i : i64[2, 3]
input %j : i32[5]
input %g : i64[6, s, 2]
input %v : f32[6, s, 2]
input %p : f32[2, 3, 1]
%a = Gather(%x, %i) {axis=0}
%b = Gather(%x, %j) {axis=2, allow_negative=true}
%c = GatherElements(%x, %g) {axis=2}
%d = ScatterElements(%x, %g, %v) {axis=2}
%e = ScatterElements(%x, %g, %v) {axis=2, reduce="mean", include_self=true}
%f = Index(%x, %i, %i) {dims=[0, 2]}
%h = Index(%x, %j) {dims=[1]}
%k = IndexPut(%d, %p, %i, %i) {dims=[0, 2], accumulate=true}
output "a" %a
output "b" %b
output "c" %c
output "e" %e
output "f" %f
output "h" %h
output "k" %k
)";

inline constexpr char kOrders[] = R"(symbol s 3 5 9
input %x : f32[4, s, 3]
input %i : i64[4, s]
%v, %p = TopK(%x) {axis=1, k=sym:min(s,3)}
%o, %q = Sort(%x) {axis=0, descending=true, stable=true}
%a = Scan(%o) {kind="sum", axis=1}
%m, %n = Scan(%x) {kind="max", axis=2}
%e = Scan(%v) {kind="logsumexp", axis=0}
%g = ArgReduce(%x) {kind="argmax", axis=1}
%r = Reduce(%i) {kind="prod", axes=[0]}
%t = Reduce(%i) {kind="any", axes=[1], keepdim=true}
%l = Softmax(%a) {axis=0}
output "p" %p
output "q" %q
output "n" %n
output "m" %m
output "e" %e
output "g" %g
output "r" %r
output "t" %t
output "l" %l
)";

inline constexpr char kMoves[] = R"(symbol s 2 4 9
input %x : f32[s, 6]
input %y : i64[3, 2]
%a = Transpose(%x) {perm=[1, 0]}
%b = Slice(%a) {starts=sym[1, 0], sizes=sym[4, s], steps=[1, 1]}
%c = Slice(%a) {starts=sym[5, 0], sizes=sym[3, s], steps=[-2, 1]}
%d = Concat(%b, %c, %a) {axis=0}
%e = Pad(%x) {pads=[1, 0, 2, 3], mode="constant", value=0.5}
%f = Pad(%x) {pads=[1, 2, 0, 1], mode="reflect"}
%g = Reshape(%d) {dims=sym[s, 13]}
%h = Expand(%x) {dims=sym[2, s, 6]}
%i = Fill() {dims=sym[s, 3], dtype=dtype:f32, value=0.5}
%j = Iota() {length=sym:2*s, dtype=dtype:i64, start=sym:3, step=2}
%k = Cast(%y) {to=dtype:f32}
%l = Elementwise(%x, %x) {op=op:Lt}
%m = Select(%l, %x, %x)
%n = Pad(%y) {pads=[0, 1, 1, 0], mode="circular"}
%o = Concat(%x, %i) {axis=1}
%p = Elementwise(%y, %y) {op=op:FloorDiv}
%q = Unary(%m) {op=op:Sigmoid}
output "g" %g
output "h" %h
output "e" %e
output "f" %f
output "j" %j
output "k" %k
output "n" %n
output "o" %o
output "p" %p
output "q" %q
)";

// Two sizes that are computed, one from the other.
inline constexpr char kPhases[] = R"(symbol s 1 6 9
symbol u 0 3 27
symbol n 0 2 27
input %x : f32[s, 3]
input %m : bool[s, 3]
%f = Cast(%m) {to=dtype:i64}
%c = Reduce(%f) {kind="sum", axes=[0, 1]}
%r = ReadSize(%c) {symbol="u"}
%p = NonZero(%m) {count=sym:u}
%q = Slice(%p) {starts=sym[0, 1], sizes=sym[u, 1], steps=[1, 1]}
%h = Reshape(%q) {dims=sym[u]}
%g = Gather(%x, %h) {axis=1}
%e = Cast(%h) {to=dtype:bool}
%i = Cast(%e) {to=dtype:i64}
%j = Reduce(%i) {kind="sum", axes=[0]}
%k = ReadSize(%j) {symbol="n"}
%l = NonZero(%h) {count=sym:n}
%o = Iota() {length=sym:u+n, dtype=dtype:i64}
%t = Concat(%o, %h) {axis=0}
output "g" %g
output "l" %l
output "t" %t
output "j" %j
)";

// Texts for ir::Network::Parse.
inline std::vector<std::string> PlanNetworks() {
  return {kAttention,      LongAttention(), Images(), Lines(), Products("f32"), Products("bf16"),
          Products("f16"), kIndices,        kOrders,  kMoves,  kPhases};
}

}  // namespace torch_tensorrt::core::fuzz
