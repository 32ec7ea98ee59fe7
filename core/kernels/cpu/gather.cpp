// cpu.gather: whole rows of dense data, picked by indices.
#include <atomic>
#include <cstring>

#include "core/kernels/cpu/cpu_kernels.h"

namespace torch_tensorrt::core::kernels {
namespace {

int64_t ReadIndex(const TensorView& view, int64_t i) {
  switch (view.dtype) {
    case DataType::kInt64:
      return view.as<const int64_t>()[i];
    case DataType::kInt32:
      return view.as<const int32_t>()[i];
    case DataType::kInt16:
      return view.as<const int16_t>()[i];
    case DataType::kInt8:
      return view.as<const int8_t>()[i];
    default:
      return view.as<const uint8_t>()[i];
  }
}

class GatherKernel : public Kernel {
 public:
  explicit GatherKernel(const Attributes& attributes)
      : axis_(static_cast<int>(attributes.Int("axis"))), wrap_(attributes.Bool("allow_negative")) {}

  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    TRT_RETURN_IF_ERROR(CheckCounts("Gather", args, 2, 1));
    const TensorView& data = args.inputs[0];
    const TensorView& index = args.inputs[1];
    if (axis_ < 0 || axis_ >= data.rank || !IsInteger(index.dtype)) {
      return InvalidArgument("[Gather] axis ", axis_, " of rank ", data.rank, ", indices of dtype ",
                             DataTypeName(index.dtype));
    }
    if (!IsDense(data) || !IsDense(index) || !IsDense(args.outputs[0])) {
      return Unsupported("[Gather] a tensor that is not contiguous; copy it first");
    }
    return Prepared{};
  }

  Status Run(const RunArgs& args) const override {
    const TensorView& data = args.inputs[0];
    const TensorView& index = args.inputs[1];
    const int64_t size = data.dims[Idx(axis_)];
    int64_t outer = 1;
    int64_t row = static_cast<int64_t>(SizeOf(data.dtype));
    for (int d = 0; d < axis_; ++d) outer *= data.dims[Idx(d)];
    for (int d = axis_ + 1; d < data.rank; ++d) row *= data.dims[Idx(d)];
    const int64_t count = index.numel();
    std::atomic<int64_t> refused{-1};  // position of some index out of range
    const auto* source = data.as<const std::byte>();
    auto* target = args.outputs[0].as<std::byte>();
    ParallelFor(outer * count, GrainOf(row / 4), [&](int64_t begin, int64_t end, int /*thread*/) {
      int64_t o = begin / std::max<int64_t>(count, 1);
      int64_t i = begin - o * count;
      for (int64_t k = begin; k < end; ++k) {
        const int64_t raw = ReadIndex(index, i);
        const int64_t at = raw < 0 && wrap_ ? raw + size : raw;
        if (at < 0 || at >= size) {
          refused.store(i, std::memory_order_relaxed);
          return;
        }
        std::memcpy(target + k * row, source + (o * size + at) * row, Idx(row));
        if (++i == count) {
          i = 0;
          ++o;
        }
      }
    });
    if (refused.load() < 0) return Status::Ok();
    return InvalidArgument("[Gather] index ", ReadIndex(index, refused.load()),
                           " is out of range for dim ", axis_, " of size ", size);
  }

 private:
  int axis_;
  bool wrap_;
};

}  // namespace

KernelResult CreateGather(const Attributes& attributes) {
  return std::unique_ptr<const Kernel>(std::make_unique<GatherKernel>(attributes));
}

}  // namespace torch_tensorrt::core::kernels
