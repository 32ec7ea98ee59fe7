// Packed weights: the layout in which matrix products and convolutions read their second operand.
//
// A matrix of n columns and K = taps * run rows is cut into panels of 16 columns, zero-padded on
// the right. Inside a panel k runs slowest: f32 and f16 [K][16]; bf16 in pairs of k,
// [taps][ceil(run / 2)][16][2], each run zero-padded to an even length. A plain matrix is one tap.
// Plan files hold packed weights and every instruction set reads the same layout: never change it.
// Plain functions on caller memory; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/types/data_type.h"
#include "core/types/sym_int.h"

namespace torch_tensorrt::core::kernels {

// The matrix to pack: element (column, k) lies at data[column * column_stride + k * k_stride].
// A [K, N] row-major matrix has strides 1 and N; a [N, K] one (linear weights) has strides K and 1.
struct PackSource {
  const void* data = nullptr;
  DataType dtype = DataType::kFloat32;
  int64_t column_stride = 1;
  int64_t k_stride = 1;
};

// Whether weights of this type can be packed: f32, f16, bf16.
bool CanPack(DataType dtype);
// Panels of n columns.
int64_t PanelCount(int64_t n);
// Bytes of one panel. REQUIRES: CanPack(dtype).
int64_t PanelBytes(DataType dtype, int64_t taps, int64_t run);
// Bytes of all panels of n columns.
int64_t PackedBytes(DataType dtype, int64_t n, int64_t taps, int64_t run);

// Writes panels [panel_begin, panel_end) at dst (where panel_begin starts). Serial.
// REQUIRES: source.dtype == dtype, or dtype is f32 and source.dtype f16 or bf16.
void PackPanels(const PackSource& source, DataType dtype, int64_t n, int64_t taps, int64_t run,
                int64_t panel_begin, int64_t panel_end, void* dst);
// All panels, in parallel.
void PackMatrix(const PackSource& source, DataType dtype, int64_t n, int64_t taps, int64_t run,
                void* dst);

// How the weights of a channels-last convolution are cut into taps. Where few channels would make
// runs short and the taps of a filter row are adjacent in memory, the row is one run.
struct ConvolutionTaps {
  int64_t taps = 1;
  int64_t run = 0;
  bool rows_merged = false;  // a tap is a whole filter row
};
// `kernel` and `dilation` have the 1 to 3 spatial dims.
ConvolutionTaps TapsOf(const Dims& kernel, const Dims& dilation, int64_t in_channels,
                       int64_t groups);
// Bytes of the packed weights: groups one after the other, each packed as a matrix.
int64_t PackedConvolutionBytes(DataType dtype, const ConvolutionTaps& taps, int64_t out_channels,
                               int64_t groups);
// Packs dense weights [O, spatial..., I/g] of type `dtype`, in parallel.
void PackConvolution(const void* weights, DataType dtype, const ConvolutionTaps& taps,
                     int64_t out_channels, int64_t groups, void* dst);

// Depthwise weights [O, spatial..., 1] become f32 [taps][ceil(O / 16) * 16], zero-padded, whatever
// their type. `order` says which tap of the filter comes where; none: as they are.
int64_t PackedDepthwiseBytes(const Dims& kernel, int64_t channels);
void PackDepthwise(const void* weights, DataType dtype, const Dims& kernel, int64_t channels,
                   void* dst, std::span<const int64_t> order = {});

}  // namespace torch_tensorrt::core::kernels
