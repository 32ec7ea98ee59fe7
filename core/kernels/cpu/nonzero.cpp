// cpu.nonzero: indices of the elements that are not zero, of dense elements of one byte.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/reference/shapes.h"

namespace torch_tensorrt::core::kernels {
namespace {

// Elements that one thread takes at a time.
constexpr int64_t kBlock = 1 << 14;
constexpr int64_t kWord = 8;

int64_t Blocks(int64_t elements) { return (elements + kBlock - 1) / kBlock; }

int64_t CountIn(const uint8_t* data, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += data[i] != 0 ? 1 : 0;
  return count;
}

// Calls found(i) for each element of [begin, end) that is not zero.
template <typename Found>
void ForEachNonZero(const uint8_t* data, int64_t begin, int64_t end, const Found& found) {
  int64_t i = begin;
  while (i < end) {
    uint64_t word = 0;
    if (end - i >= kWord) std::memcpy(&word, data + i, sizeof(word));
    if (end - i >= kWord && word == 0) {
      i += kWord;
      continue;
    }
    const int64_t stop = std::min(end, i + kWord);
    for (; i < stop; ++i) {
      if (data[i] != 0) found(i);
    }
  }
}

class NonZeroKernel : public Kernel {
 public:
  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("NonZero", args, 1, 1));
    const TensorView& x = args.inputs[0];
    if (SizeOf(x.dtype) != 1) {
      return Unsupported("[NonZero] dtype ", DataTypeName(x.dtype), ", expected one of one byte");
    }
    if (!IsDense(x) || !IsDense(args.outputs[0])) {
      return Unsupported("[NonZero] a tensor that is not contiguous; copy it first");
    }
    Prepared prepared;
    prepared.scratch_bytes = Idx(Blocks(x.numel())) * sizeof(int64_t);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    const TensorView& x = args.inputs[0];
    const TensorView& out = args.outputs[0];
    const int64_t n = x.numel();
    const auto* data = x.as<const uint8_t>();
    auto* first = reinterpret_cast<int64_t*>(args.scratch);  // of each block's indices
    ParallelFor(Blocks(n), 1, [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t b = begin; b < end; ++b) {
        first[b] = CountIn(data + b * kBlock, std::min(kBlock, n - b * kBlock));
      }
    });
    int64_t found = 0;
    for (int64_t b = 0; b < Blocks(n); ++b) found += std::exchange(first[b], found);
    TRT_RETURN_IF_ERROR(reference::CheckFound(found, out.dims[0]));
    ParallelFor(Blocks(n), 1, [&](int64_t begin, int64_t end, int /*thread*/) {
      for (int64_t b = begin; b < end; ++b) {
        WriteBlock(x, b * kBlock, std::min(n, (b + 1) * kBlock),
                   out.as<int64_t>() + first[b] * x.rank);
      }
    });
    return Status::Ok();
  }

 private:
  static void WriteBlock(const TensorView& x, int64_t begin, int64_t end, int64_t* out) {
    const auto* data = x.as<const uint8_t>();
    if (x.rank == 1) {
      ForEachNonZero(data, begin, end, [&](int64_t i) { *out++ = i; });
      return;
    }
    ForEachNonZero(data, begin, end, [&](int64_t i) {
      for (int d = x.rank - 1; d >= 0; --d) {
        const int64_t next = i / x.dims[Idx(d)];
        out[d] = i - next * x.dims[Idx(d)];
        i = next;
      }
      out += x.rank;
    });
  }
};

}  // namespace

KernelResult CreateNonZero(const Attributes& /*attributes*/) {
  return std::unique_ptr<const Kernel>(std::make_unique<NonZeroKernel>());
}

}  // namespace torch_tensorrt::core::kernels
