// Private to core/layers: one inference function per layer kind. The declarations come from the
// table, so a kind without a function does not link. Attributes are already checked against the
// table when a function runs.
#pragma once

#include <vector>

#include "core/layers/infer.h"
#include "core/types/tensor_view.h"

namespace torch_tensorrt::core::layers {

using InferResult = Result<std::vector<TensorType>>;

struct InferArgs {
  LayerKind kind;
  const std::vector<TensorType>& inputs;
  const Attributes& attrs;

  const TensorType& in(size_t i) const { return inputs[i]; }
  const SymDims& dims(size_t i) const { return inputs[i].dims; }
  int64_t rank(size_t i) const { return static_cast<int64_t>(inputs[i].dims.size()); }

  template <typename... Parts>
  Status Error(const Parts&... parts) const {
    return InvalidArgument("[", InfoOf(kind).name, "] ", parts...);
  }
  // The attribute `name` when it is a dim of input i.
  Result<size_t> Axis(std::string_view name, size_t i) const;
  Status RequireFloat(size_t i) const;
  Status RequireSameType(size_t a, size_t b) const;
  Status RequireIndexType(size_t i) const;
};

#define TRT_DECLARE(name, min_inputs, max_inputs, outputs, attributes) \
  InferResult Infer##name(const InferArgs& args);
TRT_LAYER_KINDS(TRT_DECLARE)
#undef TRT_DECLARE

// The dtype of a MatrixMultiply or Convolution output of `dims`, given the inputs from
// `first_extra` on, which are the epilogue's; checks the program against them. `dtype` without an
// epilogue.
Result<DataType> InferEpilogue(const InferArgs& args, size_t first_extra, const SymDims& dims,
                               DataType dtype);
// Checks that `operand` can be read along `map` over a domain of `domain` dims.
Status CheckProgramInput(const InferArgs& args, const TensorType& operand,
                         const std::vector<int8_t>& map, const SymDims& domain);

}  // namespace torch_tensorrt::core::layers
