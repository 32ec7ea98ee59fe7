// From queries and keys to weights and sums of values, a tile of keys at a time. Part of
// attention.cu, which says what the text before it defines.
#pragma once

#include "attention_load.cuh"

#ifdef WARPS_KEYS

// What a warp keeps of 16 rows; lane l has rows l / 4 and l / 4 + 8.
struct Rows {
#if !TRT_FLOAT
  u32 q[kSteps][4];
#endif
  float sums[HEAD_V / 8][4];
  float maximum[2], total[2];  // maximum of the scaled scores
  int query[2];
  int first_query;  // of the 16
#ifdef TRT_MASK
  const TRT_MASK* mask[2];
#endif
};

TRT_DEVICE void StartRows(const Params& p, Rows& w, int batch, int key_head, int row0) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int last = min(row0 + 15, p.rows - 1);
  w.first_query = row0 < p.rows && row0 / p.s == last / p.s ? row0 % p.s : 0;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = min(row0 + lane / 4 + half * 8, p.rows - 1);
    w.query[half] = row % p.s;
    w.maximum[half] = -TRT_INFINITY;
    w.total[half] = 0.0f;
#ifdef TRT_MASK
    w.mask[half] = static_cast<const TRT_MASK*>(p.mask) + batch * p.mask_stride[0] +
                   (key_head * p.group + row / p.s) * p.mask_stride[1] +
                   w.query[half] * p.mask_stride[2];
#endif
  }
#pragma unroll
  for (int j = 0; j < HEAD_V / 8; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) w.sums[j][e] = 0.0f;
  }
}

// Queries of 16 rows from row `first` of their tile on, for one step along the head.
TRT_DEVICE void LoadFragment(u32 (&q)[4], u32 queries, int first, int step) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  LoadMatrix(q, queries + step / 4 * kRows * 128 +
                    Swizzle(first + lane % 16, step % 4 * 2 + lane / 16));
}

// d += a b^T for the two blocks of 8 rows of b that LoadMatrix gives; floats keep their precision.
TRT_DEVICE void Multiply(float (&d0)[4], float (&d1)[4], const u32 (&a)[4], const u32 (&b)[4]) {
  if constexpr (sizeof(TRT_IN) == 4) {
    u32 a_high[4], a_low[4], b_high[4], b_low[4];
    SplitTf32(a, a_high, a_low);
    SplitTf32(b, b_high, b_low);
    Mma<TRT_IN>(d0, a_low, b_high[0], b_high[1]);
    Mma<TRT_IN>(d1, a_low, b_high[2], b_high[3]);
    Mma<TRT_IN>(d0, a_high, b_low[0], b_low[1]);
    Mma<TRT_IN>(d1, a_high, b_low[2], b_low[3]);
    Mma<TRT_IN>(d0, a_high, b_high[0], b_high[1]);
    Mma<TRT_IN>(d1, a_high, b_high[2], b_high[3]);
  } else {
    Mma<TRT_IN>(d0, a, b[0], b[1]);
    Mma<TRT_IN>(d1, a, b[2], b[3]);
  }
}

// The same, but the product is added by rounding: tensor cores truncate what they add up.
TRT_DEVICE void AddProduct(float (&d0)[4], float (&d1)[4], const u32 (&a)[4], const u32 (&b)[4]) {
  float part[2][4] = {};
  Multiply(part[0], part[1], a, b);
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    d0[e] += part[0][e];
    d1[e] += part[1][e];
  }
}

typedef float Scores[kWarpKeys / 8][4];

// Floats have no registers left to keep the queries of row `first_row` on.
TRT_DEVICE void ComputeScores(const Rows (&w)[BLOCKS], u32 queries, int first_row, u32 keys,
                              int first, Scores (&s)[BLOCKS]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#if TRT_FLOAT  // independent sums of several steps would take too many registers
#pragma unroll 1
#else
#pragma unroll
#endif
  for (int step = 0; step < kSteps; ++step) {
    const u32 part = keys + step / 4 * KEYS * 128;
#if TRT_FLOAT
    u32 q[BLOCKS][4];
#pragma unroll
    for (int i = 0; i < BLOCKS; ++i) LoadFragment(q[i], queries, first_row + i * 16, step);
#endif
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; j += 2) {
      u32 b[4];
      LoadMatrix(b, part + Swizzle(first + j * 8 + lane % 8 + lane / 16 * 8,
                                   step % 4 * 2 + lane / 8 % 2));
#pragma unroll
      for (int i = 0; i < BLOCKS; ++i) {
#if TRT_FLOAT
        AddProduct(s[i][j], s[i][j + 1], q[i], b);
#else
        Multiply(s[i][j], s[i][j + 1], w[i].q[step], b);
#endif
      }
    }
  }
}

#ifdef TRT_MASK
// What the mask adds to a score, times log2(e).
TRT_DEVICE float MaskTerm(const TRT_MASK* at) {
  constexpr float kLog2E = 1.4426950408889634f;
  const auto value = FromStorage(*at);
  if constexpr (sizeof(TRT_MASK) == 1) {
    return value ? 0.0f : -TRT_INFINITY;
  } else {
    const float term = value * kLog2E;
    return term < -TRT_MAX_FLOAT && value > -TRT_INFINITY ? -TRT_MAX_FLOAT : term;
  }
}
#endif

// Are all keys from key0 on visible to all rows of the warp, and is nothing added to their scores?
TRT_DEVICE bool AllVisible(const Params& p, const Rows& w, int key0) {
#ifdef TRT_MASK
  return false;
#else
  return key0 + kWarpKeys <= p.t && (!CAUSAL || key0 + kWarpKeys - 1 <= w.first_query) &&
         p.scale > 0.0f;
#endif
}

// Scales and masks the scores of keys key0 ...
TRT_DEVICE void Mask(const Params& p, const Rows& w, int key0, Scores& s) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; ++j) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int key = key0 + j * 8 + lane % 4 * 2 + e;
        float x = s[j][half * 2 + e] * p.scale;
        const bool visible = key < p.t && (!CAUSAL || key <= w.query[half]);
#ifdef TRT_MASK
        if (visible) x += MaskTerm(w.mask[half] + key * p.mask_stride[3]);
#endif
        s[j][half * 2 + e] = visible ? x : -TRT_INFINITY;
      }
    }
  }
}

// Turns scores, which `scale` > 0 is still to multiply, into weights relative to the rows' new
// maxima; `shrink` is what the sums so far are to be multiplied by.
TRT_DEVICE void WeighScores(Rows& w, float scale, Scores& s, float (&shrink)[2]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float top = -TRT_INFINITY;
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; ++j) {
      top = fmaxf(top, fmaxf(s[j][half * 2], s[j][half * 2 + 1]));
    }
    top = fmaxf(top, ShuffleXor(top, 1));
    top = fmaxf(top, ShuffleXor(top, 2));
    top = fmaxf(top * scale, w.maximum[half]);
    const float base = top == -TRT_INFINITY ? 0.0f : top;
    shrink[half] = Exp2(w.maximum[half] - base);
    w.maximum[half] = top;
    float total = 0.0f;
#pragma unroll
    for (int j = 0; j < kWarpKeys / 8; ++j) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        float& x = s[j][half * 2 + e];
        x = Exp2(x * scale - base);
        total += x;
      }
    }
    w.total[half] = w.total[half] * shrink[half] + total;
  }
}
TRT_DEVICE void ShrinkSums(Rows& w, const float (&shrink)[2]) {
#pragma unroll
  for (int j = 0; j < HEAD_V / 8; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) w.sums[j][e] *= shrink[e / 2];
  }
}
TRT_DEVICE void Weigh(Rows& w, float scale, Scores& s) {
  float shrink[2];
  WeighScores(w, scale, s, shrink);
  ShrinkSums(w, shrink);
}

#if TRT_FLOAT
// Lane l takes keys 2 (l % 4) and 2 (l % 4) + 1 of each block of 8 where a product asks for keys
// l % 4 and l % 4 + 4: the scores lie so.
TRT_DEVICE void AddValues(Rows (&w)[BLOCKS], u32 values, int first, const Scores (&s)[BLOCKS]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int j = 0; j < HEAD_V / 8; j += 2) {
    float part[BLOCKS][2][4] = {};  // of a tile: short sums, added by rounding
#pragma unroll
    for (int step = 0; step < kWarpKeys / 8; ++step) {
      u32 b[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int key = first + step * 8 + lane % 4 * 2 + e % 2;
        const int column = (j + e / 2) * 8 + lane / 4;
        b[e] = LoadSharedWord(values + column / 32 * KEYS * 128 + Swizzle(key, column % 32 / 4) +
                              column % 4 * 4);
      }
#pragma unroll
      for (int i = 0; i < BLOCKS; ++i) {
        const u32 weights[4] = {FloatBits(s[i][step][0]), FloatBits(s[i][step][2]),
                                FloatBits(s[i][step][1]), FloatBits(s[i][step][3])};
        Multiply(part[i][0], part[i][1], weights, b);
      }
    }
#pragma unroll
    for (int i = 0; i < BLOCKS; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        w[i].sums[j][e] += part[i][0][e];
        w[i].sums[j + 1][e] += part[i][1][e];
      }
    }
  }
}
#else
TRT_DEVICE void AddValues(Rows (&w)[BLOCKS], u32 values, int first, const Scores (&s)[BLOCKS]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int step = 0; step < kWarpKeys / 16; ++step) {
    u32 weights[BLOCKS][4];
#pragma unroll
    for (int i = 0; i < BLOCKS; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const float* pair = &s[i][step * 2 + e / 2][e % 2 * 2];
        weights[i][e] = PackPair<TRT_IN>(pair[0], pair[1]);
      }
    }
#pragma unroll
    for (int j = 0; j < HEAD_V / 8; j += 2) {
      u32 b[4];
      LoadMatrixTransposed(b, values + j / 8 * KEYS * 128 +
                                  Swizzle(first + step * 16 + lane % 16, j % 8 + lane / 16));
#pragma unroll
      for (int i = 0; i < BLOCKS; ++i) {
        Multiply(w[i].sums[j], w[i].sums[j + 1], weights[i], b);
      }
    }
  }
}
#endif

#endif  // WARPS_KEYS
