// cpu.pad: dense tensors, padded or cropped in any mode. The last padded dim and those behind it
// make a row, which is copied whole but for its ends.
#include <cstring>
#include <utility>
#include <vector>

#include "core/kernels/cpu/cpu_kernels.h"
#include "core/kernels/reference/shapes.h"
#include "core/kernels/reference/values.h"

namespace torch_tensorrt::core::kernels {
namespace {

// Where each position of one output dim comes from; -1: the fill value.
using Sources = std::vector<int64_t>;

struct PadState final : KernelState {
  std::vector<Sources> outer;  // of the dims before the row
  Dims in_strides;             // theirs, in bytes
  Sources row;
  int64_t middle_begin = 0;  // positions of the row that follow one another in the input
  int64_t middle_end = 0;
  int64_t item = 0;  // bytes of one position of the row
  int64_t rows = 1;
  std::vector<std::byte> fill;  // one item
};

Sources SourcesOf(int64_t out, int64_t in, int64_t begin, const std::string& mode) {
  Sources sources;
  for (int64_t i = 0; i < out; ++i) {
    sources.push_back(reference::PadSource(i - begin, in, mode));
  }
  return sources;
}

class PadKernel final : public Kernel {
 public:
  explicit PadKernel(const Attributes& attributes)
      : mode_(attributes.Str("mode")), value_(attributes.Double("value")) {}
  Result<Prepared> Prepare(const PrepareArgs& args) const override;
  Status Run(const RunArgs& args) const override;

 private:
  std::string mode_;
  double value_;
};

Result<Prepared> PadKernel::Prepare(const PrepareArgs& args) const {
  TRT_RETURN_IF_ERROR(CheckCounts("Pad", args, 1, 1));
  const TensorView& in = args.inputs[0];
  const TensorView& out = args.outputs[0];
  const Dims pads = args.attributes.Ints("pads");
  TRT_RETURN_IF_ERROR(reference::CheckPads(in, pads, mode_));
  if (!IsDense(in) || !IsDense(out) || in.rank == 0) {
    return Unsupported("[Pad] a scalar, or a tensor that is not contiguous; copy it first");
  }
  auto state = std::make_unique<PadState>();
  int last = in.rank - 1;  // that is padded
  int64_t item = static_cast<int64_t>(SizeOf(in.dtype));
  while (last > 0 && pads[Idx(last)] == 0 && pads[Idx(in.rank + last)] == 0) {
    item *= in.dims[Idx(last--)];
  }
  state->item = item;
  for (int d = 0; d <= last; ++d) {
    state->outer.push_back(SourcesOf(out.dims[Idx(d)], in.dims[Idx(d)], pads[Idx(d)], mode_));
    state->in_strides.push_back(in.strides[Idx(d)] * static_cast<int64_t>(SizeOf(in.dtype)));
    if (d < last) state->rows *= out.dims[Idx(d)];
  }
  state->row = std::move(state->outer.back());
  state->outer.pop_back();
  const int64_t size = out.dims[Idx(last)];
  state->middle_begin = std::clamp<int64_t>(pads[Idx(last)], 0, size);
  state->middle_end = std::clamp(pads[Idx(last)] + in.dims[Idx(last)], state->middle_begin, size);
  const auto element = SizeOf(in.dtype);
  state->fill.resize(Idx(item));
  for (size_t at = 0; at < state->fill.size(); at += element) {
    reference::WriteValue(state->fill.data() + at, in.dtype, 0,
                          {value_, reference::TruncateToInt(value_)});
  }
  return Prepared{std::move(state), 0};
}

// The input's bytes before the row that output row `i` shows, or -1 when it is all fill.
int64_t RowOffset(const PadState& state, int64_t i) {
  int64_t offset = 0;
  for (size_t d = state.outer.size(); d-- > 0;) {
    const auto size = static_cast<int64_t>(state.outer[d].size());
    const int64_t source = state.outer[d][Idx(i % size)];
    if (source < 0) return -1;
    offset += source * state.in_strides[d];
    i /= size;
  }
  return offset;
}

template <typename Copy>
void PadRow(const PadState& state, const std::byte* from, std::byte* to, const Copy& copy) {
  const auto size = static_cast<int64_t>(state.row.size());
  const int64_t item = state.item;
  const auto one = [&](int64_t i) {
    const int64_t source = from == nullptr ? -1 : state.row[Idx(i)];
    copy(to + i * item, source < 0 ? state.fill.data() : from + source * item);
  };
  const int64_t begin = from == nullptr ? size : state.middle_begin;
  const int64_t end = from == nullptr ? size : state.middle_end;
  for (int64_t i = 0; i < begin; ++i) one(i);
  if (begin < end) {
    std::memcpy(to + begin * item, from + state.row[Idx(begin)] * item, Idx((end - begin) * item));
  }
  for (int64_t i = end; i < size; ++i) one(i);
}

template <typename Copy>
void PadRows(const PadState& state, const std::byte* in, std::byte* out, const Copy& copy) {
  const int64_t bytes = static_cast<int64_t>(state.row.size()) * state.item;
  ParallelFor(state.rows, GrainOf(bytes / 4), [&](int64_t begin, int64_t end, int /*thread*/) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t offset = RowOffset(state, i);
      PadRow(state, offset < 0 ? nullptr : in + offset, out + i * bytes, copy);
    }
  });
}

Status PadKernel::Run(const RunArgs& args) const {
  const auto& state = *static_cast<const PadState*>(args.state);
  if (args.outputs[0].numel() == 0) return Status::Ok();
  const auto* in = args.inputs[0].as<const std::byte>();
  auto* out = args.outputs[0].as<std::byte>();
  // Single elements are worth a copy whose size the compiler knows.
  switch (state.item) {
    case 2:
      PadRows(state, in, out,
              [](std::byte* to, const std::byte* from) { std::memcpy(to, from, 2); });
      break;
    case 4:
      PadRows(state, in, out,
              [](std::byte* to, const std::byte* from) { std::memcpy(to, from, 4); });
      break;
    default:
      PadRows(state, in, out, [n = Idx(state.item)](std::byte* to, const std::byte* from) {
        std::memcpy(to, from, n);
      });
      break;
  }
  return Status::Ok();
}

}  // namespace

KernelResult CreatePad(const Attributes& attributes) {
  return std::unique_ptr<const Kernel>(std::make_unique<PadKernel>(attributes));
}

}  // namespace torch_tensorrt::core::kernels
