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
constexpr int64_t kFloatBytes = sizeof(float);
constexpr int kBf16 = 2;  // NarrowFloatIndex

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }

// One share of the work and its scratch.
class Slot {
 public:
  Slot(const AttentionProblem& problem, const TiledPlan& plan, const AttentionCode& code,
       const GemmMicroTable& micro, const AttentionTensors& tensors, std::byte* scratch)
      : p_(problem), plan_(plan), code_(code), micro_(micro), t_(tensors), scratch_(scratch) {
    // Products always have whole tiles: rows past the last query give results that nobody reads.
    if (plan.family->begin != nullptr) plan.family->begin(static_cast<int>(plan.tile_rows));
  }
  ~Slot() {
    if (plan_.family->end != nullptr) plan_.family->end();
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

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
  int64_t element() const { return plan_.narrow ? 2 : kFloatBytes; }
  float* floats(int64_t at) { return reinterpret_cast<float*>(scratch_ + at); }
  std::byte* query(int64_t r) { return scratch_ + r * plan_.depth * element(); }
  float* scores(int64_t r) { return floats(plan_.scores_at) + r * plan_.key_block; }
  uint16_t* weights(int64_t r) {
    return reinterpret_cast<uint16_t*>(scratch_ + plan_.weights_at) + r * plan_.key_block;
  }
  float* sums(int64_t r) { return floats(plan_.sums_at) + r * padded_values(); }
  int64_t padded_values() const { return RoundUp(p_.value_depth, kPanel); }
  // Bytes of a panel of keys: 16 of them, of depth elements each.
  int64_t key_panel() const { return kPanel * plan_.depth * element(); }
  // Bytes of a panel of values: 16 columns of a block's values.
  int64_t value_panel() const { return kPanel * plan_.key_block * element(); }
  std::byte* keys(int64_t block) {
    const int64_t index = plan_.keep_packed ? block : 0;
    return scratch_ + plan_.keys_at + index * plan_.key_block * plan_.depth * element();
  }
  std::byte* values(int64_t block) {
    const int64_t index = plan_.keep_packed ? block : 0;
    return scratch_ + plan_.values_at + index * plan_.key_block * padded_values() * element();
  }
  std::byte* staging() { return scratch_ + plan_.staging_at; }
  int64_t PadKeys(int64_t count) const { return RoundUp(count, plan_.family->k_step); }

  void LoadQueries() {
    for (int64_t r = 0; r < rows_; ++r) {
      LoadRow(RowOf(t_.q, b_, h_, first_ + r), p_.depth, query(r), plan_.depth);
      states_[r] = {-std::numeric_limits<float>::infinity(), 0};
    }
  }

  // A row of q, k or v as an operand of a product, zero-padded.
  void LoadRow(const std::byte* source, int64_t count, std::byte* row, int64_t padded) {
    if (plan_.narrow) {
      std::memcpy(row, source, Idx(count * 2));
    } else {
      code_.load[p_.type](source, 1.0F, reinterpret_cast<float*>(row), count);
    }
    if (padded > count) std::memset(row + count * element(), 0, Idx((padded - count) * element()));
  }

  // Makes the packed keys and values of `block` those of the current head.
  void Pack(int64_t block) {
    if (plan_.keep_packed && block < packed_blocks_) return;
    const int64_t first = block * plan_.key_block;
    const int64_t count = std::min(plan_.key_block, p_.keys - first);
    const int64_t kv_head = h_ / p_.group();
    for (int64_t t = 0; t < count; t += kPanel) {
      PackKeys(kv_head, first + t, std::min(kPanel, count - t),
               keys(block) + t / kPanel * key_panel());
    }
    if (plan_.narrow) {
      for (int64_t t = 0; t < PadKeys(count); t += 2) {
        PackValuePair(kv_head, first + t, count - t, values(block) + t * kPanel * 2);
      }
    } else {
      for (int64_t t = 0; t < count; ++t) {
        PackValue(kv_head, first + t, reinterpret_cast<float*>(values(block)) + t * kPanel);
      }
    }
    packed_blocks_ = block + 1;
  }

  // A panel [depth][16], or [depth / 2][16][2], from up to 16 keys. Pairs move as one f32 would.
  void PackKeys(int64_t kv_head, int64_t t, int64_t count, std::byte* panel) {
    const std::byte* source = RowOf(t_.k, b_, kv_head, t);
    int64_t stride = t_.k.strides[2] * element();
    const bool whole =
        plan_.narrow ? stride % kFloatBytes == 0 && p_.depth == plan_.depth : p_.type == 0;
    if (!whole) {
      stride = plan_.depth * element();
      for (int64_t i = 0; i < count; ++i) {
        LoadRow(RowOf(t_.k, b_, kv_head, t + i), p_.depth, staging() + i * stride, plan_.depth);
      }
      source = staging();
    }
    auto* out = reinterpret_cast<float*>(panel);
    const int64_t lines = plan_.depth * element() / kFloatBytes;
    micro_.transpose_f32(reinterpret_cast<const float*>(source), stride / kFloatBytes, out, kPanel,
                         lines, count);
    for (int64_t i = 0; count < kPanel && i < lines; ++i) {
      std::memset(out + i * kPanel + count, 0, Idx(kPanel - count) * sizeof(float));
    }
  }

  // Row `t` of all panels [value_depth / 16][key_block][16]; `row` is its place in the first panel.
  void PackValue(int64_t kv_head, int64_t t, float* row) {
    const auto* source = reinterpret_cast<const float*>(RowOf(t_.v, b_, kv_head, t));
    if (p_.type != 0) {
      LoadRow(RowOf(t_.v, b_, kv_head, t), p_.value_depth, staging(), p_.value_depth);
      source = reinterpret_cast<const float*>(staging());
    }
    int64_t c = 0;
    for (; c + kPanel <= p_.value_depth; c += kPanel, row += plan_.key_block * kPanel) {
      std::memcpy(row, source + c, kPanel * sizeof(float));
    }
    for (int64_t i = 0; c < p_.value_depth && i < kPanel; ++i) {
      row[i] = c + i < p_.value_depth ? source[c + i] : 0.0F;
    }
  }

  // Rows t and t + 1 of all panels [value_depth / 16][key_block / 2][16][2], of which `left` hold
  // values.
  void PackValuePair(int64_t kv_head, int64_t t, int64_t left, std::byte* row) {
    const auto source = [&](int64_t i) {
      return reinterpret_cast<const uint16_t*>(RowOf(t_.v, b_, kv_head, t + i));
    };
    const uint16_t* low = left > 0 ? source(0) : nullptr;
    const uint16_t* high = left > 1 ? source(1) : nullptr;
    for (int64_t c = 0; c < p_.value_depth; c += kPanel, row += value_panel()) {
      const int64_t n = low == nullptr ? 0 : std::min(kPanel, p_.value_depth - c);
      auto* out = reinterpret_cast<uint32_t*>(row);
      if (n > 0) code_.pair(low + c, high == nullptr ? nullptr : high + c, out, n);
      for (int64_t i = n; i < kPanel; ++i) out[i] = 0;
    }
  }

  // Folds one block of keys into the running results.
  void Attend(int64_t block) {
    Pack(block);
    const int64_t first_key = block * plan_.key_block;
    const int64_t group = plan_.tile_rows;
    const int64_t count = std::min(plan_.key_block, p_.keys - first_key);
    for (int64_t panel = 0; panel * kPanel < count; panel += plan_.family->max_panels) {
      for (int64_t r = 0; r < rows_; r += group) {
        const int64_t columns = SeenBy(r, group, first_key) - panel * kPanel;
        if (columns > 0) Score(block, panel, r, columns);
      }
    }
    for (int64_t r = 0; r < rows_; ++r)
      FoldRow(block, r, SeenBy(r / group * group, group, first_key));
    for (int64_t panel = 0; panel * kPanel < p_.value_depth; panel += plan_.family->max_panels) {
      for (int64_t r = 0; r < rows_; r += group) {
        const int64_t seen = SeenBy(r, group, first_key);
        if (seen > 0 || block == 0) Weigh(block, panel, r, seen);
      }
    }
  }

  // Keys of the block from `first_key` that any of the `group` rows from r on may see.
  int64_t SeenBy(int64_t r, int64_t group, int64_t first_key) const {
    const int64_t last_row = std::min(r + group, rows_) - 1;
    return std::clamp<int64_t>(p_.visible(first_ + last_row) - first_key, 0,
                               std::min(plan_.key_block, p_.keys - first_key));
  }

  // The product of a tile from row r on; `a` is its first row, `a_stride` in bytes.
  void Multiply(int64_t r, const std::byte* a, int64_t a_stride, MicroArgs args,
                int64_t columns) const {
    const int64_t rows =
        plan_.family->begin != nullptr ? plan_.tile_rows : std::min(plan_.tile_rows, rows_ - r);
    const void* pointers[kMaxTileRows];
    for (int64_t i = 0; i < rows; ++i) pointers[i] = a + i * a_stride;
    const int64_t panels = std::min<int64_t>(CeilDiv(columns, kPanel), plan_.family->max_panels);
    args.rows = pointers;
    args.taps = 1;
    // Whole panels: c has room for them.
    args.columns = panels * kPanel;
    plan_.family->kernels[panels - 1][rows - 1](args);
  }

  void Score(int64_t block, int64_t panel, int64_t r, int64_t columns) {
    MicroArgs args{};
    args.run = plan_.depth;
    args.b = keys(block) + panel * key_panel();
    args.b_panel = key_panel();
    args.c = scores(r) + panel * kPanel;
    args.c_stride = plan_.key_block;
    Multiply(r, query(r), plan_.depth * element(), args, columns);
  }

  void FoldRow(int64_t block, int64_t r, int64_t seen) {
    ScoreRow row;
    const int64_t first_key = block * plan_.key_block;
    row.scores = scores(r);
    row.scale = p_.scale;
    row.valid = std::clamp<int64_t>(p_.visible(first_ + r) - first_key, 0, seen);
    row.padded = PadKeys(seen);
    row.narrow = plan_.narrow ? weights(r) : nullptr;
    row.max = states_[r].max;
    row.sum = states_[r].sum;
    SetMask(p_, t_.mask, b_, h_, first_ + r, first_key, &row);
    const float before = plan_.narrow ? code_.fold_narrow(&row) : code_.fold(&row);
    states_[r] = {row.max, row.sum};
    if (block > 0 && before != 1.0F) {
      code_.load[0](sums(r), before, sums(r), padded_values());
    }
  }

  void Weigh(int64_t block, int64_t panel, int64_t r, int64_t seen) {
    MicroArgs args{};
    args.run = PadKeys(seen);
    args.b = values(block) + panel * value_panel();
    args.b_panel = value_panel();
    args.c = sums(r) + panel * kPanel;
    args.c_stride = padded_values();
    args.accumulate = block > 0;
    const auto* a = plan_.narrow ? reinterpret_cast<const std::byte*>(weights(r))
                                 : reinterpret_cast<const std::byte*>(scores(r));
    Multiply(r, a, plan_.key_block * element(), args, padded_values() - panel * kPanel);
  }

  void StoreResult() {
    for (int64_t r = 0; r < rows_; ++r) {
      // Nothing seen: the weighted sum is 0, and the result is 0 or NaN.
      const float scale = states_[r].sum == 0.0F ? p_.hidden : 1.0F / states_[r].sum;
      code_.store[p_.type](sums(r), scale, RowOf(t_.out, b_, h_, first_ + r), p_.value_depth);
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
  std::byte* scratch_;
  int64_t b_ = 0, h_ = 0, first_ = 0, rows_ = 0;
  int64_t packed_head_ = -1;  // batch * kv_heads + kv head whose blocks are packed
  int64_t packed_blocks_ = 0;
  RowState states_[kMaxQueryBlock + kMaxTileRows] = {};
};

// Blocks of queries and keys.
void ChooseBlocks(const AttentionProblem& p, TiledPlan* plan) {
  const MicroFamily& family = *plan->family;
  plan->tile_rows = family.max_rows;
  if (family.begin != nullptr && p.queries <= family.max_rows / 2) {
    plan->tile_rows = family.max_rows / 2;
  }
  const int64_t most = kMaxQueryBlock / plan->tile_rows * plan->tile_rows;
  const int64_t queries = std::max<int64_t>(1, p.queries);
  plan->query_block = RoundUp(CeilDiv(queries, CeilDiv(queries, most)), plan->tile_rows);
  plan->query_blocks = CeilDiv(queries, plan->query_block);
  plan->key_blocks = std::max<int64_t>(1, CeilDiv(p.keys, kMaxKeyBlock));
  plan->key_block = RoundUp(std::max<int64_t>(1, CeilDiv(p.keys, plan->key_blocks)),
                            std::max<int64_t>(kPanel, family.k_step));
  plan->keep_packed = p.keys <= kMaxPackedKeys;
  plan->depth = RoundUp(p.depth, plan->narrow ? std::max(2, family.k_step) : 1);
}

}  // namespace

TiledPlan PlanTiled(const AttentionProblem& p, const GemmMicroTable& micro,
                    const MicroFamily* narrow) {
  TiledPlan plan;
  plan.narrow = p.type == kBf16 && narrow != nullptr;
  plan.family = plan.narrow ? narrow : &micro.f32;
  ChooseBlocks(p, &plan);
  const int64_t items = p.batch * p.heads * plan.query_blocks;
  const int64_t flops = p.queries * p.keys * (p.depth + p.value_depth) * p.batch * p.heads;
  plan.slots =
      std::max<int64_t>(1, std::min({int64_t{MaxThreads()}, items, flops / kFlopsPerThread + 1}));
  const int64_t packed = plan.key_block * (plan.keep_packed ? plan.key_blocks : 1);
  const int64_t padded_values = RoundUp(p.value_depth, kPanel);
  const int64_t element = plan.narrow ? 2 : kFloatBytes;
  int64_t at = 0;
  const auto take = [&at](int64_t bytes) {
    const int64_t start = at;
    at += RoundUp(bytes, 64);
    return start;
  };
  take(plan.query_block * plan.depth * element);
  plan.scores_at = take(plan.query_block * plan.key_block * kFloatBytes);
  plan.weights_at = take(plan.narrow ? plan.query_block * plan.key_block * 2 : 0);
  plan.sums_at = take(plan.query_block * padded_values * kFloatBytes);
  plan.keys_at = take(packed * plan.depth * element);
  plan.values_at = take(packed * padded_values * element);
  plan.staging_at = take(kPanel * std::max(plan.depth, p.value_depth) * kFloatBytes);
  plan.slot_bytes = at;
  return plan;
}

void RunTiled(const AttentionProblem& problem, const TiledPlan& plan, const AttentionCode& code,
              const GemmMicroTable& micro, const AttentionTensors& tensors, std::byte* scratch) {
  const int64_t items = problem.batch * problem.heads * plan.query_blocks;
  ParallelFor(plan.slots, 1, [&](int64_t begin, int64_t end, int /*thread*/) {
    for (int64_t s = begin; s < end; ++s) {
      Slot slot(problem, plan, code, micro, tensors, scratch + s * plan.slot_bytes);
      for (int64_t i = items * s / plan.slots; i < items * (s + 1) / plan.slots; ++i) slot.Run(i);
    }
  });
}

}  // namespace torch_tensorrt::core::kernels
