// Attention of many queries and keys on Hopper: the copy engine streams tiles of keys and values past
// warpgroups that keep 64 queries each. The text before this file defines what attention.cu says
// (ALIGNED 1, TRT_FLOAT 0, BLOCKS 1, WARPS_KEYS 1, SPLIT 1, WARPS_ROWS 4 per warpgroup), and
//   STAGES                tiles of keys, and of values, in shared memory
//   RESIDENT              blocks that a multiprocessor is to hold
//   LOADER_REGISTERS, WORKER_REGISTERS  of a thread that copies, and that computes
// The last warpgroup of a block copies, the others compute.
// While a tile's scores become weights, the product of the tile before with its values is under way.
#include "attention_scores.cuh"
#include "warpgroup.cuh"

constexpr int kBytesOut = kRows * 128 * kPartsV;
constexpr int kBytesFirst = kBytesQ > kBytesOut ? kBytesQ : kBytesOut;  // queries, later results
constexpr u32 kFullKeys = 0, kFullValues = 1, kFreeKeys = 2, kFreeValues = 3;

// Where everything lies in shared memory.
struct Memory {
  u32 queries;
  TRT_DEVICE u32 Keys(int stage) const { return queries + kBytesFirst + stage * kBytesK; }
  TRT_DEVICE u32 Values(int stage) const {
    return queries + kBytesFirst + STAGES * kBytesK + stage * kBytesV;
  }
  TRT_DEVICE u32 Barrier(u32 kind, int stage) const {
    return queries + kBytesFirst + STAGES * (kBytesK + kBytesV) + (kind * STAGES + stage) * 8;
  }
};

TRT_DEVICE void StartBarriers(const Memory& m) {
#pragma unroll
  for (int stage = 0; stage < STAGES; ++stage) {
    BarrierStart(m.Barrier(kFullKeys, stage), 1);
    BarrierStart(m.Barrier(kFullValues, stage), 1);
    BarrierStart(m.Barrier(kFreeKeys, stage), kThreads / 32);
    BarrierStart(m.Barrier(kFreeValues, stage), kThreads / 32);
  }
  BarriersStarted();
}

// One thread: all tiles of keys and values, as stages become free.
TRT_DEVICE void Stream(const Memory& m, const TensorMap& keys, const TensorMap& values, int tiles,
                       int key_head, int batch) {
  int stage = 0;
  u32 parity = 1;
#pragma unroll 1
  for (int tile = 0; tile < tiles; ++tile) {
    const u32 k_full = m.Barrier(kFullKeys, stage), v_full = m.Barrier(kFullValues, stage);
    BarrierWait(m.Barrier(kFreeKeys, stage), parity);
    BarrierExpect(k_full, kBytesK);
#pragma unroll
    for (int part = 0; part < kParts; ++part) {
      CopyBox(m.Keys(stage) + part * KEYS * 128, keys, part * kPartValues, tile * KEYS, key_head,
              batch, k_full);
    }
    BarrierWait(m.Barrier(kFreeValues, stage), parity);
    BarrierExpect(v_full, kBytesV);
#pragma unroll
    for (int part = 0; part < kPartsV; ++part) {
      CopyBox(m.Values(stage) + part * KEYS * 128, values, part * kPartValues, tile * KEYS,
              key_head, batch, v_full);
    }
    if (++stage == STAGES) {
      stage = 0;
      parity ^= 1;
    }
  }
}

// The scores of the warpgroup's 64 queries and a tile of keys: starts the product.
TRT_DEVICE void StartScores(Scores& s, u32 queries, u32 keys) {
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    const u64 a = TileDescriptor(queries + step / 4 * kRows * 128 + step % 4 * 32);
    const u64 b = TileDescriptor(keys + step / 4 * KEYS * 128 + step % 4 * 32);
    if (step == 0) {
      WgmmaScores<0>(s, a, b);
    } else {
      WgmmaScores<1>(s, a, b);
    }
  }
  WgmmaCommit();
}

typedef u32 Weights[KEYS / 16][4];

TRT_DEVICE void StartValues(Rows& w, const Weights& weights, u32 values) {
#pragma unroll
  for (int step = 0; step < KEYS / 16; ++step) {
    WgmmaValues(w.sums, weights[step], ColumnsDescriptor(values + step * 16 * 128, KEYS * 128));
  }
  WgmmaCommit();
}

TRT_DEVICE void PackWeights(Weights& weights, const Scores& s) {
#pragma unroll
  for (int step = 0; step < KEYS / 16; ++step) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float* pair = &s[step * 2 + e / 2][e % 2 * 2];
      weights[step][e] = PackPair<TRT_IN>(pair[0], pair[1]);
    }
  }
}

// What a mask of bools says of a lane's two rows and a tile of keys, a bit each. Read while the keys
// are still under way.
struct Seen {
  u32 bits[2];
};
#ifdef TRT_MASK
constexpr bool kBoolMask = sizeof(TRT_MASK) == 1;
TRT_DEVICE void LoadSeen(const Params& p, const Rows& w, int key0, Seen& seen) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const u8* row = reinterpret_cast<const u8*>(w.mask[half]);
    const bool pairs = p.mask_stride[3] == 1 && (reinterpret_cast<u64>(row) & 1) == 0;
    const int first = key0 + lane % 4 * 2;
    u32 bits = 0;
    if (pairs && key0 + KEYS <= p.t) {  // all loads under way together
      u16 both[KEYS / 8];
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j) {
        both[j] = *reinterpret_cast<const u16*>(row + first + j * 8);
      }
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j) {
        const u32 pair = ((both[j] & 0xff) != 0 ? 1u : 0u) | (both[j] > 0xff ? 2u : 0u);
        bits |= pair << (j * 2);
      }
    } else {
#pragma unroll 1
      for (int j = 0; j < KEYS / 8; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int key = first + j * 8 + e;
          if (key < p.t && row[key * p.mask_stride[3]] != 0) bits |= 1u << (j * 2 + e);
        }
      }
    }
    seen.bits[half] = bits;
  }
}
TRT_DEVICE void MaskBySeen(const Params& p, const Rows& w, int key0, const Seen& seen, Scores& s) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int j = 0; j < KEYS / 8; ++j) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int key = key0 + j * 8 + lane % 4 * 2 + e;
        const bool visible =
            (seen.bits[half] >> (j * 2 + e) & 1) != 0 && (!CAUSAL || key <= w.query[half]);
        s[j][half * 2 + e] = visible ? s[j][half * 2 + e] * p.scale : -TRT_INFINITY;
      }
    }
  }
}
#else
constexpr bool kBoolMask = false;
TRT_DEVICE void LoadSeen(const Params&, const Rows&, int, Seen&) {}
TRT_DEVICE void MaskBySeen(const Params&, const Rows&, int, const Seen&, Scores&) {}
#endif

TRT_DEVICE void MaskAndWeigh(const Params& p, Rows& w, int key0, const Seen& seen, Scores& s,
                             float (&shrink)[2]) {
  if constexpr (kBoolMask) {
    MaskBySeen(p, w, key0, seen, s);
    WeighScores(w, 1.0f, s, shrink);
  } else if (AllVisible(p, w, key0)) {
    WeighScores(w, p.scale, s, shrink);
  } else {
    Mask(p, w, key0, s);
    WeighScores(w, 1.0f, s, shrink);
  }
}

TRT_DEVICE void ArriveOncePerWarp(u32 barrier) {
  if (threadIdx.x % 32 == 0) BarrierArrive(barrier);
}

// All tiles of keys for one warpgroup; leaves sums, maxima and totals in `w`.
TRT_DEVICE void Attend(const Params& p, const Memory& m, u32 queries, int tiles, Rows& w) {
  Scores s;
  Weights weights;
  float shrink[2];
  Seen seen = {{0, 0}};
  int stage = 0;
  u32 parity = 0;
  if constexpr (kBoolMask) LoadSeen(p, w, 0, seen);
  BarrierWait(m.Barrier(kFullKeys, 0), 0);
  WgmmaFence();
  StartScores(s, queries, m.Keys(0));
  WgmmaWait<0>();
  WgmmaPin(s);
  ArriveOncePerWarp(m.Barrier(kFreeKeys, 0));
  MaskAndWeigh(p, w, 0, seen, s, shrink);
  PackWeights(weights, s);
#pragma unroll 1
  for (int tile = 1; tile < tiles; ++tile) {
    const int next = stage + 1 == STAGES ? 0 : stage + 1;
    const u32 next_parity = next == 0 ? parity ^ 1 : parity;
    if constexpr (kBoolMask) LoadSeen(p, w, tile * KEYS, seen);
    BarrierWait(m.Barrier(kFullKeys, next), next_parity);
    WgmmaFence();
    StartScores(s, queries, m.Keys(next));
    BarrierWait(m.Barrier(kFullValues, stage), parity);
    WgmmaFence();
    StartValues(w, weights, m.Values(stage));
    WgmmaWait<1>();
    WgmmaPin(s);
    ArriveOncePerWarp(m.Barrier(kFreeKeys, next));
    MaskAndWeigh(p, w, tile * KEYS, seen, s, shrink);
    WgmmaWait<0>();
    WgmmaPin(w.sums);
    ArriveOncePerWarp(m.Barrier(kFreeValues, stage));
    ShrinkSums(w, shrink);
    PackWeights(weights, s);
    stage = next;
    parity = next_parity;
  }
  BarrierWait(m.Barrier(kFullValues, stage), parity);
  WgmmaFence();
  StartValues(w, weights, m.Values(stage));
  WgmmaWait<0>();
  WgmmaPin(w.sums);
}

// The warp's 16 rows, divided by their totals, as rows from `first` on of the results' tile.
TRT_DEVICE void StageResults(const Rows& w, char* tile, int first) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float total = w.total[half];
    total += ShuffleXor(total, 1);
    total += ShuffleXor(total, 2);
    const float inverse = total == 0.0f ? TRT_HIDDEN : 1.0f / total;
    const int r = first + lane / 4 + half * 8;
#pragma unroll
    for (int j = 0; j < HEAD_V / 8; ++j) {
      *reinterpret_cast<u32*>(tile + j / 8 * kRows * 128 + Swizzle(r, j % 8) + lane % 4 * 4) =
          PackPair<TRT_IN>(w.sums[j][half * 2] * inverse, w.sums[j][half * 2 + 1] * inverse);
    }
  }
}

TRT_DEVICE void StoreResults(const Params& p, const char* tile, int batch, int key_head, int row0,
                             int first) {
  constexpr int kVectors = HEAD_V / 8;
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x) % 32; i < 16 * kVectors; i += 32) {
    const int r = first + i / kVectors, chunk = i % kVectors;
    if (row0 + r >= p.rows || chunk * 8 >= p.d_v) continue;
    Pack<TRT_IN, 8> result;
    result.LoadAligned(reinterpret_cast<const TRT_IN*>(tile + chunk / 8 * kRows * 128 +
                                                       Swizzle(r, chunk % 8)));
    result.Store(p.out + RowOffset(p, p.out_stride, batch, key_head, row0 + r) + chunk * 8,
                 p.d_v - chunk * 8, p.vector != 0);
  }
}

TRT_KERNEL void __launch_bounds__(kThreads + 128, RESIDENT)
trt_attention_stream(const __grid_constant__ Params p, const __grid_constant__ TensorMap keys,
              const __grid_constant__ TensorMap values) {
  char* memory = DynamicShared();
  const Memory m = {SharedAddress(memory)};
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int pair = static_cast<int>(blockIdx.x) / p.row_tiles;
  // Causal rows at the end have the most work: they start first.
  const int row0 = (p.row_tiles - 1 - static_cast<int>(blockIdx.x) % p.row_tiles) * kRows;
  const int batch = pair / p.key_heads, key_head = pair % p.key_heads;
  int visible = p.t;
  if (CAUSAL && row0 / p.s == (min(row0 + kRows, p.rows) - 1) / p.s) {
    visible = min(p.t, (min(row0 + kRows, p.rows) - 1) % p.s + 1);
  }
  const int tiles = (visible + KEYS - 1) / KEYS;
  if (threadIdx.x == 0) StartBarriers(m);
  __syncthreads();
  WaitForPrevious();
  if (warp >= kThreads / 32) {
    GiveRegisters<LOADER_REGISTERS>();
    if (threadIdx.x == kThreads) Stream(m, keys, values, tiles, key_head, batch);
    return;
  }
  TakeRegisters<WORKER_REGISTERS>();
  LoadQueries(p, m.queries, batch, key_head, row0);
  CopyCommit();
  const int first = warp * 16;
  Rows w;
  StartRows(p, w, batch, key_head, row0 + first);
  CopyWait<0>();
  FenceSharedForProducts();
  GroupSync(1, kThreads);
  if (tiles > 0) Attend(p, m, m.queries + warp / 4 * 64 * 128, tiles, w);
  GroupSync(2 + warp / 4, 128);  // nobody reads the warpgroup's queries any more
  StageResults(w, memory, first);
  __syncwarp();
  StoreResults(p, memory, batch, key_head, row0, first);
}
