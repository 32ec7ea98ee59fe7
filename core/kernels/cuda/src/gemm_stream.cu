// out = epilogue(a b^T + bias) for many tiles on Hopper: as many blocks as multiprocessors take tile
// after tile, the copy engine streams operands past the warpgroups, and is already at the next tile
// while results are written. Also the implicit GEMM of channels-last convolutions. The text before
// this file defines what gemm.cu says (TRT_WGMMA 1, WARPS_N 1, WARPS_M 4 per warpgroup of a tile,
// SPLIT 1, TERMS 1, B_CONSTANT 1, TRT_STREAM), and
//   TEAMS                 2: warpgroups take turns, one tile each, so that one multiplies while the
//                         other writes results; 1: all share each tile
//   VECTORS               1: n is a multiple of 8, rows of out and the bias are 16-byte aligned
//   LOADER_REGISTERS, WORKER_REGISTERS  of a thread that copies, and that computes
// The last warpgroup of a block copies, the others compute. CONV 1: channels are a multiple of a
// tile along k.
#include "gemm_result.cuh"
#include "warpgroup.cuh"

constexpr int kTeamWarps = kThreads / 32;
constexpr int kWorkers = kThreads * TEAMS;
// A warp stages its results by chunks of 16 rows and so many columns.
constexpr int kChunk = TILE_N % 64 == 0 ? 64 : 32;
constexpr int kChunks = TILE_N / kChunk;
constexpr int kStagedFloats = 16 * 64;

// Where everything lies in shared memory.
struct Memory {
  u32 ring;
  TRT_DEVICE u32 Stage(int stage) const { return ring + stage * kBytesStage; }
  TRT_DEVICE u32 Full(int stage) const {
    return ring + STAGES * kBytesStage + kWorkers / 32 * kStagedFloats * 4 + stage * 8;
  }
  TRT_DEVICE u32 Free(int stage) const { return Full(stage) + STAGES * 8; }
  TRT_DEVICE u32 Turn(int team) const { return Full(0) + (2 * STAGES + team) * 8; }
};

// A position in the ring, and the parity of its round.
struct Cursor {
  int stage = 0;
  u32 parity = 0;
  // Step `count` of all that the block takes.
  TRT_DEVICE void GoTo(u32 count) {
    stage = static_cast<int>(count % STAGES);
    parity = count / STAGES & 1;
  }
  TRT_DEVICE void Next() {
    if (++stage == STAGES) {
      stage = 0;
      parity ^= 1;
    }
  }
};

// Copies of one tile of a, step by step along k.
struct SourceOfA {
#if CONV
  int x, y, image;    // corner of the first row's window
  int c, tap_x, tap_y;  // of the step

  TRT_DEVICE void Start(const Params& p, const Place& at) {
    const ConvShape& s = p.conv;
    const int rest = at.row / s.out_w;
    x = at.row % s.out_w * s.stride_w - s.pad_left;
    y = rest % s.out_h * s.stride_h - s.pad_top;
    image = rest / s.out_h;
    c = tap_x = tap_y = 0;
  }
  TRT_DEVICE void Copy(const Params& p, const TensorMap& map, u32 to, u32 barrier) {
    const ConvShape& s = p.conv;
    CopyWindows(to, map, c, x, y, image, tap_x * s.dilation_w, tap_y * s.dilation_h, barrier);
    c += kTileK;
    if (c < s.group_c) return;
    c = 0;
    if (++tap_x < s.kernel_w) return;
    tap_x = 0;
    ++tap_y;
  }
#else
  int row, k;
  TRT_DEVICE void Start(const Params&, const Place& at) {
    row = at.row;
    k = 0;
  }
  TRT_DEVICE void Copy(const Params&, const TensorMap& map, u32 to, u32 barrier) {
    CopyBox(to, map, k, row, barrier);
    k += kTileK;
  }
#endif
};

// One thread: all operands of all tiles of this block, as stages become free. b is constant: its
// first stages come before the kernel before has ended.
TRT_DEVICE void Stream(const Params& p, const Memory& m, const TensorMap& a, const TensorMap& b) {
  const int tiles = p.tiles_m * p.tiles_n;
  const int early = min(STAGES, p.k_tiles);
  const Place first = FindTile(p, static_cast<int>(blockIdx.x));
#pragma unroll 1
  for (int t = 0; t < early; ++t) {
    BarrierExpect(m.Full(t), kBytesStage);
    CopyBox(m.Stage(t) + kBytesA, b, t * kTileK, first.column, m.Full(t));
  }
  WaitForPrevious();
  Cursor cursor;
  int done = 0;
#pragma unroll 1
  for (int tile = static_cast<int>(blockIdx.x); tile < tiles; tile += static_cast<int>(gridDim.x)) {
    const Place at = FindTile(p, tile);
    SourceOfA source;
    source.Start(p, at);
#pragma unroll 1
    for (int t = 0; t < p.k_tiles; ++t) {
      const u32 stage = m.Stage(cursor.stage), full = m.Full(cursor.stage);
      if (done++ >= early) {
        BarrierWait(m.Free(cursor.stage), cursor.parity ^ 1);
        BarrierExpect(full, kBytesStage);
        CopyBox(stage + kBytesA, b, t * kTileK, at.column, full);
      }
      source.Copy(p, a, stage, full);
      cursor.Next();
    }
  }
}

TRT_DEVICE void ArriveOncePerWarp(u32 barrier) {
  if (threadIdx.x % 32 == 0) BarrierArrive(barrier);
}

// The sums of one tile. Ends with the other team's turn: it may not wait for its stages before all
// earlier steps were waited for, as a barrier tells only odd rounds from even ones.
TRT_DEVICE void Compute(const Params& p, const Memory& m, Cursor cursor, int team,
                        Accumulators& acc) {
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
    for (int j = 0; j < kBlocksN * 4; ++j) acc[i][j] = 0.0f;
    WgmmaPin(acc[i]);
  }
  int before = 0;
#pragma unroll 1
  for (int t = 0; t < p.k_tiles; ++t) {
    BarrierWait(m.Full(cursor.stage), cursor.parity);
    Products(acc, m.Stage(cursor.stage));
    WgmmaWait<1>();
    if (t > 0) ArriveOncePerWarp(m.Free(before));
    before = cursor.stage;
    cursor.Next();
  }
  if (TEAMS > 1) ArriveOncePerWarp(m.Turn(1 - team));
  WgmmaWait<0>();
#pragma unroll
  for (int i = 0; i < kBlocksM; ++i) WgmmaPin(acc[i]);
  ArriveOncePerWarp(m.Free(before));
}

// Element (r, c) of a chunk.
TRT_DEVICE int StagedAt(int r, int c) {
  return r * kChunk + ((c / 8) ^ (r & (kChunk / 8 - 1))) * 8 + c % 8;
}

// Columns chunk * kChunk ... of the warp's block of 16 rows `block` to `staged`.
TRT_DEVICE void StageChunk(const Accumulators& acc, int block, int chunk, float* staged) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int j = 0; j < kChunk / 8; ++j) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float* pair = &acc[block][(chunk * (kChunk / 8) + j) * 4 + half * 2];
      *reinterpret_cast<float2*>(staged + StagedAt(lane / 4 + half * 8, j * 8 + lane % 4 * 2)) =
          make_float2(pair[0], pair[1]);
    }
  }
}

TRT_DEVICE void ReadStaged(const float* staged, int r, int column, float (&v)[8]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float4 part = *reinterpret_cast<const float4*>(staged + StagedAt(r, column) + half * 4);
    v[half * 4] = part.x;
    v[half * 4 + 1] = part.y;
    v[half * 4 + 2] = part.z;
    v[half * 4 + 3] = part.w;
  }
}

#if VECTORS
// Results of 16 rows from `row` on and a chunk's columns from `first` on: a lane finishes eight
// columns of every kStep-th row.
TRT_DEVICE void StoreVectors(const Params& p, const TrtEpilogueArgs& e, const float* staged,
                               int row, int first, const Bias& bias) {
  constexpr int kVectorsOfRow = kChunk / 8, kStep = 32 / kVectorsOfRow, kCount = 16 / kStep;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int r0 = lane / kVectorsOfRow, c = lane % kVectorsOfRow * 8;
  const int column = first + c;
  if (column >= p.n) return;
  // Several rows' inputs are read before the first result is written, where registers allow.
  constexpr int kTogether = TILE_N * kBlocksM > 160 ? 2 : kCount;
#pragma unroll
  for (int begin = 0; begin < kCount; begin += kTogether) {
    Pack<trt_out, 8> results[kTogether];
#pragma unroll
    for (int u = 0; u < kTogether; ++u) {
      const int r = r0 + (begin + u) * kStep;
      float v[8];
      ReadStaged(staged, r, c, v);
      bias.AddTo(v);
      trt_epilogue(v, e, min(row + r, p.m - 1), column, results[u].v);
    }
#pragma unroll
    for (int u = 0; u < kTogether; ++u) {
      const int to = row + r0 + (begin + u) * kStep;
      if (to < p.m) results[u].StoreAligned(p.out + to * p.out_row + column);
    }
  }
}

#else
TRT_DEVICE float BiasAt(const Params& p, int column) {
#ifdef TRT_BIAS
  return FromStorage(static_cast<const TRT_BIAS*>(p.bias)[column]);
#else
  return 0.0f;
#endif
}

// The same for rows of any alignment and length: neighbouring lanes store neighbouring elements.
TRT_DEVICE void StoreElements(const Params& p, const TrtEpilogueArgs& e, const float* staged,
                              int row, int first) {
  const int rows = min(16, p.m - row);
#pragma unroll 1
  for (int c = static_cast<int>(threadIdx.x) % 32; c < min(kChunk, p.n - first); c += 32) {
    const float bias = BiasAt(p, first + c);
#pragma unroll 4
    for (int r = 0; r < rows; ++r) {
      p.out[(row + r) * p.out_row + first + c] =
          trt_epilogue(staged[StagedAt(r, c)] + bias, e, row + r, first + c);
    }
  }
}

// Whole chunks of 64 columns of 16-bit results: a lane stores pairs at multiples of 4 bytes. Where a
// row starts between two of those, its pairs start one column later, and the last lane has its first
// and its last column instead.
TRT_DEVICE void StorePairs(const Params& p, const TrtEpilogueArgs& e, const float* staged, int row,
                           int first) {
  const int lane = static_cast<int>(threadIdx.x) % 32, c = lane * 2;
  const int last = lane == 31 ? 0 : c + 2;  // the second column of a row that starts in between
  const float bias[3] = {BiasAt(p, first + c), BiasAt(p, first + c + 1), BiasAt(p, first + last)};
  const int rows = min(16, p.m - row);
#pragma unroll 4
  for (int r = 0; r < rows; ++r) {
    trt_out* to = p.out + (row + r) * p.out_row + first;
    const bool odd = (reinterpret_cast<u64>(to) & 2) != 0;
    const int c0 = odd ? c + 1 : c, c1 = odd ? last : c + 1;
    Pack<trt_out, 2> pair;
    pair.v[0] = trt_epilogue(staged[StagedAt(r, c0)] + (odd ? bias[1] : bias[0]), e, row + r,
                             first + c0);
    pair.v[1] = trt_epilogue(staged[StagedAt(r, c1)] + (odd ? bias[2] : bias[1]), e, row + r,
                             first + c1);
    if (c1 == c0 + 1) {
      pair.StoreAligned(to + c0);
    } else {
      to[c0] = pair.v[0];
      to[c1] = pair.v[1];
    }
  }
}
#endif  // VECTORS

TRT_DEVICE void Finish(const Params& p, const TrtEpilogueArgs& e, const Place& at,
                       const Accumulators& acc, float* staged) {
#pragma unroll
  for (int block = 0; block < kBlocksM; ++block) {
#pragma unroll
    for (int chunk = 0; chunk < kChunks; ++chunk) {
      const int row = at.row + WarpRow(block), first = at.column + chunk * kChunk;
#if VECTORS
      Bias bias;  // kept for one chunk: the sums leave few registers
      const int column = first + static_cast<int>(threadIdx.x) % (kChunk / 8) * 8;
      if (column < p.n) bias.Load(p, column, 8);
#endif
      __syncwarp();
      StageChunk(acc, block, chunk, staged);
      __syncwarp();
#if VECTORS
      StoreVectors(p, e, staged, row, first, bias);
#else
      if (kChunk == 64 && sizeof(trt_out) == 2 && first + kChunk <= p.n) {
        StorePairs(p, e, staged, row, first);
      } else {
        StoreElements(p, e, staged, row, first);
      }
#endif
    }
  }
}

TRT_KERNEL void __launch_bounds__(kWorkers + 128, 1)
trt_gemm_stream(const __grid_constant__ Params p, const __grid_constant__ TrtEpilogueArgs e,
         const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b) {
  char* memory = DynamicShared();
  const Memory m = {SharedAddress(memory)};
  if (threadIdx.x == 0) {
#pragma unroll
    for (int stage = 0; stage < STAGES; ++stage) {
      BarrierStart(m.Full(stage), 1);
      BarrierStart(m.Free(stage), kTeamWarps);
    }
    for (int team = 0; team < TEAMS; ++team) BarrierStart(m.Turn(team), kTeamWarps);
    BarriersStarted();
  }
  __syncthreads();
  const int warp = static_cast<int>(threadIdx.x) / 32;
  if (warp >= kWorkers / 32) {
    GiveRegisters<LOADER_REGISTERS>();
    if (threadIdx.x == kWorkers) Stream(p, m, a, b);
    return;
  }
  TakeRegisters<WORKER_REGISTERS>();
  WaitForPrevious();
  float* staged = reinterpret_cast<float*>(memory + STAGES * kBytesStage) + warp * kStagedFloats;
  const int tiles = p.tiles_m * p.tiles_n, step = static_cast<int>(gridDim.x) * TEAMS;
  const int team = warp / kTeamWarps;
  u32 done = static_cast<u32>(team * p.k_tiles);  // steps of the tiles before
  u32 turn = team == 0 ? 1 : 0;                   // the first team starts
#pragma unroll 1
  for (int tile = static_cast<int>(blockIdx.x) + team * static_cast<int>(gridDim.x); tile < tiles;
       tile += step) {
    Accumulators acc;
    Cursor cursor;
    cursor.GoTo(done);
    if (TEAMS > 1) BarrierWait(m.Turn(team), turn);
    turn ^= 1;
    Compute(p, m, cursor, team, acc);
    done += static_cast<u32>(TEAMS * p.k_tiles);
    Finish(p, e, FindTile(p, tile), acc, staged);
  }
}
