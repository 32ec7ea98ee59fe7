// What tactics of matrix products and convolutions share, whatever the target (internal to
// core/tactics).
#pragma once

#include <functional>
#include <string>

#include "core/tactics/tactic.h"

namespace torch_tensorrt::core::tactics {

// Inputs after the first two pass through: a bias as `bias` says, epilogue inputs with any strides.
void AddExtraOperands(const TacticQuery& query, LayoutNeed bias, StepSpec* spec);
// Name of the layer's second input, for pack keys.
std::string WeightsName(const TacticQuery& query);

// A constant of this dtype and these dims that `fill` writes when it is needed. `fill` does the
// same each time and refers to no layer.
Operand PackedOperand(std::string key, DataType dtype, Dims dims, std::function<void(void*)> fill);

struct ConvolutionWeights {
  const ir::Weights* weights = nullptr;  // may be deferred
  int64_t groups = 1;
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t taps = 1;
  Dims kernel;
};

// What all convolution kernels need: channels last, constant float weights, at most `max_spatial`
// spatial dims. Also of a transposed convolution, whose weights have the input channels first.
Result<ConvolutionWeights> CheckConvolution(const TacticQuery& query, size_t max_spatial);
// Whether each channel has one filter of its own; Unsupported says how it is not so.
Status CheckDepthwise(const ConvolutionWeights& c);
// The step of a convolution kernel with these packed weights and that need for the bias.
StepSpec ConvolutionStep(const TacticQuery& query, const ConvolutionWeights& c, std::string kernel,
                         Operand weights, LayoutNeed bias);

}  // namespace torch_tensorrt::core::tactics
