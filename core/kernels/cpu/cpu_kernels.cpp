#include "core/kernels/cpu/cpu_kernels.h"

#include <array>

namespace torch_tensorrt::core::kernels {

Result<RowView> ReadAsRows(std::string_view tag, const TensorView& view, int inner) {
  RowView rows{1, 1, 0};
  int64_t expected = 1;
  int d = view.rank - 1;
  bool fits = true;
  for (; d >= std::max(0, view.rank - inner); --d) {
    fits = fits && (view.dims[Idx(d)] == 1 || view.strides[Idx(d)] == expected);
    expected *= view.dims[Idx(d)];
    rows.n *= view.dims[Idx(d)];
  }
  rows.stride = rows.n;
  bool first = true;
  for (; d >= 0; --d) {
    const int64_t size = view.dims[Idx(d)];
    if (size != 1) {
      if (first) expected = rows.stride = view.strides[Idx(d)];
      fits = fits && view.strides[Idx(d)] == expected;
      expected *= size;
      first = false;
    }
    rows.rows *= size;
  }
  if (!fits && view.numel() != 0) {
    return Unsupported("[", tag,
                       "] the input's rows do not lie at one distance in memory; copy it first");
  }
  return rows;
}

Status CheckNarrowFloat(std::string_view tag, DataType dtype) {
  if (NarrowFloatIndex(dtype) >= 0) return Status::Ok();
  return Unsupported("[", tag, "] dtype ", DataTypeName(dtype), ", expected f32, f16 or bf16");
}

Status CheckCounts(std::string_view tag, const PrepareArgs& args, size_t inputs, size_t outputs) {
  if (args.inputs.size() >= inputs && args.outputs.size() >= outputs) return Status::Ok();
  return InvalidArgument("[", tag, "] ", args.inputs.size(), " inputs and ", args.outputs.size(),
                         " outputs, expected at least ", inputs, " and ", outputs);
}

std::span<const KernelEntry> CpuKernels() {
  static constexpr std::array kTable = {
      KernelEntry{"cpu.softmax", &CreateSoftmax, layers::LayerKind::kSoftmax, nullptr},
      KernelEntry{"cpu.normalization", &CreateNormalization, layers::LayerKind::kNormalization,
                  nullptr},
      KernelEntry{"cpu.attention", &CreateAttention, layers::LayerKind::kAttention, nullptr},
      KernelEntry{"cpu.rotary", &CreateRotary, layers::LayerKind::kRotaryEmbedding, nullptr},
      KernelEntry{"cpu.gather", &CreateGather, layers::LayerKind::kGather, nullptr},
      KernelEntry{"cpu.copy", &CreateCopy, layers::LayerKind::kCopy, nullptr},
      KernelEntry{"cpu.concat", &CreateConcat, layers::LayerKind::kConcat, nullptr},
      KernelEntry{"cpu.pad", &CreatePad, layers::LayerKind::kPad, nullptr},
      KernelEntry{"cpu.pool", &CreatePool, layers::LayerKind::kPool, nullptr},
      KernelEntry{"cpu.resize", &CreateResize, layers::LayerKind::kResize, nullptr},
      KernelEntry{"cpu.reduce", &CreateReduce, layers::LayerKind::kReduce, nullptr},
      KernelEntry{"cpu.nonzero", &CreateNonZero, layers::LayerKind::kNonZero, nullptr},
  };
  return kTable;
}

}  // namespace torch_tensorrt::core::kernels
