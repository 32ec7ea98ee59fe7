// cpu.attention, its two ways to run (internal). Both keep a running softmax over blocks of keys,
// so scores never exist as a whole. Tiled: packed blocks of keys and values, matrix micro-kernels,
// for many queries. Direct: dot products against keys where they lie, for few queries (decoding),
// with the keys split over threads.
#pragma once

#include "core/kernels/cpu/attention_code.h"
#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/gemm/micro.h"

namespace torch_tensorrt::core::kernels {

struct AttentionProblem {
  int64_t batch = 0, heads = 0, kv_heads = 0, queries = 0, keys = 0, depth = 0, value_depth = 0;
  int type = 0;  // NarrowFloatIndex of q, k, v and the output
  float scale = 1;
  bool causal = false;
  bool out_bshd = false;
  int mask_type = -1;
  float hidden = 0;  // what a query gives whose scores are all -inf: 0 or NaN

  int64_t group() const { return heads / kv_heads; }
  // Keys that query s may see.
  int64_t visible(int64_t s) const { return causal ? std::min(keys, s + 1) : keys; }
};

// The tensors as [B, H, S, D] with their strides.
struct AttentionTensors {
  TensorView q, k, v, mask, out;
};

// Address of [b, h, s, 0] of a rank-4 view.
inline std::byte* RowOf(const TensorView& view, int64_t b, int64_t h, int64_t s) {
  return ElementAt(view, b * view.strides[0] + h * view.strides[1] + s * view.strides[2]);
}

// Points `row` at the mask of query (b, h, s) from key `t` on.
void SetMask(const AttentionProblem& problem, const TensorView& mask, int64_t b, int64_t h,
             int64_t s, int64_t t, ScoreRow* row);

// Blocks and scratch of the tiled way. Sizes of operands are in bytes of a slot's scratch.
struct TiledPlan {
  const MicroFamily* family = nullptr;
  bool narrow = false;  // operands of the products are bf16, in pairs as the family packs them
  int64_t slots = 1;    // work shares, each with its own scratch
  int64_t query_block = 0;
  int64_t query_blocks = 0;
  int64_t tile_rows = 0;  // of a product; query_block is a multiple of it
  int64_t key_block = 0;  // a multiple of the panel width and of the family's k_step
  int64_t key_blocks = 0;
  int64_t depth = 0;         // of q and k, zero-padded
  bool keep_packed = false;  // a slot's scratch holds all key blocks of a head
  // From the start of a slot's scratch.
  int64_t scores_at = 0, weights_at = 0, sums_at = 0, keys_at = 0, values_at = 0, staging_at = 0;
  int64_t slot_bytes = 0;
};
// `narrow`: the family for bf16 operands of this machine, or null.
TiledPlan PlanTiled(const AttentionProblem& problem, const GemmMicroTable& micro,
                    const MicroFamily* narrow);
// `scratch`: plan.slots * plan.slot_bytes, 64-byte aligned.
void RunTiled(const AttentionProblem& problem, const TiledPlan& plan, const AttentionCode& code,
              const GemmMicroTable& micro, const AttentionTensors& tensors, std::byte* scratch);

// Shares and scratch of the direct way.
struct DirectPlan {
  int64_t splits = 1;  // parts of the keys of one head
  int64_t keys_per_split = 0;
  int64_t row_floats = 0;    // one query's partial result: maximum, sum, weighted values
  int64_t share_floats = 0;  // one (batch, kv head, split)
  int64_t floats = 0;
};
// Whether the direct way is faster.
bool PrefersDirect(const AttentionProblem& problem);
DirectPlan PlanDirect(const AttentionProblem& problem);
void RunDirect(const AttentionProblem& problem, const DirectPlan& plan, const AttentionCode& code,
               const AttentionTensors& tensors, float* scratch);

}  // namespace torch_tensorrt::core::kernels
