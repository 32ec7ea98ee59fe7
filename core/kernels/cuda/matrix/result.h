// What matrix kernels do with their sums: bias, epilogue program, rounding, and where results go.
// ResultStage is made once from attributes and is immutable; ResultPlan once per set of shapes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernels/cuda/loop/printer.h"
#include "core/loop/program.h"
#include "core/types/attributes.h"
#include "core/types/tensor_view.h"
#include "core/util/status.h"

namespace torch_tensorrt::core::kernels::cuda {

struct ResultPlan {
  std::string text;  // of the epilogue, with trt_out; TRT_BIAS is defined when there is a bias
  EpilogueShape shape;
};

// A result that is the product, plus a bias, plus a tensor, then ReLU: which inputs those are, -1
// for none.
struct PlainResult {
  int bias = -1;
  int addend = -1;
  bool relu = false;
};

class ResultStage {
 public:
  // Reads attributes `has_bias` and `epilogue` of a kernel whose first `operands` inputs are the
  // product's own.
  static Result<ResultStage> Create(const Attributes& attributes, size_t operands);

  // `columns`: the output's last dim. `tag` names the kernel in messages.
  Result<ResultPlan> Prepare(std::string_view tag, std::span<const TensorView> inputs,
                             const TensorView& output, int64_t columns) const;
  // Nothing when the epilogue is more than that.
  std::optional<PlainResult> Plain() const;
  // Null without bias.
  const void* Bias(std::span<const TensorView> inputs) const;
  // The bytes of TrtEpilogueArgs.
  std::vector<std::byte> Arguments(const ResultPlan& plan,
                                   std::span<const TensorView> inputs) const;

 private:
  std::span<const TensorView> EpilogueInputs(std::span<const TensorView> inputs) const;

  size_t operands_ = 2;
  bool has_bias_ = false;
  bool has_epilogue_ = false;
  loop::Program epilogue_;
};

// "[2, 3]" for messages.
std::string DimsText(const TensorView& view);

// Float, f16 or bf16?
bool IsTensorCoreType(DataType type);

}  // namespace torch_tensorrt::core::kernels::cuda
