// The one table of layer kinds. Enum, names, arity, attribute schema, inference, printer, parser
// and verifier all come from here; the order is stored in plan files, so append only.
//
// X(name, min_inputs, max_inputs, outputs, attributes)
//   max_inputs -1: any number; outputs -1: as many as the attribute or program says.
//   attributes: "name:type" separated by spaces; a trailing ? marks an optional one.
//     Types: bool int f64 str dtype op sym ints syms floats prog.
//   dims/starts/sizes given as `syms` may also be stored as `ints`.
//
// Meaning (dims are symbolic; "axis" may not be negative: converters normalise):
//   Constant          weights held by the network
//   Cast              to:dtype
//   Unary             op of arity 1 on one tensor, parameters p0, p1
//   Elementwise       op of arity 2 with broadcasting; operands of one dtype
//   Select            (condition bool, a, b) with broadcasting
//   Fill              a tensor of dims filled with value (f64) or ivalue (integers, bool)
//   Iota              1-d [start + i*step, i < length]; integers use start/step, floats
//                     fstart/fstep
//   Reduce            kind sum|mean|max|min|prod|any|all over axes
//   ArgReduce         kind argmax|argmin over axis, first of equals; i64
//   Softmax           over axis; log:bool
//   MatrixMultiply    (a, b[, bias[, epilogue inputs...]]) batched with broadcasting as
//                     torch.matmul of rank>=2 operands; transpose_a/b swap the last two dims; bias
//                     (has_bias) adds to the last dim; epilogue: loop program over the output dims
//   Convolution       (x, w[, bias[, epilogue inputs...]]), 1..3 spatial dims
//                     channels_last: x [N,spatial...,C], w [O,spatial...,I/g]
//                     else x [N,C,spatial...], w [O,I/g,spatial...]
//                     padding: begin of each spatial dim then end of each (2n values; so in
//                     Deconvolution and Pool)
//   Deconvolution     (x, w[, bias[, epilogue inputs...]]), 1..3 spatial dims; output_padding
//                     channels_last: x [N,spatial...,C], w [I,spatial...,O/g]
//                     else x [N,C,spatial...], w [I,O/g,spatial...]
//   Normalization     kind layer|rms (over the last norm_rank dims), group (x [N,C,...]; groups; or
//                     channels_last [N,...,C]; silu: then x * sigmoid(x)), batch (inference:
//                     mean, variance)
//                     inputs x[, weight][, bias] by has_weight/has_bias; batch: x, mean,
//                     variance[, weight][, bias]
//   Attention         (q [B,H,S,D], k [B,Hk,T,D], v [B,Hk,T,Dv][, mask]) H % Hk == 0
//                     mask: broadcastable to [B,H,S,T], bool or float; scale; causal (top-left
//                     aligned as torch is_causal); out_bshd: the output is [B,S,H,Dv] instead of
//                     [B,H,S,Dv]; a query whose scores are all -inf gives zeros, as torch's
//                     attention does, or with hidden_nan NaN, as its softmax does
//   RotaryEmbedding   (x [...,S,D], cos, sin broadcastable to x's [..., S, D])
//                     interleaved false: x*cos + rotate_half(x)*sin
//   Reshape           to dims (same element count)
//   Transpose         by perm
//   Expand            to dims (broadcast)
//   Slice             starts, sizes, steps per dim (step may be negative)
//   Concat            along axis
//   Gather            (data, indices) along axis: out = data[:axis] + indices.dims + data[axis+1:]
//                     negative indices wrap if allow_negative
//   GatherElements    torch.gather
//   ScatterElements   torch.scatter(_reduce): (data, indices, src)
//                     reduce none|sum|prod|mean|amax|amin, include_self
//   Index             aten.index with tensors at positions dims (ints): (data, index tensors...),
//                     broadcast together, NumPy placement rule
//   IndexPut          (data, values, index tensors...) accumulate
//   Pad               pads: begin of each dim then end of each (syms)
//                     mode constant|reflect|replicate|circular
//   Pool              kind max|avg, spatial kernel/stride/padding/dilation, ceil_mode,
//                     count_include_pad, divisor (0 = window); channels_last; with_indices gives 2
//                     outputs
//   AdaptivePool      kind avg|max, output spatial dims `sizes`
//   Resize            mode nearest|nearest-exact|linear|cubic over trailing spatial dims to `sizes`
//                     scales (f64 per spatial dim, 0 = from sizes); align_corners
//   TopK              k, axis, largest, sorted -> values, indices
//   Sort              axis, descending, stable -> values, indices
//   Scan              kind sum|prod|max|min|logsumexp (inclusive) along axis (max/min: 2 outputs)
//   Copy              identity into fresh contiguous memory
//   Fused             a loop program on n inputs, m outputs; domain dims in `domain`
//   NonZero           (x) the indices of the elements that are not zero, in row-major order: i64
//                     [count, rank]; an error unless there are `count` of them
//   ReadSize          (x) one i64, unchanged: from then on the value of the network's symbol
//                     `symbol`, which no input's dims may mention
#pragma once

#define TRT_LAYER_KINDS(X)                                                                         \
  X(Constant, 0, 0, 1, "")                                                                         \
  X(Cast, 1, 1, 1, "to:dtype")                                                                     \
  X(Unary, 1, 1, 1, "op:op p0:f64? p1:f64?")                                                       \
  X(Elementwise, 2, 2, 1, "op:op")                                                                 \
  X(Select, 3, 3, 1, "")                                                                           \
  X(Fill, 0, 0, 1, "dims:syms dtype:dtype value:f64? ivalue:sym?")                                 \
  X(Iota, 0, 0, 1, "length:sym dtype:dtype start:sym? step:int? fstart:f64? fstep:f64?")           \
  X(Reduce, 1, 1, 1, "kind:str axes:ints keepdim:bool?")                                           \
  X(ArgReduce, 1, 1, 1, "kind:str axis:int keepdim:bool?")                                         \
  X(Softmax, 1, 1, 1, "axis:int log:bool?")                                                        \
  X(MatrixMultiply, 2, -1, 1, "transpose_a:bool? transpose_b:bool? has_bias:bool? epilogue:prog?") \
  X(Convolution, 2, -1, 1,                                                                         \
    "stride:ints padding:ints dilation:ints groups:int has_bias:bool? channels_last:bool? "        \
    "epilogue:prog?")                                                                              \
  X(Deconvolution, 2, -1, 1,                                                                       \
    "stride:ints padding:ints dilation:ints output_padding:ints groups:int has_bias:bool? "        \
    "channels_last:bool? epilogue:prog?")                                                          \
  X(Normalization, 1, 5, 1,                                                                        \
    "kind:str eps:f64 norm_rank:int? groups:int? has_weight:bool? has_bias:bool? "                 \
    "channels_last:bool? silu:bool?")                                                              \
  X(Attention, 3, 4, 1, "scale:f64 causal:bool? out_bshd:bool? hidden_nan:bool?")                  \
  X(RotaryEmbedding, 3, 3, 1, "interleaved:bool?")                                                 \
  X(Reshape, 1, 1, 1, "dims:syms")                                                                 \
  X(Transpose, 1, 1, 1, "perm:ints")                                                               \
  X(Expand, 1, 1, 1, "dims:syms")                                                                  \
  X(Slice, 1, 1, 1, "starts:syms sizes:syms steps:ints")                                           \
  X(Concat, 1, -1, 1, "axis:int")                                                                  \
  X(Gather, 2, 2, 1, "axis:int allow_negative:bool?")                                              \
  X(GatherElements, 2, 2, 1, "axis:int")                                                           \
  X(ScatterElements, 3, 3, 1, "axis:int reduce:str? include_self:bool?")                           \
  X(Index, 2, -1, 1, "dims:ints")                                                                  \
  X(IndexPut, 3, -1, 1, "dims:ints accumulate:bool?")                                              \
  X(Pad, 1, 1, 1, "pads:syms mode:str value:f64?")                                                 \
  X(Pool, 1, 1, -1,                                                                                \
    "kind:str kernel:ints stride:ints padding:ints dilation:ints? ceil_mode:bool? "                \
    "count_include_pad:bool? divisor:int? channels_last:bool? with_indices:bool?")                 \
  X(AdaptivePool, 1, 1, 1, "kind:str sizes:ints channels_last:bool?")                              \
  X(Resize, 1, 1, 1, "mode:str sizes:syms scales:floats? align_corners:bool? channels_last:bool?") \
  X(TopK, 1, 1, 2, "k:sym axis:int largest:bool? sorted:bool?")                                    \
  X(Sort, 1, 1, 2, "axis:int descending:bool? stable:bool?")                                       \
  X(Scan, 1, 1, -1, "kind:str axis:int")                                                           \
  X(Copy, 1, 1, 1, "")                                                                             \
  X(Fused, 0, -1, -1, "program:prog domain:syms")                                                  \
  X(NonZero, 1, 1, 1, "count:sym")                                                                 \
  X(ReadSize, 1, 1, 1, "symbol:str")

#include <cstdint>
#include <optional>
#include <string_view>

namespace torch_tensorrt::core::layers {

enum class LayerKind : uint16_t {
#define TRT_ENUM(name, min_inputs, max_inputs, outputs, attributes) k##name,
  TRT_LAYER_KINDS(TRT_ENUM)
#undef TRT_ENUM
};
#define TRT_COUNT(name, min_inputs, max_inputs, outputs, attributes) +1
inline constexpr int kLayerKindCount = 0 TRT_LAYER_KINDS(TRT_COUNT);
#undef TRT_COUNT

struct LayerKindInfo {
  std::string_view name;
  int min_inputs;
  int max_inputs;  // -1: unbounded
  int outputs;     // -1: given by attributes
  std::string_view attributes;
};

// REQUIRES: kind is one of the table.
const LayerKindInfo& InfoOf(LayerKind kind);
std::optional<LayerKind> ParseLayerKind(std::string_view name);

}  // namespace torch_tensorrt::core::layers
