#include "core/kernels/cpu/gemm/transposed.h"

#include <cstring>
#include <numeric>
#include <utility>

#include "core/types/data_type.h"
#include "core/util/parallel.h"

namespace torch_tensorrt::core::kernels {
namespace {

// The phases of one dim that read the same inputs.
struct Group {
  std::vector<int64_t> shifts;  // falling, so that taps read memory forwards
  std::vector<int64_t> phases;
  std::vector<std::vector<int64_t>> taps;  // [phase][shift]
};

std::vector<Group> GroupsOf(int64_t kernel, int64_t stride, int64_t dilation) {
  std::vector<Group> groups;
  for (int64_t phase = 0; phase < stride; ++phase) {
    std::vector<int64_t> shifts;
    std::vector<int64_t> taps;
    for (int64_t k = kernel - 1; k >= 0; --k) {
      if (k * dilation % stride != phase) continue;
      shifts.push_back((k * dilation - phase) / stride);
      taps.push_back(k);
    }
    size_t at = 0;
    while (at < groups.size() && groups[at].shifts != shifts) ++at;
    if (at == groups.size()) groups.push_back({std::move(shifts), {}, {}});
    groups[at].phases.push_back(phase);
    groups[at].taps.push_back(std::move(taps));
  }
  return groups;
}

// Calls f(i, j, k) for all indices below the sizes, the last one fastest.
template <typename F>
void ForEach3(size_t a, size_t b, size_t c, const F& f) {
  for (size_t i = 0; i < a; ++i) {
    for (size_t j = 0; j < b; ++j) {
      for (size_t k = 0; k < c; ++k) f(i, j, k);
    }
  }
}

TransposedProduct Combine(const Group& d, const Group& h, const Group& w, const Spatial3& kernel) {
  TransposedProduct product;
  ForEach3(d.shifts.size(), h.shifts.size(), w.shifts.size(), [&](size_t i, size_t j, size_t k) {
    product.shifts.push_back({d.shifts[i], h.shifts[j], w.shifts[k]});
  });
  ForEach3(d.phases.size(), h.phases.size(), w.phases.size(), [&](size_t a, size_t b, size_t c) {
    product.phases.push_back({d.phases[a], h.phases[b], w.phases[c]});
    ForEach3(d.shifts.size(), h.shifts.size(), w.shifts.size(), [&](size_t i, size_t j, size_t k) {
      product.filter.push_back((d.taps[a][i] * kernel[1] + h.taps[b][j]) * kernel[2] +
                               w.taps[c][k]);
    });
  });
  return product;
}

// The matrix of one product and group, row-major: k = (tap, input channel) by (phase, output
// channel).
std::vector<std::byte> Gather(const std::byte* weights, size_t element, int64_t filter_taps,
                              const TransposedProduct& product, const TransposedShape& shape,
                              int64_t group) {
  const int64_t in = shape.in_channels / shape.groups;
  const int64_t out = shape.out_channels / shape.groups;
  const size_t run = static_cast<size_t>(out) * element;
  std::vector<std::byte> matrix(static_cast<size_t>(product.taps() * in) * product.phases.size() *
                                run);
  std::byte* to = matrix.data();
  for (size_t tap = 0; tap < product.shifts.size(); ++tap) {
    for (int64_t i = group * in; i < (group + 1) * in; ++i) {
      for (size_t phase = 0; phase < product.phases.size(); ++phase, to += run) {
        const int64_t filter = product.filter[phase * product.shifts.size() + tap];
        std::memcpy(to, weights + static_cast<size_t>(i * filter_taps + filter) * run, run);
      }
    }
  }
  return matrix;
}

}  // namespace

Spatial3 ToSpatial3(const Dims& values, int64_t fallback) {
  Spatial3 out{fallback, fallback, fallback};
  for (size_t d = 0; d < values.size() && d < out.size(); ++d) {
    out[out.size() - values.size() + d] = values[d];
  }
  return out;
}

std::vector<TransposedProduct> TransposedProducts(const Dims& kernel, const Dims& stride,
                                                  const Dims& dilation) {
  const Spatial3 k = ToSpatial3(kernel, 1);
  const Spatial3 s = ToSpatial3(stride, 1);
  const Spatial3 d = ToSpatial3(dilation, 1);
  const std::vector<Group> depth = GroupsOf(k[0], s[0], d[0]);
  const std::vector<Group> height = GroupsOf(k[1], s[1], d[1]);
  const std::vector<Group> width = GroupsOf(k[2], s[2], d[2]);
  std::vector<TransposedProduct> products;
  ForEach3(depth.size(), height.size(), width.size(), [&](size_t i, size_t j, size_t l) {
    products.push_back(Combine(depth[i], height[j], width[l], k));
  });
  return products;
}

std::vector<DepthwisePhase> DepthwisePhases(int64_t kernel, int64_t stride, int64_t dilation) {
  std::vector<DepthwisePhase> phases(static_cast<size_t>(stride));
  for (int64_t phase = 0; phase < stride; ++phase) {
    DepthwisePhase& one = phases[static_cast<size_t>(phase)];
    one.phase = phase;
    one.step = dilation / std::gcd(dilation, stride);
    for (int64_t k = kernel - 1; k >= 0; --k) {
      if (k * dilation % stride != phase) continue;
      if (one.taps.empty()) one.farthest = (k * dilation - phase) / stride;
      one.taps.push_back(k);
    }
  }
  return phases;
}

std::vector<int64_t> DepthwiseOrder(const Dims& kernel, int64_t stride, int64_t dilation) {
  const int64_t width = kernel.back();
  const int64_t rows = NumElements(kernel) / width;
  std::vector<int64_t> order;
  for (const DepthwisePhase& phase : DepthwisePhases(width, stride, dilation)) {
    for (int64_t row = 0; row < rows; ++row) {
      for (const int64_t tap : phase.taps) order.push_back(row * width + tap);
    }
  }
  return order;
}

int64_t PackedTransposedBytes(DataType dtype, const std::vector<TransposedProduct>& products,
                              const TransposedShape& shape) {
  const int64_t in = shape.in_channels / shape.groups;
  const int64_t out = shape.out_channels / shape.groups;
  int64_t bytes = 0;
  for (const TransposedProduct& product : products) {
    bytes += shape.groups * PackedBytes(dtype, product.columns(out), product.taps(), in);
  }
  return bytes;
}

void PackTransposed(const void* weights, DataType dtype,
                    const std::vector<TransposedProduct>& products, const TransposedShape& shape,
                    void* dst) {
  const int64_t in = shape.in_channels / shape.groups;
  const int64_t out = shape.out_channels / shape.groups;
  int64_t filter_taps = 0;
  for (const TransposedProduct& product : products) {
    filter_taps += product.taps() * static_cast<int64_t>(product.phases.size());
  }
  auto* to = static_cast<std::byte*>(dst);
  for (const TransposedProduct& product : products) {
    const int64_t columns = product.columns(out);
    const int64_t bytes = PackedBytes(dtype, columns, product.taps(), in);
    ParallelFor(shape.groups, 1, [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t group = begin; group < end; ++group) {
        const std::vector<std::byte> matrix =
            Gather(static_cast<const std::byte*>(weights), SizeOf(dtype), filter_taps, product,
                   shape, group);
        PackPanels({matrix.data(), dtype, 1, columns}, dtype, columns, product.taps(), in, 0,
                   PanelCount(columns), to + group * bytes);
      }
    });
    to += shape.groups * bytes;
  }
}

}  // namespace torch_tensorrt::core::kernels
