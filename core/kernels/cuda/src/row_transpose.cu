// Copies that turn two dims, by square tiles of kTile elements in shared memory: reads are dense
// along dim A, writes along dim B. ELEMENT is an unsigned integer of the element's size.
#include "common.cuh"

constexpr int kWarp = 32;
constexpr int kRows = 8;

struct Params {
  const ELEMENT* in;
  ELEMENT* out;
  i64 size_a;
  i64 size_b;
  i64 in_b;   // stride of the input along B; along A it is 1
  i64 out_a;  // stride of the output along A; along B it is 1
  Divisor tiles_a;
  Divisor tiles_b;
  Divisor batch1;  // sizes of the inner batch dims; the outermost takes the rest
  Divisor batch2;
  i64 in_batch[3];
  i64 out_batch[3];
};

extern "C" __global__ void __launch_bounds__(kWarp* kRows) transpose(const Params p) {
  WaitForPrevious();
  __shared__ ELEMENT tile[kTile][kTile + 1];
  const u32 rest = Quotient(static_cast<u32>(blockIdx.x), p.tiles_a);
  const int a0 = static_cast<int>(blockIdx.x - rest * p.tiles_a.value) * kTile;
  const u32 batch = Quotient(rest, p.tiles_b);
  const int b0 = static_cast<int>(rest - batch * p.tiles_b.value) * kTile;
  const u32 q2 = Quotient(batch, p.batch2);
  const u32 q1 = Quotient(q2, p.batch1);
  const i64 i2 = batch - q2 * p.batch2.value, i1 = q2 - q1 * p.batch1.value, i0 = q1;
  const ELEMENT* in = p.in + i0 * p.in_batch[0] + i1 * p.in_batch[1] + i2 * p.in_batch[2];
  ELEMENT* out = p.out + i0 * p.out_batch[0] + i1 * p.out_batch[1] + i2 * p.out_batch[2];
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int y = 0; y < kTile; y += kRows) {
#pragma unroll
    for (int x = 0; x < kTile; x += kWarp) {
      if (a0 + x + lane < p.size_a && b0 + y + row < p.size_b) {
        tile[y + row][x + lane] = in[a0 + x + lane + (b0 + y + row) * p.in_b];
      }
    }
  }
  __syncthreads();
#pragma unroll
  for (int y = 0; y < kTile; y += kRows) {
#pragma unroll
    for (int x = 0; x < kTile; x += kWarp) {
      if (b0 + x + lane < p.size_b && a0 + y + row < p.size_a) {
        out[b0 + x + lane + (a0 + y + row) * p.out_a] = tile[x + lane][y + row];
      }
    }
  }
}
