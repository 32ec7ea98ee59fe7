#include <array>

#include "core/kernels/reference/kernels.h"

namespace torch_tensorrt::core::kernels {
namespace reference {
namespace {

// The attributes of one set of shapes, every symbol resolved.
class ResolvedState : public KernelState {
 public:
  explicit ResolvedState(Attributes attributes) : attributes_(std::move(attributes)) {}
  const Attributes& attributes() const { return attributes_; }

 private:
  Attributes attributes_;
};

template <RefFunction kRun, size_t kMinInputs, size_t kMinOutputs>
class ReferenceKernel : public Kernel {
 public:
  Result<Prepared> Prepare(const PrepareArgs& args) const override {
    if (args.inputs.size() < kMinInputs || args.outputs.size() < kMinOutputs) {
      return InvalidArgument("[reference] ", args.inputs.size(), " inputs and ",
                             args.outputs.size(), " outputs, expected at least ", kMinInputs,
                             " and ", kMinOutputs);
    }
    Prepared prepared;
    prepared.state = std::make_unique<ResolvedState>(args.attributes);
    return prepared;
  }

  Status Run(const RunArgs& args) const override {
    const auto* state = static_cast<const ResolvedState*>(args.state);
    return kRun({state->attributes(), args.inputs, args.outputs});
  }

  static Result<std::unique_ptr<const Kernel>> Create(const Attributes& /*attributes*/) {
    return std::unique_ptr<const Kernel>(std::make_unique<ReferenceKernel>());
  }
};

// X(kind, least inputs, least outputs): every layer kind but Constant, which is no step.
// kinds: with the counts of operands; a test of core/tactics finds a kind that is missing.
#define TRT_REFERENCE_KERNELS(X) \
  X(Cast, 1, 1)                  \
  X(Unary, 1, 1)                 \
  X(Elementwise, 2, 1)           \
  X(Select, 3, 1)                \
  X(Fill, 0, 1)                  \
  X(Iota, 0, 1)                  \
  X(Reduce, 1, 1)                \
  X(ArgReduce, 1, 1)             \
  X(Softmax, 1, 1)               \
  X(MatrixMultiply, 2, 1)        \
  X(Convolution, 2, 1)           \
  X(Deconvolution, 2, 1)         \
  X(Normalization, 1, 1)         \
  X(Attention, 3, 1)             \
  X(RotaryEmbedding, 3, 1)       \
  X(Reshape, 1, 1)               \
  X(Transpose, 1, 1)             \
  X(Expand, 1, 1)                \
  X(Slice, 1, 1)                 \
  X(Concat, 1, 1)                \
  X(Gather, 2, 1)                \
  X(GatherElements, 2, 1)        \
  X(ScatterElements, 3, 1)       \
  X(Index, 2, 1)                 \
  X(IndexPut, 3, 1)              \
  X(Pad, 1, 1)                   \
  X(Pool, 1, 1)                  \
  X(AdaptivePool, 1, 1)          \
  X(Resize, 1, 1)                \
  X(TopK, 1, 2)                  \
  X(Sort, 1, 2)                  \
  X(Scan, 1, 1)                  \
  X(Copy, 1, 1)                  \
  X(Fused, 0, 1)                 \
  X(NonZero, 1, 1)               \
  X(ReadSize, 1, 1)

constexpr std::array kTable = {
#define TRT_ROW(kind, inputs, outputs)                                             \
  KernelEntry{"ref." #kind, &ReferenceKernel<&Run##kind, inputs, outputs>::Create, \
              layers::LayerKind::k##kind, nullptr},
    TRT_REFERENCE_KERNELS(TRT_ROW)
#undef TRT_ROW
};

}  // namespace
}  // namespace reference

std::span<const KernelEntry> ReferenceKernels() { return reference::kTable; }

}  // namespace torch_tensorrt::core::kernels
