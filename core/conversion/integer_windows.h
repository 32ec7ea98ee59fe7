// Convolutions and average pools of integers. No kernel computes them: they are gathers of windows
// and products or sums, exact and with wrap-around as PyTorch's.
#pragma once

#include <span>

#include "core/conversion/context.h"

namespace torch_tensorrt::core::conversion {

// Of a window, one value for every spatial dim.
struct IntegerWindow {
  core::Dims stride;
  core::Dims begin;  // zeros before each dim; negative ones drop elements
  core::Dims end;
  core::Dims dilation;
};

// x [N,C,spatial...] with w [O,C/groups,kernel...], of one integer dtype; bias [O] or kNone.
TensorId ConvolveIntegers(ConversionContext& ctx, std::span<const TensorId> x_w_bias,
                          const IntegerWindow& window, int64_t groups);
// x [N,C,spatial...] with w [C,O/groups,kernel...]; `window` as the layer Deconvolution has it.
TensorId DeconvolveIntegers(ConversionContext& ctx, std::span<const TensorId> x_w_bias,
                            const IntegerWindow& window, const core::Dims& output_padding,
                            int64_t groups);

struct IntegerAverage {
  core::Dims kernel;
  core::Dims stride;
  core::Dims padding;  // on both sides
  bool ceil_mode = false;
  bool count_padding = true;
  int64_t divisor = 0;  // 0: elements in the window
};

// Averages of windows of x [N,C,spatial...], rounded towards zero.
TensorId AverageIntegers(ConversionContext& ctx, TensorId x, const IntegerAverage& average);

}  // namespace torch_tensorrt::core::conversion
