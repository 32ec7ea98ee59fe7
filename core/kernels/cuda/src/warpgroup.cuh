// What kernels whose warpgroups share out loading and computing are made of (sm_90a): barriers in
// shared memory, copies of whole tiles by the tensor copy engine, products with an operand in
// registers. Device code only; tests replace it as they do mma.cuh.
#pragma once

#include "mma.cuh"

// What the copy engine is told of a tensor, encoded by the driver (core/device/cuda/gpu.h).
struct alignas(64) TensorMap {
  u64 words[16];
};

// --- barriers -----------------------------------------------------------------------------------
// A barrier is 8 bytes of shared memory. Its phases end when all arrivals, and all bytes that
// arrivals announced, are there.
TRT_DEVICE void BarrierStart(u32 barrier, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
// After the last BarrierStart, before the __syncthreads that lets others use them.
TRT_DEVICE void BarriersStarted() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
TRT_DEVICE void BarrierArrive(u32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// Arrives and announces `bytes` that copies will bring.
TRT_DEVICE void BarrierExpect(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}
// Until the phase of this parity (0 for the first, 1, 0, ...) has ended. The phase before the first
// counts as ended.
TRT_DEVICE void BarrierWait(u32 barrier, u32 parity) {
  u32 done;
  do {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; "
        "selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(barrier), "r"(parity)
        : "memory");
  } while (done == 0);
}
// `threads` threads, whole warps, meet at barrier `id` (1..15).
TRT_DEVICE void GroupSync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// A warpgroup's threads keep kCount registers each (a multiple of 8): fewer than they were launched
// with, or more, of those that others gave.
template <int kCount>
TRT_DEVICE void GiveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
}
template <int kCount>
TRT_DEVICE void TakeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
}

// --- copies of tiles ----------------------------------------------------------------------------
// A box of the tensor from (c0, c1) on, swizzled as mma.cuh says; zeros outside the tensor.
TRT_DEVICE void CopyBox(u32 to, const TensorMap& map, int c0, int c1, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3}], [%4];" ::"r"(to),
      "l"(&map), "r"(c0), "r"(c1), "r"(barrier)
      : "memory");
}
TRT_DEVICE void CopyBox(u32 to, const TensorMap& map, int c0, int c1, int c2, int c3, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(to),
      "l"(&map), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(barrier)
      : "memory");
}
// Channels c ... of consecutive windows of a channels-last image, at tap (dx, dy) of each window; the
// first window's corner is (x, y) of image n.
TRT_DEVICE void CopyWindows(u32 to, const TensorMap& map, int c, int x, int y, int n, int dx, int dy,
                            u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5}], [%6], {%7, %8};" ::"r"(to),
      "l"(&map), "r"(c), "r"(x), "r"(y), "r"(n), "r"(barrier), "h"(static_cast<u16>(dx)),
      "h"(static_cast<u16>(dy))
      : "memory");
}

// --- products -----------------------------------------------------------------------------------
#ifdef TRT_MMA_TYPES
// As WgmmaPin, for sums in blocks of 8 columns: d[j] holds those of columns 8 j ... .
template <int kBlocks>
TRT_DEVICE void WgmmaPin(float (&d)[kBlocks][4]) {
#pragma unroll
  for (int j = 0; j < kBlocks; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) asm volatile("" : "+f"(d[j][e])::"memory");
  }
}
// A swizzled tile whose rows of 128 bytes are the k of a product and whose columns go on `part_bytes`
// later after 64 of them.
TRT_DEVICE u64 ColumnsDescriptor(u32 address, u32 part_bytes) {
  constexpr u64 kLayout = (u64{1} << 62) | (u64{64} << 32);
  return kLayout | static_cast<u64>(part_bytes >> 4) << 16 | ((address & 0x3FFFF) >> 4);
}

#define TRT_BLOCK(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
#define TRT_BLOCKS2(j) TRT_BLOCK(j), TRT_BLOCK(j + 1)
// TRT_LISTn, TRT_OUTn: the operands of 16 n columns of sums.
#define TRT_LIST1 "%0, %1, %2, %3, %4, %5, %6, %7"
#define TRT_OUT1 TRT_BLOCKS2(0)
#define TRT_LIST2 TRT_LIST1 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define TRT_OUT2 TRT_OUT1, TRT_BLOCKS2(2)
#define TRT_LIST3 TRT_LIST2 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define TRT_OUT3 TRT_OUT2, TRT_BLOCKS2(4)
#define TRT_LIST4 TRT_LIST3 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define TRT_OUT4 TRT_OUT3, TRT_BLOCKS2(6)
#define TRT_LIST5 TRT_LIST4 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define TRT_OUT5 TRT_OUT4, TRT_BLOCKS2(8)
#define TRT_LIST6 TRT_LIST5 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define TRT_OUT6 TRT_OUT5, TRT_BLOCKS2(10)
#define TRT_LIST7 TRT_LIST6 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define TRT_OUT7 TRT_OUT6, TRT_BLOCKS2(12)
#define TRT_LIST8 TRT_LIST7 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define TRT_OUT8 TRT_OUT7, TRT_BLOCKS2(14)
// d (64 x 8 kBlocks) = a (64 x 16) b^T (8 kBlocks x 16), both of TileDescriptor; kAdd 1: += .
#define TRT_SCORES(blocks, columns, list, outs, a_at, b_at, add_at)                          \
  template <int kAdd>                                                                        \
  TRT_DEVICE void WgmmaScores(float (&d)[blocks][4], u64 a, u64 b) {                         \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." TRT_MMA_TYPES " {"   \
                 list "}, " a_at ", " b_at ", " add_at ", 1, 1, 0, 0;"                       \
                 : outs                                                                      \
                 : "l"(a), "l"(b), "n"(kAdd));                                               \
  }
TRT_SCORES(8, "64", TRT_LIST4, TRT_OUT4, "%32", "%33", "%34")
TRT_SCORES(12, "96", TRT_LIST6, TRT_OUT6, "%48", "%49", "%50")
TRT_SCORES(16, "128", TRT_LIST8, TRT_OUT8, "%64", "%65", "%66")
#undef TRT_SCORES
// d (64 x 8 kBlocks) += a (64 x 16) b (16 x 8 kBlocks): a as Mma takes it, each warp 16 rows; b of
// ColumnsDescriptor.
#define TRT_VALUES(blocks, columns, list, outs, a_at, b_at)                                  \
  TRT_DEVICE void WgmmaValues(float (&d)[blocks][4], const u32 (&a)[4], u64 b) {             \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" columns "k16.f32." TRT_MMA_TYPES " {"   \
                 list "}, " a_at ", " b_at ", 1, 1, 1, 1;"                                   \
                 : outs                                                                      \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));                      \
  }
TRT_VALUES(2, "16", TRT_LIST1, TRT_OUT1, "{%8, %9, %10, %11}", "%12")
TRT_VALUES(4, "32", TRT_LIST2, TRT_OUT2, "{%16, %17, %18, %19}", "%20")
TRT_VALUES(6, "48", TRT_LIST3, TRT_OUT3, "{%24, %25, %26, %27}", "%28")
TRT_VALUES(8, "64", TRT_LIST4, TRT_OUT4, "{%32, %33, %34, %35}", "%36")
TRT_VALUES(10, "80", TRT_LIST5, TRT_OUT5, "{%40, %41, %42, %43}", "%44")
TRT_VALUES(12, "96", TRT_LIST6, TRT_OUT6, "{%48, %49, %50, %51}", "%52")
TRT_VALUES(14, "112", TRT_LIST7, TRT_OUT7, "{%56, %57, %58, %59}", "%60")
TRT_VALUES(16, "128", TRT_LIST8, TRT_OUT8, "{%64, %65, %66, %67}", "%68")
#undef TRT_VALUES
#undef TRT_LIST1
#undef TRT_OUT1
#undef TRT_LIST2
#undef TRT_OUT2
#undef TRT_LIST3
#undef TRT_OUT3
#undef TRT_LIST4
#undef TRT_OUT4
#undef TRT_LIST5
#undef TRT_OUT5
#undef TRT_LIST6
#undef TRT_OUT6
#undef TRT_LIST7
#undef TRT_OUT7
#undef TRT_LIST8
#undef TRT_OUT8
#undef TRT_BLOCKS2
#undef TRT_BLOCK
#endif  // TRT_MMA_TYPES
