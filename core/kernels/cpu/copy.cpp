// cpu.copy and cpu.concat: elements between strided views.
#include <cstring>
#include <utility>

#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/cpu/gemm/select.h"

namespace torch_tensorrt::core::kernels {
namespace {

constexpr int64_t kTileColumns = 256;
constexpr int64_t kTileRows = 32;

// A loop nest over both sides, dims of size 1 dropped and dims that continue each other merged.
struct Nest {
  int rank = 0;
  int64_t dims[kMaxRank] = {};
  int64_t from[kMaxRank] = {};  // strides in elements
  int64_t to[kMaxRank] = {};

  void Remove(int d) {
    for (--rank; d < rank; ++d) {
      dims[d] = dims[d + 1];
      from[d] = from[d + 1];
      to[d] = to[d + 1];
    }
  }
  int64_t Count() const {
    int64_t count = 1;
    for (int d = 0; d < rank; ++d) count *= dims[d];
    return count;
  }
};

Nest MakeNest(const TensorView& from, const TensorView& to) {
  Nest nest;
  for (int d = 0; d < to.rank; ++d) {
    const int64_t size = to.dims[Idx(d)];
    const int64_t f = from.strides[Idx(d)];
    const int64_t t = to.strides[Idx(d)];
    if (size == 1) continue;
    const int last = nest.rank - 1;
    if (last >= 0 && nest.from[last] == f * size && nest.to[last] == t * size) {
      nest.dims[last] *= size;
      nest.from[last] = f;
      nest.to[last] = t;
      continue;
    }
    nest.dims[nest.rank] = size;
    nest.from[nest.rank] = f;
    nest.to[nest.rank] = t;
    ++nest.rank;
  }
  return nest;
}

// Calls f(from offset, to offset) for the points [begin, end) of the nest in row-major order.
template <typename F>
void WalkNest(const Nest& nest, int64_t begin, int64_t end, const F& f) {
  int64_t index[kMaxRank] = {};
  int64_t from = 0;
  int64_t to = 0;
  int64_t rest = begin;
  for (int d = nest.rank - 1; d >= 0; --d) {
    index[d] = rest % nest.dims[d];
    rest /= nest.dims[d];
    from += index[d] * nest.from[d];
    to += index[d] * nest.to[d];
  }
  for (int64_t i = begin; i < end; ++i) {
    f(from, to);
    for (int d = nest.rank - 1; d >= 0; --d) {
      from += nest.from[d];
      to += nest.to[d];
      if (++index[d] < nest.dims[d]) break;
      from -= nest.dims[d] * nest.from[d];
      to -= nest.dims[d] * nest.to[d];
      index[d] = 0;
    }
  }
}

struct Side {
  const std::byte* from;
  std::byte* to;
  int64_t size;  // bytes of an element
};

// Runs of n elements with unit stride on both sides.
void CopyRuns(const Nest& outer, int64_t n, const Side& side) {
  const auto bytes = Idx(n * side.size);
  ParallelFor(outer.Count(), GrainOf(n), [&](int64_t begin, int64_t end, int /*thread*/) {
    WalkNest(outer, begin, end, [&](int64_t from, int64_t to) {
      std::memcpy(side.to + to * side.size, side.from + from * side.size, bytes);
    });
  });
}

template <typename T>
void CopyStrided(const Nest& outer, int64_t n, int64_t from_step, int64_t to_step,
                 const Side& side) {
  ParallelFor(outer.Count(), GrainOf(n), [&](int64_t begin, int64_t end, int /*thread*/) {
    WalkNest(outer, begin, end, [&](int64_t from, int64_t to) {
      const T* source = reinterpret_cast<const T*>(side.from) + from;
      T* target = reinterpret_cast<T*>(side.to) + to;
      for (int64_t i = 0; i < n; ++i) target[i * to_step] = source[i * from_step];
    });
  });
}

// A plane whose source runs along rows and whose target runs along columns.
struct Plane {
  int64_t rows = 0;         // source stride 1
  int64_t columns = 0;      // target stride 1
  int64_t from_column = 0;  // source stride of a column
  int64_t to_row = 0;       // target stride of a row
};

template <typename T>
void TransposeTile(const T* from, T* to, const Plane& plane, int64_t rows, int64_t columns) {
  if constexpr (sizeof(T) == sizeof(float)) {
    GemmMicro().transpose_f32(reinterpret_cast<const float*>(from), plane.from_column,
                              reinterpret_cast<float*>(to), plane.to_row, rows, columns);
  } else {
    constexpr int64_t kBlock = 8;
    for (int64_t c0 = 0; c0 < columns; c0 += kBlock) {
      const int64_t c1 = std::min(columns, c0 + kBlock);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = c0; c < c1; ++c)
          to[r * plane.to_row + c] = from[c * plane.from_column + r];
      }
    }
  }
}

template <typename T>
void TransposePlanes(const Nest& outer, const Plane& plane, const Side& side) {
  const int64_t row_tiles = (plane.rows + kTileRows - 1) / kTileRows;
  const int64_t column_tiles = (plane.columns + kTileColumns - 1) / kTileColumns;
  Nest tiles = outer;
  tiles.dims[tiles.rank] = row_tiles;
  tiles.from[tiles.rank] = 0;
  tiles.to[tiles.rank++] = 0;
  const int64_t work = std::min(kTileRows, plane.rows) * plane.columns;
  ParallelFor(tiles.Count(), GrainOf(work), [&](int64_t begin, int64_t end, int /*thread*/) {
    int64_t tile = begin % row_tiles;
    WalkNest(tiles, begin, end, [&](int64_t from, int64_t to) {
      const int64_t r = tile * kTileRows;
      tile = tile + 1 == row_tiles ? 0 : tile + 1;
      for (int64_t k = 0; k < column_tiles; ++k) {
        const int64_t c = k * kTileColumns;
        TransposeTile(reinterpret_cast<const T*>(side.from) + from + c * plane.from_column + r,
                      reinterpret_cast<T*>(side.to) + to + r * plane.to_row + c, plane,
                      std::min(kTileRows, plane.rows - r),
                      std::min(kTileColumns, plane.columns - c));
      }
    });
  });
}

// Calls f with a value of an unsigned type of the element's size.
template <typename F>
void DispatchSize(int64_t size, const F& f) {
  switch (size) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

// The dim, other than the last, along which the source is contiguous; -1 if there is none.
int SourceRunDim(const Nest& nest) {
  for (int d = nest.rank - 2; d >= 0; --d) {
    if (nest.from[d] == 1) return d;
  }
  return -1;
}

class CopyKernel : public Kernel {
 public:
  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("Copy", args, 1, 1));
    const TensorView& in = args.inputs[0];
    const TensorView& out = args.outputs[0];
    bool same = in.rank == out.rank && in.dtype == out.dtype;
    for (int d = 0; same && d < in.rank; ++d) same = in.dims[Idx(d)] == out.dims[Idx(d)];
    if (!same) return InvalidArgument("[Copy] input and output differ in dtype or dims");
    return Prepared{};
  }
  Status Run(const RunArgs& args) const override {
    CopyView(args.inputs[0], args.outputs[0]);
    return Status::Ok();
  }
};

class ConcatKernel : public Kernel {
 public:
  explicit ConcatKernel(int axis) : axis_(axis) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("Concat", args, 1, 1));
    const TensorView& out = args.outputs[0];
    int64_t total = 0;
    for (const TensorView& in : args.inputs) {
      if (in.rank != out.rank || in.dtype != out.dtype || axis_ < 0 || axis_ >= in.rank) {
        return InvalidArgument("[Concat] input of rank ", in.rank, " and dtype ",
                               DataTypeName(in.dtype), " along axis ", axis_);
      }
      total += in.dims[Idx(axis_)];
    }
    if (total == out.dims[Idx(axis_)]) return Prepared{};
    return InvalidArgument("[Concat] inputs have ", total, " along axis ", axis_,
                           ", the output has ", out.dims[Idx(axis_)]);
  }

  Status Run(const RunArgs& args) const override {
    const TensorView& out = args.outputs[0];
    bool dense = out.contiguous();
    for (const TensorView& in : args.inputs) dense = dense && in.contiguous();
    if (dense) {
      CopyRows(args);
      return Status::Ok();
    }
    int64_t start = 0;
    for (const TensorView& in : args.inputs) {
      TensorView part = out;
      part.data = ElementAt(out, start * out.strides[Idx(axis_)]);
      part.dims[Idx(axis_)] = in.dims[Idx(axis_)];
      CopyView(in, part);
      start += in.dims[Idx(axis_)];
    }
    return Status::Ok();
  }

 private:
  // All sides dense: row by row over the dims before the axis.
  void CopyRows(const RunArgs& args) const {
    const TensorView& out = args.outputs[0];
    int64_t outer = 1;
    int64_t row = static_cast<int64_t>(SizeOf(out.dtype));
    for (int d = 0; d < axis_; ++d) outer *= out.dims[Idx(d)];
    for (int d = axis_ + 1; d < out.rank; ++d) row *= out.dims[Idx(d)];
    const int64_t out_row = row * out.dims[Idx(axis_)];
    ParallelFor(outer, GrainOf(out_row / 4), [&](int64_t begin, int64_t end, int /*thread*/) {
      std::byte* first = out.as<std::byte>();
      for (const TensorView& in : args.inputs) {
        const int64_t bytes = row * in.dims[Idx(axis_)];
        const auto* from = in.as<const std::byte>();
        for (int64_t r = begin; r < end && bytes != 0; ++r) {
          std::memcpy(first + r * out_row, from + r * bytes, Idx(bytes));
        }
        first += bytes;
      }
    });
  }

  int axis_;
};

}  // namespace

void CopyView(const TensorView& from, const TensorView& to) {
  if (to.numel() == 0) return;
  Nest nest = MakeNest(from, to);
  const Side side{from.as<const std::byte>(), to.as<std::byte>(),
                  static_cast<int64_t>(SizeOf(to.dtype))};
  const int last = nest.rank - 1;
  if (last < 0) {
    std::memcpy(side.to, side.from, Idx(side.size));
    return;
  }
  const int64_t n = nest.dims[last];
  const int64_t from_step = nest.from[last];
  const int64_t to_step = nest.to[last];
  const int run = SourceRunDim(nest);
  nest.Remove(last);
  if (from_step == 1 && to_step == 1) return CopyRuns(nest, n, side);
  if (to_step == 1 && run >= 0 && n >= 4 && nest.dims[run] >= 4) {
    const Plane plane{nest.dims[run], n, from_step, nest.to[run]};
    nest.Remove(run);
    return DispatchSize(side.size,
                        [&](auto word) { TransposePlanes<decltype(word)>(nest, plane, side); });
  }
  DispatchSize(side.size,
               [&](auto word) { CopyStrided<decltype(word)>(nest, n, from_step, to_step, side); });
}

KernelResult CreateCopy(const Attributes& /*attributes*/) {
  return std::unique_ptr<const Kernel>(std::make_unique<CopyKernel>());
}

KernelResult CreateConcat(const Attributes& attributes) {
  return std::unique_ptr<const Kernel>(
      std::make_unique<ConcatKernel>(static_cast<int>(attributes.Int("axis"))));
}

}  // namespace torch_tensorrt::core::kernels
