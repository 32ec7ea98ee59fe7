// Where products and convolutions leave their results: in the output itself, or block by block
// through a conversion to a 16-bit type or through an epilogue program. The output is seen as a
// matrix: its last dim by all others. OutputStage is made once from attributes and is immutable;
// OutputPlan once per set of shapes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/kernels/cpu/gemm/block.h"
#include "core/kernels/cpu/loop/epilogue.h"
#include "core/types/attributes.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels {

struct OutputPlan {
  std::unique_ptr<const EpiloguePlan> epilogue;  // null: none
  DataType dtype = DataType::kFloat32;
  int64_t row_stride = 0;
  bool in_place = true;     // results are accumulated in the output
  bool needs_sink = false;  // blocks are handed to an OutputSink
};

class OutputStage {
 public:
  // Reads attributes `has_bias` and `epilogue` of a kernel whose first `operands` inputs are the
  // product's own.
  static Result<OutputStage> Create(const Attributes& attributes, size_t operands);

  // Checks the inputs after the operands, and the output. `tag` names the kernel in messages.
  Result<OutputPlan> Prepare(std::string_view tag, std::span<const TensorView> inputs,
                             const TensorView& output, int64_t columns) const;
  // f32 scratch that Bias() needs.
  size_t BiasScratch(std::span<const TensorView> inputs) const;
  // The bias as f32, converted into scratch when it has another type; null without bias.
  const float* Bias(std::span<const TensorView> inputs, std::byte* scratch) const;
  // The tensors that the epilogue reads.
  std::span<const TensorView> EpilogueInputs(std::span<const TensorView> inputs) const;

 private:
  size_t operands_ = 2;
  bool has_bias_ = false;
  std::unique_ptr<const CompiledLoop> epilogue_;
};

// Stores the blocks of one product whose element (0, 0) is element (row, column) of the output
// matrix.
class OutputSink final : public BlockSink {
 public:
  OutputSink(const OutputPlan& plan, std::span<const TensorView> epilogue_inputs,
             const TensorView& output, int64_t row = 0, int64_t column = 0)
      : plan_(plan), inputs_(epilogue_inputs), output_(output), row_(row), column_(column) {}
  void Store(const float* block, int64_t stride, int64_t row, int64_t rows, int64_t column,
             int64_t columns) const override;

 private:
  const OutputPlan& plan_;
  std::span<const TensorView> inputs_;
  const TensorView& output_;
  int64_t row_;
  int64_t column_;
};

// The output matrix's element (row, column) as f32. REQUIRES: the output is f32.
float* OutputAt(const OutputPlan& plan, const TensorView& output, int64_t row, int64_t column);

// "[2, 3]" for messages.
std::string DimsText(const TensorView& view);

}  // namespace torch_tensorrt::core::kernels
