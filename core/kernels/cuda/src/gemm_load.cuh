// Loads the tiles of both operands, step by step along k. Part of gemm.cu, which says what the text
// before it defines.
#pragma once

#include "gemm_tile.cuh"

#ifdef TILE_M

template <int kRows, int kAlign>
struct OperandLoader {
  RowLoader<TRT_IN, kRows, kThreads, kAlign> rows;
  TRT_DEVICE void Start(const TRT_IN* base, i64 row, i64, int first, int count, int k0) {
    rows.Start(base, row, first, count, k0);
  }
  TRT_DEVICE void Load(u32 tile, int k_end) { rows.Load(tile, k_end); }
};
template <int kRows>
struct OperandLoader<kRows, 0> {
  StridedLoader<TRT_IN, kRows, kThreads> any;
  TRT_DEVICE void Start(const TRT_IN* base, i64 row, i64 column, int first, int count, int k0) {
    any.Start(base, row, column, first, count, k0);
  }
  TRT_DEVICE void Load(u32 tile, int k_end) { any.Load(tile, k_end); }
};

#ifndef TRT_STREAM  // gemm_stream.cu has the copy engine
struct Loader {
#if CONV
  WindowLoader<TRT_IN, TILE_M, kThreads, A_ALIGN> a;
  const TRT_IN* image;
#else
  OperandLoader<TILE_M, A_ALIGN> a;
#endif
  OperandLoader<TILE_N, B_ALIGN> b;
  int k_end;

  TRT_DEVICE void Start(const Params& p, const Place& at, int k0) {
    k_end = p.k;
    const TRT_IN* a_base = p.a + BatchOffset(p, p.a_batch, at.batch);
#if CONV
    image = a_base;
    a.Start(a_base, p.conv, at.row, p.m, k0);
#else
    a.Start(a_base, p.a_row, p.a_column, at.row, p.m, k0);
#endif
    b.Start(p.b + BatchOffset(p, p.b_batch, at.batch), p.b_row, p.b_column, at.column, p.n, k0);
  }
  TRT_DEVICE void LoadA(u32 stage, const Params& p) {
#if CONV
    a.Load(stage, p.conv, image);
#else
    a.Load(stage, k_end);
#endif
  }
  TRT_DEVICE void LoadB(u32 stage) { b.Load(stage + kBytesA, k_end); }
};

#endif  // TRT_STREAM

#endif  // TILE_M
