// The instructions that matrix kernels are made of: asynchronous copies, matrix loads, matrix
// products, clusters. Device code only. Shared memory is addressed by its 32-bit window address.
//
// Tiles lie in shared memory as rows of 128 bytes whose eight 16-byte chunks are permuted by the row
// (Swizzle), which both ldmatrix and wgmma read without bank conflicts.
#pragma once

#include "common.cuh"

#define TRT_KERNEL extern "C" __global__

// The kernel's dynamic shared memory, 1024-byte aligned. The launch asks for 1024 bytes more.
TRT_DEVICE char* DynamicShared() {
  extern __shared__ char trt_dynamic_shared[];
  const u32 at = static_cast<u32>(__cvta_generic_to_shared(trt_dynamic_shared));
  return trt_dynamic_shared + ((1024u - (at & 1023u)) & 1023u);
}
TRT_DEVICE u32 SharedAddress(const void* p) {
  return static_cast<u32>(__cvta_generic_to_shared(p));
}
// Offset of 16-byte chunk `chunk` of row `row` in a tile.
TRT_DEVICE u32 Swizzle(u32 row, u32 chunk) {
  return row * 128 + ((chunk ^ (row & 7)) << 4);
}

// --- copies -------------------------------------------------------------------------------------
// kBytes (16, 8 or 4) to shared memory; only the first `bytes` (0..kBytes) are read, the rest are
// zeros.
template <int kBytes>
TRT_DEVICE void CopyAsync(u32 to, const void* from, int bytes) {
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
                 "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(kBytes),
                 "r"(bytes)
                 : "memory");
  }
}
TRT_DEVICE void CopyCommit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most kPending of this thread's groups are under way.
template <int kPending>
TRT_DEVICE void CopyWait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}
TRT_DEVICE u32 LoadSharedWord(u32 from) {
  u32 word;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(word) : "r"(from) : "memory");
  return word;
}
TRT_DEVICE void StoreShared(u32 to, const u32 (&v)[4]) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v[0]), "r"(v[1]),
               "r"(v[2]), "r"(v[3])
               : "memory");
}

// Values that are read once: 16 bytes, past the L1 cache. v is aligned to 16 bytes.
template <typename T, int kCount>
TRT_DEVICE void LoadStreaming(T (&v)[kCount], const T* from) {
  static_assert(sizeof(T) * kCount == 16, "one access");
  uint4 x;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
               : "l"(from));
  *reinterpret_cast<uint4*>(v) = x;
}

// --- warp products ------------------------------------------------------------------------------
// Four 8x16-byte matrices; lane l gives the address of row l % 8 of matrix l / 8.
TRT_DEVICE void LoadMatrix(u32 (&r)[4], u32 from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
// As LoadMatrix, each matrix of 16-bit values transposed.
TRT_DEVICE void LoadMatrixTransposed(u32 (&r)[4], u32 from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}

// d (16 x 8) += a (16 x 32 bytes) b^T (8 x 32 bytes). T: f16, bf16 or float (as TF32).
template <typename T>
TRT_DEVICE void Mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1);
template <>
TRT_DEVICE void Mma<f16>(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
TRT_DEVICE void Mma<bf16>(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
TRT_DEVICE void Mma<float>(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// The nearest TF32 value, as f32 bits.
TRT_DEVICE u32 RoundToTf32(float x) {
  u32 y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
  return y;
}
// x = high + low up to 2^-22 of x; low is 0 where high is no number.
TRT_DEVICE void SplitTf32(const u32 (&x)[4], u32 (&high)[4], u32 (&low)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    high[i] = RoundToTf32(BitsFloat(x[i]));
    const bool finite = (high[i] & 0x7f800000u) != 0x7f800000u;
    low[i] = finite ? RoundToTf32(BitsFloat(x[i]) - BitsFloat(high[i])) : 0u;
  }
}
// Two values rounded to 16 bits, `low` in the low half.
template <typename T>
TRT_DEVICE u32 PackPair(float low, float high);
template <>
TRT_DEVICE u32 PackPair<f16>(float low, float high) {
  u32 pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
template <>
TRT_DEVICE u32 PackPair<bf16>(float low, float high) {
  u32 pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// 2^x, within 2 ulp; 2^-inf = 0.
TRT_DEVICE float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// --- warpgroup products (sm_90a) ----------------------------------------------------------------
#ifdef TRT_MMA_TYPES  // "f16.f16" or "bf16.bf16"
// Ordinary stores and cp.async writes of this thread, before products that read them.
TRT_DEVICE void FenceSharedForProducts() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
TRT_DEVICE void WgmmaFence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
TRT_DEVICE void WgmmaCommit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int kPending>
TRT_DEVICE void WgmmaWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}
// Keeps the compiler from moving reads of accumulators above the wait before it.
template <int kCount>
TRT_DEVICE void WgmmaPin(float (&d)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(d[i])::"memory");
}
// A swizzled tile of rows of 128 bytes at `address` (1024-byte aligned but for the step along k).
TRT_DEVICE u64 TileDescriptor(u32 address) {
  constexpr u64 kLayout = (u64{1} << 62) | (u64{64} << 32) | (u64{1} << 16);
  return kLayout | ((address & 0x3FFFF) >> 4);
}
#define TRT_REGS4(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define TRT_REGS16(d, i) \
  TRT_REGS4(d, i), TRT_REGS4(d, i + 4), TRT_REGS4(d, i + 8), TRT_REGS4(d, i + 12)
// d (64 x 64) += a (64 x 16) b^T (64 x 16).
TRT_DEVICE void Wgmma(float (&d)[32], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32." TRT_MMA_TYPES " {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
      "}, %32, %33, 1, 1, 1, 0, 0;"
      : TRT_REGS16(d, 0), TRT_REGS16(d, 16)
      : "l"(a), "l"(b));
}
// d (64 x 128) += a (64 x 16) b^T (128 x 16).
TRT_DEVICE void Wgmma(float (&d)[64], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32." TRT_MMA_TYPES " {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
      "}, %64, %65, 1, 1, 1, 0, 0;"
      : TRT_REGS16(d, 0), TRT_REGS16(d, 16), TRT_REGS16(d, 32), TRT_REGS16(d, 48)
      : "l"(a), "l"(b));
}
// d (64 x 160) += a (64 x 16) b^T (160 x 16).
TRT_DEVICE void Wgmma(float (&d)[80], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n160k16.f32." TRT_MMA_TYPES " {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
      "}, %80, %81, 1, 1, 1, 0, 0;"
      : TRT_REGS16(d, 0), TRT_REGS16(d, 16), TRT_REGS16(d, 32), TRT_REGS16(d, 48), TRT_REGS16(d, 64)
      : "l"(a), "l"(b));
}
// d (64 x 192) += a (64 x 16) b^T (192 x 16).
TRT_DEVICE void Wgmma(float (&d)[96], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n192k16.f32." TRT_MMA_TYPES " {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
      "}, %96, %97, 1, 1, 1, 0, 0;"
      : TRT_REGS16(d, 0), TRT_REGS16(d, 16), TRT_REGS16(d, 32), TRT_REGS16(d, 48), TRT_REGS16(d, 64), TRT_REGS16(d, 80)
      : "l"(a), "l"(b));
}
// d (64 x 256) += a (64 x 16) b^T (256 x 16).
TRT_DEVICE void Wgmma(float (&d)[128], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n256k16.f32." TRT_MMA_TYPES " {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
      "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
      "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
      "}, %128, %129, 1, 1, 1, 0, 0;"
      : TRT_REGS16(d, 0), TRT_REGS16(d, 16), TRT_REGS16(d, 32), TRT_REGS16(d, 48), TRT_REGS16(d, 64), TRT_REGS16(d, 80), TRT_REGS16(d, 96), TRT_REGS16(d, 112)
      : "l"(a), "l"(b));
}
#undef TRT_REGS16
#undef TRT_REGS4
#endif  // TRT_MMA_TYPES

// --- clusters (sm_90) ---------------------------------------------------------------------------
#ifdef TRT_CLUSTERS
// All blocks of the cluster arrive; their earlier writes to shared memory are visible after it.
TRT_DEVICE void ClusterSync() {
  asm volatile("barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;" ::: "memory");
}
// Four floats at `address` of the shared memory of the cluster's block `rank`.
TRT_DEVICE void LoadRemote(float (&v)[4], u32 address, u32 rank) {
  asm volatile(
      "{ .reg .b32 remote; mapa.shared::cluster.u32 remote, %4, %5; "
      "ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [remote]; }"
      : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3])
      : "r"(address), "r"(rank)
      : "memory");
}
#endif  // TRT_CLUSTERS
