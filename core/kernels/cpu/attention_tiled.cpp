#include <cstring>
#include <limits>

#include "core/kernels/cpu/attention.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int64_t kPanel = kPanelColumns;
constexpr int64_t kMaxQueryBlock = 66;  // scores of a block stay in L2
constexpr int64_t kMaxKeyBlock = 256;
constexpr int64_t kMaxPackedKeys = 4096;  // longer: pack again for every block of queries
constexpr int64_t kFlopsPerThread = 1 << 18;

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }

// One share of the work and its scratch.
class Slot {
 public:
  Slot(const AttentionProblem& problem, const TiledPlan& plan, const AttentionCode& code,
       const GemmMicroTable& micro, const AttentionTensors& tensors, float* scratch)
      : p_(problem), plan_(plan), code_(code), micro_(micro), t_(tensors), scratch_(scratch) {}

  // Item: a block of queries of one head; heads of one group follow one another.
  void Run(int64_t item) {
    const int64_t block = item % plan_.query_blocks;
    const int64_t head = item / plan_.query_blocks;
    b_ = head / p_.heads;
    h_ = head % p_.heads;
    first_ = block * plan_.query_block;
    rows_ = std::min(plan_.query_block, p_.queries - first_);
    const int64_t kv = b_ * p_.kv_heads + h_ / p_.group();
    if (kv != packed_head_) {
      packed_head_ = kv;
      packed_blocks_ = 0;
    }
    LoadQueries();
    for (int64_t k = 0; k < plan_.key_blocks; ++k) {
      if (p_.visible(first_ + rows_ - 1) <= k * plan_.key_block && k > 0) break;
      Attend(k);
    }
    StoreResult();
  }

 private:
  float* queries() { return scratch_; }
  float* scores() { return scratch_ + plan_.scores_at; }
  float* sums() { return scratch_ + plan_.sums_at; }
  int64_t padded_values() const { return RoundUp(p_.value_depth, kPanel); }
  float* keys(int64_t block) {
    const int64_t index = plan_.keep_packed ? block : 0;
    return scratch_ + plan_.keys_at + index * plan_.key_block * p_.depth;
  }
  float* values(int64_t block) {
    const int64_t index = plan_.keep_packed ? block : 0;
    return scratch_ + plan_.values_at + index * plan_.key_block * padded_values();
  }
  float* staging() { return scratch_ + plan_.staging_at; }

  void LoadQueries() {
    for (int64_t r = 0; r < rows_; ++r) {
      code_.load[p_.type](RowOf(t_.q, b_, h_, first_ + r), p_.scale, queries() + r * p_.depth,
                          p_.depth);
      states_[r] = {-std::numeric_limits<float>::infinity(), 0};
    }
  }

  // Makes the packed keys and values of `block` those of the current head.
  void Pack(int64_t block) {
    if (plan_.keep_packed && block < packed_blocks_) return;
    const int64_t first = block * plan_.key_block;
    const int64_t count = std::min(plan_.key_block, p_.keys - first);
    const int64_t kv_head = h_ / p_.group();
    for (int64_t t = 0; t < count; t += kPanel) {
      PackKeys(kv_head, first + t, std::min(kPanel, count - t), keys(block) + t * p_.depth);
    }
    for (int64_t t = 0; t < count; ++t) PackValue(kv_head, first + t, values(block) + t * kPanel);
    packed_blocks_ = block + 1;
  }

  // A panel [depth][16] from up to 16 keys.
  void PackKeys(int64_t kv_head, int64_t t, int64_t count, float* panel) {
    const float* source = reinterpret_cast<const float*>(RowOf(t_.k, b_, kv_head, t));
    int64_t stride = t_.k.strides[2];
    if (p_.type != 0) {
      for (int64_t i = 0; i < count; ++i) {
        code_.load[p_.type](RowOf(t_.k, b_, kv_head, t + i), 1.0F, staging() + i * p_.depth,
                            p_.depth);
      }
      source = staging();
      stride = p_.depth;
    }
    micro_.transpose_f32(source, stride, panel, kPanel, p_.depth, count);
    for (int64_t i = 0; count < kPanel && i < p_.depth; ++i) {
      std::memset(panel + i * kPanel + count, 0, Idx(kPanel - count) * sizeof(float));
    }
  }

  // Row `t` of all panels [value_depth / 16][key_block][16]; `row` is its place in the first panel.
  void PackValue(int64_t kv_head, int64_t t, float* row) {
    const auto* source = reinterpret_cast<const float*>(RowOf(t_.v, b_, kv_head, t));
    if (p_.type != 0) {
      code_.load[p_.type](source, 1.0F, staging(), p_.value_depth);
      source = staging();
    }
    int64_t c = 0;
    for (; c + kPanel <= p_.value_depth; c += kPanel, row += plan_.key_block * kPanel) {
      std::memcpy(row, source + c, kPanel * sizeof(float));
    }
    for (int64_t i = 0; c < p_.value_depth && i < kPanel; ++i) {
      row[i] = c + i < p_.value_depth ? source[c + i] : 0.0F;
    }
  }

  // Folds one block of keys into the running results.
  void Attend(int64_t block) {
    Pack(block);
    const int64_t first_key = block * plan_.key_block;
    const int64_t group = micro_.f32.max_rows;
    const int64_t count = std::min(plan_.key_block, p_.keys - first_key);
    for (int64_t panel = 0; panel * kPanel < count; panel += micro_.f32.max_panels) {
      for (int64_t r = 0; r < rows_; r += group) {
        const int64_t columns = SeenBy(r, group, first_key) - panel * kPanel;
        if (columns > 0) Score(block, panel, r, std::min(group, rows_ - r), columns);
      }
    }
    for (int64_t r = 0; r < rows_; ++r)
      FoldRow(block, r, SeenBy(r / group * group, group, first_key));
    for (int64_t panel = 0; panel * kPanel < p_.value_depth; panel += micro_.f32.max_panels) {
      for (int64_t r = 0; r < rows_; r += group) {
        const int64_t seen = SeenBy(r, group, first_key);
        if (seen > 0 || block == 0) Weigh(block, panel, r, std::min(group, rows_ - r), seen);
      }
    }
  }

  // Keys of the block from `first_key` that any of the `group` rows from r on may see.
  int64_t SeenBy(int64_t r, int64_t group, int64_t first_key) const {
    const int64_t last_row = std::min(r + group, rows_) - 1;
    return std::clamp<int64_t>(p_.visible(first_ + last_row) - first_key, 0,
                               std::min(plan_.key_block, p_.keys - first_key));
  }

  void Multiply(const float* a, int64_t a_stride, int64_t run, const float* b, int64_t b_panel,
                float* c, int64_t c_stride, int64_t rows, int64_t columns, bool accumulate) const {
    const void* pointers[kMaxTileRows];
    for (int64_t r = 0; r < rows; ++r) pointers[r] = a + r * a_stride;
    const int64_t panels = std::min<int64_t>(CeilDiv(columns, kPanel), micro_.f32.max_panels);
    MicroArgs args{};
    args.rows = pointers;
    args.taps = 1;
    args.run = run;
    args.b = b;
    args.b_panel = b_panel * static_cast<int64_t>(sizeof(float));
    args.c = c;
    args.c_stride = c_stride;
    args.columns = std::min(columns, panels * kPanel);
    args.accumulate = accumulate;
    micro_.f32.kernels[panels - 1][rows - 1](args);
  }

  void Score(int64_t block, int64_t panel, int64_t r, int64_t rows, int64_t columns) {
    Multiply(queries() + r * p_.depth, p_.depth, p_.depth, keys(block) + panel * kPanel * p_.depth,
             kPanel * p_.depth, scores() + r * plan_.key_block + panel * kPanel, plan_.key_block,
             rows, columns, false);
  }

  void FoldRow(int64_t block, int64_t r, int64_t seen) {
    ScoreRow row;
    const int64_t first_key = block * plan_.key_block;
    row.scores = scores() + r * plan_.key_block;
    row.valid = std::clamp<int64_t>(p_.visible(first_ + r) - first_key, 0, seen);
    row.padded = seen;
    row.max = states_[r].max;
    row.sum = states_[r].sum;
    SetMask(p_, t_.mask, b_, h_, first_ + r, first_key, &row);
    const float before = code_.fold(&row);
    states_[r] = {row.max, row.sum};
    if (block > 0 && before != 1.0F) {
      float* sum = sums() + r * padded_values();
      code_.load[0](sum, before, sum, padded_values());
    }
  }

  void Weigh(int64_t block, int64_t panel, int64_t r, int64_t rows, int64_t seen) {
    const int64_t columns = padded_values() - panel * kPanel;
    Multiply(scores() + r * plan_.key_block, plan_.key_block, seen,
             values(block) + panel * kPanel * plan_.key_block, kPanel * plan_.key_block,
             sums() + r * padded_values() + panel * kPanel, padded_values(), rows, columns,
             block > 0);
  }

  void StoreResult() {
    for (int64_t r = 0; r < rows_; ++r) {
      // Nothing seen: the weighted sum is 0, and so is the result.
      const float scale = states_[r].sum == 0.0F ? 0.0F : 1.0F / states_[r].sum;
      code_.store[p_.type](sums() + r * padded_values(), scale, RowOf(t_.out, b_, h_, first_ + r),
                           p_.value_depth);
    }
  }

  struct RowState {
    float max;
    float sum;
  };

  const AttentionProblem& p_;
  const TiledPlan& plan_;
  const AttentionCode& code_;
  const GemmMicroTable& micro_;
  const AttentionTensors& t_;
  float* scratch_;
  int64_t b_ = 0, h_ = 0, first_ = 0, rows_ = 0;
  int64_t packed_head_ = -1;  // batch * kv_heads + kv head whose blocks are packed
  int64_t packed_blocks_ = 0;
  RowState states_[kMaxQueryBlock + kMaxTileRows] = {};
};

}  // namespace

TiledPlan PlanTiled(const AttentionProblem& p, const GemmMicroTable& micro) {
  TiledPlan plan;
  plan.query_blocks = std::max<int64_t>(1, CeilDiv(p.queries, kMaxQueryBlock));
  plan.query_block =
      RoundUp(std::max<int64_t>(1, CeilDiv(p.queries, plan.query_blocks)), micro.f32.max_rows);
  plan.query_blocks = CeilDiv(p.queries, plan.query_block);
  plan.key_blocks = std::max<int64_t>(1, CeilDiv(p.keys, kMaxKeyBlock));
  plan.key_block = RoundUp(std::max<int64_t>(1, CeilDiv(p.keys, plan.key_blocks)), kPanel);
  plan.keep_packed = p.keys <= kMaxPackedKeys;
  const int64_t items = p.batch * p.heads * plan.query_blocks;
  const int64_t flops = p.queries * p.keys * (p.depth + p.value_depth) * p.batch * p.heads;
  plan.slots =
      std::max<int64_t>(1, std::min({int64_t{MaxThreads()}, items, flops / kFlopsPerThread + 1}));
  const int64_t packed = plan.key_block * (plan.keep_packed ? plan.key_blocks : 1);
  const int64_t padded_values = RoundUp(p.value_depth, kPanel);
  int64_t at = 0;
  const auto take = [&at](int64_t floats) {
    const int64_t start = at;
    at += RoundUp(floats, kPanel);
    return start;
  };
  take(plan.query_block * p.depth);
  plan.scores_at = take(plan.query_block * plan.key_block);
  plan.sums_at = take(plan.query_block * padded_values);
  plan.keys_at = take(packed * p.depth);
  plan.values_at = take(packed * padded_values);
  plan.staging_at = take(kPanel * std::max(p.depth, p.value_depth));
  plan.floats = at;
  return plan;
}

void RunTiled(const AttentionProblem& problem, const TiledPlan& plan, const AttentionCode& code,
              const GemmMicroTable& micro, const AttentionTensors& tensors, float* scratch) {
  const int64_t items = problem.batch * problem.heads * plan.query_blocks;
  ParallelFor(plan.slots, 1, [&](int64_t begin, int64_t end, int /*thread*/) {
    for (int64_t s = begin; s < end; ++s) {
      Slot slot(problem, plan, code, micro, tensors, scratch + s * plan.floats);
      for (int64_t i = items * s / plan.slots; i < items * (s + 1) / plan.slots; ++i) slot.Run(i);
    }
  });
}

}  // namespace torch_tensorrt::core::kernels
