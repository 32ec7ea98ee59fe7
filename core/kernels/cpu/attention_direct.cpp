#include <cmath>
#include <limits>

#include "core/kernels/cpu/attention.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int64_t kMaxDirectQueries = 4;  // more rows pay for packing
constexpr int64_t kChunk = 64;  // keys that stay in L1 while all queries of a group use them
constexpr int64_t kMinKeysPerSplit = 256;

int64_t ShareCount(const AttentionProblem& p, const DirectPlan& plan) {
  return p.batch * p.kv_heads * plan.splits;
}

// A query's partial result: maximum, sum, query (depth floats), scores (kChunk), then the weighted
// values.
struct Partial {
  float* max;
  float* sum;
  float* query;
  float* scores;
  float* values;
};

class Share {
 public:
  Share(const AttentionProblem& problem, const DirectPlan& plan, const AttentionCode& code,
        const AttentionTensors& tensors, float* scratch)
      : p_(problem), plan_(plan), code_(code), t_(tensors), scratch_(scratch) {}

  Partial PartialOf(int64_t share, int64_t query) const {
    float* at = scratch_ + share * plan_.share_floats + query * plan_.row_floats;
    return {at, at + 1, at + 16, at + 16 + p_.depth, at + 16 + p_.depth + kChunk};
  }

  void Run(int64_t share) const {
    const int64_t first = share % plan_.splits * plan_.keys_per_split;
    const int64_t last = std::min(p_.keys, first + plan_.keys_per_split);
    const int64_t head = share / plan_.splits;
    const int64_t b = head / p_.kv_heads;
    const int64_t kv_head = head % p_.kv_heads;
    const int64_t queries = p_.group() * p_.queries;
    for (int64_t i = 0; i < queries; ++i) Start(share, i, b, kv_head);
    for (int64_t t = first; t < last; t += kChunk) {
      const int64_t count = std::min(kChunk, last - t);
      for (int64_t i = 0; i < queries; ++i) Attend(share, i, b, kv_head, t, count);
    }
  }

 private:
  int64_t HeadOf(int64_t i, int64_t kv_head) const { return kv_head * p_.group() + i / p_.queries; }

  void Start(int64_t share, int64_t i, int64_t b, int64_t kv_head) const {
    const Partial part = PartialOf(share, i);
    *part.max = -std::numeric_limits<float>::infinity();
    *part.sum = 0;
    code_.load[p_.type](RowOf(t_.q, b, HeadOf(i, kv_head), i % p_.queries), p_.scale, part.query,
                        p_.depth);
    std::fill(part.values, part.values + p_.value_depth, 0.0F);
  }

  void Attend(int64_t share, int64_t i, int64_t b, int64_t kv_head, int64_t t,
              int64_t count) const {
    const int64_t s = i % p_.queries;
    count = std::min(count, p_.visible(s) - t);
    if (count <= 0) return;
    const Partial part = PartialOf(share, i);
    code_.dots[p_.type](part.query, RowOf(t_.k, b, kv_head, t), t_.k.strides[2], count, p_.depth,
                        part.scores);
    ScoreRow row;
    row.scores = part.scores;
    row.valid = row.padded = count;
    row.max = *part.max;
    row.sum = *part.sum;
    SetMask(p_, t_.mask, b, HeadOf(i, kv_head), s, t, &row);
    const float before = code_.fold(&row);
    *part.max = row.max;
    *part.sum = row.sum;
    code_.weigh[p_.type](part.scores, RowOf(t_.v, b, kv_head, t), t_.v.strides[2], count,
                         p_.value_depth, before, part.values);
  }

  const AttentionProblem& p_;
  const DirectPlan& plan_;
  const AttentionCode& code_;
  const AttentionTensors& t_;
  float* scratch_;
};

float FactorOf(float max, float overall) {
  return max == -std::numeric_limits<float>::infinity() ? 0.0F : std::exp(max - overall);
}

// Merges the splits of query i of head `head` into split 0.
void Merge(const AttentionProblem& p, const DirectPlan& plan, const Share& shares, int64_t head,
           int64_t i) {
  const Partial whole = shares.PartialOf(head * plan.splits, i);
  for (int64_t split = 1; split < plan.splits; ++split) {
    const Partial part = shares.PartialOf(head * plan.splits + split, i);
    const float max = std::isnan(*part.max) || *part.max > *whole.max ? *part.max : *whole.max;
    const float a = FactorOf(*whole.max, max);
    const float b = FactorOf(*part.max, max);
    *whole.sum = *whole.sum * a + *part.sum * b;
    for (int64_t e = 0; e < p.value_depth; ++e) {
      whole.values[e] = whole.values[e] * a + part.values[e] * b;
    }
    *whole.max = max;
  }
}

}  // namespace

bool PrefersDirect(const AttentionProblem& p) { return p.queries <= kMaxDirectQueries; }

DirectPlan PlanDirect(const AttentionProblem& p) {
  DirectPlan plan;
  const int64_t heads = std::max<int64_t>(1, p.batch * p.kv_heads);
  const int64_t wanted = (MaxThreads() + heads - 1) / heads;
  plan.splits = std::max<int64_t>(1, std::min(wanted, p.keys / kMinKeysPerSplit));
  plan.keys_per_split = (p.keys + plan.splits - 1) / plan.splits;
  plan.row_floats = (16 + p.depth + kChunk + p.value_depth + 15) / 16 * 16;
  plan.share_floats = plan.row_floats * p.queries * p.group();
  plan.floats = plan.share_floats * ShareCount(p, plan);
  return plan;
}

void RunDirect(const AttentionProblem& problem, const DirectPlan& plan, const AttentionCode& code,
               const AttentionTensors& tensors, float* scratch) {
  const Share shares(problem, plan, code, tensors, scratch);
  const int64_t work =
      plan.keys_per_split * (problem.depth + problem.value_depth) * problem.queries;
  ParallelFor(ShareCount(problem, plan), GrainOf(work * problem.group()),
              [&](int64_t begin, int64_t end, int /*thread*/) {
                for (int64_t s = begin; s < end; ++s) shares.Run(s);
              });
  for (int64_t head = 0; head < problem.batch * problem.kv_heads; ++head) {
    for (int64_t i = 0; i < problem.group() * problem.queries; ++i) {
      Merge(problem, plan, shares, head, i);
      const Partial whole = shares.PartialOf(head * plan.splits, i);
      const float scale = *whole.sum == 0.0F ? problem.hidden : 1.0F / *whole.sum;
      const int64_t h = head % problem.kv_heads * problem.group() + i / problem.queries;
      code.store[problem.type](whole.values, scale,
                               RowOf(tensors.out, head / problem.kv_heads, h, i % problem.queries),
                               problem.value_depth);
    }
  }
}

}  // namespace torch_tensorrt::core::kernels
